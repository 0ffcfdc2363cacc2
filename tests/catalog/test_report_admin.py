"""The queue of reports in the admin, and the pages on which staff decide."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry

from catalog.models import Listing, Report, Review
from marketplace.roles import CATALOGUE, ROLES
from tests.factories import (
    NOON,
    make_prompt,
    make_report,
    make_review,
    make_seller,
    make_staff,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_staff(CATALOGUE, email="staff@example.com"))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


@pytest.fixture
def review():
    author = make_user(email="author@example.com", nickname="Haneul")
    return make_review(prompt=make_prompt(title="Letter"), author=author, rating=2, body="Rude <b>words</b>.")


def page_of(report: Report) -> str:
    return f"/admin/catalog/report/{report.pk}/change/"


def texts(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def decide(client, report, **fields):
    return client.post(page_of(report), fields, follow=True)


def act(client, action, *reports, **data):
    chosen = {"action": action, "_selected_action": [str(each.pk) for each in reports], **data}
    return texts(client.post("/admin/catalog/report/", chosen, follow=True))


def test_the_queue_shows_what_waits_oldest_first_and_the_rest_when_asked(staff, review):
    newer = make_report(review=review, created_at=NOON)
    older = make_report(prompt=review.prompt, created_at=NOON - timedelta(days=1))
    handled = make_report(created_at=NOON, outcome="dismissed", handled_at=NOON)

    def rows(query=""):
        return list(staff.get(f"/admin/catalog/report/{query}").context["cl"].result_list)

    assert rows() == [older, newer]
    assert rows("?state=handled") == [handled]
    assert len(rows("?state=all")) == 3
    assert rows("?about=review") == [newer]
    assert rows("?about=prompt") == [older]


def test_the_page_shows_what_is_reported_with_what_went_before(staff, review):
    reporter = make_user(email="reader@example.com", nickname="Dokja")
    for outcome in ("dismissed", "dismissed", "upheld"):
        make_report(reporter=reporter, outcome=outcome, handled_at=NOON, created_at=NOON - timedelta(days=2))
    make_report(review=review, note="The same, from another.", created_at=NOON - timedelta(days=3))
    report = make_report(review=review, reporter=reporter, reason="abusive", note="It insults me.")

    page = staff.get(page_of(report)).text

    assert "Rude &lt;b&gt;words&lt;/b&gt;." in page
    for words in ("2 of 5 stars", "Haneul", "Letter", "insulting", "It insults me.", "Dokja"):
        assert words in page
    assert "1 acted upon, 2 without anything wrong, 0 waiting" in page
    assert "The same, from another." in page


def test_the_page_of_a_listing_shows_its_state_and_no_text(staff):
    prompt = make_prompt(title="Letter", price=9_900, prompt_text="Hush hush.", seller=make_seller(name="Paper Desk"))
    Listing.objects.update(summary="Writes letters.")

    page = staff.get(page_of(make_report(prompt=prompt))).text

    for words in (
        "Letter",
        "₩9,900",
        "Paper Desk",
        "published",
        "Writes letters.",
        f"/admin/catalog/prompt/{prompt.pk}/text/",
    ):
        assert words in page
    assert "Hush hush." not in page


def test_a_listing_of_another_program_without_a_row_of_ours_can_be_looked_at(staff):
    report = make_report()
    Listing.objects.all().delete()

    assert staff.get(page_of(report)).status_code == 200


def test_hiding_the_review_closes_all_reports_of_it_and_is_logged(staff, review):
    reports = [make_report(review=review), make_report(review=review)]

    done = decide(staff, reports[0], decision="uphold", reason="It insults somebody.")
    again = decide(staff, reports[1], decision="dismiss")

    assert texts(done) == ["2 reports were closed."]
    assert texts(again) == ["Somebody decided this before; nothing was changed."]
    review.refresh_from_db()
    assert (review.hidden_reason, review.hidden_note) == ("staff", "It insults somebody.")
    assert set(Report.objects.values_list("outcome", "handled_by__email")) == {("upheld", "staff@example.com")}
    logged = LogEntry.objects.values_list("object_id", "change_message").order_by("object_id")
    words = "Acted upon: It insults somebody."
    assert sorted(logged) == sorted((str(each.pk), words) for each in [review, *reports])


def test_removing_the_listing_gives_its_seller_the_reason(staff):
    report = make_report(prompt=make_prompt(seller=make_seller()))

    decide(staff, report, decision="uphold", reason="It is copied.")

    listing = Listing.objects.get()
    assert (listing.state, listing.state_reason, listing.prompt.is_published) == ("removed", "It is copied.", False)
    assert LogEntry.objects.filter(object_id=str(listing.prompt_id)).count() == 1


def test_dismissing_leaves_everything_as_it_is(staff, review):
    report = make_report(review=review)

    assert texts(decide(staff, report, decision="dismiss", reason="")) == ["1 report was closed."]

    report.refresh_from_db()
    assert (report.outcome, Review.objects.visible().count()) == ("dismissed", 1)
    assert "Nothing wrong found" in staff.get(page_of(report)).text


@pytest.mark.parametrize("fields", [{}, {"decision": "uphold", "reason": " "}, {"decision": "burn", "reason": "x"}])
def test_an_incomplete_decision_changes_nothing(staff, review, fields):
    report = make_report(review=review)

    assert decide(staff, report, **fields).status_code == 422

    assert (Report.objects.get().outcome, Review.objects.visible().count()) == ("", 1)
    assert LogEntry.objects.count() == 0


def test_several_are_decided_from_the_list(staff, review):
    same = [make_report(review=review), make_report(review=review)]
    other = make_report(prompt=make_prompt())

    assert act(staff, "uphold", *same, other) == ["Nothing was done: the author or seller needs a reason."]
    assert act(staff, "uphold", *same, other, reason="Both are rude.") == ["3 reports were closed."]
    assert act(staff, "dismiss", *same, other) == ["Somebody decided this before; nothing was changed."]

    assert set(Report.objects.values_list("outcome", flat=True)) == {"upheld"}
    assert Review.objects.visible().count() == 0
    assert Listing.objects.filter(state="removed").count() == 1


def test_whoever_may_not_change_prompts_dismisses_and_does_not_remove(client):
    from django.contrib.auth.models import Permission

    person = make_staff()
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_report", "change_report"]))
    client.force_login(person)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    report, other = make_report(), make_report()

    assert 'value="uphold"' not in client.get(page_of(report)).text
    assert decide(client, report, decision="uphold", reason="Copied.").status_code == 422
    assert act(client, "uphold", report, reason="Copied.")[0].startswith("You may not act upon this one: Listing:")
    assert texts(decide(client, other, decision="dismiss")) == ["1 report was closed."]

    report.refresh_from_db()
    assert (report.outcome, Listing.objects.filter(state="removed").count()) == ("", 0)


def test_the_queue_is_for_catalogue_staff_alone(client, review):
    report = make_report(review=review)

    for role in ROLES:
        client.force_login(make_staff(role))
        expected = 200 if role == CATALOGUE else 403
        for address in ("/admin/catalog/report/", "/admin/catalog/review/"):
            assert client.get(address).status_code == expected
        assert client.get(page_of(report)).status_code == expected
        posted = client.post(page_of(report), {"decision": "uphold", "reason": "x"} if role != CATALOGUE else {})
        assert posted.status_code == (422 if role == CATALOGUE else 403)
    for person in (make_user(), review.author):
        client.force_login(person)
        assert client.get(page_of(report)).status_code == 302
    assert Report.objects.get().outcome == ""


def test_who_may_only_look_decides_nothing(client):
    from django.contrib.auth.models import Permission

    person = make_staff()
    person.user_permissions.set(Permission.objects.filter(codename="view_report"))
    client.force_login(person)
    report = make_report()

    assert 'name="decision"' not in client.get(page_of(report)).text
    assert client.post(page_of(report), {"decision": "dismiss"}).status_code == 403


def test_a_report_that_is_gone_leads_back(staff):
    assert staff.get("/admin/catalog/report/999/change/").status_code == 302


@pytest.mark.parametrize("count", [1, 20])
def test_the_queue_costs_the_same_however_long(staff, count, django_assert_num_queries):
    for _ in range(count):
        make_report(prompt=make_prompt(seller=make_seller()))
        make_report(review=make_review(prompt=make_prompt()))

    with django_assert_num_queries(8):
        page = staff.get("/admin/catalog/report/")

    assert page.context["cl"].result_count == 2 * count


@pytest.mark.parametrize("count", [1, 20])
def test_a_page_costs_the_same_however_much_went_before(staff, review, count, django_assert_num_queries):
    reporter = make_user()
    report = make_report(review=review, reporter=reporter)
    for _ in range(count):
        make_report(review=review)
        make_report(reporter=reporter, created_at=NOON - timedelta(days=1))

    with django_assert_num_queries(7):
        staff.get(page_of(report))


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_of_reviews_costs_the_same_however_long(staff, count, django_assert_num_queries):
    for _ in range(count):
        make_review(prompt=make_prompt())

    with django_assert_num_queries(9):
        staff.get("/admin/catalog/review/")


def test_hiding_or_removing_without_the_reports_page_closes_what_waits_about_it(staff, review):
    about_review, about_prompt = make_report(review=review), make_report(prompt=review.prompt)
    elsewhere = make_report()

    data = {"action": "hide", "_selected_action": [str(review.pk)], "reason": "Insulting."}
    staff.post("/admin/catalog/review/", data)
    about_review.refresh_from_db()
    about_prompt.refresh_from_db()
    assert (about_review.outcome, about_review.handled_by.email, about_prompt.outcome) == (
        "upheld",
        "staff@example.com",
        "",
    )

    data = {"action": "remove", "_selected_action": [str(review.prompt.pk)], "reason": "Copied."}
    staff.post("/admin/catalog/prompt/", data)
    about_prompt.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (about_prompt.outcome, elsewhere.outcome) == ("upheld", "")


@pytest.mark.parametrize("can_see", [False, True])
def test_who_wrote_and_who_reported_is_an_address_to_those_alone_who_may_see_people(client, review, can_see):
    reporter = make_user(email="reader@example.com", nickname="Dokja")
    reports = [make_report(review=review, reporter=reporter), make_report(review=review)]
    client.force_login(make_user(is_staff=True, is_superuser=True) if can_see else make_staff(CATALOGUE))
    page_of_review = f"/admin/catalog/review/{review.pk}/change/"

    pages = ["/admin/catalog/report/", "/admin/catalog/review/", page_of_review, *map(page_of, reports)]
    texts = [client.get(page).text for page in pages]
    found = [client.get(f"/admin/catalog/{kind}/?q=@example.com").context["cl"].result_count for kind in KINDS]

    names = ("author@example.com", "reader@example.com") if can_see else ("Haneul", "Dokja")
    assert [[name in text for name in names] for text in texts] == [
        [False, True],
        [True, False],
        [True, False],
        [True, True],
        [True, True],
    ]
    assert can_see or not any("@example.com" in text.partition('id="content"')[2] for text in texts)
    assert found == ([2, 1] if can_see else [0, 0])


KINDS = ("report", "review")
