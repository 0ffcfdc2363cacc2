"""Filters, orders, places and counts of the list of prompts."""

from dataclasses import replace

import pytest
from django.http import QueryDict
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import browse, hits
from catalog.browse import (
    SORTS,
    BrowseQuery,
    ModelCount,
    TagCount,
    count_prompts,
    find_prompts,
    newest,
    popular_tags,
    related_prompts,
    top_rated,
)
from catalog.models import Prompt
from catalog.suggestions import suggest
from tests.factories import make_prompt, make_seller

pytestmark = pytest.mark.django_db


def titles(**query) -> list[str]:
    return [prompt.title for prompt in find_prompts(BrowseQuery(**query)).prompts]


def read(address: str) -> BrowseQuery:
    return BrowseQuery.from_params(QueryDict(address))[0]


# --- Addresses


def test_an_address_becomes_a_query_and_an_address_again():
    query = read(
        "q=번역&tag=SEO&tag=글&not=old&model=GPT-4o&kind=code&lang=en&min=1,000원&max=9900&free=1&rating=4.5&sort=newest"
    )

    assert query == BrowseQuery(
        text="번역",
        tags=("seo", "글"),
        excluded_tags=("old",),
        model="GPT-4o",
        output_kind="code",
        language="en",
        min_price_krw=1_000,
        max_price_krw=9_900,
        free_only=True,
        min_rating=4.5,
        sort="newest",
    )
    assert read(query.to_params().urlencode()) == query


def test_links_change_a_filter_and_begin_at_the_first_page():
    query = BrowseQuery(text="a b", tags=("x", "y"), after="somewhere")

    assert query.to_params(tags=("y",)).urlencode() == "tag=y&q=a+b"
    assert query.to_params(text="", tags=()).urlencode() == ""


@pytest.mark.parametrize(
    "address",
    [
        "min=-1",
        "min=abc",
        "max=1e9",
        "rating=9",
        "rating=nan",
        "sort=drop",
        "kind=video",
        "lang=../x",
        "free=0",
        "tag=",
        "q=%00",
        "tag=%20%23",
    ],
)
def test_nonsense_in_an_address_is_left_out(address):
    assert read(address) == BrowseQuery()


def test_a_lowest_price_above_the_highest_is_explained():
    with translation.override("en"):
        query, errors = BrowseQuery.from_params(QueryDict("min=5000&max=100"))

    assert (query.min_price_krw, query.max_price_krw) == (None, None)
    assert errors == {"min": "The lowest price is above the highest, so the prices were left out."}


def test_long_addresses_are_cut():
    query = read("q=" + "x" * 999 + "".join(f"&tag=t{n}" for n in range(99)))

    assert len(query.text) == 200
    assert len(query.tags) == 8


def test_decomposed_hangul_in_an_address_is_composed():
    assert read("q=\u1107\u1165\u11ab\u110b\u1167\u11a8").text == "번역"


def test_a_tag_cannot_be_asked_for_and_excluded():
    assert read("tag=a&not=a&not=b").excluded_tags == ("b",)


# --- Filters


def test_tags_must_all_be_there_and_excluded_ones_must_not():
    make_prompt(title="both", tags=["A", "b"])
    make_prompt(title="one", tags=["a"])
    make_prompt(title="none", tags=["c"])

    assert titles(tags=("a",)) == ["one", "both"]
    assert titles(tags=("a", "b")) == ["both"]
    assert titles(tags=("a",), excluded_tags=("b",)) == ["one"]
    assert titles(excluded_tags=("a", "b")) == ["none"]


def test_price_ranges_include_both_ends():
    for price in (0, 900, 1_000, 4_999, 5_000, 5_001, 9_999_999, 10_000_000):
        make_prompt(title=str(price), price=price)

    assert titles(min_price_krw=1_000, max_price_krw=5_000, sort="price_low") == ["1000", "4999", "5000"]
    assert titles(max_price_krw=900, sort="price_low") == ["0", "900"]
    assert titles(min_price_krw=5_001, sort="price_low") == ["5001", "9999999", "10000000"]
    assert titles(free_only=True) == titles(max_price_krw=0) == ["0"]
    assert titles(min_price_krw=5_002, max_price_krw=9_999_998) == []


