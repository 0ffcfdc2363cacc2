"""Covers and Open Graph cards, drawn from nothing but a key and tags.

Every picture is one sheet of Korean manuscript paper (20 cells a line, 12 lines) printed with two inks: a red grid
first, then two plates that multiply where they overlap, as in offset printing. The key decides the composition, the
tags decide the pair of inks, so that the same prompt always has the same cover and a shelf of them looks like one
series.
"""

import math
import random
import unicodedata
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFont

from .compositions import CELL, COMPOSITIONS, COVER_SIZE, LINE, ON_COLOURED_GROUND, Plate

FONT_PATH = Path(__file__).parent / "fonts" / "Pretendard-Bold.otf"
CARD_SIZE = (1200, 630)
GRID_OVERSAMPLING = 4
GRID_STRENGTH = 120  # of 255

GRID_RED = (217, 94, 74)
PAPER = (250, 246, 236)


class Inks(NamedTuple):
    """Two printing inks; where both print, the colours multiply."""

    first: tuple[int, int, int]
    second: tuple[int, int, int]


INKS = (
    Inks((200, 51, 42), (247, 178, 103)),  # seal and apricot
    Inks((32, 52, 110), (240, 98, 78)),  # indigo and coral
    Inks((17, 98, 78), (246, 196, 69)),  # pine and yolk
    Inks((0, 110, 132), (250, 148, 120)),  # teal and salmon
    Inks((92, 42, 92), (242, 151, 172)),  # plum and rose
    Inks((40, 41, 48), (232, 93, 44)),  # ink and persimmon
    Inks((41, 86, 190), (247, 205, 92)),  # cobalt and straw
    Inks((104, 62, 40), (127, 186, 168)),  # walnut and celadon
)

# Subjects that belong together share a pair of inks; any other tag gets one by its name.
INKS_BY_TAG = {
    **dict.fromkeys(("마케팅", "marketing", "쇼핑몰", "ecommerce", "광고", "세일즈", "sales", "스토어"), 0),
    **dict.fromkeys(("개발", "coding", "코드리뷰", "code-review", "데이터분석", "data", "엑셀", "sql", "자동화"), 1),
    **dict.fromkeys(("여행", "travel", "요리", "cooking", "건강", "wellness", "생활"), 2),
    **dict.fromkeys(("번역", "translation", "영어공부", "language-learning", "외국어"), 3),
    **dict.fromkeys(("디자인", "design", "이미지생성", "image-generation", "브랜딩", "branding", "사진"), 4),
    **dict.fromkeys(("법무", "계약", "legal", "취업", "career", "인사", "경영", "strategy"), 5),
    **dict.fromkeys(("교육", "education", "육아", "parenting", "유튜브", "youtube", "영상"), 6),
    **dict.fromkeys(("글쓰기", "writing", "소설", "이메일", "email", "회의록", "meetings", "기획"), 7),
}


def choose_inks(tags: list[str], key: str) -> Inks:
    """The pair of the first tag that has one; otherwise by the first tag's name, otherwise by the key."""
    for tag in tags:
        if tag.casefold() in INKS_BY_TAG:
            return INKS[INKS_BY_TAG[tag.casefold()]]
    return INKS[_number(tags[0].casefold() if tags else key) % len(INKS)]


