"""What every template of the site may use."""

from django.conf import settings
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _


def site(request) -> dict:
    """`site`: name, address, business facts for the footer, whether payments are a test."""
    return {"site": SimpleLazyObject(describe_site)}


def describe_site() -> dict:
    business = settings.BUSINESS
    is_example = not any(business.values())
    if is_example:
        business = example_business()
    is_sandbox = not settings.TOSS_SECRET_KEY and (settings.DEBUG or settings.TOSS_SANDBOX)
    return {
        "name": settings.SITE_NAME or _("Promptjang"),
        "url": settings.SITE_URL,
        "business": {**business, "is_example": is_example},
        "is_sandbox": is_sandbox,
        "is_trial": is_sandbox or settings.TOSS_SECRET_KEY.startswith("test_"),  # no money moves
        "languages": [("ko", "한국어"), ("en", "English")],
        "debug": settings.DEBUG,
    }


def example_business() -> dict:
    """Facts of a business that does not exist, shown until the real ones are set and marked as examples there."""
    return {
        "name": _("Promptjang (example)"),
        "representative": _("Hong Gil-dong (example)"),
        "address": _("1 Example-ro, Jongno-gu, Seoul (example)"),
        "phone": "02-0000-0000",
        "email": "help@example.com",
        "registration_number": "000-00-00000",
        "report_number": _("2026-Seoul-00000 (example)"),
        "host": _("Example hosting"),
        "privacy_officer": _("Hong Gil-dong (example)"),
    }