def test_ratings_models_outputs_languages_and_sellers_narrow_down():
    seller = make_seller()
    make_prompt(
        title="A", rating=4.5, review_count=3, listing={"model": "GPT-4o", "output_kind": "code"}, seller=seller
    )
    make_prompt(title="B", rating=4.4, review_count=3, listing={"model": "Claude", "language": "en"})

    assert titles(min_rating=4.5) == ["A"]
    assert titles(min_rating=4.0) == ["B", "A"]
    assert titles(min_rating=4.41) == ["A"]
    assert titles(model="GPT-4o") == titles(output_kind="code") == titles(language="ko") == ["A"]
    assert titles(seller_id=seller.pk) == ["A"]
    assert titles(model="gpt-4o") == []


def test_all_filters_combine_with_a_search():
    make_prompt(title="번역 A", tags=["x"], price=3_000, rating=5, review_count=1, listing={"model": "M"})
    make_prompt(title="번역 B", tags=["x", "y"], price=3_000, rating=5, review_count=1, listing={"model": "M"})
    make_prompt(title="요약 C", tags=["x"], price=3_000, rating=5, review_count=1, listing={"model": "M"})
    make_prompt(title="번역 D", tags=["x"], price=9_000, rating=5, review_count=1, listing={"model": "M"})

    query = {
        "text": "번역",
        "tags": ("x",),
        "excluded_tags": ("y",),
        "max_price_krw": 5_000,
        "min_rating": 4.0,
        "model": "M",
    }
    for sort in SORTS:
        assert titles(**query, sort=sort) == ["번역 A"]


# --- Orders and places


def make_shelf(count: int = 7) -> None:
    for n in range(count):
        make_prompt(
            title=f"번역 {n}",
            price=1_000 * (n % 3),
            rating=(n % 4) + 1.5 if n % 2 else 0,
            review_count=n % 2 * 5,
            listing={"sales_count": n % 3},
            tags=["all"],
        )


@pytest.mark.parametrize("base", [{}, {"text": "번역"}, {"tags": ("all",)}, {"excluded_tags": ("none",)}])
@pytest.mark.parametrize("sort", SORTS)
def test_pages_of_any_order_show_everything_once_in_that_order(sort, base):
    make_shelf()
    whole = titles(sort=sort, **base)
    assert len(whole) == 7

    query, seen = BrowseQuery(sort=sort, page_size=2, **base), []
    for _ in range(9):
        page = find_prompts(query)
        seen += [prompt.title for prompt in page.prompts]
        if page.next_after is None:
            break
        query = replace(query, after=page.next_after)

    assert seen == whole