def _number(text: str) -> int:
    """The same in every process, unlike hash()."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


@lru_cache(maxsize=8)
def _draw_grid(width: int, height: int, scale: float) -> Image.Image:
    """The ruling of the paper as a mask: squares in lines and narrow gaps between the lines.

    Drawn larger and reduced, so that hairlines keep one weight in small sizes too.
    """
    s, stroke = scale * GRID_OVERSAMPLING, 1.8 * scale * GRID_OVERSAMPLING
    mask = Image.new("L", (round(width * scale) * GRID_OVERSAMPLING, round(height * scale) * GRID_OVERSAMPLING), 0)
    pen = ImageDraw.Draw(mask)

    def rule(left, top, right, bottom):
        pen.rectangle((round(left), round(top), round(right), round(bottom)), fill=GRID_STRENGTH)

    for row in range(math.ceil(height / LINE) + 1):
        top = (row * LINE + (LINE - CELL) / 2) * s
        bottom = top + CELL * s
        for y in (top, bottom):
            rule(0, y - stroke / 2, mask.width, y + stroke / 2)
        for column in range(math.ceil(width / CELL) + 1):
            x = column * CELL * s
            rule(x - stroke / 2, top, x + stroke / 2, bottom)
    return mask.reduce(GRID_OVERSAMPLING)


def _print_sheet(inks: Inks, plates: list[Image.Image], grid: Image.Image) -> Image.Image:
    """Paper, then the red grid, then each ink over what is there."""
    sheet = Image.new("RGB", grid.size, PAPER)
    sheet.paste(GRID_RED, mask=grid)
    for ink, plate in zip(inks, plates, strict=True):
        darkened = sheet.point([value * share // 255 for share in ink for value in range(256)])
        sheet.paste(darkened, mask=plate)
    return sheet


def draw_cover(*, key: str, tags: list[str], size: tuple[int, int] = COVER_SIZE) -> bytes:
    """A cover as WebP, always the same for the same key and tags; about 20 kB at 1200 x 900.

    size: width and height in pixels; the sheet is 4:3 and fills the width, so a taller size shows paper below.
    """
    width, height = size
    scale = width / COVER_SIZE[0]
    dice = random.Random(_number(key))  # noqa: S311  # a picture, not a secret
    compose = dice.choice(COMPOSITIONS)
    first, second = (Plate(COVER_SIZE[0], round(height / scale), scale) for _ in range(2))
    compose(first, second, dice)
    inks = choose_inks(tags, key)
    grid = _draw_grid(COVER_SIZE[0], round(height / scale), scale)
    plates = [first.finished(), second.finished()]
    if compose in ON_COLOURED_GROUND and dice.random() < 0.45:
        plates[1] = ImageChops.invert(plates[1])
    image = _print_sheet(inks, plates, grid)
    out = BytesIO()
    image.save(out, "WEBP", quality=80, method=2)
    return out.getvalue()


# The card that other sites show under a link.

TEXT_INK = (36, 37, 48)
SOFT_INK = (98, 96, 104)
SEAL = (196, 52, 40)
CARD_MARGIN = 64
CARD_TEXT_WIDTH = 600
CARD_PICTURE_WIDTH = 450


def draw_card(*, title: str, price_label: str, site_name: str, key: str, tags: list[str]) -> bytes:
    """A 1200 x 630 PNG for Open Graph: the title on manuscript paper, a part of the cover beside it.

    title: any length; at most three lines are drawn, the rest becomes an ellipsis. Characters that the font lacks
    (emoji, hanja) are left out.
    price_label: as it is to be read, such as "9,900원".
    """
    width, height = CARD_SIZE
    grid = _draw_grid(width, height, 1.0).point(lambda value: value // 2)
    card = Image.new("RGB", CARD_SIZE, PAPER)
    card.paste(GRID_RED, mask=grid)

    cover = Image.open(BytesIO(draw_cover(key=key, tags=tags, size=(840, 630))))
    left = (cover.width - CARD_PICTURE_WIDTH) // 2
    card.paste(cover.crop((left, 0, left + CARD_PICTURE_WIDTH, height)), (width - CARD_PICTURE_WIDTH, 0))

    pen = ImageDraw.Draw(card)
    pen.rounded_rectangle((CARD_MARGIN, 60, CARD_MARGIN + 44, 104), radius=7, fill=SEAL)
    pen.rounded_rectangle((CARD_MARGIN + 6, 66, CARD_MARGIN + 38, 98), radius=4, outline=PAPER, width=3)
    pen.rectangle((CARD_MARGIN + 16, 76, CARD_MARGIN + 28, 88), fill=PAPER)
    pen.text((CARD_MARGIN + 62, 82), _printable(site_name), font=_font(30), fill=SOFT_INK, anchor="lm")

    text = _printable(title) or _printable(site_name)
    size, lines = _fit_title(text)
    leading = round(size * 1.28)
    top = 330 - leading * len(lines) // 2
    for number, line in enumerate(lines):
        pen.text((CARD_MARGIN, top + number * leading), line, font=_font(size), fill=TEXT_INK)
    pen.text((CARD_MARGIN, height - 70), _printable(price_label), font=_font(44), fill=SEAL, anchor="ls")

    out = BytesIO()
    card.save(out, "PNG", optimize=False, compress_level=6)
    return out.getvalue()


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT_PATH), size)


def _fit_title(text: str) -> tuple[int, list[str]]:
    """The largest of three sizes at which the title fits in three lines; at the smallest it is cut."""
    for size in (68, 58, 50):
        lines = _wrap(text, _font(size), CARD_TEXT_WIDTH)
        if len(lines) <= 3:
            return size, lines
    last = f"{lines[2]} {lines[3]}"
    while _font(size).getlength(f"{last}…") > CARD_TEXT_WIDTH:
        last = last[:-1].rstrip()
    return size, [*lines[:2], f"{last}…"]


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines broken at spaces, as Korean is set; a word wider than a line is broken inside."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines


def _printable(text: str) -> str:
    """Composed, on one line, without what the font cannot draw."""
    composed = " ".join(unicodedata.normalize("NFC", text)[:300].split())
    return "".join(character for character in composed if character == " " or _has_glyph(character)).strip()


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    font = _font(30)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))
