"""Reading pages in tests: what a person sees of cards, chips and links."""

import re
from html import unescape

CARD = re.compile(r'<a class="card__link" href="([^"]*)">([^<]*)</a>')


def card_titles(response) -> list[str]:
    """Titles of the cards in a page or a part of one, in order."""
    return [unescape(title) for _, title in CARD.findall(read(response))]


def chips(response) -> dict[str, str]:
    """Words of each filter that is on, and the address without it."""
    found = re.findall(r'<a class="chip chip--filter[^"]*" href="([^"]*)">(.*?)<svg', read(response), re.DOTALL)
    return {plain(label): unescape(address) for address, label in found}


def plain(html: str) -> str:
    """The text of some HTML, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def read(response) -> str:
    """The whole body, also of an answer that is streamed."""
    return b"".join(response).decode() if response.streaming else response.text


def next_address(response) -> str:
    """Where "show more" leads; empty on the last page."""
    found = re.search(r'<a class="button" rel="next" href="([^"]*)"', read(response))
    return unescape(found[1]) if found else ""


def meta(response, name: str) -> str:
    """The content of `<meta name>` or `<meta property>`; empty when there is none."""
    found = re.search(rf'<meta (?:name|property)="{re.escape(name)}" content="([^"]*)"', read(response))
    return unescape(found[1]) if found else ""


def canonical(response) -> str:
    found = re.search(r'<link rel="canonical" href="([^"]*)"', read(response))
    return unescape(found[1]) if found else ""