def test_orders_are_what_they_say():
    make_shelf()
    rows = {sort: find_prompts(BrowseQuery(sort=sort)).prompts for sort in SORTS}

    assert [row.price for row in rows["price_low"]] == [0, 0, 0, 1_000, 1_000, 2_000, 2_000]
    assert [row.price for row in rows["price_high"]] == [2_000, 2_000, 1_000, 1_000, 0, 0, 0]
    assert [row.listing.sales_count for row in rows["popular"]] == [2, 2, 1, 1, 0, 0, 0]
    assert [row.title for row in rows["newest"]] == [f"번역 {n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    ranks = [row.listing.rating_rank for row in rows["rating"]]
    assert ranks == sorted(ranks, reverse=True)
    assert rows["relevance"] == rows["popular"]  # without a text there is nothing to be relevant to


@pytest.mark.parametrize("sort", ["newest", "price_low", "price_high", "rating"])
def test_many_hits_are_walked_and_few_are_sorted_to_the_same_end(sort, monkeypatch):
    make_shelf(12)
    make_prompt(title="요약", tags=["all"])
    query = BrowseQuery(
        text="번역", tags=("all",), excluded_tags=("none",), min_price_krw=1_000, sort=sort, page_size=5
    )
    by_sorting = [find_prompts(query)]
    by_sorting.append(find_prompts(replace(query, after=by_sorting[0].next_after)))

    monkeypatch.setattr(hits, "SORTED_HITS", 2)
    by_walking = [find_prompts(query)]
    by_walking.append(find_prompts(replace(query, after=by_walking[0].next_after)))

    assert by_walking == by_sorting


def test_an_order_whose_walk_meets_too_few_hits_sorts_them_all(monkeypatch):
    make_shelf(12)
    query = BrowseQuery(text="번역", sort="newest", page_size=5)
    expected = find_prompts(query)
    monkeypatch.setattr(hits, "SORTED_HITS", 2)
    monkeypatch.setattr(hits, "WALKED_ROWS", 3)

    assert find_prompts(query) == expected


def test_behind_the_ranked_hits_a_search_goes_on_by_popularity(monkeypatch):
    make_shelf(9)
    for module in (browse, hits):
        monkeypatch.setattr(module, "RANKED_HITS", 4)
    query, seen = BrowseQuery(text="번역", page_size=3), []
    while True:
        page = find_prompts(query)
        seen += [prompt.title for prompt in page.prompts]
        if page.next_after is None:
            break
        query = replace(query, after=page.next_after)

    assert sorted(seen) == sorted(f"번역 {n}" for n in range(9))


@pytest.mark.parametrize("after", ["x", "1_2_3_4", "", "___", "1_1_0_" + "0" * 16, "9" * 200, "😀"])
def test_a_place_that_was_made_up_is_the_first_page(after):
    make_prompt(title="A")

    assert titles(after=after) == ["A"]


def test_a_place_of_another_list_is_the_first_page():
    make_shelf(3)
    place = find_prompts(BrowseQuery(page_size=1)).next_after

    assert titles(page_size=1, after=place) == ["번역 1"]
    assert titles(page_size=1, sort="newest", after=place) == titles(page_size=1, sort="newest")


# --- Counts


def test_totals_are_exact_up_to_a_limit(monkeypatch):
    make_shelf(4)
    for base in ({}, {"tags": ("all",)}, {"text": "번역"}):
        monkeypatch.setattr(browse, "EXACT_TOTAL", 4)
        assert (find_prompts(BrowseQuery(**base)).total, find_prompts(BrowseQuery(**base)).total_is_exact) == (4, True)
        monkeypatch.setattr(browse, "EXACT_TOTAL", 3)
        assert (find_prompts(BrowseQuery(**base)).total, find_prompts(BrowseQuery(**base)).total_is_exact) == (3, False)


def test_counts_tell_what_each_filter_would_leave():
    make_prompt(tags=["a", "b"], price=0, listing={"model": "M"}, rating=4.6, review_count=2)
    make_prompt(tags=["a"], listing={"model": "N"}, rating=3.2, review_count=2)
    make_prompt(tags=["c"])

    everything = find_prompts(BrowseQuery())
    assert everything.tag_counts == [TagCount("a", 2), TagCount("b", 1), TagCount("c", 1)]
    assert everything.model_counts == [ModelCount("M", 1), ModelCount("N", 1)]
    assert [(row.rating, row.count) for row in everything.rating_counts] == [(4.5, 1), (4.0, 1), (3.0, 2)]
    assert everything.free_count == 1

    chosen = find_prompts(BrowseQuery(tags=("a",), excluded_tags=("c",), model="M"))
    assert chosen.tag_counts == [
        TagCount("a", 1, is_selected=True),
        TagCount("c", 0, is_excluded=True),
        TagCount("b", 1),
    ]
    assert chosen.model_counts == [ModelCount("M", 1, is_selected=True), ModelCount("N", 1)]


def test_popular_tags_count_what_is_on_sale():
    make_prompt(tags=["a", "b"])
    make_prompt(tags=["a"])
    make_prompt(tags=["c"], state="draft")

    assert popular_tags(5) == [TagCount("a", 2), TagCount("b", 1)]
    assert count_prompts([BrowseQuery(tags=("a",))]) == [2]


# --- Shelves


def test_shelves_show_the_newest_and_the_best_rated():
    make_prompt(title="old, loved", rating=4.8, review_count=50)
    make_prompt(title="five stars once", rating=5, review_count=1)
    make_prompt(title="unrated")

    assert [prompt.title for prompt in newest(2)] == ["unrated", "five stars once"]
    assert [prompt.title for prompt in top_rated(5)] == ["old, loved", "five stars once"]


def test_related_prompts_share_most_tags():
    prompt = make_prompt(title="this", tags=["a", "b"])
    make_prompt(title="both", tags=["A", "B"])
    make_prompt(title="one", tags=["a"])
    make_prompt(title="none", tags=["c"])

    assert [other.title for other in related_prompts(prompt, 5)] == ["both", "one"]
    assert related_prompts(make_prompt(tags=[]), 5) == []


# --- What it costs


@pytest.mark.parametrize("count", [1, 50])
@pytest.mark.parametrize(
    ("query", "queries"),
    [
        (BrowseQuery(), 4),
        (BrowseQuery(tags=("all",)), 3),
        (BrowseQuery(text="번역"), 3),
        (BrowseQuery(text="번역", sort="newest"), 3),
        (BrowseQuery(model="M"), 3),
        (BrowseQuery(model="M", tags=("all",), sort="price_low"), 3),
    ],
)
def test_a_list_costs_the_same_queries_however_long_it_is(query, queries, count, django_assert_num_queries):
    for n in range(count):
        make_prompt(title=f"번역 {n}", tags=["all"], listing={"model": "M"}, seller=make_seller() if n < 3 else None)

    with django_assert_num_queries(queries):
        result = find_prompts(query)
        for prompt in result.prompts:
            assert prompt.listing.slug
            assert prompt.listing.seller is None or prompt.listing.seller.name

    assert len(result.prompts) == min(count, 24)


def test_a_list_never_loads_what_is_sold():
    make_prompt()

    assert find_prompts(BrowseQuery()).prompts[0].get_deferred_fields() >= {"prompt_text", "file_url"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["q", "tag", "not", "model", "min", "max", "rating", "sort", "after", "kind", "lang"]),
        st.text(max_size=60),
    )
)
def test_any_address_answers(values):
    params = QueryDict(mutable=True)
    params.update(values)

    query, _errors = BrowseQuery.from_params(params)

    assert find_prompts(query).total == 0
    assert suggest(query) == []


