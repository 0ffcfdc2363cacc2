"""The page behind the link: what it says of every standing, what one can do there, and who gets in."""

import io
import logging
import re
from datetime import timedelta

import pytest
from django.core import signing
from django.test import Client

from sellers.application_links import LINK_LIVES, LINK_SALT, sign_link
from sellers.models import SellerApplication
from sellers.onboarding import (
    accept_application,
    add_note,
    ask_applicant,
    decline_application,
    start_review,
    withdraw_application,
)
from tests.factories import NOON, make_application, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Client:
    return Client(headers={"accept-language": "en"})


@pytest.fixture
def staff():
    return make_user(email="boss@example.com", nickname="Boss", is_staff=True)


def page_of(application) -> str:
    return f"/sell/application/{sign_link(application)}/"


def status_of(application) -> str:
    return SellerApplication.objects.select_related("case").get(pk=application.pk).case.status


def headings(response) -> list[str]:
    found = re.findall(r"<h[12][^>]*>(.*?)</h[12]>", response.text.partition("<main")[2], re.DOTALL)
    return [re.sub(r"<[^>]+>", "", heading).strip() for heading in found]


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


# --- What it says


def receive(application, staff):
    pass


def review(application, staff):
    start_review(application=application, staff=staff, now=NOON)


def ask(application, staff):
    ask_applicant(application=application, staff=staff, question="Which <model>?", now=NOON)


def accept(application, staff):
    accept_application(application=application, staff=staff, now=NOON)


def decline(application, staff):
    decline_application(application=application, staff=staff, reason="Too <little>.", now=NOON)


def withdraw(application, staff):
    withdraw_application(application=application, now=NOON)


@pytest.mark.parametrize(
    ("move", "heading", "words", "can_withdraw"),
    [
        (receive, "Received", "waits to be read", True),
        (review, "In review", "Somebody is reading", True),
        (ask, "We have a question", "Which &lt;model&gt;?", True),
        (accept, "Accepted", "sign up with <strong>mina@example.com</strong>", False),
        (decline, "Declined", "Too &lt;little&gt;.", False),
        (withdraw, "Withdrawn", "nobody reads it any more", False),
    ],
)
def test_it_says_how_the_application_stands(visitor, staff, move, heading, words, can_withdraw):
    application = make_application(email="mina@example.com")
    move(application, staff)

    page = visitor.get(page_of(application))

    assert headings(page)[:2] == ["Your application to sell", heading]
    assert words in page.text
    assert ("Withdraw the application" in page.text) is can_withdraw
    assert ("is deleted one year after that" in page.text) is (not can_withdraw)
    assert 'datetime="2026-11-22T12:00:00+00:00"' in page.text


def test_an_accepted_applicant_with_an_account_finds_the_studio(visitor, staff):
    make_user(email="mina@example.com")
    application = make_application(email="mina@example.com")
    accept(application, staff)

    page = visitor.get(page_of(application)).text

    assert 'href="/studio/"' in page
    assert "/accounts/signup/?next=/studio/" not in page


def test_it_shows_what_happened_without_notes_and_names_of_staff(visitor, staff):
    application = make_application()
    review(application, staff)
    add_note(application=application, staff=staff, text="Between us.", now=NOON)
    ask(application, staff)

    page = visitor.get(page_of(application)).text

    told = ["You applied", "We began to read it", "We asked you"]
    assert [words for words in told if words in page] == told
    assert "Between us." not in page
    assert "boss" not in page.casefold()


def test_it_shows_what_was_sent_as_text(visitor):
    application = make_application(
        name="Mina <b>", portfolio_url="https://example.com/work", categories=["writing", "번역"], message="A\n<script>"
    )

    page = visitor.get(page_of(application)).text

    assert "Mina &lt;b&gt;" in page
    assert "&lt;script&gt;" in page
    assert "Writing and editing, 번역" in page
    assert 'href="https://example.com/work"' not in page


@pytest.mark.parametrize(("processed", "heading"), [(True, "Closed"), (False, "Received")])
def test_a_row_of_another_program_is_told_honestly(visitor, processed, heading):
    row = SellerApplication.objects.create(name="Juno", email="juno@example.com", created_at=NOON, processed=processed)

    page = visitor.get(page_of(row))

    assert headings(page)[1] == heading
    assert ("outside of this site" in page.text) is processed
    assert "You applied" in page.text


