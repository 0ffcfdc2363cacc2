"""What stands on a cover: twelve ways to compose large jamo and plain geometric forms on two printing plates.

All of them snap to the ruling of the manuscript paper that `covers.py` prints under them: 20 cells a line, 12 lines, so
that blocks of five by four cells are squares of 300 units.
"""

from collections.abc import Callable

from PIL import Image, ImageDraw

COVER_SIZE = (1200, 900)
CELL = 60  # a cell's side, in design units: a cover is always 1200 x 900 of them
LINE = 75  # from one line of cells to the next: a cell and the narrow gap under it
BLOCK = 300  # five cells across, four lines down: what the large forms snap to
OVERSAMPLING = 2  # Pillow draws without anti-aliasing


class Plate:
    """What one ink prints, as a mask; coordinates in design units, drawn larger and reduced at the end."""

    def __init__(self, width: int, height: int, scale: float):
        self.scale = scale * OVERSAMPLING
        self.mask = Image.new("L", (round(width * self.scale), round(height * self.scale)), 0)
        self.pen = ImageDraw.Draw(self.mask)

    def _box(self, left, top, right, bottom):
        # The last pixel belongs to the shape in Pillow, so that neighbours would overlap by one.
        s = self.scale
        return (round(left * s), round(top * s), round(right * s) - 1, round(bottom * s) - 1)

    def bar(self, left, top, right, bottom, ink=255):
        self.pen.rectangle(self._box(left, top, right, bottom), fill=ink)

    def disc(self, x, y, radius, ink=255):
        self.pen.ellipse(self._box(x - radius, y - radius, x + radius, y + radius), fill=ink)

    def ring(self, x, y, radius, width):
        self.disc(x, y, radius)
        self.disc(x, y, radius - width, ink=0)

    def sector(self, x, y, radius, start, end, ink=255):
        self.pen.pieslice(self._box(x - radius, y - radius, x + radius, y + radius), start, end, fill=ink)

    def polygon(self, *points, ink=255):
        self.pen.polygon([(round(x * self.scale), round(y * self.scale)) for x, y in points], fill=ink)

    def screen(self, left, top, right, bottom, *, pitch=15, weight=0.5):
        """Turn what is already inked inside the box into horizontal lines, as a printer's line screen."""
        y = top
        while y + pitch * weight < bottom:
            self.bar(left, y + pitch * weight, right, y + pitch, ink=0)
            y += pitch

    def finished(self) -> Image.Image:
        return self.mask.reduce(OVERSAMPLING)


# Jamo in a square of side `size` whose corner is (x, y), with strokes of `weight`: bars, rings and slanted legs,
# no font.


def _giyeok(plate, x, y, size, weight):
    plate.bar(x, y, x + size, y + weight)
    plate.bar(x + size - weight, y, x + size, y + size)


def _nieun(plate, x, y, size, weight):
    plate.bar(x, y, x + weight, y + size)
    plate.bar(x, y + size - weight, x + size, y + size)


def _digeut(plate, x, y, size, weight):
    _nieun(plate, x, y, size, weight)
    plate.bar(x, y, x + size, y + weight)


def _rieul(plate, x, y, size, weight):
    middle = y + (size - weight) / 2
    for top in (y, middle, y + size - weight):
        plate.bar(x, top, x + size, top + weight)
    plate.bar(x + size - weight, y, x + size, middle + weight)
    plate.bar(x, middle, x + weight, y + size)


def _mieum(plate, x, y, size, weight):
    _digeut(plate, x, y, size, weight)
    plate.bar(x + size - weight, y, x + size, y + size)


def _bieup(plate, x, y, size, weight):
    middle = y + (size - weight) / 2
    plate.bar(x, y, x + weight, y + size)
    plate.bar(x + size - weight, y, x + size, y + size)
    plate.bar(x, middle, x + size, middle + weight)
    plate.bar(x, y + size - weight, x + size, y + size)


def _siot(plate, x, y, size, weight):
    reach = weight * 1.18  # a slanted leg cut level looks thinner than it measures
    apex, foot = x + size / 2, y + size
    plate.polygon((apex - reach / 2, y), (apex + reach / 2, y), (x + reach, foot), (x, foot))
    fork, top = apex - (size - reach) / 2 * 0.3, y + size * 0.3  # the second leg leaves the first at a third
    plate.polygon((fork - reach / 2, top), (fork + reach / 2, top), (x + size, foot), (x + size - reach, foot))


def _ieung(plate, x, y, size, weight):
    plate.ring(x + size / 2, y + size / 2, size / 2, weight)


def _jieut(plate, x, y, size, weight):
    _siot(plate, x, y, size, weight)
    plate.bar(x, y, x + size, y + weight)


def _kieuk(plate, x, y, size, weight):
    _giyeok(plate, x, y, size, weight)
    middle = y + (size - weight) / 2
    plate.bar(x, middle, x + size, middle + weight)


def _tieut(plate, x, y, size, weight):
    _digeut(plate, x, y, size, weight)
    middle = y + (size - weight) / 2
    plate.bar(x, middle, x + size, middle + weight)


