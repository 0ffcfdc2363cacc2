"""Money to sellers: the bank moves it, and the shop remembers that it did, once for each statement."""

import logging
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checkout import seller_mails
from checkout.answers import SEOUL
from checkout.models import Payout, Statement
from checkout.statements import next_month
from marketplace.templatetags.marketplace_tags import won_amount

logger = logging.getLogger(__name__)

MAX_REFERENCE_LENGTH = Payout._meta.get_field("bank_reference").max_length


class PayoutRefused(Exception):
    """The message is written for the staff who record it; nothing was recorded."""


def record_payout(*, statement: Statement, bank_reference: str, paid_on: date, staff, now: datetime) -> Payout:
    """Remember that the due of a statement was paid, and mail its seller. No money moves here: the bank has moved it.

    The amount is always the whole due. paid_on: a day in Seoul. A statement is paid once, so a second call is refused.
    Raises PayoutRefused when nothing is due or it was paid, for a reference that is empty or stands on another payout,
    and for a day that has not come or lies within the month.
    """
    reference = tidy_reference(bank_reference)
    check_payout(statement=statement, bank_reference=reference, paid_on=paid_on, now=now)
    try:
        with transaction.atomic():
            payout = Payout.objects.create(
                statement=statement,
                amount_krw=statement.due_krw,
                bank_reference=reference,
                paid_on=paid_on,
                recorded_by=staff,
                recorded_at=now,
            )
            seller_mails.queue_payout_mail(payout=payout, now=now)
    except IntegrityError:  # somebody else recorded it, or used the reference, in the same moment
        check_payable(statement)
        refuse_used_reference(reference)
        raise
    logger.info("payout recorded statement=%s payout=%s", statement.pk, payout.pk)
    return payout


def check_payout(*, statement: Statement, bank_reference: str, paid_on: date, now: datetime) -> None:
    """Raises PayoutRefused where `record_payout` would; so staff learn of it before they confirm."""
    reference = tidy_reference(bank_reference)
    check_payable(statement)
    if not reference:
        raise PayoutRefused(_("Name the bank reference: with it the transfer is found again."))
    if len(reference) > MAX_REFERENCE_LENGTH:
        raise PayoutRefused(
            _("The bank reference is too long: %(n)d characters at most.") % {"n": MAX_REFERENCE_LENGTH}
        )
    if paid_on > timezone.localdate(now, SEOUL):
        raise PayoutRefused(_("This day has not come yet. Record a payout when the bank has made it."))
    if paid_on < next_month(statement.month):
        raise PayoutRefused(_("The month was not over on this day, so the sum was not known yet. Check the date."))
    refuse_used_reference(reference)


def tidy_reference(text: str) -> str:
    """One form for a reference that was copied with spaces around it."""
    return " ".join(text.split())


def check_payable(statement: Statement) -> None:
    """Raises PayoutRefused when there is nothing to pay."""
    if statement.due_krw <= 0:
        raise PayoutRefused(_("Nothing is due on this statement, so there is nothing to pay out."))
    paid = Payout.objects.filter(statement=statement).first()
    if paid:
        words = {"amount": won_amount(paid.amount_krw), "reference": paid.bank_reference, "day": f"{paid.paid_on}"}
        raise PayoutRefused(
            _("This statement is paid out: %(amount)s on %(day)s, bank reference %(reference)s.") % words
        )


def refuse_used_reference(reference: str) -> None:
    used = Payout.objects.filter(bank_reference=reference).select_related("statement__seller").first()
    if used:
        words = {"seller": used.statement.seller.name, "month": f"{used.statement.month:%Y-%m}"}
        raise PayoutRefused(
            _("This bank reference stands on the payout to %(seller)s for %(month)s already. Check it.") % words
        )
