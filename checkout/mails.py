"""Mails about orders, text and HTML with the same content, in the language the buyer ordered in.

A mail is a row in `order_mails` before it is a mail; `marketplace/mail_queue.py` says how it goes out.
"""

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from checkout.failures import explain_failure
from checkout.models import Order, OrderMail, Payment, Refund
from marketplace import mail_queue
from marketplace.background import run_soon
from marketplace.context_processors import describe_site

Kind = OrderMail.Kind


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
    if mail_queue.is_muted():
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
    """Send one queued mail, in the language of its order. See `mail_queue.send_queued`."""
    mails = OrderMail.objects.select_related("order", "refund", "payment")
    return mail_queue.send_queued(mails=mails, mail_id=mail_id, build=write_message)


def write_message(mail: OrderMail) -> EmailMultiAlternatives:
    with translation.override(mail.order.language):
        return build_message(mail)


def find_waiting_mails(*, now: datetime) -> QuerySet[OrderMail]:
    return mail_queue.find_waiting(OrderMail.objects.all(), now=now)


def send_waiting_mails(*, now: datetime) -> int:
    """Send what waits; the number that went out."""
    return mail_queue.send_waiting(OrderMail.objects.all(), send=send_mail, now=now)


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
