"""Why a payment did not go through, in words for the buyer: what happened, whether money moved, what to do next.

The keys are the provider's codes and our own. A code that is not here was a refusal like any other.
"""

from django.utils.translation import gettext_lazy as _


def explain_failure(code: str):
    """What to tell the buyer for a code of the provider or of ours. Never the provider's code itself."""
    return FAILURES.get(code, FAILURES["declined"])


FAILURES = {
    "declined": _("The payment was not approved. No money moved. You can try again or use another card."),
    "PAY_PROCESS_CANCELED": _("You closed the payment window. No money moved, and your order is still here."),
    "PAY_PROCESS_ABORTED": _("The payment could not be completed. No money moved. You can try again."),
    "REJECT_CARD_COMPANY": _("The card company refused the payment. No money moved. Another card may work."),
    "REJECT_CARD_PAYMENT": _("The card's limit or balance is not enough. No money moved. Another card may work."),
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
