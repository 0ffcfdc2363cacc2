"""The list of prompts on sale: filters, parts for htmx, paging."""

import pytest
from django.core.cache import caches
from django.http import QueryDict

from catalog.browse import BrowseQuery, BrowseResult
from catalog.list_page import describe_list
from tests.catalog.pages import card_titles, chips, next_address, plain
from tests.factories import make_prompt, make_purchase, make_seller, make_user

pytestmark = pytest.mark.django_db


def get_list(client, address="/prompts/", **headers):
    return client.get(address, headers={"accept-language": "en", **headers})


def get_part(client, address, target):
    return get_list(client, address, **{"hx-request": "true", "hx-target": target})


def test_only_what_is_on_sale_is_listed(client):
    make_prompt(title="On sale")
    make_prompt(title="Draft", state="draft")
    make_prompt(title="Withdrawn", state="withdrawn")
    make_prompt(title="Removed", state="removed")
    make_prompt(title="Suspended", seller=make_seller(status="suspended"))

    assert card_titles(get_list(client)) == ["On sale"]


def test_a_card_is_one_link_and_shows_stars_only_with_reviews(client):
    make_prompt(title="<b>New</b>", slug="new", price=0)
    make_prompt(title="Rated", slug="rated", price=9_900, rating=4.62, review_count=128)

    page = get_list(client, "/prompts/?sort=newest")
    rated, new = page.text.split('<article class="card">')[1:]

    assert rated.count("<a ") == 1
    assert 'href="/prompts/rated/"' in rated
    assert plain(rated.partition("</article>")[0]) == "Rated Rating 4.6 (128) text Korean ₩9,900"
    assert plain(new.partition("</article>")[0]) == "<b>New</b> text Korean Free"
    assert 'alt="" width="480" height="360"' in new


def test_tags_are_joined_and_can_be_left_out(client):
    make_prompt(title="Both", tags=["writing", "mail"])
    make_prompt(title="One", tags=["writing"])
    make_prompt(title="Other", tags=["data"])

    assert card_titles(get_list(client, "/prompts/?tag=writing&tag=mail")) == ["Both"]
    assert card_titles(get_list(client, "/prompts/?tag=writing&not=mail")) == ["One"]


def test_each_filter_that_is_on_has_a_chip_that_takes_it_off(client):
    page = get_list(client, "/prompts/?q=mail&tag=writing&not=data&min=1000&max=9900&rating=4&lang=ko")

    assert chips(page) == {
        "“mail”": "/prompts/?tag=writing&not=data&lang=ko&min=1000&max=9900&rating=4",
        "writing": "/prompts/?not=data&q=mail&lang=ko&min=1000&max=9900&rating=4",
        "Without data": "/prompts/?tag=writing&q=mail&lang=ko&min=1000&max=9900&rating=4",
        "Korean": "/prompts/?tag=writing&not=data&q=mail&min=1000&max=9900&rating=4",
        "₩1,000–₩9,900": "/prompts/?tag=writing&not=data&q=mail&lang=ko&rating=4",
        "4 stars and more": "/prompts/?tag=writing&not=data&q=mail&lang=ko&min=1000&max=9900",
    }


def test_a_lowest_price_above_the_highest_is_explained_at_the_field(client):
    make_prompt(title="Any")

    page = get_list(client, "/prompts/?min=9000&max=100")

    assert page.status_code == 200
    assert card_titles(page) == ["Any"]
    assert page.context["listing"].price_errors == [
        "The lowest price is above the highest, so the prices were left out."
    ]
    assert 'name="min" inputmode="numeric" pattern="[0-9,]*" maxlength="10" value="9000"' in page.text
    assert page.text.count('aria-invalid="true"') == 2
    assert page.text.count("The lowest price is above the highest") == 2  # beside the fields, and above the results


def test_prices_that_make_sense_are_not_commented_on(client):
    make_prompt(title="Any")

    assert "results__notice" not in get_list(client, "/prompts/?min=100&max=9000").text


def test_a_chosen_tag_stays_to_be_switched_off_where_no_hit_has_it(client):
    make_prompt(title="Data", tags=["data"])

    choices = get_list(client, "/prompts/?tag=nowhere").context["listing"].tag_choices

    assert [(choice.value, choice.count, choice.is_selected) for choice in choices] == [("nowhere", 0, True)]


