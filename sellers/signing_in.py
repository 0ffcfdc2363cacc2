"""An accepted applicant becomes a seller once the address is known to be theirs; signals of allauth and Django call."""

import logging

from django.contrib import messages
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from sellers.openings import claim_acceptance

logger = logging.getLogger(__name__)


def on_address_verified(sender, request, email_address, **kwargs):
    welcome(request, email_address.user)


def on_signed_in(sender, request, user, **kwargs):
    welcome(request, user)


def welcome(request, user) -> None:
    """Make the seller that waits for this person, if one does, and say so.

    What goes wrong here stops neither the verification nor the sign-in: the next sign-in tries again.
    """
    try:
        seller = claim_acceptance(user=user, now=timezone.now())
    except Exception:
        logger.exception("acceptance not claimed user=%s", user.pk)
        return
    if seller is None or not hasattr(request, "session"):
        return
    link = format_html('<a href="{}">{}</a>', reverse("studio:home"), _("Open the studio"))
    text = _("Your application was accepted: you can sell now.")
    messages.success(request, format_html("{} {}", text, link), fail_silently=True)
