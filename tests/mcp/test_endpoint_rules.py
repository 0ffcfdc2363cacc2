"""The rules of the wire once more, put to the shop's own address through the whole site, and those of HTTP around it:
the order of the checks, and that nothing of a page ever shows."""

import json
from io import BytesIO
from urllib.parse import urlsplit

import pytest
from django.test import Client, override_settings

from accounts.tokens import make_token
from tests.factories import NOON, make_prompt, make_purchase, make_user
from tests.mcp.shop_calls import Caller
from tests.mcp.wire_rules import RULES, Request, Target, check_rule

pytestmark = pytest.mark.django_db

PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
EMPTY_ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def caller(owner) -> Caller:
    return Caller.of(owner)


@pytest.fixture
def send(caller):
    """A request of the table as the site gets it. Whatever is asked, the answer is none of a page."""

    def send(request: Request):
        response = caller.client.generic(
            request.method,
            "/mcp",
            request.body,
            content_type=request.headers["Content-Type"],
            headers={"Authorization": f"Bearer {caller.token}", **request.headers},
        )
        check_is_no_page(response)
        return response.status_code, response.headers, response.content

    return send


def check_is_no_page(response) -> None:
    assert not response.cookies
    assert "Vary" not in response.headers
    assert "Location" not in response.headers
    assert not any(name.lower().startswith("access-control-") for name in response.headers)
    assert response.headers["Content-Length"] == str(len(response.content))
    if response.content:
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert json.loads(response.content)["jsonrpc"] == "2.0"


@pytest.mark.parametrize("name", RULES)
def test_the_shop_keeps_the_rule(name, owner, send):
    prompt = make_prompt(title="사과문", slug="apology", prompt_text="{{누구}}에게 사과하세요.")
    make_purchase(buyer=owner, prompt=prompt, is_open=True)
    digits = prompt.pk.hex
    target = Target(
        tool="search_catalog",
        arguments={"query": "사과"},
        wrong_arguments={"query": 7},
        prompt=f"apology-{digits[:6]}{digits[-6:]}",
        values={"누구": "손님"},
    )

    check_rule(RULES[name], send, target)


# --- Before the message is looked at


def test_each_check_comes_before_the_next(owner):
    """Everything is wrong at once; what is mended is mended in the order of the checks."""
    caller = Caller("pm_wrong")
    headers = {"Origin": "https://elsewhere.example"}
    wrong = {"body": b"{" * 5_000_000, "content_type": "text/plain"}

    def ask() -> tuple[int, int]:
        response = caller.send(wrong["body"], content_type=wrong["content_type"], headers=headers)
        check_is_no_page(response)
        return response.status_code, response.json()["error"]["code"]

    assert ask() == (403, -32600)
    headers.clear()
    assert ask() == (401, -32600)
    caller.token = make_token(user=owner, name="laptop", now=NOON)[1]
    assert ask() == (415, -32600)
    wrong["content_type"] = "application/json"
    assert ask() == (413, -32600)
    wrong["body"] = b"{"
    assert ask() == (400, -32700)
    wrong["body"] = b"{}"
    assert ask() == (400, -32600)
    wrong["body"] = b'{"jsonrpc":"2.0","id":1,"method":"made/up"}'
    assert ask() == (200, -32601)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("has_token", [True, False])
def test_nothing_but_post_is_taken_with_or_without_a_token(caller, method, has_token):
    headers = {"Authorization": f"Bearer {caller.token}"} if has_token else {}
    headers["Origin"] = "https://elsewhere.example"

    response = caller.client.generic(method, "/mcp", headers=headers)

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    if method != "HEAD":  # which has no body anywhere
        check_is_no_page(response)


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example",
        "null",
        "",
        "http://testserver.elsewhere.example",
        "https://testserver",
        "http://testserver:8080",
        "http://testserver/",
        "http://TESTSERVER",
        "http://testserver http://elsewhere.example",
    ],
)
def test_pages_of_others_may_not_ask(caller, origin):
    response = caller.send(PING, headers={"Origin": origin})

    assert response.status_code == 403
    check_is_no_page(response)


@pytest.mark.parametrize("origin", ["http://testserver", "https://shop.example"])
def test_our_own_pages_may(caller, origin):
    with override_settings(SITE_URL="https://shop.example"):
        response = caller.send(PING, headers={"Origin": origin})

    assert response.json() == EMPTY_ANSWER


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "Token {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer {token},Bearer {token}",
        "Bearer {token} {token}",
        'Bearer "{token}"',
        "Bearer pm_",
        "Bearer pm_한글",
        "Bearer " + "x" * 50_000,
    ],
)
def test_nothing_but_a_bearer_token_opens(caller, authorization):
    sent = authorization.replace("{token}", caller.token)

    response = Caller().send(PING, headers={"Authorization": sent})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="promptjang"')
    check_is_no_page(response)


