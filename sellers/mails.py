"""Mails to people who sell or want to: text and HTML with the same content, each in its own language.

A mail is a row in `seller_mails` before it is a mail; `marketplace/mail_queue.py` says how it goes out. Its templates
are `mail/sellers/<kind>.txt` and `.html`, and they show what `context` held when it was queued.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from marketplace import mail_queue
from marketplace.background import run_soon
from marketplace.context_processors import describe_site
from marketplace.templatetags.marketplace_tags import won_amount
from sellers.models import Seller, SellerApplication, SellerMail

TOLD_FOR = timedelta(days=1)
STUCK_AFTER = timedelta(minutes=10)

Kind = SellerMail.Kind

SUBJECTS = {
    Kind.APPLICATION_RECEIVED: _("Your application to sell has arrived"),
    Kind.APPLICATION_ASKED: _("A question about your application to sell"),
    Kind.APPLICATION_ACCEPTED: _("Your application to sell is accepted"),
    Kind.APPLICATION_DECLINED: _("About your application to sell"),
    Kind.FIRST_SALE: _("Your first sale: %(title)s"),
    Kind.SALES_DIGEST: _("Your sales of %(day)s"),
    Kind.NEW_REVIEW: _("A new review of “%(title)s”"),
    Kind.LISTING_REMOVED: _("“%(title)s” was taken off sale"),
    Kind.PAYOUT: _("Paid out to you: %(amount)s"),
    Kind.TOOLS_CHANGED: _("Tools that your prompts need have changed"),
}
OCCASIONS = {  # of one kind: why the link to an application is mailed once more
    "again": _("Somebody applied to sell again with your address"),
    "link": _("The link to your application to sell"),
}


def queue_mail(
    *,
    kind: str,
    key: str,
    to: str,
    language: str,
    context: dict,
    now: datetime,
    application: SellerApplication | None = None,
    seller: Seller | None = None,
) -> SellerMail | None:
    """Remember that this mail is to go out, and send it after the commit. A second call with one key does nothing.

    context: JSON values. `path` is where the mail's button leads; `title`, `day` and `amount_krw` stand in subjects.
    What ends in `_at` is an ISO 8601 time, and templates get it as one.
    Returns None while mails are muted or where there is no address to write to.
    """
    if mail_queue.is_muted() or not to:
        return None
    mail, is_new = SellerMail.objects.get_or_create(
        key=key,
        defaults={
            "kind": kind,
            "to": to,
            "language": language,
            "context": context,
            "queued_at": now,
            "application": application,
            "seller": seller,
        },
    )
    if is_new:
        transaction.on_commit(lambda: run_soon(send_mail, mail_id=mail.pk), robust=True)
    return mail


def queue_seller_mail(*, kind: str, key: str, seller: Seller, context: dict, now: datetime) -> SellerMail | None:
    """To a seller, in their language; to nobody whose account is erased or switched off."""
    user = seller.user
    to = user.email if user.is_active and not user.deleted_at else ""
    return queue_mail(kind=kind, key=key, to=to, language=seller.language, context=context, now=now, seller=seller)


def send_mail(*, mail_id: int) -> bool:
    """Send one queued mail. See `mail_queue.send_queued`."""
    return mail_queue.send_queued(mails=SellerMail.objects.all(), mail_id=mail_id, build=write_message)


def find_waiting_mails(*, now: datetime) -> QuerySet[SellerMail]:
    return mail_queue.find_waiting(SellerMail.objects.all(), now=now)


def send_waiting_mails(*, now: datetime) -> int:
    """Send what waits; the number that went out."""
    return mail_queue.send_waiting(SellerMail.objects.all(), send=send_mail, now=now)


def find_stuck_mails(*, now: datetime) -> QuerySet[SellerMail]:
    """What was tried within the last day and did not go out, or may not have: nobody but staff sends it again."""
    tried = SellerMail.objects.filter(tried_at__gt=now - TOLD_FOR)
    is_failed = Q(status=SellerMail.Status.FAILED)
    is_stuck = Q(status=SellerMail.Status.SENDING, tried_at__lte=now - STUCK_AFTER)
    return tried.filter(is_failed | is_stuck).order_by("pk")


def write_message(mail: SellerMail) -> EmailMultiAlternatives:
    """The mail in its language. `mail` need not be saved: staff see what they are about to send."""
    with translation.override(mail.language):
        site = describe_site()
        context = {
            **mail.context,
            **{name: datetime.fromisoformat(text) for name, text in mail.context.items() if name.endswith("_at")},
            "site": site,
            "language": mail.language,
            "url": settings.SITE_URL + mail.context.get("path", "/"),
        }
        names = {"site": site["name"], **mail.context, "amount": won_amount(mail.context.get("amount_krw"))}
        subject = str(OCCASIONS.get(mail.context.get("occasion"), SUBJECTS[mail.kind])) % names
        subject = " ".join(subject.split())  # a title may hold a line break
        message = EmailMultiAlternatives(
            subject=f"[{site['name']}] {subject}",
            body=render_to_string(f"mail/sellers/{mail.kind}.txt", context),
            to=[mail.to],
        )
        message.attach_alternative(render_to_string(f"mail/sellers/{mail.kind}.html", context), "text/html")
        return message
