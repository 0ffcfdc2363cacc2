"""What a wording is that people agree to. The wordings themselves stand in the app that asks for them."""

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True)
class Wording:
    """A text and its version change together; old rows keep theirs. `url_name` is the page that says it at length."""

    key: str
    version: str
    text: str | Promise
    url_name: str
    link_text: str | Promise
