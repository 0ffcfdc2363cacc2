"""The colours of tokens.css, measured as WCAG 2.2 asks: text 4.5 to 1, shapes 3 to 1, in both modes."""

import math
import re
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = Path(settings.BASE_DIR / "static/css/tokens.css").read_text(encoding="utf-8")
SURFACES = ["paper", "sheet", "wash"]
TEXT = [(ink, surface) for ink in ("ink", "ink-soft", "seal", "pine", "amber", "rust", "slate") for surface in SURFACES]
TEXT += [(name, f"{name}-wash") for name in ("pine", "amber", "rust", "slate")]
TEXT += [("ink", f"{name}-wash") for name in ("seal", "pine", "amber", "rust", "slate")]
TEXT += [("seal-strong", "seal-wash"), ("on-seal", "seal-fill"), ("on-seal", "seal-fill-strong"), ("sheet", "pine")]
SHAPES = [(shape, surface) for shape in ("field-line", "seal-fill", "seal") for surface in SURFACES]


def read_colours(mode: str) -> dict[str, tuple[float, float, float]]:
    """Role to (lightness 0..1, chroma, hue in degrees), for "light" or "dark"."""
    pair = re.compile(r"--color-([a-z-]+): light-dark\(oklch\(([^)]*)\), oklch\(([^)]*)\)\)")
    chosen = {name: light if mode == "light" else dark for name, light, dark in pair.findall(TOKENS)}
    return {
        name: (float(parts[0].rstrip("%")) / 100, float(parts[1]), float(parts[2]))
        for name, parts in ((name, value.split()) for name, value in chosen.items())
    }


def luminance(colour: tuple[float, float, float]) -> float:
    """Relative luminance of an oklch colour, clipped to sRGB. Source: CSS Color 4, sample code for OKLab."""
    lightness, chroma, hue = colour
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(1.0, max(0.0, value)) for value in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_is_twenty_one_to_one():
    assert contrast((0, 0, 0), (1, 0, 0)) == pytest.approx(21, abs=0.01)


def test_a_known_grey_measures_as_published():
    # #767676 on white is 4.54 to 1; oklch(56.6% 0 0) is that grey
    assert contrast((0.566, 0, 0), (1, 0, 0)) == pytest.approx(4.54, abs=0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("ink", "surface"), TEXT)
def test_text_can_be_read(mode, ink, surface):
    colours = read_colours(mode)

    assert contrast(colours[ink], colours[surface]) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("shape", "surface"), SHAPES)
def test_shapes_can_be_seen(mode, shape, surface):
    colours = read_colours(mode)

    assert contrast(colours[shape], colours[surface]) >= 3
