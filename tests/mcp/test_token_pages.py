"""Access tokens on their page: made and shown once, listed to their owner alone, revoked for good."""

import logging
import re
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import ApiToken, User
from accounts.tokens import MAX_LIVE_TOKENS, find_token, make_token
from tests.factories import NOON, make_user

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r"pm_[A-Za-z0-9_-]{43}")
PLACES = ["/account/tokens/", "/connect/"]  # both have the form


@pytest.fixture
def owner() -> User:
    return make_user(email="owner@example.com")


@pytest.fixture
def browser(owner) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def send_form(client: Client, *, place: str = "/account/tokens/", name: str = "laptop", key=None, **more):
    return client.post(place, {"name": name, "key": key or uuid4()}, **more)


def shown_tokens(answer) -> set[str]:
    return set(TOKEN.findall(answer.content.decode()))


@pytest.mark.parametrize("place", PLACES)
def test_a_token_stands_in_the_answer_to_its_form_and_nowhere_else(browser, owner, place, mailoutbox, caplog):
    caplog.set_level(logging.DEBUG)
    answer = send_form(browser, place=place, name="내 노트북")
    (token,) = shown_tokens(answer)

    assert (answer.status_code, find_token(token).user) == (200, owner)
    assert "no-store" in answer["Cache-Control"]
    later = [browser.get(path) for path in ["/account/tokens/", "/connect/", "/account/", "/library/", "/"]]
    kept = [
        *(page.content.decode() for page in later),
        *(str(page.cookies) for page in [answer, *later]),
        *(str(page.headers) for page in [answer, *later]),
        *(str(session.get_decoded()) for session in Session.objects.all()),
        *(str(row) for row in ApiToken.objects.values()),
        *(mail.body + mail.alternatives[0].content for mail in mailoutbox),
        caplog.text,
    ]
    assert [text for text in kept if token in text or token[3:] in text] == []


@pytest.mark.parametrize("place", PLACES)
def test_the_same_form_sent_twice_makes_one_token_and_does_not_show_it_again(browser, owner, place, mailoutbox):
    key = uuid4()
    send_form(browser, place=place, key=key)

    again = send_form(browser, place=place, key=key)

    assert (again.status_code, shown_tokens(again)) == (409, set())
    assert owner.api_tokens.count() == 1
    assert len(mailoutbox) == 1
    assert "no-store" in again["Cache-Control"]


def test_it_stays_used_after_the_token_was_revoked(browser, owner):
    key = uuid4()
    send_form(browser, key=key)
    browser.post("/account/tokens/revoke/", {"token": owner.api_tokens.get().pk})

    assert send_form(browser, key=key).status_code == 409
    assert owner.api_tokens.live().count() == 0


def test_two_tabs_make_one_token_each(browser, owner):
    keys = {re.search(r'name="key" value="([^"]+)"', browser.get("/account/tokens/").content.decode())[1] for _ in "ab"}

    tokens = [shown_tokens(send_form(browser, key=key)) for key in keys]

    assert [len(each) for each in tokens] == [1, 1]
    assert owner.api_tokens.count() == 2


def test_a_form_of_another_person_is_no_used_one(browser, owner):
    key = uuid4()
    stranger = Client()
    stranger.force_login(make_user())
    send_form(stranger, key=key)

    assert send_form(browser, key=key).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"name": "", "key": "{key}"},
        {"name": "   ", "key": "{key}"},
        {"name": "x" * 61, "key": "{key}"},
        {"name": "laptop"},
        {"name": "laptop", "key": ""},
        {"name": "laptop", "key": "' OR 1=1"},
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_whole_form_makes_nothing_and_says_why(browser, owner, place, sent):
    answer = browser.post(place, {name: value.format(key=uuid4()) for name, value in sent.items()})

    assert (answer.status_code, owner.api_tokens.count()) == (422, 0)
    assert 'role="alert"' in answer.content.decode()


def test_a_name_is_one_harmless_line_wherever_it_stands(browser, owner, mailoutbox):
    answer = send_form(browser, name="<b>a</b>\r\n\0Bcc: x@y.example \u202egnp")

    name = owner.api_tokens.get().name
    assert name == "<b>a</b> Bcc: x@y.example gnp"
    assert "<b>a</b>" not in answer.content.decode()
    assert "<b>a</b>" not in mailoutbox[0].alternatives[0].content
    assert mailoutbox[0].to == ["owner@example.com"]
    assert mailoutbox[0].bcc == []


