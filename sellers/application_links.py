"""The link to an application's page: whoever has it got the mail, so it opens the page without an account."""

from datetime import timedelta

from django.core import signing
from django.urls import reverse

from sellers.models import SellerApplication

LINK_LIVES = timedelta(days=90)
LINK_SALT = "sellers.application"


class LinkRefused(Exception):
    """Forged, or of an application that is gone. Says nothing about which."""


class LinkExpired(LinkRefused):
    pass


def sign_link(application: SellerApplication) -> str:
    """What stands in the address of an application's page: nobody can make one up, and it ends after 90 days."""
    return signing.TimestampSigner(salt=LINK_SALT).sign(application.pk.hex)


def read_link(token: str) -> SellerApplication:
    """The application with its case, where it has one. Raises LinkExpired, LinkRefused."""
    try:
        key = signing.TimestampSigner(salt=LINK_SALT).unsign(token, max_age=LINK_LIVES)
    except signing.SignatureExpired as expired:
        raise LinkExpired from expired
    except signing.BadSignature as forged:
        raise LinkRefused from forged
    application = SellerApplication.objects.select_related("case").filter(pk=key).first()
    if application is None:
        raise LinkRefused
    return application


def make_path(application: SellerApplication) -> str:
    return reverse("sellers:application_status", args=[sign_link(application)])


def make_path_to_show() -> str:
    """In place of the link in a mail that staff look at before it goes out: the real one is the applicant's alone."""
    return reverse("sellers:application_status", args=["personal-link"])