# --- Nothing found


def test_suggestions_name_the_filter_that_stands_in_the_way():
    make_prompt(title="번역", tags=["a"], price=9_000)

    with translation.override("en"):
        found = suggest(BrowseQuery(text="번역", tags=("a",), max_price_krw=100))

    assert [(row.kind, row.field, row.label, row.count) for row in found] == [("without", "price", "up to ₩100", 1)]
    assert found[0].query == BrowseQuery(text="번역", tags=("a",))


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("qjsdur", "번역"),
        ("블로그번역기", "블로그 번역기"),
        ("번역기를", "번역기"),
        ("번 역기쓰 zzz", ""),
        ("번역기 비행기", "번역기"),
    ],
)
def test_suggestions_read_other_spellings(typed, offered):
    make_prompt(title="번역기 for a 블로그")
    assert titles(text=typed) == []

    instead = [row.label for row in suggest(BrowseQuery(text=typed)) if row.kind == "instead"]

    assert instead[:1] == ([offered] if offered else [])


def test_every_suggestion_finds_something():
    make_prompt(title="번역", tags=["a"])
    for suggestion in suggest(BrowseQuery(text="qjsdur", tags=("a", "b"), free_only=True, min_rating=4.0, model="M")):
        assert find_prompts(suggestion.query).total == suggestion.count > 0


def test_a_deleted_hit_is_left_out_of_the_page():
    make_prompt(title="A")
    Prompt.objects.all().delete()

    assert titles() == []
