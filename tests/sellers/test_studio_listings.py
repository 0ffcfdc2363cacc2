"""The studio's first page: what a seller offers, in which state, and what to do first."""

import pytest

from tests.catalog.pages import plain
from tests.factories import NOON, make_business, make_prompt, make_seller

pytestmark = pytest.mark.django_db


def titles(page) -> list[str]:
    return [row["prompt"].title for row in page.context["rows"]]


def test_each_listing_shows_state_reason_price_and_how_it_goes(studio, seller):
    make_prompt(
        title="Letters",
        seller=seller,
        price=9_900,
        rating=4.5,
        review_count=2,
        view_count=1_200,
        listing={"sales_count": 7},
    )
    make_prompt(title="Copied", seller=seller, state="removed", listing={"state_reason": "It is somebody else’s."})

    page = studio.get("/studio/")

    text = plain(page.text)
    assert "Letters On sale ₩9,900 7 4.5 (2) 1,200 just now" in text
    assert "Copied Reason: It is somebody else’s. Removed by our staff" in text


def test_what_changed_last_stands_first_and_others_prompts_are_not_there(studio, seller):
    make_prompt(title="Older", seller=seller, listing={"updated_at": NOON})
    make_prompt(title="Newer", seller=seller, listing={"updated_at": NOON.replace(hour=13)})
    make_prompt(title="Not mine", seller=make_seller())

    assert titles(studio.get("/studio/")) == ["Newer", "Older"]


def test_listings_are_narrowed_by_state_and_by_title(studio, seller):
    make_prompt(title="Weekly report", seller=seller)
    make_prompt(title="Daily report", seller=seller, state="draft")
    make_prompt(title="Letters", seller=seller, state="draft")

    assert titles(studio.get("/studio/?state=draft&q=REPORT")) == ["Daily report"]
    assert titles(studio.get("/studio/?q=report&state=nonsense")) == ["Daily report", "Weekly report"]
    nothing = studio.get("/studio/?q=%22%3Cb%3E")
    assert titles(nothing) == []
    assert "None of your titles holds “&quot;&lt;b&gt;”." in nothing.text


@pytest.mark.parametrize("query", ["q=%ff", "page=x", "page=-1", "state=%25", "q=" + "x" * 5_000])
def test_a_made_up_address_is_answered(studio, seller, query):
    make_prompt(seller=seller)

    assert studio.get(f"/studio/?{query}").status_code == 200


def test_decomposed_hangul_finds_the_title(studio, seller):
    make_prompt(title="편지", seller=seller)

    assert titles(studio.get("/studio/", {"q": "\u1111\u1167\u11ab\u110c\u1175"})) == ["편지"]


def test_a_state_is_counted_over_everything(studio, seller):
    make_prompt(seller=seller)
    make_prompt(seller=seller, state="draft")
    make_prompt(seller=seller, state="draft")

    page = studio.get("/studio/?state=published")

    counts = {row["words"].name: row["count"] for row in page.context["states"]}
    assert counts == {"draft": 2, "published": 1, "withdrawn": 0, "removed": 0}
    assert page.context["total"] == 3


def test_long_lists_come_in_pages(studio, seller):
    for number in range(21):
        make_prompt(title=f"Prompt {number}", seller=seller)

    first, second = studio.get("/studio/"), studio.get("/studio/?page=2")

    assert (len(titles(first)), len(titles(second))) == (20, 1)
    assert 'rel="next" href="?page=2"' in first.text


def test_whoever_begins_reads_three_steps_and_sees_what_is_done(studio, seller):
    make_business(seller=seller)

    page = studio.get("/studio/")

    steps = {step["url_name"]: step["is_done"] for step in page.context["first_steps"]}
    assert steps == {"studio:profile_edit": False, "studio:business_edit": True, "studio:listing_new": False}
    assert 'href="/studio/listings/new/"' in page.text


def test_the_steps_leave_once_something_is_on_sale(studio, seller):
    make_prompt(seller=seller)

    assert studio.get("/studio/").context["first_steps"] == []


def test_every_state_is_explained_in_one_place(studio, seller):
    make_prompt(seller=seller)

    text = plain(studio.get("/studio/").text.partition('id="states"')[2].partition("</details>")[0])

    assert [word in text for word in ("Draft", "On sale", "Withdrawn", "Removed by our staff")] == [True] * 4
    assert "only our staff puts it back on sale" in text


@pytest.mark.parametrize("rows", [1, 15])
def test_the_list_costs_the_same_with_one_row_and_many(studio, seller, django_assert_num_queries, rows):
    for _ in range(rows):
        make_prompt(seller=seller, tags=["mail"], rating=4, review_count=1)

    with django_assert_num_queries(7):
        page = studio.get("/studio/")

    assert len(titles(page)) == rows
