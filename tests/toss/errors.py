"""The refusals of the provider: each code with its HTTP status and a message in Korean and English.

Source: the fact sheet, section 2.8 (codes and statuses; the messages are our own) and 1.5 (codes of the browser).
"""

_STATUS_OF = {
    400: (
        "ALREADY_PROCESSED_PAYMENT PROVIDER_ERROR CARD_PROCESSING_ERROR INVALID_REQUEST INVALID_API_KEY"
        " NOT_FOUND_TERMINAL_ID INVALID_AUTHORIZE_AUTH INVALID_UNREGISTERED_SUBMALL NOT_REGISTERED_BUSINESS"
        " UNAPPROVED_ORDER_ID INVALID_IDEMPOTENCY_KEY BELOW_MINIMUM_AMOUNT INVALID_REJECT_CARD INVALID_CARD_NUMBER"
        " INVALID_CARD_EXPIRATION INVALID_STOPPED_CARD INVALID_CARD_LOST_OR_STOLEN NOT_ALLOWED_POINT_USE"
        " EXCEED_MAX_CARD_INSTALLMENT_PLAN INVALID_CARD_INSTALLMENT_PLAN"
        " NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN EXCEED_MAX_AMOUNT"
        " EXCEED_MAX_PAYMENT_AMOUNT EXCEED_MAX_DAILY_PAYMENT_COUNT EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT"
        " EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT RESTRICTED_TRANSFER_ACCOUNT"
        " INVALID_ACCOUNT_INFO_RE_REGISTER NOT_AVAILABLE_PAYMENT ALREADY_CANCELED_PAYMENT ALREADY_REFUND_PAYMENT"
        " INVALID_REFUND_ACCOUNT_INFO INVALID_REFUND_ACCOUNT_NUMBER INVALID_BANK"
        " EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT NOT_MATCHES_REFUNDABLE_AMOUNT REFUND_REJECTED"
        " FORBIDDEN_BANK_REFUND_REQUEST"
    ),
    401: "UNAUTHORIZED_KEY",
    403: (
        "REJECT_CARD_PAYMENT REJECT_CARD_COMPANY REJECT_ACCOUNT_PAYMENT REJECT_TOSSPAY_INVALID_ACCOUNT"
        " EXCEED_MAX_AUTH_COUNT EXCEED_MAX_ONE_DAY_AMOUNT INVALID_PASSWORD FDS_ERROR NOT_AVAILABLE_BANK"
        " FORBIDDEN_REQUEST INCORRECT_BASIC_AUTH_FORMAT FORBIDDEN_CONSECUTIVE_REQUEST NOT_CANCELABLE_AMOUNT"
        " NOT_CANCELABLE_PAYMENT NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER EXCEED_MAX_REFUND_DUE EXCEED_CANCEL_LIMIT"
        " NOT_ALLOWED_PARTIAL_REFUND NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT"
    ),
    404: "NOT_FOUND_PAYMENT NOT_FOUND_PAYMENT_SESSION NOT_FOUND",
    409: "IDEMPOTENT_REQUEST_PROCESSING",
    429: "TOO_MANY_REQUESTS",
    500: (
        "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING FAILED_INTERNAL_SYSTEM_PROCESSING UNKNOWN_PAYMENT_ERROR"
        " FAILED_REFUND_PROCESS FAILED_METHOD_HANDLING_CANCEL FAILED_PARTIAL_REFUND COMMON_ERROR"
    ),
}
STATUS_BY_CODE = {code: status for status, codes in _STATUS_OF.items() for code in codes.split()}

_MESSAGES = {
    "ALREADY_PROCESSED_PAYMENT": ("이미 처리된 결제입니다.", "This payment has already been processed."),
    "ALREADY_CANCELED_PAYMENT": ("이미 취소된 결제입니다.", "This payment has already been cancelled."),
    "BELOW_MINIMUM_AMOUNT": ("결제할 수 있는 최소 금액보다 적습니다.", "The amount is below the minimum."),
    "FORBIDDEN_CONSECUTIVE_REQUEST": ("반복된 요청은 허용되지 않습니다.", "Consecutive requests are not allowed."),
    "FORBIDDEN_REQUEST": ("허용되지 않은 요청입니다.", "The request is not allowed."),
    "IDEMPOTENT_REQUEST_PROCESSING": ("이전 요청을 처리하고 있습니다.", "The earlier request is being processed."),
    "INCORRECT_BASIC_AUTH_FORMAT": ("인증 정보에 콜론(:)이 없습니다.", "The credentials lack the colon (:)."),
    "INVALID_IDEMPOTENCY_KEY": ("멱등키는 300자를 넘을 수 없습니다.", "The key is longer than 300 characters."),
    "NOT_CANCELABLE_AMOUNT": ("취소할 수 없는 금액입니다.", "The amount cannot be cancelled."),
    "NOT_CANCELABLE_PAYMENT": ("취소할 수 없는 결제입니다.", "The payment cannot be cancelled."),
    "NOT_FOUND": ("존재하지 않는 주소입니다.", "There is nothing at this address."),
    "NOT_FOUND_PAYMENT": ("존재하지 않는 결제입니다.", "The payment does not exist."),
    "NOT_FOUND_PAYMENT_SESSION": ("결제 시간이 만료되었습니다.", "The time to pay has run out."),
    "NOT_MATCHES_REFUNDABLE_AMOUNT": ("환불 가능 금액이 다릅니다.", "The refundable amount differs."),
    "REJECT_CARD_COMPANY": ("카드사에서 결제를 거절했습니다.", "The card company refused the payment."),
    "REJECT_CARD_PAYMENT": ("한도 초과 또는 잔액 부족입니다.", "The limit is exceeded or the balance too low."),
    "TOO_MANY_REQUESTS": ("요청이 너무 많습니다.", "Too many requests."),
    "UNAUTHORIZED_KEY": ("인증되지 않은 키입니다.", "The key is not authorised."),
}
_MESSAGES_BY_STATUS = {
    400: ("잘못된 요청입니다.", "The request is wrong."),
    403: ("거절된 요청입니다.", "The request was refused."),
    500: ("처리하지 못했습니다. 잠시 후 다시 시도해 주세요.", "This could not be processed. Please try again later."),
}


class TossError(Exception):
    """A refusal with the code, HTTP status and message that the caller gets. KeyError for a code unknown here."""

    def __init__(self, code: str, detail: str = ""):
        self.code = code
        self.status = STATUS_BY_CODE[code]
        self.detail = detail
        super().__init__(code)

    def to_json(self, *, english: bool = False) -> dict:
        return {"code": self.code, "message": self.detail or message_of(self.code, english=english)}


class SdkError(Exception):
    """A refusal of the browser's script: `code` and `message` of the promise's rejection."""

    def __init__(self, code: str, message: str = ""):
        self.code = code
        self.message = message or code
        super().__init__(code)


def message_of(code: str, *, english: bool = False) -> str:
    korean_and_english = _MESSAGES.get(code) or _MESSAGES_BY_STATUS[STATUS_BY_CODE[code]]
    return korean_and_english[1 if english else 0]