# --- What one can do there


def test_a_question_is_answered(visitor, staff):
    application = make_application()
    ask(application, staff)

    page = visitor.post(f"{page_of(application)}answer/", {"text": "Any\r\nmodel."}, follow=True)

    assert page.redirect_chain == [(page_of(application), 302)]
    assert said(page) == ["Your answer is on its way to us."]
    assert status_of(application) == "received"
    assert application.events.get(kind="answered").text == "Any\nmodel."
    assert "Which &lt;model&gt;?" in page.text  # in the history


@pytest.mark.parametrize("text", ["", " \n ", "a" * 2_001, "NUL \x00"])
def test_an_answer_that_cannot_be_taken_is_kept(visitor, staff, text):
    application = make_application()
    ask(application, staff)

    answered = visitor.post(f"{page_of(application)}answer/", {"text": text})

    assert answered.status_code == 422
    assert headings(answered)[:2] == ["Your application to sell", "We have a question"]
    assert text.strip() in answered.context["form"]["text"].value()
    assert status_of(application) == "asked"


@pytest.mark.parametrize("text", ["Any model.", ""])
def test_an_answer_that_comes_too_late_is_told_so(visitor, staff, text):
    application = make_application()
    ask(application, staff)
    decline(application, staff)

    page = visitor.post(f"{page_of(application)}answer/", {"text": text}, follow=True)

    assert said(page) == ["This question is no longer open, so nothing was sent."]
    assert not application.events.filter(kind="answered").exists()


def test_whoever_comes_back_to_the_address_of_the_form_finds_the_page(visitor, staff):
    application = make_application()
    ask(application, staff)

    assert visitor.get(f"{page_of(application)}answer/")["Location"] == page_of(application)


def test_withdrawing_asks_first_and_happens_once(visitor):
    application = make_application()
    asked = visitor.get(f"{page_of(application)}withdraw/")
    before = status_of(application)

    pages = [visitor.post(f"{page_of(application)}withdraw/", follow=True) for _ in range(2)]

    assert headings(asked) == ["Withdraw the application?"]
    assert before == "received"
    assert [said(page) for page in pages] == [["You withdrew your application."], []]
    assert status_of(application) == "withdrawn"
    assert application.events.filter(kind="withdrawn").count() == 1
    assert visitor.get(f"{page_of(application)}withdraw/")["Location"] == page_of(application)


def test_what_is_decided_is_not_withdrawn(visitor, staff):
    application = make_application()
    accept(application, staff)

    shown = visitor.get(f"{page_of(application)}withdraw/", follow=True)
    sent = visitor.post(f"{page_of(application)}withdraw/", follow=True)

    assert said(shown) == said(sent) == ["A decision was made already, so nothing was withdrawn."]
    assert status_of(application) == "accepted"


def test_a_withdrawn_application_is_sent_again(visitor):
    application = make_application()
    withdraw(application, None)

    pages = [visitor.post(f"{page_of(application)}again/", follow=True) for _ in range(2)]

    assert [said(page) for page in pages] == [["Your application waits for our answer again."], []]
    assert status_of(application) == "received"


def test_a_refusal_is_not_sent_again(visitor, staff):
    application = make_application()
    decline(application, staff)

    visitor.post(f"{page_of(application)}again/")

    assert status_of(application) == "declined"
    assert "Apply again" not in visitor.get(page_of(application)).text


@pytest.mark.parametrize(("part", "methods"), [("", ["post"]), ("again/", ["get"])])
def test_each_address_takes_its_own_methods(visitor, part, methods):
    address = f"{page_of(make_application())}{part}"

    assert [getattr(visitor, method)(address).status_code for method in methods] == [405] * len(methods)


def test_no_form_of_another_site_moves_anything():
    application = make_application()
    strict = Client(enforce_csrf_checks=True)

    assert strict.post(f"{page_of(application)}withdraw/").status_code == 403
    assert status_of(application) == "received"


# --- Who gets in


def tampered(token: str) -> str:
    return token[:-1] + ("a" if token[-1] != "a" else "b")


