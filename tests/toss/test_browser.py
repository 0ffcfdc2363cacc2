"""The provider's script in a real browser, on a page of another origin with a strict Content-Security-Policy.

Source: the fact sheet, sections 1.1, 1.3, 1.4 and 1.5.
"""

import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]
PAGE = '<!doctype html><title>Shop</title><script src="{sdk}"></script><div id="methods"></div><div id="terms"></div>'


class ShopPages(ThreadingHTTPServer):
    """A shop with one page, which may load scripts, frames and answers from the stand-in only."""

    daemon_threads = True

    def __init__(self, toss):
        super().__init__(("127.0.0.1", 0), ShopPage)
        self.url = f"http://localhost:{self.server_address[1]}"
        self.sdk = toss.sdk_url
        self.policy = (
            f"default-src 'none'; script-src {toss.url}; connect-src {toss.url}; frame-src {toss.url};"
            " img-src 'self'; base-uri 'none'; form-action 'self'"
        )


class ShopPage(BaseHTTPRequestHandler):
    def do_GET(self):
        body = PAGE.format(sdk=self.server.sdk).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def chromium(playwright):
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium found")
        pytest.skip("no Chromium found")
    browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
    yield browser
    browser.close()


@pytest.fixture
def shop_pages(toss):
    server = ShopPages(toss)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(chromium, shop_pages):
    """The shop's page. Whatever the browser complains about fails the test."""
    context = chromium.new_context()
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{shop_pages.url}/checkout/")
    yield page
    context.close()
    assert complaints == []


ORDER = """{orderId: "order-0001", orderName: "프롬프트", successUrl: location.origin + "/return/",
            failUrl: location.origin + "/fail/"}"""
# Notes the code of whatever a call refuses in window.refused.
START = f"""([clientKey, extra]) => {{
  window.refused = null;
  const request = {{...{ORDER}, method: "CARD", amount: {{currency: "KRW", value: 15000}}, ...extra}};
  TossPayments(clientKey).payment({{customerKey: TossPayments.ANONYMOUS}}).requestPayment(request)
    .catch((error) => {{ window.refused = error.code; }});
}}"""


def query_of(page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


def refused(page, script: str, *arguments) -> str | None:
    """The code with which an expression of the page is refused. `toss` is TossPayments."""
    wrapped = (
        f"async (args) => {{ try {{ await ({script})(...args) }} catch (error) {{ return error.code }} return null }}"
    )
    return page.evaluate(wrapped, list(arguments))


def test_a_buyer_pays_in_a_window_that_takes_the_whole_page(toss, page):
    page.evaluate(START, [toss.client_key, {"windowTarget": "self"}])
    page.get_by_label("간편결제").check()
    page.get_by_role("button", name="결제하기", exact=True).click()
    page.wait_for_url("**/return/**")

    query = query_of(page)
    assert (query["orderId"], query["amount"], query["paymentType"]) == ("order-0001", "15000", "NORMAL")
    books = toss.books()["payments"][query["paymentKey"]]
    assert (books["status"], books["method"]) == ("IN_PROGRESS", "간편결제")


def test_a_buyer_cancels_in_that_window(toss, page):
    page.evaluate(START, [toss.client_key, {"windowTarget": "self"}])
    page.get_by_role("button", name="결제 취소").click()
    page.wait_for_url("**/fail/**")

    assert set(query_of(page)) == {"code", "message"}
    assert query_of(page)["code"] == "PAY_PROCESS_CANCELED"


def test_a_buyer_pays_in_a_frame(toss, page):
    page.evaluate(START, [toss.client_key, {}])
    page.frame_locator("iframe").get_by_role("button", name="결제하기", exact=True).click()
    page.wait_for_url("**/return/**")

    assert query_of(page)["amount"] == "15000"


def test_closing_the_frame_is_a_refusal_and_goes_nowhere(toss, page, shop):
    page.evaluate(START, [toss.client_key, {}])
    page.frame_locator("iframe").get_by_role("button", name="닫기").click()
    page.wait_for_function("window.refused !== null")

    assert page.evaluate("window.refused") == "USER_CANCEL"
    assert page.url.endswith("/checkout/")
    expect(page.locator("iframe")).to_have_count(0)
    assert shop.get("/v1/payments/orders/order-0001").json()["status"] == "READY"

    page.evaluate(START, [toss.client_key, {"orderId": "order-0002"}])
    page.frame_locator("iframe").get_by_role("button", name="카드사 거절").click()
    page.wait_for_url("**/fail/**")
    assert (query_of(page)["code"], query_of(page)["orderId"]) == ("REJECT_CARD_COMPANY", "order-0002")


def test_one_window_at_a_time(toss, page):
    page.evaluate(START, [toss.client_key, {}])
    expect(page.locator("iframe")).to_have_count(1)
    page.evaluate(START, [toss.client_key, {"orderId": "order-0002"}])
    page.wait_for_function("window.refused !== null")

    assert page.evaluate("window.refused") == "INVALID_METHOD_TRANSACTION"
    assert list(toss.books()["orders"]) == ["order-0001"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("() => TossPayments('test_sk_secret')", "INVALID_CLIENT_KEY"),
        ("() => TossPayments('')", "INVALID_CLIENT_KEY"),
        ("(form) => TossPayments(form).payment({customerKey: 'buyer-1'})", "NOT_SUPPORTED_WIDGET_KEY"),
        ("(_, ck) => TossPayments(ck).widgets({customerKey: 'buyer-1'})", "NOT_SUPPORTED_API_INDIVIDUAL_KEY"),
        ("(_, ck) => TossPayments(ck).payment({})", "INVALID_CUSTOMER_KEY"),
        ("(_, ck) => TossPayments(ck).payment({customerKey: '한'})", "INVALID_CUSTOMER_KEY"),
        ("(_, ck) => TossPayments(ck).payment({customerKey: 'test_sk_x'})", "INSECURE_KEY_USAGE"),
        (
            "(_, ck) => TossPayments(ck).payment({customerKey: 'buyer-1'}).requestPayment({})",
            "INCORRECT_SUCCESS_URL_FORMAT",
        ),
    ],
)
def test_keys_are_checked_in_the_browser(toss, page, script, code):
    assert refused(page, script, toss.pair_of("test_gck_")[0], toss.client_key) == code