def _pieup(plate, x, y, size, weight):
    plate.bar(x, y, x + size, y + weight)
    plate.bar(x, y + size - weight, x + size, y + size)
    for left in (x + size * 0.18, x + size * 0.82 - weight):
        plate.bar(left, y, left + weight, y + size)


CONSONANTS = (_giyeok, _nieun, _digeut, _rieul, _mieum, _bieup, _siot, _ieung, _jieut, _kieuk, _tieut, _pieup)
HEAVY = (_giyeok, _nieun, _digeut, _mieum, _siot, _ieung)  # still read at any weight


# Compositions. Each prints on two plates of 1200 x 900 design units; larger forms snap to blocks of 300.


def _compose_letter(first, second, dice):
    """One letter as tall as the sheet, a disc or a quarter of one behind it."""
    letter = dice.choice(CONSONANTS)
    x = dice.choice((150, 300, 450))
    letter(first, x, 150, 600, dice.choice((120, 150)))
    if dice.random() < 0.5:
        second.disc(x + dice.choice((0, 600)), dice.choice((300, 450, 600)), dice.choice((225, 300)))
    else:
        quarter = dice.randrange(4)
        corner_x, corner_y = x + (600 if quarter in (0, 3) else 0), 750 if quarter in (2, 3) else 150
        start = {0: 90, 1: 0, 2: 270, 3: 180}[quarter]
        second.sector(corner_x, corner_y, 600, start, start + 90)


def _compose_syllable(first, second, dice):
    """An initial, a vowel's stem with its tick, and a final below: the skeleton of a syllable block."""
    dice.choice(HEAVY)(first, 150, 75, 450, 120)
    second.bar(780, 75, 900, 600)
    if dice.random() < 0.5:
        second.bar(900, 240, 1050, 360)
    else:
        second.bar(525, 240, 780, 360)
    final = dice.randrange(3)
    if final == 0:
        second.bar(150, 675, 1050, 900)
        second.screen(150, 675, 1050, 900)
    elif final == 1:
        first.sector(600, 675, 225, 0, 180)
        second.bar(150, 675, 600, 900)
    else:
        first.bar(150, 675, 1050, 795)
        second.bar(450, 675, 600, 900)


def _compose_pair(first, second, dice):
    """Two letters overprinting each other, half a sheet apart."""
    one, other = dice.sample(HEAVY, 2)
    drop = dice.choice((-75, 0, 75))
    one(first, 150, 150 + drop, 600, 150)
    other(second, 450, 150 - drop, 600, 150)


def _compose_discs(first, second, dice):
    """Two large discs, or a disc and a ring, that meet in a lens."""
    apart, radius = dice.choice((300, 375, 450)), dice.choice((300, 337))
    left, right, y = 600 - apart / 2, 600 + apart / 2, 450
    first.disc(left, y, radius)
    if dice.random() < 0.5:
        second.disc(right, y, radius)
    else:
        second.ring(right, y, radius, 120)
    if dice.random() < 0.6:
        first.screen(0, y, 1200, y + radius + 1)
    else:
        second.bar(0, y - 37, left, y + 38)


def _compose_lines(first, second, dice):
    """Lines of writing of uneven length, flush left, and one full stop."""
    lengths = [dice.choice((360, 480, 600, 720, 840, 960)) for _ in range(4)]
    lengths[dice.randrange(4)] = 960
    for row, length in enumerate(lengths):
        top = 150 + row * 150
        first.bar(120, top, 120 + length, top + 75)
    row = min(range(4), key=lengths.__getitem__)
    radius = dice.choice((150, 225))
    second.disc(min(120 + lengths[row] + radius, 1200 - radius - 45), 150 + row * 150 + 37, radius)


def _compose_steps(first, second, dice):
    """Right angles one inside the other, climbing; a disc rests in the innermost."""
    opens_right = dice.random() < 0.5
    for index, (size, plate) in enumerate(((750, first), (525, second), (300, first))):
        left, top = (225 if opens_right else 975 - size) - index * 112, 825 - size - index * 112
        if opens_right:
            left += index * 224
        upright = left if opens_right else left + size - 75
        plate.bar(upright, top, upright + 75, top + size)
        plate.bar(left, top + size - 75, left + size, top + size)
    second.disc(825 if opens_right else 375, 300, dice.choice((150, 187)))


def _compose_tiles(first, second, dice):
    """A few of the twelve blocks filled: quarters, halves, angles, rings; the rest stays paper."""
    blocks = [(column * BLOCK, row * BLOCK) for column in range(4) for row in range(3)]
    dice.shuffle(blocks)
    for index, (x, y) in enumerate(blocks[: dice.choice((7, 8, 9))]):
        plate, kind = (first, second)[index % 2], dice.randrange(6)
        if kind in (0, 1):
            right, low = dice.choice(((0, 0), (1, 0), (1, 1), (0, 1)))  # the corner that the quarter grows from
            start = {(0, 0): 0, (1, 0): 90, (1, 1): 180, (0, 1): 270}[right, low]
            plate.sector(x + right * BLOCK, y + low * BLOCK, BLOCK, start, start + 90)
        elif kind == 2:
            plate.disc(x + 150, y + 150, 150)
        elif kind == 3:
            plate.bar(x, y, x + BLOCK, y + BLOCK)
            plate.screen(x, y, x + BLOCK, y + BLOCK, pitch=30)
        elif kind == 4:
            dice.choice((_giyeok, _nieun))(plate, x, y, BLOCK, 100)
        else:
            dice.choice((_siot, _ieung))(plate, x, y, BLOCK, 100)


