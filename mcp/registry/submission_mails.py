"""Mails to people whose submission was decided; `marketplace/mail_queue.py` says how they go out.

Templates are `mail/mcp/<kind>.txt` and `.html`. The address is looked up when the mail goes out and stored nowhere.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from marketplace import mail_queue
from marketplace.background import run_soon
from marketplace.context_processors import describe_site
from mcp.models import Entry, SubmissionMail

TOLD_FOR = timedelta(days=1)
STUCK_AFTER = timedelta(minutes=10)


def queue_mail(*, kind: str, entry: Entry, now: datetime) -> SubmissionMail | None:
    """Remember that this mail is to go out, and send it after the commit. None where there is nobody to tell."""
    if mail_queue.is_muted() or not can_be_told(entry):
        return None
    mail = SubmissionMail.objects.create(
        key=f"{kind}:{entry.pk.hex}:{now:%Y%m%dT%H%M%S%f}",
        kind=kind,
        server_id=entry.pk,
        user=entry.submitted_by,
        reason=entry.decline_reason,
        queued_at=now,
    )
    transaction.on_commit(lambda: run_soon(send_mail, mail_id=mail.pk), robust=True)
    return mail


def can_be_told(entry: Entry) -> bool:
    """Not where staff entered the server, and nobody whose account is erased or switched off."""
    person = entry.submitted_by
    return person is not None and person.is_active and not person.deleted_at


def draft_mail(*, kind: str, entry: Entry, reason: str) -> EmailMultiAlternatives | None:
    """The mail as it would go out for this decision: what staff see before they decide."""
    if not can_be_told(entry):
        return None
    mail = SubmissionMail(kind=kind, server=entry.server, user=entry.submitted_by, reason=reason.strip())
    return write_message(mail)


def send_mail(*, mail_id: int) -> bool:
    """Send one queued mail. See `mail_queue.send_queued`."""
    mails = SubmissionMail.objects.select_related("server__entry", "user").defer("server__config", "server__metadata")
    return mail_queue.send_queued(mails=mails, mail_id=mail_id, build=write_message)


def write_message(mail: SubmissionMail) -> EmailMultiAlternatives:
    """In the language the server was submitted in."""
    entry = mail.server.entry
    is_accepted = mail.kind == SubmissionMail.Kind.ACCEPTED
    path = entry.get_absolute_url() if is_accepted else reverse("mcp:submission_list")
    with translation.override(entry.language):
        site, name = describe_site(), " ".join(mail.server.name.split())
        context = {
            "site": site,
            "language": entry.language,
            "name": name,
            "reason": mail.reason,
            "url": settings.SITE_URL + path,
        }
        subject = _("“%(name)s” is in the registry") if is_accepted else _("About the server you submitted: %(name)s")
        message = EmailMultiAlternatives(
            subject=f"[{site['name']}] {subject % {'name': name}}",
            body=render_to_string(f"mail/mcp/{mail.kind}.txt", context),
            to=[mail.user.email],
        )
        message.attach_alternative(render_to_string(f"mail/mcp/{mail.kind}.html", context), "text/html")
        return message


def find_waiting_mails(*, now: datetime) -> QuerySet[SubmissionMail]:
    return mail_queue.find_waiting(SubmissionMail.objects.all(), now=now)


def send_waiting_mails(*, now: datetime) -> int:
    """Send what waits; the number that went out."""
    return mail_queue.send_waiting(SubmissionMail.objects.all(), send=send_mail, now=now)


def find_stuck_mails(*, now: datetime) -> QuerySet[SubmissionMail]:
    """What was tried within the last day and did not go out, or may not have: nothing sends it again."""
    tried = SubmissionMail.objects.filter(tried_at__gt=now - TOLD_FOR)
    is_failed = Q(status=SubmissionMail.Status.FAILED)
    is_stuck = Q(status=SubmissionMail.Status.SENDING, tried_at__lte=now - STUCK_AFTER)
    return tried.filter(is_failed | is_stuck).order_by("pk")