def test_the_order_form_wants_its_calls_in_order(toss, page):
    page.evaluate(
        "(key) => { window.widgets = TossPayments(key).widgets({customerKey: TossPayments.ANONYMOUS}); }",
        toss.pair_of("test_gck_")[0],
    )
    methods = """async () => {
      const methods = await widgets.renderPaymentMethods({selector: "#methods", variantKey: "DEFAULT"});
      methods.on("paymentMethodSelect", ({code}) => { window.method = code; });
    }"""
    agreement = """async () => {
      const agreement = await widgets.renderAgreement({selector: "#terms", variantKey: "AGREEMENT"});
      agreement.on("agreementStatusChange", ({agreedRequiredTerms}) => { window.agreed = agreedRequiredTerms; });
    }"""
    pay = f"() => widgets.requestPayment({{...{ORDER}, windowTarget: 'self'}})"

    assert refused(page, methods) == "NOT_SETUP_AMOUNT"
    assert refused(page, agreement) == "NOT_SETUP_AMOUNT"
    assert refused(page, pay) == "NOT_SETUP_AMOUNT"
    assert refused(page, "() => widgets.setAmount({currency: 'KRW', value: 0})") == "BELOW_ZERO_AMOUNT"
    assert refused(page, "() => widgets.setAmount({currency: 'USD', value: 1})") == "INVALID_AMOUNT_CURRENCY"
    assert refused(page, "() => widgets.setAmount({currency: 'KRW', value: 15000})") is None
    assert refused(page, "() => widgets.renderPaymentMethods({selector: '#nowhere'})") == "INVALID_SELECTOR"
    wrong_variant = "() => widgets.renderAgreement({selector: '#terms', variantKey: 'OTHER'})"
    assert refused(page, wrong_variant) == "INVALID_VARIANT_KEY"
    assert refused(page, pay) == "NOT_SELECTED_PAYMENT_METHOD"
    assert refused(page, methods) is None
    assert refused(page, pay) == "NEED_AGREEMENT_WITH_REQUIRED_TERMS"
    assert refused(page, agreement) is None
    assert refused(page, pay) == "NEED_AGREEMENT_WITH_REQUIRED_TERMS"

    page.frame_locator("#terms iframe").get_by_role("checkbox").check()
    page.frame_locator("#methods iframe").get_by_label("간편결제").check()
    page.wait_for_function("window.agreed && window.method === 'EASY_PAY'")
    with_amount = f"() => widgets.requestPayment({{...{ORDER}, amount: 1}})"
    assert refused(page, with_amount) == "INVALID_PARAMETERS"
    page.evaluate(f"() => {{ widgets.requestPayment({{...{ORDER}, windowTarget: 'self'}}); }}")
    page.get_by_role("button", name="결제하기", exact=True).click()
    page.wait_for_url("**/return/**")

    books = toss.books()["payments"][query_of(page)["paymentKey"]]
    assert (books["total_krw"], books["method"]) == (15_000, "간편결제")


def test_an_amount_edited_in_the_page_is_bound(toss, page, shop):
    page.evaluate(START, [toss.client_key, {"windowTarget": "self", "amount": {"currency": "KRW", "value": 100}}])
    page.get_by_role("button", name="결제하기", exact=True).click()
    page.wait_for_url("**/return/**")

    assert query_of(page)["amount"] == "100"
    assert shop.confirm(query_of(page)["paymentKey"], amount=100).json()["totalAmount"] == 100
