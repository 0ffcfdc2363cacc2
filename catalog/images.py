"""Which pictures of a prompt pages show: its own where they may be shown, otherwise the cover we draw."""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.covers import draw_card, draw_cover
from catalog.models import Prompt
from catalog.tags import normalize_tags

COVER_WIDTHS = (480, 960)  # pixels; height is three quarters of it
DRAWN_FOLDER = "drawn"
PICTURE_FOLDER = "prompts"
PICTURE_WIDTHS = (480, 960, 1600)  # pixels; a picture is stored in those that it fills, and never enlarged

_STORED = re.compile(rf"(.*?{PICTURE_FOLDER}/[\w-]{{22}})-(\d{{1,5}})x(\d{{1,5}})\.webp", re.ASCII)


@dataclass(frozen=True, slots=True)
class Picture:
    """What `<img>` needs. `srcset` is empty where there is one size only, `alt` where nobody has described it.

    width, height: pixels of the largest size; of a picture from elsewhere the shape it is shown in.
    """

    url: str
    srcset: str = ""
    width: int = 960
    height: int = 720
    alt: str = ""


def list_pictures(prompt: Prompt) -> list[Picture]:
    """The prompt's own pictures that pages may show, else its drawn cover: never empty. Needs `listing` loaded."""
    addresses = prompt.image_urls if isinstance(prompt.image_urls, list) else []
    alts = prompt.listing.image_alts
    shown = [make_picture(address, alt=alts.get(address, "")) for address in addresses if is_showable(address)]
    return shown or [find_drawn_cover(prompt)]


def make_picture(address: str, *, alt: str = "") -> Picture:
    """What is known of a picture by its address alone: our own names tell the sizes that are stored."""
    sizes = list_stored_sizes(address)
    if not sizes:
        return Picture(address, alt=alt)
    width, height = sizes[0]
    srcset = ", ".join(f"{name_size(address, size)} {size[0]}w" for size in reversed(sizes)) if sizes[1:] else ""
    return Picture(address, srcset, width, height, alt)


def list_stored_sizes(address: str) -> list[tuple[int, int]]:
    """Width and height of each stored size, largest first; empty for an address that is not of our naming."""
    stored = _STORED.fullmatch(address)
    return plan_sizes(int(stored[2]), int(stored[3])) if stored else []


def plan_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """The sizes in which a picture of this largest size is stored, largest first."""
    smaller = (step for step in reversed(PICTURE_WIDTHS) if step < width)
    return [(width, height), *((step, max(1, round(height * step / width))) for step in smaller)]


def name_size(address: str, size: tuple[int, int]) -> str:
    """The same picture's name or address in another of its sizes."""
    return f"{_STORED.fullmatch(address)[1]}-{size[0]}x{size[1]}.webp"


def choose_cover(prompt: Prompt) -> Picture:
    return list_pictures(prompt)[0]


def is_showable(address) -> bool:
    """Whether our pages may load this picture: from our own media, or from a host that `IMAGE_HOSTS` names.

    Rows come from other programs too, so the column may hold anything.
    """
    if not isinstance(address, str) or re.search(r"[\x00-\x20\\\"'<>]", address):
        return False
    if address.startswith(settings.MEDIA_URL):
        return ".." not in address
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and any(_matches_host(parts.netloc, host) for host in settings.IMAGE_HOSTS)


def _matches_host(netloc: str, allowed: str) -> bool:
    """`allowed` is written as in a Content-Security-Policy: `cdn.example.com`, `https://…` or `*.example.com`."""
    host = allowed.rpartition("//")[2].rstrip("/").casefold()
    if host.startswith("*."):
        return netloc.casefold().endswith(host[1:])
    return netloc.casefold() == host


@lru_cache(maxsize=8)
def _cover_address(pattern: str) -> tuple[str, str]:
    before, _, after = pattern.partition("SLUG")
    return before, after


def find_drawn_cover(prompt: Prompt) -> Picture:
    """The addresses of the drawn cover in its widths. They change when the tags change the drawing."""
    before, after = _cover_address(reverse("catalog:prompt_cover", args=["SLUG"]))
    address = f"{before}{quote(prompt.listing.slug)}{after}?v={name_cover_version(prompt)}"
    small, large = COVER_WIDTHS
    return Picture(f"{address}&w={large}", f"{address}&w={small} {small}w, {address}&w={large} {large}w")


def name_cover_version(prompt: Prompt) -> str:
    """Changes with the drawing, and nobody can guess it who does not know the prompt's key."""
    return _cover_key(prompt)[:12]


def load_cover(prompt: Prompt, *, width: int) -> bytes:
    """The drawn cover as WebP, 4:3. Drawn at the first call and stored; later calls read it."""
    name = f"{DRAWN_FOLDER}/cover-{_cover_key(prompt)}-{width}.webp"
    size = (width, width * 3 // 4)
    return _load_or_draw(name, lambda: draw_cover(key=str(prompt.pk), tags=_tags(prompt), size=size))


def load_card(prompt: Prompt, *, price_label: str, site_name: str) -> tuple[bytes, str]:
    """The picture that other sites show under a link, as PNG, and its fingerprint. Stored like a cover.

    price_label: the price as it is to be read, such as "9,900원".
    """
    key = _fingerprint(str(prompt.pk), *_tags(prompt), prompt.title, price_label, site_name)
    card = _load_or_draw(
        f"{DRAWN_FOLDER}/card-{key}.png",
        lambda: draw_card(
            title=prompt.title, price_label=price_label, site_name=site_name, key=str(prompt.pk), tags=_tags(prompt)
        ),
    )
    return card, key


def _load_or_draw(name: str, draw) -> bytes:
    if default_storage.exists(name):
        with default_storage.open(name) as stored:
            return stored.read()
    drawn = draw()
    saved = default_storage.save(name, ContentFile(drawn))
    if saved != name:  # another process was quicker, with the same picture
        default_storage.delete(saved)
    return drawn


def _cover_key(prompt: Prompt) -> str:
    return _fingerprint(str(prompt.pk), *_tags(prompt))


def _tags(prompt: Prompt) -> list[str]:
    return normalize_tags(prompt.tags)


def _fingerprint(*parts: str) -> str:
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
