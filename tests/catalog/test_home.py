"""The first page: what is on sale, what one bought last, how buying works."""

from datetime import timedelta

import pytest
from django.core.cache import caches
from django.utils import timezone

from tests.catalog.pages import card_titles, plain
from tests.factories import make_prompt, make_purchase, make_seller, make_server, make_user

pytestmark = pytest.mark.django_db


def get_home(client):
    return client.get("/", headers={"accept-language": "en"})


def test_a_new_site_says_that_nothing_is_on_sale_and_shows_no_shelf(client):
    page = get_home(client)

    assert "Nothing is on sale yet" in page.text
    assert 'class="shelf"' not in page.text


def test_shelves_hold_what_is_on_sale_newest_first(client):
    make_prompt(title="First")
    make_prompt(title="Second")
    make_prompt(title="Draft", state="draft")
    make_prompt(title="Suspended", seller=make_seller(status="suspended"))

    newest, popular = get_home(client).context["shelves"]

    assert [newest["name"], popular["name"]] == ["newest", "popular"]  # nothing was rated, so no shelf for it
    assert ["Second" in newest["cards"][0], "First" in newest["cards"][1]] == [True, True]
    assert [len(newest["cards"]), len(popular["cards"])] == [2, 2]


def test_the_best_rated_shelf_holds_rated_prompts_only(client):
    make_prompt(title="Unrated")
    make_prompt(title="Good", rating=4.5, review_count=4)

    shelves = {shelf["name"]: shelf["cards"] for shelf in get_home(client).context["shelves"]}

    assert len(shelves["rating"]) == 1
    assert "Good" in shelves["rating"][0]


def test_tag_shortcuts_lead_to_the_list_with_that_tag(client):
    make_prompt(tags=["글쓰기"])

    assert [(tag.label, tag.address, tag.count) for tag in get_home(client).context["tags"]] == [
        ("글쓰기", "/prompts/?tag=%EA%B8%80%EC%93%B0%EA%B8%B0", 1)
    ]


def test_somebody_who_bought_finds_that_first_and_others_do_not(client):
    entitlement = make_purchase(prompt=make_prompt(title="Letters to guests", slug="letters"))

    assert get_home(client).context["recent"] == []
    client.force_login(entitlement.user)
    page = get_home(client)

    assert [(item["title"], item["address"]) for item in page.context["recent"]] == [
        ("Letters to guests", "/library/letters/")
    ]
    assert page.text.index("Recently bought") < page.text.index('id="shelf-newest"')


def test_the_registry_is_mentioned_once_a_server_was_checked(client):
    now = timezone.now().replace(microsecond=0)
    make_prompt()
    make_server()
    assert "MCP servers work" not in plain(get_home(client).text)

    checked = {"last_health_check": now}
    make_server(entry={"health": "down"}, **checked)
    make_server(entry={"health": "slow"}, **checked)
    make_server(entry={"health": "working", "state": "submitted"}, **checked)
    make_server(entry={"health": "working", "mode": "off"}, **checked)
    make_server(entry={"health": "working"}, last_health_check=now - timedelta(days=1))

    registry = get_home(client).context["registry"]
    assert (registry["total_count"], registry["working_count"]) == (5, 1)
    assert registry["checked_at"] == now
    assert "1 of 5 MCP servers work last checked just now" in plain(get_home(client).text)


@pytest.mark.parametrize("rows", [1, 50])
def test_home_costs_six_queries_signed_in(client, django_assert_num_queries, rows):
    user = make_user()
    for number in range(rows):
        make_prompt(tags=[f"tag{number % 9}"], seller=make_seller(), rating=4, review_count=2)
    make_purchase(buyer=user, prompt=make_prompt(title="Bought"))
    make_server(entry={"health": "working"}, last_health_check=timezone.now())
    client.force_login(user)
    caches["pages"].clear()

    with django_assert_num_queries(6):
        page = get_home(client)

    assert card_titles(page)