PARTS = ["", "answer/", "withdraw/"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "forge",
    [
        lambda application: tampered(sign_link(application)),
        lambda application: application.pk.hex,
        lambda application: str(application.pk),
        lambda application: signing.TimestampSigner(salt="other").sign(application.pk.hex),
        lambda application: signing.TimestampSigner(salt=LINK_SALT, key="other").sign(application.pk.hex),
        lambda application: sign_link(application).replace(application.pk.hex, make_application().pk.hex),
        lambda application: "personal-link",
        lambda application: "가" * 100,
    ],
)
def test_a_link_that_is_not_ours_opens_nothing_and_offers_a_new_one(visitor, staff, forge, part):
    application = make_application(name="Mina Kim", email="mina@example.com")
    ask(application, staff)
    address = f"/sell/application/{forge(application)}/{part}"

    answers = [visitor.get(address), visitor.post(address, {"text": "Mine."}) if part else visitor.get(address)]

    for answered in answers:
        assert answered.status_code == 404
        assert headings(answered) == ["This link does not work"]
        assert 'action="/sell/link/"' in answered.text
        assert "Mina Kim" not in answered.text
        assert "mina@example.com" not in answered.text
    assert status_of(application) == "asked"


@pytest.mark.parametrize("part", PARTS)
def test_an_old_link_is_told_so_and_opens_nothing(visitor, time_machine, part):
    time_machine.move_to(NOON, tick=False)
    application = make_application(name="Mina Kim")
    address = f"{page_of(application)}{part}"
    time_machine.move_to(NOON + LINK_LIVES - timedelta(seconds=1), tick=False)
    in_time = visitor.get(address).status_code

    time_machine.move_to(NOON + LINK_LIVES + timedelta(seconds=1), tick=False)
    late = visitor.get(address)

    assert in_time in (200, 302)
    assert late.status_code == 410
    assert headings(late) == ["This link has expired"]
    assert "Mina Kim" not in late.text


def test_the_link_of_an_application_that_is_gone_is_like_a_forged_one(visitor):
    address = page_of(make_application())
    SellerApplication.objects.all().delete()

    assert visitor.get(address).status_code == 404


def test_one_persons_link_opens_that_persons_page_alone(visitor):
    mina, juno = make_application(name="Mina Kim"), make_application(name="Juno Lee")

    page = visitor.get(page_of(mina)).text

    assert "Mina Kim" in page
    assert "Juno Lee" not in page
    assert juno.email not in page


def test_being_signed_in_opens_nobodys_page(client):
    application = make_application(email="mina@example.com")
    client.force_login(make_user(email="mina@example.com"))

    assert client.get(f"/sell/application/{application.pk.hex}/").status_code == 404


@pytest.mark.parametrize("part", PARTS)
def test_no_cache_no_search_engine_and_no_other_site_learns_the_address(visitor, part):
    answered = visitor.get(f"{page_of(make_application())}{part}")

    assert "no-store" in answered["Cache-Control"]
    assert answered["X-Robots-Tag"] == "noindex, nofollow"
    assert answered["Referrer-Policy"] == "strict-origin"


def test_pages_cost_the_same_however_long_the_history(visitor, staff, django_assert_num_queries):
    application = make_application()
    for number in range(20):
        ask_applicant(application=application, staff=staff, question=f"{number}?", now=NOON)

    with django_assert_num_queries(2):  # the application with its case, and the history
        visitor.get(page_of(application))


@pytest.fixture
def log(monkeypatch) -> io.StringIO:
    """What goes to standard error."""
    lines = io.StringIO()
    [console] = [handler for handler in logging.root.handlers if handler.name == "console"]
    monkeypatch.setattr(console, "stream", lines)
    return lines


@pytest.mark.parametrize(
    ("age", "path", "data"), [(0, "answer/", {"text": ""}), (0, "again/", None), (91, "", None), (91, "again/", {})]
)
def test_no_line_of_the_log_holds_the_link(visitor, staff, log, time_machine, age, path, data):
    """Django logs the path of each request that it refuses, and this path is a key."""
    application = make_application()
    ask_applicant(application=application, staff=staff, question="Whose?", now=NOON)
    time_machine.move_to(NOON)
    page = page_of(application)
    time_machine.move_to(NOON + timedelta(days=age))

    answered = visitor.get(page + path) if data is None else visitor.post(page + path, data)

    logged = log.getvalue()
    assert answered.status_code >= 400
    assert f": /sell/application/…/{path}" in logged
    assert page.split("/")[3] not in logged
