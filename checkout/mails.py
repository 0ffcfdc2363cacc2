"""Mails about orders, text and HTML with the same content, in the language the buyer ordered in.

A mail is a row in `order_mails` before it is a mail: written in the transaction that made it necessary, sent after the
commit, once. What a stopped process or a failing mail server left behind, `send_waiting_mails` sends.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from checkout.failures import explain_failure
from checkout.models import Order, OrderMail, Payment, Refund
from marketplace.background import run_soon
from marketplace.context_processors import describe_site

logger = logging.getLogger(__name__)

TRIES = 5
TRY_AGAIN_AFTER = timedelta(minutes=1)

Kind, Status = OrderMail.Kind, OrderMail.Status
_is_muted = ContextVar("is_muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Nothing is queued inside: for made-up orders, whose people have made-up addresses."""
    token = _is_muted.set(True)
    try:
        yield
    finally:
        _is_muted.reset(token)


def queue_mail(
    *,
    kind: str,
    order: Order,
    now: datetime,
    refund: Refund | None = None,
    payment: Payment | None = None,
    topic: str = "",
    requested_by=None,
) -> OrderMail | None:
    """Remember that this mail is to go out, and send it after the commit. A second call for one thing does nothing.

    topic: tells two mails about one thing apart.
    requested_by: staff who want it sent again; then it is another mail of its own.
    """
    if _is_muted.get():
        return None
    key = f"{kind}:{(refund or payment or order).pk}"
    if topic:
        key += f":{topic}"
    if requested_by:
        key += f":{OrderMail.objects.filter(key__startswith=key).count() + 1}"
    mail, is_new = OrderMail.objects.get_or_create(
        key=key,
        defaults={
            "kind": kind,
            "order": order,
            "refund": refund,
            "payment": payment,
            "queued_at": now,
            "requested_by": requested_by,
        },
    )
    if is_new:
        transaction.on_commit(lambda: run_soon(send_mail, mail_id=mail.pk), robust=True)
    return mail


def send_mail(*, mail_id: int) -> bool:
    """Send one queued mail. False when another process has it, when it was sent, or when the mail server failed.

    It is marked before it goes out, so it is never sent twice; after a failure it is queued again, a few times.
    """
    now = timezone.now()
    claimed = OrderMail.objects.filter(pk=mail_id, status=Status.QUEUED)
    if not claimed.update(status=Status.SENDING, tried_at=now, try_count=F("try_count") + 1):
        return False
    mail = OrderMail.objects.select_related("order", "refund", "payment").get(pk=mail_id)
    with translation.override(mail.order.language):
        try:
            message = build_message(mail)
        except Exception:
            OrderMail.objects.filter(pk=mail_id).update(status=Status.FAILED)
            raise
    try:
        message.send()
    except OSError:  # SMTPException is one
        logger.exception("mail not sent kind=%s order=%s", mail.kind, mail.order.number)
        status = Status.QUEUED if mail.try_count < TRIES else Status.FAILED
        OrderMail.objects.filter(pk=mail_id).update(status=status)
        return False
    OrderMail.objects.filter(pk=mail_id).update(status=Status.SENT, sent_at=timezone.now())
    return True


def find_waiting_mails(*, now: datetime) -> QuerySet[OrderMail]:
    """What is queued for longer than a minute and was not tried within the last one."""
    waiting = OrderMail.objects.filter(status=Status.QUEUED, queued_at__lte=now - TRY_AGAIN_AFTER)
    return waiting.exclude(tried_at__gt=now - TRY_AGAIN_AFTER).order_by("pk")


def send_waiting_mails(*, now: datetime) -> int:
    """Send them; the number that went out. Safe beside itself, and one that fails stops no other."""
    sent_count = 0
    for mail_id in list(find_waiting_mails(now=now).values_list("pk", flat=True)):
        try:
            sent_count += send_mail(mail_id=mail_id)
        except Exception:  # a mail that cannot be written is marked so and listed; the next may be fine
            logger.exception("mail cannot be written mail=%s", mail_id)
    return sent_count


def build_message(mail: OrderMail) -> EmailMultiAlternatives:
    """In the active language."""
    order, site = mail.order, describe_site()
    context = {"order": order, "site": site, "order_url": settings.SITE_URL + order.get_absolute_url()}
    names = {"number": order.number}
    if mail.kind == Kind.RECEIPT:
        subject = _("Your order %(number)s") % names
        context |= {
            "lines": list(order.lines.select_related("seller").order_by("position")),
            "payment": order.payments.filter(status=Payment.Status.PAID).first(),
            "consents": list(order.consents.order_by("pk")),
        }
    elif mail.kind == Kind.REFUND:
        is_refused = mail.refund.status == Refund.Status.FAILED
        subject = (
            _("Your refund for order %(number)s did not go through")
            if is_refused
            else _("Refund for your order %(number)s")
        )
        subject %= names
        context |= {
            "refund": mail.refund,
            "lines": list(mail.refund.lines.select_related("order_line").order_by("order_line__position")),
        }
    elif mail.kind == Kind.DEPOSIT:
        subject = _("Where to pay for your order %(number)s") % names
        context |= {"payment": mail.payment}
    else:
        subject = _("Your payment for order %(number)s did not go through") % names
        context |= {"payment": mail.payment, "failure": explain_failure(mail.payment.failure_code)}
    message = EmailMultiAlternatives(
        subject=f"[{site['name']}] {subject}",
        body=render_to_string(f"mail/{mail.kind}.txt", context),
        to=[order.email],
    )
    message.attach_alternative(render_to_string(f"mail/{mail.kind}.html", context), "text/html")
    return message


def mask_address(email: str) -> str:
    """`anna@example.com` as `a***@example.com`, to show where a mail went without showing it in full."""
    name, _at, host = email.partition("@")
    return f"{name[:1]}***@{host}"
