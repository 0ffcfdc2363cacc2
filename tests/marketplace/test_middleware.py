import pytest
from django.http import HttpResponse, HttpResponseRedirect
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxDetails

from marketplace.middleware import HtmxRedirectMiddleware, TrustedProxyMiddleware

# --- Proxies


def look(count, settings, **meta):
    """Address and scheme of a request with these headers, behind `count` trusted proxies."""
    settings.TRUSTED_PROXY_COUNT = count
    seen = {}

    def view(request):
        seen.update(address=request.META["REMOTE_ADDR"], scheme=request.scheme)
        return HttpResponse()

    TrustedProxyMiddleware(view)(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **meta))
    return seen["address"], seen["scheme"]


def test_without_proxies_nobodys_claim_is_believed(settings):
    claim = {"HTTP_X_FORWARDED_FOR": "1.2.3.4", "HTTP_X_FORWARDED_PROTO": "https"}

    assert look(0, settings, **claim) == ("10.0.0.1", "http")


@pytest.mark.parametrize(
    ("count", "forwarded", "address"),
    [
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "1.2.3.4, 203.0.113.7", "203.0.113.7"),  # what stands left of it, the client wrote
        (2, "1.2.3.4, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
        (2, "203.0.113.7", "10.0.0.1"),  # fewer than there are proxies: it did not come through them
        (1, "", "10.0.0.1"),
        (1, " , ", "10.0.0.1"),
    ],
)
def test_the_address_is_the_one_our_own_proxies_saw(settings, count, forwarded, address):
    assert look(count, settings, HTTP_X_FORWARDED_FOR=forwarded)[0] == address


@pytest.mark.parametrize(
    ("claim", "scheme"), [("https", "https"), ("http, https", "https"), ("https, http", "http"), ("gopher", "http")]
)
def test_the_scheme_is_that_of_the_nearest_proxy(settings, claim, scheme):
    assert look(1, settings, HTTP_X_FORWARDED_FOR="203.0.113.7", HTTP_X_FORWARDED_PROTO=claim)[1] == scheme


def test_the_header_is_gone_for_whoever_looks_later():
    seen = {}

    def view(request):
        seen.update(request.META)
        return HttpResponse()

    TrustedProxyMiddleware(view)(RequestFactory().get("/", HTTP_X_FORWARDED_PROTO="https"))

    assert "HTTP_X_FORWARDED_PROTO" not in seen


# --- Broken requests


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/prompts/a%00b/", {}),
        ("/orders/%00/", {}),
        ("/library/?q=a%00b", {}),
        ("/cart/?removed=%00", {}),
        ("/cart/", {"cookie": 'sessionid="\\000aaaaaaaaaaaa"'}),
        ("/prompts/", {"hx-request": "true", "hx-target": "results", "hx-current-url": "http://[bad"}),
    ],
)
def test_what_no_browser_sends_is_answered_with_400(path, headers):
    answer = Client(headers={"accept-language": "en"}).get(path, headers=headers)

    assert answer.status_code == 400
    assert "<main" in answer.text


# --- Redirects to sign-in under htmx


def ask(response, **headers):
    request = RequestFactory().get("/cart/add/", headers=headers)
    request.htmx = HtmxDetails(request)
    return HtmxRedirectMiddleware(lambda request: response)(request)


def test_a_fragment_that_needs_signing_in_moves_the_whole_window_and_comes_back_to_the_page():
    answer = ask(
        HttpResponseRedirect("/accounts/login/?next=/cart/add/"),
        hx_request="true",
        hx_current_url="http://testserver/prompts/tea/?a=1",
    )

    assert answer.status_code == 200
    assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fprompts%2Ftea%2F%3Fa%3D1"
    assert answer.content == b""


def test_the_page_of_another_site_is_no_way_back():
    answer = ask(
        HttpResponseRedirect("/accounts/login/?next=/x/"), hx_request="true", hx_current_url="https://evil.example/x"
    )

    assert answer["HX-Redirect"] == "/accounts/login/?next=%2F"


def test_other_redirects_and_whole_pages_are_left_alone():
    elsewhere = ask(HttpResponseRedirect("/cart/"), hx_request="true")
    whole = ask(HttpResponseRedirect("/accounts/login/?next=/x/"))

    assert (elsewhere.status_code, elsewhere["Location"]) == (302, "/cart/")
    assert (whole.status_code, whole["Location"]) == (302, "/accounts/login/?next=/x/")


@pytest.mark.django_db
def test_it_holds_for_a_real_private_page():
    answer = Client().get("/account/", headers={"hx-request": "true", "hx-current-url": "http://testserver/prompts/"})

    assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fprompts%2F"


# --- Forms of people who are not signed in any more


def test_after_a_form_the_way_back_is_the_page_it_stood_on():
    answer = Client().post("/library/tea/open/", headers={"referer": "http://testserver/library/tea/?from=mail"})

    assert answer["Location"] == "/accounts/login/?next=/library/tea/%3Ffrom%3Dmail"


@pytest.mark.parametrize("referer", ["", "https://evil.example/library/", "nonsense"])
def test_a_form_from_nowhere_known_keeps_its_own_address(referer):
    answer = Client().post("/library/tea/open/", headers={"referer": referer})

    assert answer["Location"] == "/accounts/login/?next=/library/tea/open/"


def test_a_link_leads_where_it_led_whatever_page_it_stood_on():
    answer = Client().get("/library/", headers={"referer": "http://testserver/prompts/"})

    assert answer["Location"] == "/accounts/login/?next=/library/"


# --- `site` in templates


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"])
def test_pages_of_allauth_show_our_name_and_not_the_host(path):
    page = Client(headers={"accept-language": "en"}, SERVER_NAME="localhost").get(path)

    assert "<span>Promptjang</span>" in page.text
    assert "· localhost" not in page.text
