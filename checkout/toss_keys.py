"""What the keys and addresses of Toss Payments say about themselves. Source: fact sheet, section 1.1."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings

Product = Literal["payment", "widgets"]


@dataclass(frozen=True)
class KeyKind:
    """environment: "test" or "live". product: what the key opens in the browser. side: "client" or "secret"."""

    environment: str
    product: Product
    side: str


KEY_KINDS = {
    f"{environment}_{short}_": KeyKind(environment, product, side)
    for environment in ("test", "live")
    for short, product, side in (
        ("ck", "payment", "client"),
        ("sk", "payment", "secret"),
        ("gck", "widgets", "client"),
        ("gsk", "widgets", "secret"),
    )
}


def key_kind(key: str) -> KeyKind | None:
    """What the beginning of a key says about it; None for one that Toss does not give out."""
    return next((kind for prefix, kind in KEY_KINDS.items() if key.startswith(prefix)), None)


def browser_product() -> Product:
    """What the payment page opens with TOSS_CLIENT_KEY: the payment window, or the widgets of the order form."""
    kind = key_kind(settings.TOSS_CLIENT_KEY)
    return kind.product if kind else "payment"


def is_safe_address(url: str) -> bool:
    """HTTPS, or this machine itself: the secret key stands in every request."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))
        )
    except ValueError:
        return False