def test_the_owner_is_told_by_mail_where_to_revoke_it(browser, owner, mailoutbox):
    send_form(browser, name="work laptop", headers={"accept-language": "en", "user-agent": "Firefox"})

    (mail,) = mailoutbox
    assert mail.subject.endswith("A new access token was made")
    assert f"“work laptop”, which ends in {owner.api_tokens.get().ending}" in mail.body
    assert "Firefox" in mail.body
    assert "http://localhost:8000/account/tokens/" in mail.body
    assert "/password/reset/" not in mail.body


def test_a_mail_server_that_is_away_costs_the_mail_alone(browser, owner, monkeypatch):
    def fail(*_args, **_named):
        raise OSError("mail.example is away")

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", fail)

    answer = send_form(browser)

    assert len(shown_tokens(answer)) == 1
    assert list(answer.context["messages"]) == []


def test_there_is_a_limit_to_live_tokens(browser, owner):
    for number in range(MAX_LIVE_TOKENS):
        make_token(user=owner, name=str(number), now=NOON)

    answer = send_form(browser, headers={"accept-language": "en"})

    assert answer.status_code == 409
    assert "You have 20 tokens already. Revoke one that you no longer use." in answer.content.decode()


def test_and_to_how_many_are_made_in_an_hour(browser, owner, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"token_make": "2/h/user"}

    assert [send_form(browser).status_code for _ in range(3)] == [200, 200, 429]
    assert owner.api_tokens.count() == 2


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_tells_each_by_name_ending_and_use(browser, owner, count, django_assert_num_queries):
    rows = [make_token(user=owner, name=f"client {number}", now=NOON)[0] for number in range(count)]
    owner.api_tokens.filter(pk=rows[0].pk).update(last_used_at=NOON)
    make_token(user=make_user(), name="of a stranger", now=NOON)
    browser.get("/account/tokens/")

    with django_assert_num_queries(4):  # session, person, tokens, cart
        page = browser.get("/account/tokens/", headers={"accept-language": "en"}).content.decode()

    for row in rows:
        assert f"client {row.pk - rows[0].pk}" in page
        assert f"pm_…{row.ending}" in page
        assert row.digest not in page
    assert page.count("Never used") == count - 1
    assert page.count("Last used") == 1
    assert "of a stranger" not in page


def test_revoking_one_stops_it_at_once_and_leaves_the_others(browser, owner):
    first, first_token = make_token(user=owner, name="first", now=NOON)
    _second, second_token = make_token(user=owner, name="second", now=NOON)

    answer = browser.post("/account/tokens/revoke/", {"token": first.pk}, follow=True)
    again = browser.post("/account/tokens/revoke/", {"token": first.pk})

    assert answer.redirect_chain == [("/account/tokens/", 302)]
    assert (find_token(first_token), find_token(second_token).name) == (None, "second")
    assert "pm_…" + first.ending not in answer.content.decode()
    assert again.status_code == 302


def test_nobody_sees_or_revokes_the_token_of_another(owner):
    row, token = make_token(user=owner, name="private name", now=NOON)
    stranger = Client()
    stranger.force_login(make_user())

    answers = [stranger.get(place) for place in PLACES]
    refused = stranger.post("/account/tokens/revoke/", {"token": row.pk})
    unknown = stranger.post("/account/tokens/revoke/", {"token": 10**17})

    assert [answer for answer in answers if "private name" in answer.content.decode()] == []
    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert find_token(token) == row


@pytest.mark.parametrize("number", ["", "x", "-1", "1" * 40, "１", "1\0"])
def test_what_names_no_token_is_not_found(browser, number):
    assert browser.post("/account/tokens/revoke/", {"token": number}).status_code == 404


@pytest.mark.parametrize("path", ["/account/tokens/", "/account/tokens/revoke/", "/connect/", "/connect/try/"])
def test_visitors_are_asked_to_sign_in_and_make_nothing(client, path):
    answer = client.post(path, {"name": "x", "key": uuid4(), "token": 1})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    assert ApiToken.objects.count() == 0


def test_it_takes_a_form_of_this_site(owner):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    assert send_form(client).status_code == 403
    assert client.post("/account/tokens/revoke/", {"token": 1}).status_code == 403
    assert ApiToken.objects.count() == 0


def test_the_suggested_name_is_that_of_a_client_without_a_token(browser, owner):
    make_token(user=owner, name="Claude Code", now=NOON)

    page = browser.get("/account/tokens/").content.decode()

    assert re.search(r'<input[^>]*name="name"[^>]*>', page)[0].count('value="Claude Desktop"') == 1
