"""The wordings people agree to, each with a version. A text and its version change together; old rows keep theirs."""

from django.utils.translation import gettext_lazy as _

from marketplace.consents import Wording

ORDER = Wording(
    "order",
    "2026-11",
    _("I have checked the prompts and the price, and I agree to the terms of use."),
    "marketplace:terms",
    _("Terms of use"),
)
WITHDRAWAL = Wording(
    "withdrawal",
    "2026-11",
    _(
        "I know that I can cancel within seven days as long as I have not opened a prompt, "
        "and that I can no longer cancel it once I have opened it."
    ),
    "marketplace:refund_policy",
    _("Refund policy"),
)
PRIVACY = Wording(
    "privacy",
    "2026-11",
    _(
        "I agree that my e-mail address and this order are used to handle it "
        "and are kept for five years, as the law asks."
    ),
    "marketplace:privacy",
    _("Privacy policy"),
)
OPENING = Wording(
    "opening",
    "2026-11",
    _("Once you open it, you can no longer cancel this purchase. Until then you can cancel within seven days."),
    "marketplace:refund_policy",
    _("Refund policy"),
)
OPENING_FREE = Wording(
    "opening_free", "free-2026-11", "", "marketplace:refund_policy", ""
)  # nothing to lose, not asked


def order_wordings(*, total_krw: int) -> list[Wording]:
    """What must be agreed to before ordering; a free order has no payment to withdraw from."""
    return [ORDER, WITHDRAWAL, PRIVACY] if total_krw else [ORDER, PRIVACY]
