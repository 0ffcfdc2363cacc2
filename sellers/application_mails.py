"""The mails about an application, and what staff see of them before they decide.

The first one, and the link once more, hold no word that was typed: the address is not confirmed, and nobody shall have
us carry theirs to a stranger. Mails of a decision are written after staff have read the application.
"""

import logging
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from sellers import mails
from sellers.addresses import find_verified_user
from sellers.application_links import LINK_LIVES, make_path, make_path_to_show
from sellers.models import SellerApplication, SellerMail

logger = logging.getLogger(__name__)

ADDRESS_LENGTH = 254  # of the column that mails are written to


def draft_mail(*, application: SellerApplication, kind: str, text: str = "") -> SellerMail:
    """The mail as it would be sent for this decision, not saved: what staff see before they decide.

    Only the applicant's personal link is left out of it.
    """
    now = timezone.now()
    return SellerMail(
        kind=kind,
        to=application.email,
        language=_find_language(application),
        context=_describe_decision(application, kind, path=make_path_to_show(), text=text.strip(), now=now),
    )


def mail_application_link(
    application: SellerApplication, *, occasion: str, language: str, now: datetime, topic: str = ""
) -> SellerMail | None:
    """The mail with nothing but the link to the application's page. None when it was queued before.

    occasion: received, again or link. language: for a row that has no case.
    """
    context = {"path": make_path(application), "occasion": occasion, **_describe_times(application, now=now)}
    kind = SellerMail.Kind.APPLICATION_RECEIVED
    return _mail(
        application, kind, topic=topic, language=_find_language(application, language), context=context, now=now
    )


def mail_decision(application: SellerApplication, kind: str, *, now: datetime, text: str = "") -> None:
    """What staff decided or asked. Belongs into the transaction of the decision, after the seller was made."""
    context = _describe_decision(application, kind, path=make_path(application), text=text, now=now)
    language, topic = _find_language(application), name_moment(now)
    _mail(application, kind, topic=topic, language=language, context=context, now=now)


def _mail(
    application: SellerApplication, kind: str, *, topic: str, language: str, context: dict, now: datetime
) -> SellerMail | None:
    """The queued mail; None when it was queued before, mails are muted, or the address is none."""
    if not _is_address(application.email):  # another program took it
        logger.info("application has no address to write to application=%s", application.pk)
        return None
    key = f"{kind}:{application.pk.hex}" + (f":{topic}" if topic else "")
    if SellerMail.objects.filter(key=key).exists():
        return None
    return mails.queue_mail(
        kind=kind, key=key, to=application.email, language=language, context=context, now=now, application=application
    )


def _find_language(application: SellerApplication, fallback: str = "ko") -> str:
    case = getattr(application, "case", None)
    return case.language if case else fallback


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= ADDRESS_LENGTH


def _describe_decision(application: SellerApplication, kind: str, *, path: str, text: str, now: datetime) -> dict:
    """What the templates of a mail from staff show. `path` leads to the application's page."""
    context = {
        "name": " ".join(application.name.split()),
        "path": path,
        "status_path": path,
        **_describe_times(application, now=now),
    }
    if kind != SellerMail.Kind.APPLICATION_ACCEPTED:
        return {**context, "text": text}
    studio_path, signup_path = reverse("studio:home"), reverse("account_signup")
    has_account = find_verified_user(application.email) is not None
    return {
        **context,
        "has_account": has_account,
        "email": application.email,
        "path": studio_path if has_account else f"{signup_path}?{urlencode({'next': studio_path})}",
    }


def _describe_times(application: SellerApplication, *, now: datetime) -> dict[str, str]:
    applied_at = application.created_at or now  # another program may have written a date that nobody can read
    times = {"applied_at": applied_at, "written_at": now, "link_ends_at": now + LINK_LIVES}
    return {name: moment.isoformat() for name, moment in times.items()}


def name_moment(now: datetime) -> str:
    """Tells two mails about one application apart."""
    return f"{now:%Y%m%dT%H%M%S%f}"
