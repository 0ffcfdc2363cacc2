"""The queue of applications in the admin: found, read, decided one by one and many at once."""

import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import translation

from sellers import application_mails
from sellers.admin import decisions
from sellers.admin.forms import READY_REASONS
from sellers.admin.standing import find_place, find_similar
from sellers.models import ApplicationEvent, Seller, SellerApplication, SellerMail
from sellers.onboarding import (
    accept_application,
    add_note,
    answer_question,
    ask_applicant,
    decline_application,
    start_review,
    withdraw_application,
)
from sellers.retention import delete_old_applications
from tests.factories import NOON, make_application, make_seller, make_staff, make_user

pytestmark = pytest.mark.django_db

QUEUE = "/admin/sellers/sellerapplication/"
REASON = "We could not see how well your prompts work."


@pytest.fixture(autouse=True)
def _noon(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def decider():
    return make_staff("waitlist staff", email="decider@example.com")


@pytest.fixture
def staff(client, decider):
    client.force_login(decider)
    client.cookies["django_language"] = "en"
    return client


def make_outside_row(**fields) -> SellerApplication:
    """As another program writes it: no case, no event, no mail."""
    return SellerApplication.objects.create(
        **{"name": "Outside", "email": "outside@example.com", "created_at": NOON, **fields}
    )


def make_old(*, days: float = 0, **fields) -> SellerApplication:
    """Applied so many days before NOON."""
    return make_application(now=NOON - timedelta(days=days), **fields)


def page_of(application, name="change/"):
    return f"{QUEUE}{application.pk}/{name}"


def names_on(client, query="") -> list[str]:
    return [row.name for row in client.get(f"{QUEUE}{query}").context["cl"].result_list]


def decide(client, application, name, **data):
    """The address that the page leads to, and the texts that it says."""
    answer = client.post(page_of(application, f"act/{name}/"), {"confirm": "1", **data}, follow=True)
    assert answer.redirect_chain, answer.text
    return answer.redirect_chain[-1][0], [str(message) for message in answer.context["messages"]]


def begin_many(client, name, *applications, query="", **data):
    data = {"action": f"{name}_chosen", "index": "0", "_selected_action": [str(row.pk) for row in applications]} | data
    return client.post(f"{QUEUE}{query}", data)


def decide_many(client, name, *applications, query="", is_across=False, **data) -> list[str]:
    """Through the page in between, as a browser goes: what it said at the end."""
    across = {"select_across": "1"} if is_across else {}
    page = begin_many(client, name, *applications, query=query, **across)
    hidden = {field: page.context["chosen_form"][field].value() for field in ("chosen", "shown")}
    answer = client.post(f"{QUEUE}act/{name}/", hidden | data | {"confirm": "1"}, follow=True)
    assert answer.redirect_chain == [(f"{QUEUE}{query}", 302)]
    return [str(message) for message in answer.context["messages"]]


def logged() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def statuses() -> dict[str, tuple]:
    rows = SellerApplication.objects.values_list("name", "processed", "case__status")
    return {name: (processed, status) for name, processed, status in rows}


# --- The list


@pytest.mark.parametrize("count", [1, 50])
def test_the_queue_costs_the_same_however_long(staff, count, django_assert_num_queries):
    for _ in range(count):
        ask_applicant(application=make_application(), staff=make_user(), question="Why?", now=NOON)
    staff.get(QUEUE)

    with django_assert_num_queries(8):
        page = staff.get(QUEUE)

    assert page.context["cl"].result_count == count


def test_what_waits_is_shown_oldest_first_and_the_rest_on_request(staff, decider):
    make_old(days=1, name="young")
    make_old(days=9, name="old")
    declined = make_old(days=5, name="declined")
    decline_application(application=declined, staff=decider, reason=REASON, now=NOON)
    make_outside_row(name="elsewhere", processed=True)
    make_outside_row(name="outside", created_at=NOON - timedelta(days=3))

    assert names_on(staff) == ["old", "outside", "young"]
    assert names_on(staff, "?status=all") == ["old", "outside", "young", "declined", "elsewhere"]
    assert names_on(staff, "?status=nonsense") == ["old", "outside", "young"]


def test_the_page_says_what_is_shown_and_links_to_the_rest(staff):
    make_application()

    page = staff.get(f"{QUEUE}?q=appl&age=new")
    everything = staff.get(f"{QUEUE}?status=all&q=appl")

    assert "Shown: waiting for a decision, oldest first." in page.text
    assert "?age=new&amp;q=appl&amp;status=all" in page.text
    assert "Shown: All, oldest first." in everything.text
    assert 'href="?q=appl">Show what waits' in everything.text


def test_each_status_has_its_rows_and_its_words(staff, decider):
    rows = {
        name: make_application(name=name)
        for name in ("received", "in_review", "asked", "accepted", "declined", "withdrawn")
    }
    start_review(application=rows["in_review"], staff=decider, now=NOON)
    ask_applicant(application=rows["asked"], staff=decider, question="Why?", now=NOON)
    accept_application(application=rows["accepted"], staff=decider, now=NOON)
    decline_application(application=rows["declined"], staff=decider, reason=REASON, now=NOON)
    withdraw_application(application=rows["withdrawn"], now=NOON)
    make_outside_row(name="row without a case")
    make_outside_row(name="elsewhere", processed=True)
    closed_outside = make_application(name="closed outside")
    SellerApplication.objects.filter(pk=closed_outside.pk).update(processed=True)

    found = {name: set(names_on(staff, f"?status={name}")) for name in [*rows, "elsewhere"]}

    assert found == {
        "received": {"received", "row without a case"},
        "in_review": {"in_review"},
        "asked": {"asked"},
        "accepted": {"accepted"},
        "declined": {"declined"},
        "withdrawn": {"withdrawn"},
        "elsewhere": {"elsewhere", "closed outside"},
    }
    page = staff.get(f"{QUEUE}?status=elsewhere")
    assert page.text.count('<td class="field-standing">processed elsewhere</td>') == 2
    assert "decider@example.com" in staff.get(f"{QUEUE}?status=declined").text


def test_counts_stand_beside_the_filters_when_asked_for(staff):
    make_application()
    make_outside_row(processed=True)

    page = staff.get(f"{QUEUE}?_facets=True")

    for words in ("waiting for a decision (1)", "All (2)", "processed elsewhere (1)", "under 3 days (1)"):
        assert words in page.text


def test_age_is_in_days_and_long_waits_are_marked_in_words(staff):
    for days, name in [(0.5, "new"), (3, "three"), (7, "seven"), (7.5, "more"), (30, "long")]:
        make_old(days=days, name=name)

    page = staff.get(QUEUE)

    assert "Nov. 22, 2026" in page.text
    ages = re.findall(r'<td class="field-age">(.*?)</td>', page.text)
    assert ages == ["30 days, waiting long", "7 days, waiting long", "7 days, waiting long", "3 days", "0 days"]
    assert names_on(staff, "?age=new") == ["new"]
    assert names_on(staff, "?age=while") == ["three"]
    assert names_on(staff, "?age=long") == ["long", "more", "seven"]


def test_categories_are_filtered_and_named_whatever_another_program_wrote(staff):
    make_application(name="both", categories=["writing", "data"])
    make_application(name="one", categories=["data"])
    for name, categories in [("list", ["번역", 3]), ("object", {"a": 1}), ("text", "text")]:
        make_outside_row(name=name, categories=categories)

    page = staff.get(QUEUE)

    assert "Writing and editing, Data and spreadsheets" in page.text
    assert "번역, 3" in page.text
    assert names_on(staff, "?category=writing") == ["both"]
    assert set(names_on(staff, "?category=data")) == {"both", "one"}
    assert len(names_on(staff, "?category=nonsense")) == 5


@pytest.mark.parametrize("query", ["미나", "mina@", "portfolio.example", "사연", "MINA"])
def test_the_search_looks_at_name_address_link_and_message(staff, query):
    make_application(
        name="미나", email="mina@example.com", portfolio_url="https://portfolio.example/mina", message="사연이 있어요."
    )
    make_application(name="Other")

    assert names_on(staff, f"?q={query}") == ["미나"]


def test_links_of_applicants_are_text_and_nothing_that_a_browser_follows(staff):
    application = make_application(portfolio_url="https://tracker.example/pixel.png", message="http://also.example/")
    make_outside_row(portfolio_url="javascript:alert(1)")

    for address in (QUEUE, page_of(application), page_of(application, "act/decline/")):
        page = staff.get(address)
        for part in ("tracker.example", "also.example", "javascript:alert"):
            assert not re.search(rf'(?:href|src|action|content)="[^"]*{part}', page.text)
    assert "https://tracker.example/pixel.png" in staff.get(page_of(application)).text


def test_the_drill_down_by_date_knows_days_of_seoul(staff):
    late = datetime(2025, 12, 31, 14, 30, tzinfo=UTC)  # 23:30 in Seoul
    for name, moment in [("last of 2025", late), ("first of 2026", late + timedelta(hours=1))]:
        make_outside_row(name=name, created_at=moment)
    make_outside_row(name="spring", created_at=datetime(2026, 1, 31, 20, tzinfo=UTC))  # 1 February in Seoul

    years = staff.get(QUEUE).text
    months = staff.get(f"{QUEUE}?created_at__year=2026").text

    assert ("created_at__year=2025" in years, "created_at__year=2026" in years) == (True, True)
    assert ("created_at__month=1" in months, "created_at__month=2" in months) == (True, True)
    assert names_on(staff, "?created_at__year=2025") == ["last of 2025"]
    assert names_on(staff, "?created_at__year=2026&created_at__month=1") == ["first of 2026"]
    assert names_on(staff, "?created_at__year=2026&created_at__month=2&created_at__day=1") == ["spring"]
    assert names_on(staff, "?created_at__year=2025&created_at__month=12&created_at__day=31") == ["last of 2025"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a date that cannot be read is SQLite's")
def test_a_date_that_cannot_be_read_breaks_neither_list_nor_page(staff):
    key = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO seller_waitlist (id, created_at, name, email) VALUES (%s, 'yesterday', '', 'a@example.com')",
            [str(key)],
        )
    make_application(name="other")

    assert staff.get(QUEUE).status_code == 200
    assert staff.get(f"{QUEUE}{key}/change/").status_code == 200
    told = decide(staff, SellerApplication.objects.get(pk=key), "decline", text=REASON)[1]
    assert told == ["1 application declined: a@example.com"]


# --- The page of one


def test_the_page_shows_facts_history_notes_and_mails(staff, decider):
    application = make_application(name="Mina", email="mina@example.com", message="I write letters.")
    ask_applicant(application=application, staff=decider, question="Which letters?", now=NOON)
    answer_question(application=application, text="Love letters.", now=NOON + timedelta(hours=1))
    add_note(application=application, staff=decider, text="Looks good.", now=NOON + timedelta(hours=2))

    page = staff.get(page_of(application))

    texts = re.findall(
        r'class="timeline__text">([^<]+?)\s*(?:<span class="timeline__detail">(.*?)</span>)?</span>', page.text
    )
    assert texts == [
        ("received", ""),
        ("asked for more", "Which letters?"),
        ("answered by the applicant", "Love letters."),
        ("note", "Looks good."),
    ]
    assert "I write letters." in page.text
    assert "question about the application" in page.text
    assert "decider@example.com" in page.text


def test_the_page_gives_nobody_the_applicants_own_link(staff, decider):
    application = make_application()
    decline_application(application=application, staff=decider, reason=REASON, now=NOON)
    secrets = [mail.context.get("status_path", mail.context["path"]) for mail in SellerMail.objects.all()]
    open_one = make_application()

    assert len(secrets) == 2
    for address in (
        page_of(application),
        page_of(application, "history/"),
        page_of(open_one, "act/accept/"),
        page_of(open_one, "act/decline/"),
    ):
        page = staff.get(address)
        assert page.status_code == 200
        assert not any(secret in page.text for secret in secrets)
    answer = staff.post(page_of(open_one, "act/decline/"), {"text": REASON})
    assert f"{open_one.pk.hex}:" not in answer.text


@pytest.mark.parametrize("count", [1, 50])
def test_the_page_costs_the_same_however_much_happened(staff, decider, count, django_assert_num_queries):
    application = make_application(name="Mina", portfolio_url="https://example.com/mina")
    for _ in range(count):
        add_note(application=application, staff=decider, text="Again.", now=NOON)
        make_application(name="mina ", portfolio_url="http://www.example.com/mina/?a=1")
    staff.get(page_of(application))

    with django_assert_num_queries(12):
        staff.get(page_of(application))


def test_nobody_edits_adds_or_deletes_an_application(staff):
    application = make_application(name="Mina")

    for address in (page_of(application), page_of(application, "delete/"), f"{QUEUE}add/"):
        assert staff.post(address, {"name": "Other", "processed": "on", "post": "yes"}).status_code == 403
    assert begin_many(staff, "delete", application).status_code == 302
    assert statuses() == {"Mina": (False, "received")}


def test_neighbours_are_the_waiting_ones_before_and_after(staff, decider):
    first, decided, second, third = (make_old(days=9 - n, name=str(n)) for n in range(4))
    accept_application(application=decided, staff=decider, now=NOON)

    def neighbours(application):
        page = staff.get(page_of(application))
        return re.findall(r'change/" rel="(prev|next)"', page.text), [
            str(row and row.pk) for row in (page.context["before"], page.context["after"])
        ]

    assert neighbours(first) == (["next"], ["None", str(second.pk)])
    assert neighbours(decided) == (["prev", "next"], [str(first.pk), str(second.pk)])
    assert neighbours(second) == (["prev", "next"], [str(first.pk), str(third.pk)])
    assert neighbours(third) == (["prev"], [str(second.pk), "None"])


def test_applications_of_one_moment_have_an_order_too(staff):
    rows = [make_outside_row() for _ in range(3)]
    in_order = [row.pk for row in sorted(rows, key=lambda row: str(row.pk))]

    pages = [staff.get(f"{QUEUE}{key}/change/").context for key in in_order]

    assert [page["after"] and page["after"].pk for page in pages] == [*in_order[1:], None]
    assert [page["before"] and page["before"].pk for page in pages] == [None, *in_order[:-1]]


def test_what_looks_alike_is_named_with_what_is_the_same(staff):
    mine = make_application(
        name="Mina Kim", email="mina@example.com", portfolio_url="https://www.example.com/mina/?utm=1"
    )
    same_address = make_outside_row(name="A", email=" MINA@Example.com ", processed=True)
    same_link = make_application(name="B", portfolio_url="HTTP://example.com/mina#top")
    same_name = make_application(name=" mina kim", portfolio_url="https://example.com/minari")
    make_application(name="Mina Kimchi", portfolio_url="https://example.com/")

    with translation.override("en"):
        found = {each.application.pk: [str(reason) for reason in each.reasons] for each in find_similar(mine)}

    assert found == {
        same_address.pk: ["same e-mail address"],
        same_link.pk: ["same link"],
        same_name.pk: ["same name"],
    }
    page = staff.get(page_of(mine))
    for row in (same_address, same_link, same_name):
        assert f'href="{page_of(row)}"' in page.text
    assert "processed elsewhere" in page.text
    assert same_address.pk in {each.application.pk for each in find_similar(same_address)} | {same_address.pk}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://www.example.com/a/", "example.com/a"),
        ("example.com/a?b#c", "example.com/a"),
        (" HTTPS://Example.com:8443/A ", "example.com:8443/a"),
        ("https://example.com", "example.com"),
        ("javascript:alert(1)", ""),
        ("http://[broken", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_link_leads_to_one_place_however_it_is_written(url, place):
    assert find_place(url) == place


@pytest.mark.parametrize("url", ["(((", "[a-", "a.*", "\\", "https://a.b/(x)+[y]{2}$^|"])
def test_no_link_breaks_the_hints(staff, url):
    application = make_outside_row(name="(((", email="[a-@example.com", portfolio_url=url)
    twin = make_outside_row(name="Other", email="b@example.com", portfolio_url=url)

    assert staff.get(page_of(application)).status_code == 200
    assert [each.application for each in find_similar(twin)] in ([application], [])


def test_the_account_with_that_verified_address_is_named(staff):
    user = make_user(email="mina@example.com")
    unverified = make_user(email="lee@example.com")
    unverified.emailaddress_set.update(verified=False)

    with_account = staff.get(page_of(make_application(email="Mina@example.com"))).text
    without = staff.get(page_of(make_application(email="lee@example.com"))).text

    assert "An account has this address verified:" in with_account
    assert "It does not sell yet." in with_account
    assert f"/admin/accounts/user/{user.pk}/" not in with_account  # these staff may not look at people
    assert "No account has this address verified." in without
    make_seller(user=user, name="Mina's desk")
    assert (
        "It sells already: Mina&#x27;s desk"
        in staff.get(page_of(SellerApplication.objects.get(email="Mina@example.com"))).text
    )


def test_a_note_is_kept_for_staff_and_written_down(staff, decider):
    application = make_application()

    answer = staff.post(page_of(application, "note/"), {"text": " Ask Jun about it. "})

    assert (answer.status_code, answer["Location"]) == (302, page_of(application))
    event = ApplicationEvent.objects.get(kind="noted")
    assert (event.text, event.actor, logged()) == ("Ask Jun about it.", decider, ["Added a note."])
    assert staff.post(page_of(application, "note/"), {"text": "  "}).status_code == 422
    assert staff.get(page_of(application, "note/")).status_code == 200
    assert ApplicationEvent.objects.filter(kind="noted").count() == 1
    assert SellerMail.objects.count() == 1


# --- One decision


def test_a_review_is_started_once(staff):
    application = make_application(name="Mina")

    assert decide(staff, application, "review") == (page_of(application), ["1 review started: Mina"])
    assert decide(staff, application, "review")[1] == [
        "Start the review is not possible: “Mina” is in review. Nothing was changed."
    ]
    assert statuses() == {"Mina": (False, "in_review")}
    assert logged() == ["Started the review."]


def test_accepting_shows_the_mail_and_then_makes_the_seller(staff, django_capture_on_commit_callbacks):
    user = make_user(email="mina@example.com")
    application = make_application(name="Mina", email="mina@example.com")
    mail.outbox.clear()

    page = staff.get(page_of(application, "act/accept/"))
    assert statuses() == {"Mina": (False, "received")}
    with django_capture_on_commit_callbacks(execute=True):
        _address, told = decide(staff, application, "accept")

    assert told == ["1 application accepted: Mina"]
    assert statuses() == {"Mina": (True, "accepted")}
    assert Seller.objects.get().user == user
    assert logged() == ["Accepted."]
    [sent] = [message for message in mail.outbox if "accepted" in message.subject]
    assert page.context["mail"].subject == sent.subject
    assert page.context["mail"].to == sent.to == ["mina@example.com"]


def test_declining_asks_why_shows_the_mail_and_then_sends_it(staff, django_capture_on_commit_callbacks):
    application = make_application(name="Mina", email="mina@example.com")
    address = page_of(application, "act/decline/")
    mail.outbox.clear()

    form = staff.get(address)
    empty = staff.post(address, {"text": "  ", "check": "1"})
    check = staff.post(address, {"text": REASON, "check": "1"})
    back = staff.post(address, {"text": REASON, "change": "1"})

    assert [form.status_code, empty.status_code, check.status_code, back.status_code] == [200, 422, 200, 200]
    assert "Please write why: the applicant reads it." in empty.text
    assert REASON in check.context["mail"].body
    assert "<textarea" not in check.text
    assert f">\n{REASON}</textarea>" in back.text
    assert statuses() == {"Mina": (False, "received")}

    with django_capture_on_commit_callbacks(execute=True):
        decide(staff, application, "decline", text=REASON)

    assert statuses() == {"Mina": (True, "declined")}
    assert logged() == [f"Declined: {REASON}"]
    [sent] = [message for message in mail.outbox if message.subject == check.context["mail"].subject]
    assert REASON in sent.body


def test_without_a_reason_nothing_is_declined_even_with_the_last_button(staff):
    application = make_application(name="Mina")

    answer = staff.post(page_of(application, "act/decline/"), {"confirm": "1", "text": ""})

    assert answer.status_code == 422
    assert statuses() == {"Mina": (False, "received")}


def test_nobody_is_told_to_apply_again_because_nobody_would_read_it():
    """The first application of an address is the one that counts, also after a refusal."""
    with translation.override("en"):
        assert [text for _name, text in READY_REASONS.values() if "apply again" in str(text).lower()] == []


def test_ready_sentences_are_put_behind_what_is_written_in_the_applicants_language(staff):
    application = make_application(language="ko")
    address = page_of(application, "act/decline/")

    with_own = staff.post(address, {"text": "먼저 쓴 말", "ready": "scope"})
    sentence = with_own.context["form"]["text"].value().removeprefix("먼저 쓴 말\n\n")
    again = staff.post(address, {"text": f"먼저 쓴 말\n\n{sentence}", "ready": "scope"})

    assert with_own.status_code == 200
    assert again.context["form"]["text"].value() == f"먼저 쓴 말\n\n{sentence}"
    assert statuses()[application.name] == (False, "received")
    english = staff.post(page_of(make_application(language="en"), "act/decline/"), {"text": "", "ready": "scope"})
    assert english.context["form"]["text"].value() == "What you want to sell does not fit our shop for now."


def test_the_mail_is_shown_in_the_language_of_the_applicant(staff):
    application = make_application(language="ko")

    page = staff.post(page_of(application, "act/decline/"), {"text": REASON, "check": "1"})

    assert page.context["mail"].subject.startswith("[프롬프트장]")
    assert "Decline, then the next one" in page.text


def test_what_applicants_typed_is_text_in_the_mail_that_staff_look_at(staff):
    application = make_application(name="<img src=x>")

    pages = [staff.get(page_of(application, "act/accept/")), begin_many(staff, "accept", application)]

    for page in pages:
        assert "&lt;img src=x&gt;" in page.text
        assert "<img src=x>" not in page.text


def test_an_address_that_takes_no_mail_is_said_before_deciding(staff):
    broken, fine = make_outside_row(name="A", email="at home"), make_old(name="B", days=-1)

    page = staff.get(page_of(broken, "act/accept/"))
    many = begin_many(staff, "accept", broken, fine)

    assert page.context["mail"] is None
    assert "so nobody will be told." in page.text
    assert many.context["mail"].to == [fine.email]
    assert decide(staff, broken, "accept")[1] == ["1 application accepted: A"]


def test_asking_keeps_it_waiting_and_the_same_question_goes_out_once(staff):
    application = make_application(name="Mina")

    decide(staff, application, "ask", text="Which letters?")
    _address, told = decide(staff, application, "ask", text="Which letters?")

    assert told == [
        "0 applicants asked",
        "1 as it was, because this was done before: Mina (waiting for an answer)",
    ]
    assert statuses() == {"Mina": (False, "asked")}
    assert SellerMail.objects.filter(kind="application_asked").count() == 1
    assert logged() == ["Asked: Which letters?"]


def test_after_a_decision_staff_stay_or_go_to_the_next(staff):
    first, second, third = (make_old(days=9 - n, name=str(n)) for n in range(3))

    assert decide(staff, second, "accept")[0] == page_of(second)
    assert decide(staff, first, "decline", text=REASON, next="1")[0] == page_of(third)
    answer = staff.post(page_of(third, "act/decline/"), {"text": REASON, "next": "1"}, follow=True)
    assert answer.redirect_chain == [(QUEUE, 302)]
    assert [str(message) for message in answer.context["messages"]] == [
        "1 application declined: 2",
        "Nothing waits any more.",
    ]


def test_the_next_one_after_the_last_is_the_oldest(staff):
    oldest, youngest = make_old(days=9), make_old(days=1)

    answer = staff.post(page_of(youngest, "act/accept/"), {"next": "1"})

    assert answer["Location"] == page_of(oldest)


@pytest.mark.parametrize("name", ["review", "accept", "decline", "ask"])
def test_what_is_decided_stays_decided(staff, decider, name):
    application = make_application(name="Mina")
    decline_application(application=application, staff=decider, reason="First.", now=NOON)

    page = staff.get(page_of(application))
    _address, told = decide(staff, application, name, text="Second.")

    assert f"/act/{name}/" not in page.text
    assert told[0].endswith("is not possible: “Mina” is declined. Nothing was changed.")
    assert SellerApplication.objects.get().case.reason == "First."
    assert logged() == []


def test_a_decision_between_reading_and_deciding_is_told(staff, decider, monkeypatch):
    application = make_application(name="Mina")
    run = decisions.ACTS["accept"].run

    def run_late(application, staff, text, now):
        decline_application(application=SellerApplication.objects.get(), staff=decider, reason="First.", now=now)
        return run(application, staff, text, now)

    monkeypatch.setitem(decisions.ACTS, "accept", replace(decisions.ACTS["accept"], run=run_late))
    _address, told = decide(staff, application, "accept")

    assert told == ["0 applications accepted", "1 decided already: Mina (declined)"]
    assert statuses() == {"Mina": (True, "declined")}
    assert logged() == []


@pytest.mark.parametrize("how", ["declined", "withdrawn", "elsewhere"])
def test_what_is_closed_waits_again_when_staff_open_it(staff, decider, how):
    application = make_application(name="Mina")
    if how == "declined":
        decline_application(application=application, staff=decider, reason=REASON, now=NOON)
    elif how == "withdrawn":
        withdraw_application(application=application, now=NOON)
    else:
        SellerApplication.objects.update(processed=True)

    assert "/act/reopen/" in staff.get(page_of(application)).text
    assert staff.get(page_of(application, "act/reopen/")).status_code == 200
    assert decide(staff, application, "reopen")[1] == ["1 application opened again: Mina"]

    assert statuses() == {"Mina": (False, "received")}
    assert logged() == ["Opened again."]
    assert decide(staff, application, "reopen")[1] == [
        "Open again is not possible: “Mina” is received. Nothing was changed."
    ]


def test_what_is_accepted_is_not_opened_again(staff, decider):
    application = make_application(name="Mina")
    accept_application(application=application, staff=decider, now=NOON)

    decide(staff, application, "reopen")

    assert "/act/" not in staff.get(page_of(application)).text
    assert statuses() == {"Mina": (True, "accepted")}


@pytest.mark.parametrize("name", ["review", "accept", "decline", "ask", "reopen"])
def test_looking_changes_nothing_and_forgery_is_refused(decider, name):
    application = make_application(name="Mina")
    client = Client(enforce_csrf_checks=True)
    client.force_login(decider)

    client.get(page_of(application, f"act/{name}/?confirm=1&text=x"))
    answer = client.post(page_of(application, f"act/{name}/"), {"confirm": "1", "text": REASON})

    assert answer.status_code == 403
    assert statuses() == {"Mina": (False, "received")}


@pytest.mark.parametrize("path", ["act/accept/", "act/decline/", "act/review/", "act/reopen/", "note/"])
@pytest.mark.parametrize("role", ["catalogue staff", "support", "finance", ""])
def test_other_roles_decide_nothing(client, role, path):
    application = make_application(name="Mina")
    client.force_login(make_staff(role))

    assert client.get(page_of(application, path)).status_code == 403
    assert client.post(page_of(application, path), {"confirm": "1", "text": REASON}).status_code == 403
    assert client.post(f"{QUEUE}act/accept/", {"chosen": str(application.pk), "confirm": "1"}).status_code == 403
    assert statuses() == {"Mina": (False, "received")}


def test_who_may_only_look_is_offered_nothing(client):
    looker = make_staff()
    looker.user_permissions.add(Permission.objects.get(codename="view_sellerapplication"))
    client.force_login(looker)
    application = make_application()

    page = client.get(page_of(application))
    queue = client.get(QUEUE)

    assert (page.status_code, queue.status_code) == (200, 200)
    assert "/act/" not in page.text
    assert "/note/" not in page.text
    assert "accept_chosen" not in queue.text
    assert client.post(page_of(application, "act/accept/"), {"confirm": "1"}).status_code == 403


def test_unknown_acts_and_applications_are_not_found(staff):
    application = make_application()

    assert staff.get(page_of(application, "act/promote/")).status_code == 404
    assert staff.get(f"{QUEUE}{uuid.uuid4()}/act/accept/").status_code == 404
    assert staff.post(f"{QUEUE}act/promote/").status_code == 404
    assert staff.post(f"{QUEUE}act/reopen/", {"chosen": str(application.pk), "confirm": "1"}).status_code == 404


def test_of_a_deleted_application_the_log_keeps_that_somebody_acted_and_no_more(staff, decider):
    application = make_application(name="Mina", email="mina@example.com")
    other = make_application(name="Lee")
    for each in (application, other):
        decide(staff, each, "decline", text=REASON)
    SellerApplication.objects.filter(pk=other.pk).update(processed=False)  # opened again by another program: it stays

    assert delete_old_applications(now=NOON + timedelta(days=400)) == 1

    entries = LogEntry.objects.order_by("pk").values_list("user__email", "object_repr", "change_message")
    assert list(entries) == [
        ("decider@example.com", "–", ""),
        ("decider@example.com", str(other), f"Declined: {REASON}"),
    ]


# --- Many at once


def test_many_are_accepted_with_one_transaction_and_one_mail_each(staff, django_capture_on_commit_callbacks):
    make_user(email="a@example.com")
    rows = [make_old(days=3 - n, name=name, email=f"{name}@example.com") for n, name in enumerate("abc")]
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        told = decide_many(staff, "accept", *rows)

    assert told == ["3 applications accepted: a, b, c"]
    assert set(statuses().values()) == {(True, "accepted")}
    assert Seller.objects.count() == 1
    assert sorted(message.to[0] for message in mail.outbox if "accepted" in message.subject) == [
        "a@example.com",
        "b@example.com",
        "c@example.com",
    ]
    assert logged() == ["Accepted."] * 3


def test_a_second_run_changes_nothing_and_says_so(staff):
    rows = [make_old(days=2 - n, name=name) for n, name in enumerate("ab")]
    data = {"text": REASON}
    decide_many(staff, "decline", *rows, query="?status=all", **data)
    before = list(SellerMail.objects.values_list("key", flat=True))

    told = decide_many(staff, "decline", *rows, query="?status=all", **data)

    assert told == ["0 applications declined", "2 decided already: a (declined), b (declined)"]
    assert list(SellerMail.objects.values_list("key", flat=True)) == before
    assert ApplicationEvent.objects.filter(kind="declined").count() == 2
    assert logged() == [f"Declined: {REASON}"] * 2


def test_rows_that_a_colleague_decided_meanwhile_are_named_though_the_list_hides_them(staff, decider):
    mine, theirs = make_old(days=1, name="mine"), make_old(days=2, name="theirs")
    accept_application(application=theirs, staff=decider, now=NOON)

    page = begin_many(staff, "decline", mine, theirs)
    told = decide_many(staff, "decline", mine, theirs, text=REASON)

    assert "1 of the chosen applications is decided already and stays as it is." in page.text
    assert told == ["1 application declined: mine", "1 decided already: theirs (accepted)"]
    assert statuses() == {"mine": (True, "declined"), "theirs": (True, "accepted")}


def test_the_page_in_between_lists_the_rows_and_shows_the_mail_of_the_first(staff):
    first, second = make_old(days=2, name="first"), make_old(days=1, name="second")

    page = begin_many(staff, "decline", first, second)
    hidden = {field: page.context["chosen_form"][field].value() for field in ("chosen", "shown")}
    empty = staff.post(f"{QUEUE}act/decline/", hidden | {"check": "1", "text": ""})
    ready = staff.post(f"{QUEUE}act/decline/", hidden | {"ready": "samples", "text": ""})
    check = staff.post(f"{QUEUE}act/decline/", hidden | {"check": "1", "text": REASON})

    assert (page.status_code, empty.status_code, ready.status_code, check.status_code) == (200, 422, 200, 200)
    for each in (page, empty, ready, check):
        assert [row.name for row in each.context["waiting"]] == ["first", "second"]
        assert each.context["chosen_form"]["chosen"].value() == f"{first.pk},{second.pk}"
    assert "samples" in ready.context["form"]["text"].value()
    assert check.context["mail"].to == [first.email]
    assert REASON in check.context["mail"].body
    assert set(statuses().values()) == {(False, "received")}


def test_applicants_of_different_languages_are_a_warning(staff):
    korean, english = make_application(language="ko"), make_application(language="en")

    assert "They read different languages" in begin_many(staff, "decline", korean, english).text
    assert "They read different languages" not in begin_many(staff, "decline", korean).text
    assert "They read different languages" not in begin_many(staff, "accept", korean, english).text


def test_what_fails_in_one_row_stops_no_other_and_leaves_nothing_behind(staff, monkeypatch):
    rows = [make_old(days=3 - n, name=name) for n, name in enumerate("abc")]
    queue_mail = application_mails.mails.queue_mail

    def fail_for_b(**mail):
        if mail["application"].name == "b":
            raise RuntimeError("the disk is full")
        return queue_mail(**mail)

    monkeypatch.setattr(application_mails.mails, "queue_mail", fail_for_b)
    told = decide_many(staff, "accept", *rows)

    assert told == ["2 applications accepted: a, c", "1 failed, and nothing changed there: b"]
    assert statuses() == {"a": (True, "accepted"), "b": (False, "received"), "c": (True, "accepted")}
    assert ApplicationEvent.objects.filter(kind="accepted").count() == LogEntry.objects.count() == 2


def test_reviews_start_at_once_and_where_they_can(staff, decider):
    fresh, asked, decided = (make_old(days=3 - n, name=name) for n, name in enumerate(["fresh", "asked", "decided"]))
    ask_applicant(application=asked, staff=decider, question="Why?", now=NOON)
    accept_application(application=decided, staff=decider, now=NOON)

    answer = begin_many(staff, "review", fresh, asked, decided)
    told = [str(message) for message in staff.get(answer["Location"]).context["messages"]]

    assert told == [
        "1 review started: fresh",
        "1 decided already: decided (accepted)",
        "1 as it was, because this was done before: asked (waiting for an answer)",
    ]
    assert statuses()["fresh"] == (False, "in_review")


def test_everybody_can_be_asked_the_same(staff):
    rows = [make_old(days=2 - n, name=name) for n, name in enumerate("ab")]

    assert decide_many(staff, "ask", *rows, text="Which?") == ["2 applicants asked: a, b"]
    assert decide_many(staff, "ask", *rows, text="Which?")[0] == "0 applicants asked"
    assert SellerMail.objects.filter(kind="application_asked").count() == 2


def test_all_rows_of_a_list_longer_than_a_page_are_decided(staff):
    rows = [make_old(days=60 - n, name=f"n{n:02}") for n in range(53)]
    make_application(name="left", categories=["data"])

    told = decide_many(staff, "decline", rows[0], query="?category=writing", is_across=True, text=REASON)

    shown = ", ".join(f"n{n:02}" for n in range(10))
    assert told == [f"53 applications declined: {shown}, 43 more"]
    assert SellerApplication.objects.filter(processed=True).count() == 53
    assert statuses()["left"] == (False, "received")


def test_a_run_that_takes_too_long_says_what_it_did_not_reach(staff, monkeypatch):
    rows = [make_old(days=3 - n, name=name) for n, name in enumerate("abc")]
    moments = iter([0.0, 1.0, 21.0, 22.0])
    monkeypatch.setattr(decisions.time, "monotonic", lambda: next(moments))

    told = decide_many(staff, "accept", *rows)

    assert told == ["1 application accepted: a", "2 not reached in time; please choose them again: b, c"]


@pytest.mark.parametrize("chosen", ["", "nonsense", "1,2", "'"])
def test_a_broken_choice_goes_back_to_the_list(staff, chosen):
    make_application(name="Mina")

    answer = staff.post(f"{QUEUE}act/accept/", {"chosen": chosen, "confirm": "1"}, follow=True)

    assert answer.redirect_chain == [(QUEUE, 302)]
    assert statuses() == {"Mina": (False, "received")}


def test_the_page_in_between_leads_back_to_the_list_and_nowhere_else(staff):
    application = make_application()
    data = {"chosen": str(application.pk), "confirm": "1", "shown": "https://evil.example/?a=b"}

    answer = staff.post(f"{QUEUE}act/accept/", data)

    assert answer["Location"].startswith(f"{QUEUE}?")


# --- At once


@pytest.mark.slow
def test_of_staff_who_decide_at_once_one_wins_and_one_mail_goes_out(database_url):
    told = subprocess.run(
        [sys.executable, "-m", "tests.sellers.deciding", "10"],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {
        "answers": [302] * 40,
        "decisions": [1] * 10,
        "mails": [1] * 10,
        "logged": 10,
        "mails_that_say_otherwise": 0,
    }
