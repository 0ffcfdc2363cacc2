"""What the buyer's browser gets: the script, the window, the frames of the order form, and the rules for a request.

Source: the fact sheet, section 1.
"""

import re
from html import escape
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from tests.toss.engine import Engine
from tests.toss.errors import SdkError, TossError
from tests.toss.payments import METHODS, Payment

BROWSER = Path(__file__).parent / "browser"
SDK_SCRIPT = (BROWSER / "sdk.js").read_bytes()
PAGE_SCRIPT = (BROWSER / "page.js").read_bytes()
CUSTOMER_KEY = re.compile(r"[A-Za-z0-9_=.@-]{2,50}")
LONGEST_DEPOSIT_HOURS = 2160
CHOICES = {"CARD": ("CARD", "EASY_PAY"), None: ("CARD", "EASY_PAY")}


def open_from_browser(engine: Engine, asked: dict) -> dict:
    """The script's request to open a window: `{clientKey, product, customerKey, isMobile, request}`. Raises SdkError.

    Gives `{paymentKey, windowUrl, windowTarget}`. The amount is whatever the page sent.
    """
    request = asked.get("request")
    if not isinstance(request, dict):
        raise SdkError("INVALID_PARAMETERS")
    shop = engine.shop_of_client(asked.get("clientKey", ""))
    if shop is None:
        raise SdkError("INVALID_CLIENT_KEY", "잘못된 클라이언트 키입니다.")
    is_order_form = asked.get("product") == "widgets"
    if shop.is_order_form != is_order_form:
        raise SdkError("NOT_SUPPORTED_WIDGET_KEY" if shop.is_order_form else "NOT_SUPPORTED_API_INDIVIDUAL_KEY")
    method = request.get("method")
    if not is_order_form and (method not in METHODS or method == "EASY_PAY"):
        raise SdkError("NOT_SUPPORTED_METHOD", "지원하지 않는 결제수단입니다.")
    amount_krw = _checked_amount(request.get("amount"))
    _check_fields(asked.get("customerKey"), request)
    target = _checked_target(request.get("windowTarget"), is_mobile=bool(asked.get("isMobile")))
    payment = engine.open(
        client_key=shop.client_key,
        order_id=request.get("orderId"),
        order_name=request["orderName"],
        amount_krw=amount_krw,
        method=method,
        customer_key=asked["customerKey"],
        tax_free_krw=request.get("taxFreeAmount") or 0,
        metadata=request.get("metadata"),
        success_url=request["successUrl"],
        fail_url=request["failUrl"],
        customer_name=request.get("customerName") or "",
        valid_hours=_valid_hours(request.get("virtualAccount") or {}),
        window_target=target,
    )
    url = f"{engine.base_url}/window/{payment.payment_key}"
    return {"paymentKey": payment.payment_key, "windowUrl": url, "windowTarget": target}


def _checked_amount(amount: object) -> int:
    if not isinstance(amount, dict) or amount.get("currency") != "KRW":
        raise SdkError("INVALID_AMOUNT_CURRENCY")
    value = amount.get("value")
    if type(value) not in (int, float) or value != int(value):
        raise SdkError("INVALID_AMOUNT_VALUE")
    if value <= 0:
        raise SdkError("BELOW_ZERO_AMOUNT")
    return int(value)


def _check_fields(customer_key: object, request: dict) -> None:
    """Source: the fact sheet, section 1.3, the table of fields."""
    if not isinstance(customer_key, str) or not CUSTOMER_KEY.fullmatch(customer_key):
        raise SdkError("INVALID_CUSTOMER_KEY")
    if re.match(r"(test|live)_g?sk_", customer_key):
        raise SdkError("INSECURE_KEY_USAGE")
    for name, code in (("successUrl", "INCORRECT_SUCCESS_URL_FORMAT"), ("failUrl", "INCORRECT_FAIL_URL_FORMAT")):
        parts = urlsplit(request.get(name) if isinstance(request.get(name), str) else "")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SdkError(code)
    texts = {"orderName": (1, 100), "customerEmail": (1, 100), "customerName": (1, 100)}
    for name, (shortest, longest) in texts.items():
        value = request.get(name)
        if value is None and name != "orderName":
            continue
        if not isinstance(value, str) or not shortest <= len(value) <= longest:
            raise SdkError("INVALID_PARAMETERS", name)
    phone = request.get("customerMobilePhone")
    if phone is not None and not (isinstance(phone, str) and re.fullmatch(r"[0-9]{8,15}", phone)):
        raise SdkError("INVALID_PARAMETERS", "customerMobilePhone")
    if type(request.get("taxFreeAmount") or 0) is not int:
        raise SdkError("INVALID_PARAMETERS", "taxFreeAmount")
    card = request.get("card") or {}
    if card.get("flowMode", "DEFAULT") not in ("DEFAULT", "DIRECT"):
        raise SdkError("INVALID_PARAMETERS", "flowMode")
    if card.get("flowMode") == "DIRECT" and not (card.get("cardCompany") or card.get("easyPay")):
        raise SdkError("INVALID_PARAMETERS", "flowMode")
    _check_metadata(request.get("metadata"))


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or len(metadata) > 5:
        raise SdkError("INVALID_METADATA")
    for key, value in metadata.items():
        if len(key) > 40 or "[" in key or "]" in key or not isinstance(value, str) or len(value) > 2000:
            raise SdkError("INVALID_METADATA")


