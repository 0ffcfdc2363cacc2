"""Secrets of other systems that we must be able to read again, sealed before they stand in the database.

The key is made from `SECRET_KEY`, one for each purpose; what an older key sealed opens while that key stands in
`SECRET_KEY_FALLBACKS`. Whoever has a copy of the database alone has nothing. See docs/decisions/.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def seal(text: str, *, purpose: str) -> str:
    """purpose: what was sealed for one opens for no other."""
    return _make_box(purpose).encrypt(text.encode()).decode("ascii")


def unseal(token: str, *, purpose: str) -> str | None:
    """None where it cannot be opened: another key, another purpose, or not ours."""
    try:
        return _make_box(purpose).decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeError):
        return None


def _make_box(purpose: str) -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derive_key(key, purpose)) for key in keys])


def _derive_key(secret: str, purpose: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"marketplace.sealing:{purpose}".encode())
    return base64.urlsafe_b64encode(derived.derive(secret.encode()))
