"""Reporting listings and reviews: who may, what is asked, and what staff's decision carries along."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.utils import translation

from catalog.listings import publish_prompt, remove_prompt
from catalog.models import Listing, Prompt, Report, Review
from catalog.reports import (
    PROMPT_REASONS,
    REVIEW_REASONS,
    ReportRefused,
    delete_old_reports,
    dismiss_report,
    send_report,
    uphold_report,
)
from catalog.reviews import save_review
from marketplace.mail_queue import muted
from marketplace.roles import ROLES
from sellers.models import Seller, SellerMail
from tests.factories import (
    NOON,
    make_prompt,
    make_purchase,
    make_report,
    make_review,
    make_seller,
    make_staff,
    make_user,
)

pytestmark = pytest.mark.django_db

EN = {"accept-language": "en"}


@pytest.fixture
def prompt():
    return make_prompt(slug="letter", title="Letter", seller=make_seller())


@pytest.fixture
def review(prompt):
    return make_review(prompt=prompt, author=make_user(nickname="Jieun"), body="Rude words.")


@pytest.fixture
def addresses(review):
    return {"prompt": "/prompts/letter/report/", "review": f"/prompts/letter/reviews/{review.pk}/report/"}


@pytest.fixture
def reader(client):
    client.force_login(make_user(email="reader@example.com"))
    return client


KINDS = pytest.mark.parametrize("kind", ["prompt", "review"])


# --- The form


@KINDS
def test_a_visitor_signs_in_first_and_comes_back(client, addresses, kind):
    assert client.get(addresses[kind])["Location"] == f"/accounts/login/?next={addresses[kind]}"
    assert client.post(addresses[kind], {"reason": "other"}).status_code == 302
    assert client.get("/prompts/letter/report/sent/").status_code == 302
    assert Report.objects.count() == 0


@KINDS
def test_a_report_is_thanked_for_on_a_page_of_its_own_and_waits(reader, addresses, kind):
    fields = {"reason": "personal_data", "note": " My address is in it. "}

    sent = reader.post(addresses[kind], fields)

    assert sent["Location"] == "/prompts/letter/report/sent/"
    assert "Your report has arrived" in reader.get(sent["Location"], headers=EN).text
    report = Report.objects.get()
    assert (report.reason, report.note, report.reporter.email) == (
        "personal_data",
        "My address is in it.",
        "reader@example.com",
    )
    assert (report.handled_at, bool(report.prompt_id), bool(report.review_id)) == (
        None,
        kind == "prompt",
        kind == "review",
    )


@KINDS
def test_a_second_one_is_answered_the_same_and_is_no_second_row(reader, addresses, kind):
    answers = [reader.post(addresses[kind], {"reason": "harmful"})["Location"] for _ in range(2)]

    assert answers == ["/prompts/letter/report/sent/"] * 2
    assert Report.objects.count() == 1


def test_after_a_decision_the_same_person_may_report_again(prompt):
    reporter = make_user()
    first = make_report(prompt=prompt, reporter=reporter)
    dismiss_report(report=first, staff=make_user(), now=NOON)

    assert send_report(reporter=reporter, thing=prompt, reason="copied", note="", now=NOON)
    assert Report.objects.filter(handled_at=None).count() == 1


@pytest.mark.parametrize(("kind", "reasons"), [("prompt", PROMPT_REASONS), ("review", REVIEW_REASONS)])
def test_the_reasons_fit_the_kind(reader, addresses, kind, reasons):
    page = reader.get(addresses[kind], headers=EN)

    assert [value for value, _ in page.context["form"].fields["reason"].choices] == reasons
    unfit = ({"copied", "misleading", "abusive"} - set(reasons)).pop()
    assert reader.post(addresses[kind], {"reason": unfit}).status_code == 422
    assert Report.objects.count() == 0


@KINDS
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"note": "Look at the end."}, "Choose what fits best."),
        ({"reason": "other", "note": " "}, "Tell us in a few words what is wrong."),
        ({"reason": "harmful", "note": "x" * 1_001}, "x" * 1_001),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_lost(reader, addresses, kind, fields, words):
    page = reader.post(addresses[kind], fields, headers=EN)

    assert page.status_code == 422
    assert words in page.text
    assert fields["note"] in page.text
    assert Report.objects.count() == 0


def test_nobody_reports_the_own_listing_but_its_seller_reports_a_review_of_it(client, prompt, review, addresses):
    client.force_login(prompt.listing.seller.user)

    refused = [client.get(addresses["prompt"], headers=EN), client.post(addresses["prompt"], {"reason": "harmful"})]
    sent = client.post(addresses["review"], {"reason": "abusive"})

    assert [answer["Location"] for answer in refused] == ["/prompts/letter/"] * 2
    assert [str(m) for m in get_messages(refused[0].wsgi_request)] == ["This is your own listing. You can withdraw it."]
    assert sent["Location"] == "/prompts/letter/report/sent/"
    assert Report.objects.get().review == review


def test_nobody_reports_the_own_review(client, review, addresses):
    client.force_login(review.author)

    assert client.post(addresses["review"], {"reason": "abusive"})["Location"] == "/prompts/letter/"
    with translation.override("en"), pytest.raises(ReportRefused, match="your own review"):
        send_report(reporter=review.author, thing=review, reason="abusive", note="", now=NOON)
    assert Report.objects.count() == 0


@pytest.mark.parametrize("state", ["draft", "withdrawn", "removed"])
def test_what_one_cannot_see_one_cannot_report_and_its_title_stays_unknown(reader, addresses, state):
    Listing.objects.update(state=state)
    Prompt.objects.update(is_published=False)

    for address in [*addresses.values(), "/prompts/letter/report/sent/"]:
        shown, sent = reader.get(address), reader.post(address, {"reason": "harmful"})
        assert (shown.status_code, sent.status_code in (404, 405)) == (404, True)
        assert ("Letter" in shown.text, "Letter" in sent.text) == (False, False)
    assert Report.objects.count() == 0


def test_hidden_reviews_and_those_of_other_prompts_are_not_found(reader, review, addresses):
    other = make_review(prompt=make_prompt())
    assert reader.get(f"/prompts/letter/reviews/{other.pk}/report/").status_code == 404

    Review.objects.filter(pk=review.pk).update(hidden_at=NOON, hidden_reason="staff")

    assert reader.get(addresses["review"]).status_code == 404
    assert reader.post(addresses["review"], {"reason": "abusive"}).status_code == 404


def test_a_buyer_reports_what_is_off_sale(client, prompt, addresses):
    client.force_login(make_purchase(prompt=prompt).user)
    Listing.objects.update(state="withdrawn")
    Prompt.objects.update(is_published=False)

    assert client.post(addresses["prompt"], {"reason": "harmful"}).status_code == 302
    assert Report.objects.count() == 1


def test_too_many_within_an_hour_are_kept_on_the_page_and_not_written(reader):
    for _ in range(20):
        slug = make_prompt().listing.slug
        assert reader.post(f"/prompts/{slug}/report/", {"reason": "copied"}).status_code == 302
    slug = make_prompt().listing.slug

    page = reader.post(f"/prompts/{slug}/report/", {"reason": "copied", "note": "As before."}, headers=EN)

    assert page.status_code == 429
    assert "You have sent many reports within an hour." in page.text
    assert "As before." in page.text
    assert Report.objects.count() == 20


@KINDS
def test_staff_report_as_anybody_does(client, addresses, kind):
    for role in ROLES:
        client.force_login(make_staff(role))
        assert client.get(addresses[kind]).status_code == 200


def test_no_page_tells_how_often_something_was_reported(client, prompt, review):
    def read():
        return re.sub(r'"[A-Za-z0-9]{64}"', "", client.get("/prompts/letter/").text)  # without tokens of forms

    before = read()
    for _ in range(3):
        make_report(prompt=prompt)
        make_report(review=review)

    assert "Rude words." in before
    assert read() == before


# --- Deciding


def outcomes():
    return list(Report.objects.order_by("pk").values_list("outcome", "handled_at", "handled_by__email"))


def test_dismissing_closes_all_that_wait_of_the_same_thing_once(prompt, review):
    staff = make_user(email="staff@example.com")
    reports = [make_report(prompt=prompt), make_report(prompt=prompt), make_report(review=review)]

    assert dismiss_report(report=reports[1], staff=staff, now=NOON) == reports[:2]
    assert dismiss_report(report=reports[0], staff=make_user(), now=NOON) == []
    assert uphold_report(report=reports[0], staff=make_user(), reason="Late.", now=NOON) == []

    assert outcomes() == [("dismissed", NOON, "staff@example.com")] * 2 + [("", None, None)]
    assert Listing.objects.get().state == "published"


def test_upholding_hides_the_review_with_its_rating_and_reason(prompt):
    review, _ = save_review(prompt=prompt, author=make_user(), rating=1, body="Rude.", model_used="", now=NOON)
    reports = [make_report(review=review), make_report(review=review)]

    assert uphold_report(report=reports[0], staff=make_user(), reason=" It insults. ", now=NOON) == reports

    review.refresh_from_db()
    prompt.refresh_from_db()
    assert (review.hidden_reason, review.hidden_note, prompt.review_count) == ("staff", "It insults.", 0)
    assert {outcome for outcome, *_ in outcomes()} == {"upheld"}


def test_upholding_takes_the_listing_off_sale_and_mails_the_reason_once(
    prompt, mailoutbox, django_capture_on_commit_callbacks
):
    seller = prompt.listing.seller
    Seller.objects.update(language="en")
    report = make_report(prompt=prompt)

    with django_capture_on_commit_callbacks(execute=True):
        uphold_report(report=report, staff=make_user(), reason="It is copied.", now=NOON)
        uphold_report(report=make_report(prompt=prompt), staff=make_user(), reason="Again.", now=NOON)

    assert Listing.objects.values_list("state", "state_reason").get() == ("removed", "It is copied.")
    [mail] = mailoutbox
    assert mail.to == [seller.user.email]
    assert mail.subject.endswith("“Letter” was taken off sale")
    for text in (mail.body, mail.alternatives[0].content):
        assert "It is copied." in text
        assert f"/studio/listings/{prompt.pk}/" in text


def test_each_removal_has_its_own_mail_and_the_demo_has_none(prompt):
    for hour in (0, 1):
        remove_prompt(prompt=prompt, reason="It is copied.", now=NOON.replace(hour=hour))
        publish_prompt(prompt=prompt, now=NOON, is_staff_decision=True)
    assert SellerMail.objects.filter(kind="listing_removed").count() == 2

    with muted():
        remove_prompt(prompt=prompt, reason="It is copied.", now=NOON)
    remove_prompt(prompt=make_prompt(), reason="Of the house.", now=NOON)
    assert SellerMail.objects.filter(kind="listing_removed").count() == 2


def test_acting_needs_a_reason(prompt):
    report = make_report(prompt=prompt)

    with pytest.raises(ValueError, match="reason"):
        uphold_report(report=report, staff=make_user(), reason=" ", now=NOON)

    assert outcomes() == [("", None, None)]


def test_handled_reports_are_deleted_after_three_years():
    handled = make_report(outcome="dismissed", handled_at=NOON)
    make_report()
    three_years_later = NOON.replace(year=NOON.year + 3)

    assert delete_old_reports(now=three_years_later - timedelta(seconds=1)) == 0
    assert delete_old_reports(now=three_years_later, is_dry_run=True) == 1
    assert delete_old_reports(now=three_years_later) == 1
    assert delete_old_reports(now=three_years_later) == 0
    assert Report.objects.count() == 1
    assert not Report.objects.filter(pk=handled.pk).exists()


def test_the_29th_of_february_has_a_day_three_years_before():
    make_report(outcome="dismissed", handled_at=datetime(2025, 2, 28, tzinfo=UTC))

    assert delete_old_reports(now=datetime(2028, 2, 29, tzinfo=UTC)) == 1