def _checked_target(target: object, *, is_mobile: bool) -> str:
    if target not in (None, "self", "iframe") or (target == "iframe" and is_mobile):
        raise SdkError("INVALID_PARAMETERS", "windowTarget")
    return target or ("self" if is_mobile else "iframe")


def _valid_hours(virtual_account: dict) -> int:
    hours = virtual_account.get("validHours")
    if hours is not None and "dueDate" in virtual_account:
        raise SdkError("INVALID_PARAMETERS", "virtualAccount")
    hours = 168 if hours is None else hours
    if type(hours) is not int or not 1 <= hours <= LONGEST_DEPOSIT_HOURS:
        raise SdkError("INVALID_PARAMETERS", "validHours")
    return hours


def leave_window(engine: Engine, payment: Payment, *, action: str, method: str = "") -> str:
    """The address to which the buyer's button sends the browser. Raises TossError when the window's time is over.

    Declining and cancelling change nothing at the provider: the payment stays READY until its time runs out.
    """
    if action in ("approve", "approve_refused"):
        refuse_with = "REJECT_CARD_PAYMENT" if action == "approve_refused" else ""
        engine.authenticate(payment.payment_key, method=method if method in METHODS else None, refuse_with=refuse_with)
        query = {"paymentType": "NORMAL"} if engine.settings.has_payment_type else {}
        query |= {"orderId": payment.order_id, "paymentKey": payment.payment_key, "amount": payment.amount_krw}
        return with_query(payment.success_url, query)
    if action == "decline":
        refusal = {"code": "REJECT_CARD_COMPANY", "message": "카드사에서 결제를 거절했습니다."}
        return with_query(payment.fail_url, refusal | {"orderId": payment.order_id})
    if action == "abort":
        failure = {"code": "PAY_PROCESS_ABORTED", "message": "결제가 중단되었습니다."}
        return with_query(payment.fail_url, failure | {"orderId": payment.order_id})
    if action == "cancel":
        return with_query(payment.fail_url, {"code": "PAY_PROCESS_CANCELED", "message": "결제가 취소되었습니다."})
    raise TossError("INVALID_REQUEST")


def with_query(url: str, query: dict) -> str:
    """The address with the members added after whatever query it had."""
    parts = urlsplit(url)
    joined = "&".join(filter(None, [parts.query, urlencode(query)]))
    return urlunsplit(parts._replace(query=joined))


def _page(title: str, body: str, attributes: str = "") -> bytes:
    return (
        f'<!doctype html><html lang="ko"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<body{attributes}>{body}<script src='/page.js'></script></body></html>"
    ).encode()


def window_page(payment: Payment, *, is_framed: bool) -> bytes:
    """The buyer's choices. In a frame there is one more: to close it."""
    if payment.status not in ("READY", "IN_PROGRESS"):
        return _page(
            "결제창", f"<h1>결제할 수 없습니다</h1><p>결제 시간이 지났거나 이미 끝난 결제입니다.</p>{_close(is_framed)}"
        )
    choices = CHOICES.get(payment.method, (payment.method,))
    radios = "".join(
        f'<label><input type="radio" name="method" value="{method}"{" checked" if number == 0 else ""}>'
        f"{METHODS[method][0]}</label> "
        for number, method in enumerate(choices)
    )
    buttons = {
        "approve": "결제하기",
        "approve_refused": "한도가 넘는 카드로 결제하기",
        "decline": "카드사 거절",
        "abort": "결제 중단",
        "cancel": "결제 취소",
    }
    body = (
        f"<h1>시험 결제창</h1><p>{escape(payment.order_name)}</p><p>{payment.amount_krw:,}원</p>"
        f'<form method="post"><input type="hidden" name="framed" value="{int(is_framed)}">'
        f"<fieldset><legend>결제수단</legend>{radios}</fieldset>"
        + "".join(f'<button name="action" value="{action}">{text}</button> ' for action, text in buttons.items())
        + "</form>"
        + _close(is_framed)
    )
    return _page("결제창", body)


def _close(is_framed: bool) -> str:
    return '<button type="button" data-close>닫기</button>' if is_framed else ""


def leaving_page(url: str) -> bytes:
    """Shown in a frame for a moment: its script asks the shop's page to go to the address."""
    return _page("결제창", "", f' data-leave="{escape(url)}"')


def frame_page(name: str) -> bytes | None:
    """A frame of the order form: the methods, or the agreement that nobody ticked yet."""
    if name == "methods":
        radios = "".join(
            f'<label><input type="radio" name="method" value="{method}"{" checked" if method == "CARD" else ""}>'
            f"{METHODS[method][0]}</label> "
            for method in ("CARD", "EASY_PAY", "VIRTUAL_ACCOUNT", "TRANSFER")
        )
        return _page("결제수단", f"<fieldset data-methods><legend>결제수단</legend>{radios}</fieldset>")
    if name == "agreement":
        label = '<label><input type="checkbox" data-agreement>[필수] 결제 서비스 이용 약관에 동의합니다</label>'
        return _page("약관", label)
    return None
