"""Why a payment did not go through, in words for the buyer: what happened, whether money moved, what to do next.

The keys are the provider's codes and our own. A code that is not here was a refusal like any other.
"""

from django.utils.translation import gettext_lazy as _


def explain_failure(code: str):
    """What to tell the buyer for a code of the provider or of ours. Never the provider's code itself."""
    return FAILURES.get(code, FAILURES["declined"])


_CARD_DATA = _(
    "The card's number, date or state was not accepted. No money moved. Please check it or use another card."
)
_LIMIT = _("The payment is over a limit of your card or account. No money moved. Another card may work.")
_LATER = _("The bank does not take payments at this time of day. No money moved. Please try again later.")
_PASSWORD = _("The password was not accepted. No money moved. You can try again or use another card.")
_ACCOUNT = _("The bank refused the payment from your account. No money moved. Another way to pay may work.")

FAILURES = {
    "declined": _("The payment was not approved. No money moved. You can try again or use another card."),
    "PAY_PROCESS_CANCELED": _("You closed the payment window. No money moved, and your order is still here."),
    "PAY_PROCESS_ABORTED": _("The payment could not be completed. No money moved. You can try again."),
    "REJECT_CARD_COMPANY": _("The card company refused the payment. No money moved. Another card may work."),
    "REJECT_CARD_PAYMENT": _("The card's limit or balance is not enough. No money moved. Another card may work."),
    "INVALID_REJECT_CARD": _("The card company refused the payment. No money moved. Another card may work."),
    "INVALID_CARD_NUMBER": _CARD_DATA,
    "INVALID_CARD_EXPIRATION": _CARD_DATA,
    "INVALID_STOPPED_CARD": _CARD_DATA,
    "INVALID_CARD_LOST_OR_STOLEN": _CARD_DATA,
    "INVALID_PASSWORD": _PASSWORD,
    "EXCEED_MAX_AUTH_COUNT": _PASSWORD,
    "EXCEED_MAX_AMOUNT": _LIMIT,
    "EXCEED_MAX_PAYMENT_AMOUNT": _LIMIT,
    "EXCEED_MAX_DAILY_PAYMENT_COUNT": _LIMIT,
    "EXCEED_MAX_ONE_DAY_AMOUNT": _LIMIT,
    "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT": _LIMIT,
    "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT": _LIMIT,
    "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT": _LIMIT,
    "BELOW_MINIMUM_AMOUNT": _("The amount is too small for this way to pay. No money moved. Another way may work."),
    "REJECT_ACCOUNT_PAYMENT": _ACCOUNT,
    "REJECT_TOSSPAY_INVALID_ACCOUNT": _ACCOUNT,
    "RESTRICTED_TRANSFER_ACCOUNT": _ACCOUNT,
    "NOT_AVAILABLE_PAYMENT": _LATER,
    "NOT_AVAILABLE_BANK": _LATER,
    "FDS_ERROR": _(
        "The payment was stopped because it looked unusual. No money moved. Follow the link in the message on your "
        "phone to confirm that it is you, then try again."
    ),
    "NOT_FOUND_PAYMENT_SESSION": _("The payment took too long and lapsed. No money moved. You can try again."),
    "EXPIRED": _("The payment took too long and lapsed. No money moved. You can try again."),
    "not_found": _("The payment never arrived. No money moved. You can try again."),
    "cancelled": _("The payment was cancelled in full. You can try again."),
    "amount_differs": _("The amount differed from your order, so nothing was charged. You can try again."),
    "not_buyable": _(
        "A prompt of this order is already yours or no longer sold, so nothing was charged. "
        "Order the others from your cart."
    ),
    "not_payable": _("This order could no longer be paid, so nothing was charged. Your cart still has everything."),
    "given_back": _(
        "This order could no longer be paid, so your payment goes back to you in full. Please do not pay again."
    ),
    "given_back_amount": _(
        "The payment was not over the amount of your order, so it goes back to you in full. You can order again."
    ),
    "deposit_overdue": _("Nobody paid into the account in time, so the order lapsed. You can order again."),
    "no_gateway": _("Payments are not available at the moment. Nothing was charged."),
}