@pytest.mark.parametrize("way", ["query", "cookie", "body", "other header"])
def test_a_token_in_any_other_place_opens_nothing(caller, way):
    stranger = Caller()
    path = f"/mcp?access_token={caller.token}&token={caller.token}" if way == "query" else "/mcp"
    body = json.dumps(json.loads(PING) | {"token": caller.token}) if way == "body" else PING
    headers = {"Cookie": f"token={caller.token}"} if way == "cookie" else {}
    headers |= {"X-Api-Key": caller.token, "Proxy-Authorization": caller.token} if way == "other header" else {}

    assert stranger.send(body, path=path, headers=headers).status_code == 401


@pytest.mark.parametrize("authorization", ["bearer {token}", "BEARER {token}", "Bearer   {token} "])
def test_how_bearer_is_written_does_not_matter(caller, authorization):
    sent = authorization.replace("{token}", caller.token)

    assert Caller().send(PING, headers={"Authorization": sent}).json() == EMPTY_ANSWER


def test_cookies_of_somebody_signed_in_neither_open_nor_close(owner, caller):
    browser = Client()
    browser.force_login(owner)
    cookies = {"Cookie": f'sessionid={browser.cookies["sessionid"].value}; django_language=en; broken="\\000"'}

    refused = Caller().send(PING, headers=cookies)
    taken = caller.send(PING, headers=cookies)

    assert (refused.status_code, taken.status_code) == (401, 200)
    check_is_no_page(refused)
    check_is_no_page(taken)


def test_a_strange_header_of_a_page_does_not_matter(caller):
    response = caller.send(PING, headers={"HX-Request": "true", "HX-Current-URL": "http://[broken"})

    assert response.status_code in (200, 400)
    check_is_no_page(response)


# --- Around the view


def test_a_slash_at_the_end_is_forgiven_and_not_redirected(caller):
    assert caller.send(PING, path="/mcp/").json() == EMPTY_ANSWER
    assert Caller().send(PING, path="/mcp/").status_code == 401


def test_an_unknown_host_is_refused_in_json(caller):
    response = caller.send(PING, SERVER_NAME="elsewhere.example")

    assert response.status_code == 400
    check_is_no_page(response)


@pytest.mark.parametrize("token", ["", "valid"])
def test_plain_http_is_refused_and_not_redirected_where_the_shop_has_https(owner, token):
    caller = Caller.of(owner) if token else Caller()
    with override_settings(SECURE_SSL_REDIRECT=True, SITE_URL="https://shop.example"):
        caller = Caller(caller.token)
        response = caller.send(PING)
        secure = caller.send(PING, secure=True)

    assert (response.status_code, response.json()["error"]["message"]) == (
        403,
        "this address is https://shop.example/mcp",
    )
    check_is_no_page(response)
    assert secure.status_code == (200 if token else 401)


@pytest.mark.parametrize("is_debugging", [True, False])
def test_whatever_breaks_before_the_protocol_is_json_too(caller, monkeypatch, is_debugging):
    def break_down(token):
        raise RuntimeError("no database")

    monkeypatch.setattr("mcp.serving.endpoint.find_token", break_down)
    caller.client.raise_request_exception = False

    with override_settings(DEBUG=is_debugging):
        response = caller.send(PING)

    assert (response.status_code, response.json()["error"]["message"]) == (500, "Internal Server Error")
    check_is_no_page(response)


class HungUp(BytesIO):
    def read(self, size=-1):
        raise OSError("connection reset by peer")


@pytest.mark.parametrize("rest", [BytesIO(PING[:20].encode()), HungUp()])
def test_a_client_that_hangs_up_in_the_middle_has_sent_no_message(caller, rest):
    response = caller.send(PING, **{"wsgi.input": rest})

    assert (response.status_code, response.json()["error"]["code"]) == (400, -32700)
    check_is_no_page(response)


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10)
def test_the_limit_of_forms_is_not_ours(caller):
    assert caller.send(PING).json() == EMPTY_ANSWER


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
        "/register",
        "/authorize",
    ],
)
def test_there_are_no_documents_of_oauth_to_mistake(path):
    response = Client().get(path)

    assert response.status_code == 404
    assert "resource_metadata" not in str(response.headers)


def test_the_challenge_leads_to_no_document():
    challenge = Caller().send(PING).headers["WWW-Authenticate"]

    assert challenge == 'Bearer realm="promptjang"'
    assert not urlsplit(challenge).scheme