def test_nothing_found_repeats_the_question_and_offers_ways_on(client):
    make_prompt(title="Letters", tags=["writing"])

    page = get_list(client, "/prompts/?q=letters&max=10")

    assert card_titles(page) == []
    assert "Nothing found for “letters”" in page.text
    listing = page.context["listing"]
    assert [(row.address, row.count) for row in listing.suggestions] == [("/prompts/?q=letters", 1)]
    assert [(row.label, row.address) for row in listing.popular] == [("writing", "/prompts/?tag=writing")]


def test_show_more_leads_through_everything_once(client):
    for number in range(30):
        make_prompt(title=f"Prompt {number}")

    first = get_list(client)
    second = get_list(client, next_address(first))

    assert len(card_titles(first)) == 24
    assert sorted(card_titles(first) + card_titles(second)) == sorted(f"Prompt {number}" for number in range(30))
    assert next_address(second) == ""
    assert 'href="/prompts/">' in second.text.partition('id="more"')[2]  # the way back to the beginning


def test_htmx_gets_the_part_it_targets_and_history_the_whole_page(client):
    make_prompt(title="Letters")

    results = get_part(client, "/prompts/?q=&tag=", "results")
    more = get_part(client, "/prompts/", "more")
    restored = get_list(client, **{"hx-request": "true", "hx-history-restore-request": "true"})

    assert "<html" not in results.text
    assert results.text.lstrip().startswith("<title>")
    assert [card_titles(part) for part in (results, more, restored)] == [["Letters"]] * 3
    assert 'hx-swap-oob="innerHTML:#announcer">1 result<' in results.text
    assert 'hx-swap-oob="beforeend:#cards"' in more.text
    assert "<html" in restored.text
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in restored["Vary"].split(",")}


def test_the_address_that_htmx_shows_has_no_empty_fields(client):
    first = get_part(client, "/prompts/?q=mail&tag=&min=&max=&model=&sort=", "results")
    again = get_list(
        client,
        "/prompts/?q=mail&min=",
        **{"hx-request": "true", "hx-target": "results", "hx-current-url": "http://testserver/prompts/?q=mail"},
    )

    assert first["HX-Push-Url"] == "/prompts/?q=mail"
    assert again["HX-Push-Url"] == "false"


def test_what_one_owns_is_marked_for_its_owner_only(client):
    entitlement = make_purchase(prompt=make_prompt(title="Mine"))
    assert "Owned" not in plain(get_list(client).text)

    client.force_login(entitlement.user)
    assert "Owned Mine" in plain(get_list(client).text)

    client.force_login(make_user())
    assert "Owned" not in plain(get_list(client).text)


def test_a_changed_title_shows_at_once_although_cards_are_cached(client):
    prompt = make_prompt(title="Old title")
    get_list(client)

    prompt.title = "New title"
    prompt.save(update_fields=["title"])

    assert card_titles(get_list(client)) == ["New title"]


def test_beyond_a_thousand_the_total_is_a_floor(client):
    result = BrowseResult(prompts=[], total=1_000, total_is_exact=False, next_after=None)

    listing = describe_list(
        path="/prompts/", query=BrowseQuery(), result=result, owned_ids=(), errors={}, params=QueryDict()
    )

    assert listing.total_label == "결과 1,000개 이상"


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize(
    ("address", "count"),
    [
        ("/prompts/", 8),
        ("/prompts/?q=prompt", 7),
        ("/prompts/?tag=mail&max=9000", 7),
        ("/prompts/?model=GPT-5&tag=mail&sort=newest", 7),
    ],
)
def test_the_list_costs_the_same_with_one_row_and_fifty(client, django_assert_num_queries, rows, address, count):
    user = make_user()
    for _ in range(rows):
        make_prompt(tags=["mail"], seller=make_seller(), listing={"model": "GPT-5"})
    client.force_login(user)
    caches["pages"].clear()

    with django_assert_num_queries(count):
        page = get_list(client, address)

    assert len(card_titles(page)) == min(rows, 24)


@pytest.mark.parametrize("rows", [1, 50])
def test_an_empty_list_with_its_suggestions_costs_no_more(client, django_assert_num_queries, rows):
    user = make_user()
    for _ in range(rows):
        make_prompt(title="번역기", tags=["mail"], listing={"model": "GPT-5"})
    client.force_login(user)

    with django_assert_num_queries(7):
        page = get_list(client, "/prompts/?q=qjsdurrl&tag=mail&model=GPT-5&sort=newest")

    assert card_titles(page) == []
    assert "번역기" in plain(page.text)
