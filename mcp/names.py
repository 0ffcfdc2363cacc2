"""Under which domain the registry names what is its own: the host of `SITE_URL`, from its end."""

import re
from urllib.parse import urlsplit

from django.conf import settings

_FORBIDDEN = re.compile("[^a-zA-Z0-9.-]+")


def registry_namespace() -> str:
    """`example.shop` for `https://shop.example`. A port is no part of it; of an IPv6 address, dashes part the groups.

    Source: server.json, schema 2025-12-11: what stands before the slash of a name has letters, digits, dots and
    dashes only. Names outside ASCII take the form they have in DNS.
    """
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    labels = host.encode("idna").decode("ascii") if not host.isascii() else host
    return _FORBIDDEN.sub("-", ".".join(reversed(labels.strip(".").split("."))))
