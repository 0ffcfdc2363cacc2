"""What the provider's codes and words are called on our pages. Source: Toss Payments, bank codes, `Payment.method`."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

BANKS = {  # by the two-digit code that the provider gives and takes
    "06": gettext_lazy("KB Kookmin Bank"),
    "88": gettext_lazy("Shinhan Bank"),
    "20": gettext_lazy("Woori Bank"),
    "81": gettext_lazy("Hana Bank"),
    "11": gettext_lazy("NH NongHyup Bank"),
    "03": gettext_lazy("IBK Industrial Bank of Korea"),
    "90": gettext_lazy("KakaoBank"),
    "92": gettext_lazy("Toss Bank"),
    "89": gettext_lazy("K bank"),
    "23": gettext_lazy("SC First Bank"),
    "27": gettext_lazy("Citibank Korea"),
    "02": gettext_lazy("Korea Development Bank"),
    "07": gettext_lazy("Suhyup Bank"),
    "31": gettext_lazy("iM Bank"),
    "32": gettext_lazy("Busan Bank"),
    "34": gettext_lazy("Gwangju Bank"),
    "35": gettext_lazy("Jeju Bank"),
    "37": gettext_lazy("Jeonbuk Bank"),
    "39": gettext_lazy("Kyongnam Bank"),
    "12": gettext_lazy("Local NongHyup"),
    "45": gettext_lazy("Saemaul Geumgo (MG)"),
    "48": gettext_lazy("Shinhyup credit union"),
    "50": gettext_lazy("Savings bank"),
    "54": gettext_lazy("HSBC"),
    "64": gettext_lazy("Forestry cooperative"),
    "71": gettext_lazy("Korea Post"),
}
METHODS = {  # the provider says it in Korean
    "카드": gettext_lazy("Card"),
    "간편결제": gettext_lazy("Easy payment"),
    "가상계좌": gettext_lazy("Virtual account"),
    "계좌이체": gettext_lazy("Bank transfer"),
    "휴대폰": gettext_lazy("Mobile phone"),
    "문화상품권": gettext_lazy("Culture gift certificate"),
    "도서문화상품권": gettext_lazy("Book gift certificate"),
    "게임문화상품권": gettext_lazy("Game gift certificate"),
}
TEST_BANK = "99"  # the sandbox's; nobody can pay into it


def name_bank(code: str) -> str:
    """In the active language. A code that we do not know shows as a code: the account can be paid into all the same."""
    if code == TEST_BANK:
        return _("Test bank, for trials only")
    return str(BANKS.get(code) or _("Bank with the code %(code)s") % {"code": code})


def name_method(method: str) -> str:
    """A means of payment in the active language; one that we do not know stays as the provider says it."""
    return str(METHODS.get(method, method))