def _compose_peaks(first, second, dice):
    """Slanted legs in a row, like a range of hills running off the sheet, and a sun behind."""
    second.disc(dice.choice((300, 600, 900)), 375, dice.choice((225, 300)))
    if dice.random() < 0.5:
        second.screen(0, 375, 1200, 700)
    ranges = (
        ((-150, 750), (450, 450), (750, 600)),
        ((-75, 450), (225, 600), (675, 675)),
        ((150, 900), (-225, 600), (825, 450)),
    )
    for left, size in dice.choice(ranges):
        first.polygon((left + size / 2, 900 - size), (left, 900), (left + size, 900))


def _compose_arches(first, second, dice):
    """Half rings nested like an open ear or a bridge, on a level bar."""
    x = dice.choice((450, 600, 750))
    flip = dice.random() < 0.5
    base = 300 if flip else 675
    start = 0 if flip else 180
    for plate, radius, hole in ((first, 450, 330), (second, 330, 210), (first, 210, 90)):
        plate.sector(x, base, radius, start, start + 180)
        plate.sector(x, base, hole, start - 1, start + 181, ink=0)
    second.bar(0, base - 90 if flip else base, 1200, base if flip else base + 90)


def _compose_cells(first, second, dice):
    """The sheet itself written on: words of a few cells, gaps between them, a large form behind."""
    form = dice.choice(("disc", "bar", "quarter"))
    if form == "disc":
        second.disc(dice.choice((300, 600, 900)), 450, 337)
    elif form == "bar":
        left = dice.choice((150, 450, 600))
        second.bar(left, 0, left + 450, 900)
    else:
        second.sector(0 if dice.random() < 0.5 else 1200, 900, 825, 180, 360)
    for row in range(2, 10):
        column, end = (2 if row in (2, 6) else 1), (dice.randrange(6, 14) if row in (5, 9) else 19)
        while column < end:
            word = min(dice.choice((1, 2, 2, 3, 3, 4)), end - column)
            for cell in range(column, column + word):
                first.bar(cell * CELL + 4, row * LINE + 12, cell * CELL + CELL - 4, row * LINE + 64)
            column += word + 1


def _compose_scales(first, second, dice):
    """Half discs in rows, as waves or roof tiles; one column is shorter, one tile printed twice."""
    radius, start = dice.choice((150, 200)), dice.choice((0, 180))
    rows, across = 900 // radius, 1200 // (2 * radius)
    short, missing = dice.randrange(across), dice.randrange(1, rows - 1)
    twice = (dice.randrange(rows - 1, rows), dice.randrange(across))
    for row in range(rows):
        for column in range(across):
            if column == short and row < missing:
                continue
            x, y = radius + column * 2 * radius, row * radius + (radius if start else 0)
            plate, other = (first, second) if row % 2 == 0 else (second, first)
            plate.sector(x, y, radius, start, start + 180)
            if (row, column) == twice:
                other.sector(x, y, radius, start, start + 180)


def _compose_frame(first, second, dice):
    """Squares set one in another and turned to rings and bars, like a seal seen close."""
    x = dice.choice((300, 450))
    first.bar(x, 75, x + 750, 825)
    inner = dice.choice(("ring", "letter", "bars"))
    if inner == "ring":
        first.disc(x + 375, 450, 300, ink=0)
        first.disc(x + 375, 450, 150)
    elif inner == "letter":
        hole = Plate(1200, 900, first.scale / OVERSAMPLING)
        dice.choice(CONSONANTS)(hole, x + 150, 225, 450, 105)
        first.mask.paste(0, mask=hole.mask)
    else:
        for top in (195, 375, 555):
            first.bar(x + 120, top, x + (630 if top != 555 else 390), top + 120, ink=0)
    side = dice.choice((0, 750))
    second.bar(side, 450, side + 450, 900)
    if dice.random() < 0.4:
        second.screen(side, 450, side + 450, 900, pitch=30)


COMPOSITIONS: tuple[Callable, ...] = (
    _compose_letter,
    _compose_syllable,
    _compose_pair,
    _compose_discs,
    _compose_lines,
    _compose_steps,
    _compose_tiles,
    _compose_peaks,
    _compose_arches,
    _compose_cells,
    _compose_scales,
    _compose_frame,
)


# In these the second plate may also be printed the other way round: the sheet in colour, the form left as paper.
ON_COLOURED_GROUND = (
    _compose_letter,
    _compose_discs,
    _compose_lines,
    _compose_peaks,
    _compose_arches,
    _compose_cells,
    _compose_pair,
    _compose_syllable,
)
