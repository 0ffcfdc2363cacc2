"""Who a seller is in law: the facts that the shop must show, checked as far as that goes without asking an office."""

import re
import unicodedata
from datetime import datetime

from accounts.models import User
from sellers.models import Seller, SellerBusiness

REGISTRATION_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
FACTS = (
    "trade_name",
    "representative",
    "registration_number",
    "report_number",
    "report_exemption",
    "address",
    "phone",
    "email",
)


def format_registration_number(text: str) -> str | None:
    """`000-00-00000`, however it was typed; None for what is no such number.

    The last digit proves the others: 10 digits, of which the first nine are weighted 1 3 7 1 3 7 1 3 5 and added up
    with the tens of the ninth product; with the last digit the sum ends in 0. It says that the number can exist, not
    that somebody has it: only the tax office knows.
    """
    typed = unicodedata.normalize("NFKC", text)
    if not re.fullmatch(r"[\d\s\-‐‑–]+", typed, re.ASCII):
        return None
    digits = re.sub(r"\D", "", typed, flags=re.ASCII)
    if len(digits) != 10 or not int(digits):
        return None
    products = [int(digit) * weight for digit, weight in zip(digits, REGISTRATION_WEIGHTS, strict=False)]
    if (sum(products) + products[-1] // 10 + int(digits[-1])) % 10:
        return None
    return f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"


def find_business(seller: Seller) -> SellerBusiness | None:
    """No query where the seller was loaded with `business`."""
    return getattr(seller, "business", None)


def forget_business(*, user: User) -> bool:
    """Erase the facts with the account, unless somebody bought from this seller. True where they are gone.

    A buyer may need them as long as the record of the contract is kept, five years: Act on Consumer Protection in
    Electronic Commerce, article 20(2), and article 6 of its decree.
    """
    business = SellerBusiness.objects.filter(seller__user=user)
    is_needed = business.filter(seller__order_lines__order__paid_at__isnull=False).exists()
    return not is_needed and bool(business.delete()[0])


def save_business(*, seller: Seller, facts: dict[str, str], now: datetime) -> bool:
    """Store all of FACTS. False, and nothing written, where they stand so already.

    Product pages show them from now on, those of prompts sold earlier too: buyers write to where the seller is today.
    """
    there = find_business(seller)
    if there and all(getattr(there, name) == facts[name] for name in FACTS):
        return False
    wanted = {name: facts[name] for name in FACTS}
    seller.business, _is_new = SellerBusiness.objects.update_or_create(
        seller=seller, defaults={**wanted, "updated_at": now}
    )
    return True
