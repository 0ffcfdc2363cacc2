"""Mails about orders, text and HTML with the same content, in the language the buyer ordered in."""

import logging

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from checkout.models import Order, Refund
from marketplace.context_processors import describe_site

logger = logging.getLogger(__name__)


def send_receipt(*, order_id) -> None:
    """The receipt with the terms of the contract. Call it after the commit; a failing mail server is only logged."""
    order = Order.objects.get(pk=order_id)
    lines = list(order.lines.select_related("seller").order_by("position"))
    payment = order.payments.filter(status="paid").first()
    consents = list(order.consents.order_by("pk"))
    with translation.override(order.language):
        send(
            template="receipt",
            subject=_("Your order %(number)s") % {"number": order.number},
            order=order,
            context={"lines": lines, "payment": payment, "consents": consents},
        )


def send_refund_notice(*, refund_id) -> None:
    """What was given back, and when it arrives."""
    refund = Refund.objects.select_related("order_line__order", "payment").get(pk=refund_id)
    order = refund.order_line.order
    with translation.override(order.language):
        send(
            template="refund",
            subject=_("Refund for your order %(number)s") % {"number": order.number},
            order=order,
            context={"refund": refund, "line": refund.order_line},
        )


def send(*, template: str, subject: str, order: Order, context: dict) -> None:
    site = describe_site()
    context |= {"order": order, "site": site, "order_url": settings.SITE_URL + order.get_absolute_url()}
    mail = EmailMultiAlternatives(
        subject=f"[{site['name']}] {subject}",
        body=render_to_string(f"mail/{template}.txt", context),
        to=[order.email],
    )
    mail.attach_alternative(render_to_string(f"mail/{template}.html", context), "text/html")
    try:
        mail.send()
    except OSError:  # SMTPException is one; the order is paid and its page says everything
        logger.exception("mail not sent template=%s order=%s", template, order.number)


def mask_address(email: str) -> str:
    """`anna@example.com` as `a***@example.com`, to show where a mail went without showing it in full."""
    name, _at, host = email.partition("@")
    return f"{name[:1]}***@{host}"
