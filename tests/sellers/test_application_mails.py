"""What the mails about an application say, in both parts and both languages."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.core import mail
from django.utils.html import strip_tags

from sellers.application_mails import draft_mail
from sellers.mails import send_waiting_mails, write_message
from sellers.models import SellerMail
from sellers.onboarding import (
    accept_application,
    apply_to_sell,
    ask_applicant,
    decline_application,
    mail_link,
)
from tests.factories import NOON, make_application, make_user
from tests.sellers.test_onboarding import TYPED

pytestmark = pytest.mark.django_db

EVENING = datetime(2026, 11, 22, 16, tzinfo=UTC)  # the 23rd in Seoul


def parts(message) -> list[str]:
    """The words of the text and of the HTML."""
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    return [" ".join(text.split()) for text in (message.body, unescape(strip_tags(html.replace("<", " <"))))]


def newest_message():
    return write_message(SellerMail.objects.order_by("-pk").first())


def receive(language):
    return make_application(email="mina@example.com", language=language, name="Mina")


def again(language):
    receive(language)
    apply_to_sell(**{**TYPED, "language": "ko" if language == "en" else "en", "now": EVENING})


def link(language):
    receive(language)
    mail_link(email="mina@example.com", language="ko" if language == "en" else "en", now=EVENING)


def ask(language):
    ask_applicant(application=receive(language), staff=make_user(), question="Which\n<model>?", now=EVENING)


def accept(language):
    make_user(email="mina@example.com")
    accept_application(application=receive(language), staff=make_user(), now=EVENING)


def accept_stranger(language):
    accept_application(application=receive(language), staff=make_user(), now=EVENING)


def decline(language):
    decline_application(application=receive(language), staff=make_user(), reason="Too\n<little>.", now=EVENING)


ALL = {
    receive: (
        "Your application to sell has arrived",
        "We received your application to sell on Nov. 22, 2026. We read every one and usually answer within five",
        "/sell/application/",
    ),
    again: (
        "Somebody applied to sell again with your address",
        "Your application of Nov. 22, 2026 stands as it was; nothing in it was changed.",
        "/sell/application/",
    ),
    link: (
        "The link to your application to sell",
        "Here is a new link to your application of Nov. 22, 2026.",
        "/sell/application/",
    ),
    ask: (
        "A question about your application to sell",
        "Before we decide on your application of Nov. 22, 2026 we would like to know: Which <model>?",
        "/sell/application/",
    ),
    accept: (
        "Your application to sell is accepted",
        "On Nov. 23, 2026 we accepted your application to sell. Your seller page is made",
        "/studio/",
    ),
    accept_stranger: (
        "Your application to sell is accepted",
        "One step is left: sign up with mina@example.com, the address you applied with.",
        "/accounts/signup/?next=%2Fstudio%2F",
    ),
    decline: (
        "About your application to sell",
        "On Nov. 23, 2026 we decided not to accept the application, for this reason: Too <little>.",
        "/sell/application/",
    ),
}


@pytest.mark.parametrize("move", ALL)
def test_each_says_what_happened_and_what_to_do_next_in_both_parts(move):
    subject, words, path = ALL[move]
    move("en")

    message = newest_message()

    assert message.subject == f"[Promptjang] {subject}"
    assert message.to == ["mina@example.com"]
    for part in parts(message):
        assert words in part
        assert "000-00-00000" in part  # who answers for the shop
    [button] = re.findall(r'<a href="([^"]+)" style="display:inline-block', message.alternatives[0][0])
    assert unescape(button).startswith(f"http://localhost:8000{path}")
    assert unescape(button) in message.body


@pytest.mark.parametrize("move", ALL)
def test_both_parts_say_the_same(move):
    move("en")
    message = newest_message()

    _text, html = parts(message)

    sentences = [line.strip() for line in message.body.splitlines() if len(line.split()) > 3 and "http" not in line]
    assert [line for line in sentences if " ".join(line.split()).rstrip(":") not in html] == []
    assert len(sentences) >= 3


@pytest.mark.parametrize("move", ALL)
def test_each_speaks_the_language_of_the_application(move):
    move("ko")

    message = newest_message()

    assert message.subject.startswith("[프롬프트장] ")
    assert "2026년 11월" in message.body
    assert '<html lang="ko">' in message.alternatives[0][0]
    assert "!" not in message.subject + message.body


@pytest.mark.parametrize("move", [receive, again, link, ask, decline, accept, accept_stranger])
def test_each_says_how_long_its_link_works_and_the_link_works(client, move):
    move("en")
    message = newest_message()

    ends = "Feb. 20, 2027" if move == receive else "Feb. 21, 2027"
    assert f"works until {ends}." in message.body
    [path] = {*re.findall(r"http://localhost:8000(/sell/application/\S+)", message.body)}
    assert client.get(path).status_code == 200
    assert "localhost:8000/sell/application/" in message.alternatives[0][0]


def test_what_staff_and_applicants_wrote_is_text_in_the_html():
    decline("en")

    html = newest_message().alternatives[0][0]

    assert "Too<br>&lt;little&gt;." in html
    assert "<little>" not in html


def test_a_name_with_line_breaks_cannot_break_a_mail():
    application = make_application(email="mina@example.com", name="Mina\r\nBcc: all@example.com")
    decline_application(application=application, staff=make_user(), reason="No.", now=NOON)

    message = newest_message()

    assert "Hello Mina Bcc: all@example.com," in message.body
    assert message.message()["Bcc"] is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [("application_asked", "Which model?"), ("application_accepted", ""), ("application_declined", "Too little.")],
)
@pytest.mark.parametrize("has_account", [True, False])
def test_staff_see_the_mail_that_goes_out_without_its_personal_link(time_machine, kind, text, has_account):
    time_machine.move_to(NOON, tick=False)
    if has_account:
        make_user(email="mina@example.com")
    application = receive("en")
    draft = write_message(draft_mail(application=application, kind=kind, text=text))
    staff = make_user()
    if kind == "application_asked":
        ask_applicant(application=application, staff=staff, question=text, now=NOON)
    elif kind == "application_declined":
        decline_application(application=application, staff=staff, reason=text, now=NOON)
    else:
        accept_application(application=application, staff=staff, now=NOON)

    sent = newest_message()

    def without_link(text):
        return re.sub(r"/sell/application/[\w:-]+/", "", text)

    assert (draft.subject, draft.to) == (sent.subject, sent.to)
    assert without_link(draft.body) == without_link(sent.body)
    assert without_link(draft.alternatives[0][0]) == without_link(sent.alternatives[0][0])
    assert "/sell/application/personal-link/" in draft.body


def test_a_mail_goes_out_after_the_commit_and_once(on_commit):
    receive("en")

    assert [message.subject for message in mail.outbox] == ["[Promptjang] Your application to sell has arrived"]
    assert send_waiting_mails(now=EVENING) == 0
    assert SellerMail.objects.get().status == "sent"


def test_one_that_a_stopped_process_left_goes_out_later():
    receive("en")

    assert send_waiting_mails(now=EVENING) == 1
    assert send_waiting_mails(now=EVENING) == 0
    assert len(mail.outbox) == 1
