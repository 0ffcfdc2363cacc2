"""The index of prompts on sale: what is in it, and what a search finds."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.browse import BrowseQuery, find_prompts
from catalog.listings import add_sales
from catalog.models import FacetTotal, Listing, Prompt, SearchDocument
from catalog.search import (
    index_prompt,
    index_prompts,
    is_index_sound,
    list_price_terms,
    rank_rating,
    rebuild_search,
    recount_facets,
    remove_from_index,
    remove_orphans,
)
from tests.factories import NOON, make_prompt, make_seller

pytestmark = pytest.mark.django_db


def titles(**query) -> list[str]:
    return [prompt.title for prompt in find_prompts(BrowseQuery(**query)).prompts]


@pytest.mark.parametrize(
    "text", ["아이폰14", "아이폰 14", "아이폰", "이폰", "케이스", "case", "iphone", "ＩＰＨＯＮＥ"]
)
def test_a_prompt_is_found_by_spelling_spacing_and_beginnings(text):
    make_prompt(title="아이폰 14 케이스 (iPhone cases)")
    make_prompt(title="다른 것", description="")

    assert titles(text=text) == ["아이폰 14 케이스 (iPhone cases)"]


def test_title_description_and_tags_are_searched_in_this_order_of_weight():
    make_prompt(title="Tagged", description="", tags=["번역"])
    make_prompt(title="Described", description="번역을 돕는다", tags=[])
    make_prompt(title="번역 하나", description="", tags=[])
    make_prompt(title="Other", description="", tags=[])

    assert titles(text="번역") == ["번역 하나", "Described", "Tagged"]


def test_the_more_of_a_title_a_word_is_the_higher_it_comes():
    make_prompt(title="이메일 번역 그리고 요약 그리고 교정")
    make_prompt(title="이메일 번역")
    make_prompt(title="번역 이메일 보고서 회의록")

    assert titles(text="번역 이메일")[0] == "이메일 번역"


def test_the_text_that_is_sold_is_not_searched():
    make_prompt(title="Public", description="", prompt_text="비밀문장 secretword")

    assert titles(text="비밀문장") == titles(text="secretword") == []


def test_an_address_in_a_description_is_not_searched():
    make_prompt(title="A", description="[더 보기](https://example.com/path) https://example.com/other")

    assert titles(text="더 보기") == ["A"]
    assert titles(text="example") == []


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "* OR *",
        "NEAR(a b)",
        "title:x",
        "a AND",
        "-번역",
        "^번역",
        "(",
        "번역) OR (a",
        "'",
        "\\",
        ":*",
        "a & b | !c",
        "%_",
    ],
)
def test_signs_of_the_query_languages_mean_nothing(text):
    make_prompt(title="Quiet")

    assert titles(text=text) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=200))
def test_any_text_is_safe(text):
    result = find_prompts(BrowseQuery(text=text, tags=(text[:40],), excluded_tags=(text[-40:],), model=text[:60]))

    assert result.total == len(result.prompts) == 0


@pytest.mark.parametrize("state", ["draft", "withdrawn", "removed"])
def test_only_what_is_on_sale_is_in_the_index(state):
    make_prompt(title="번역", state=state)

    assert titles(text="번역") == titles() == []
    assert SearchDocument.objects.count() == 0


def test_what_another_program_unpublishes_vanishes_at_once():
    make_prompt(title="번역 하나", tags=["a"])
    Prompt.objects.update(is_published=False)  # past every function of ours

    assert titles(text="번역") == titles(tags=("a",)) == titles() == titles(sort="price_low") == []
    assert find_prompts(BrowseQuery(text="번역")).total == 0


def test_what_a_suspended_seller_offers_vanishes_at_once():
    seller = make_seller()
    make_prompt(title="번역", seller=seller)
    seller.status = "suspended"
    seller.save()

    assert titles(text="번역") == titles() == []


def test_a_price_that_another_program_changed_is_respected():
    make_prompt(title="Dear", price=5_000)
    Prompt.objects.update(price=5_500)

    assert titles(max_price_krw=5_200) == []
    assert find_prompts(BrowseQuery()).prompts[0].price == 5_500


def test_indexing_twice_changes_nothing(django_assert_num_queries):
    prompt = make_prompt(tags=["a", "b"])
    before = list(SearchDocument.objects.values())
    totals = list(FacetTotal.objects.order_by("kind", "value").values())

    with django_assert_num_queries(4):  # savepoint, rows, documents, release
        assert index_prompts([prompt.pk]) == set()

    assert list(SearchDocument.objects.values()) == before
    assert list(FacetTotal.objects.order_by("kind", "value").values()) == totals


def test_a_changed_prompt_is_found_by_its_new_words_only():
    prompt = make_prompt(title="번역", tags=["old"])
    prompt.title, prompt.tags, prompt.price = "요약", ["new"], 0
    prompt.save()

    index_prompt(prompt)

    assert titles(text="번역") == titles(tags=("old",)) == []
    assert titles(text="요약") == titles(tags=("new",)) == titles(free_only=True) == ["요약"]
    assert is_index_sound()
    assert recount_facets() == 0


def test_a_prompt_taken_out_of_the_index_comes_back():
    prompt = make_prompt(title="번역")

    remove_from_index(prompt)
    assert titles(text="번역") == []
    assert FacetTotal.objects.exclude(prompt_count=0).count() == 0

    index_prompt(prompt)
    assert titles(text="번역") == ["번역"]


def test_a_deleted_prompt_leaves_the_index():
    make_prompt(title="번역").delete()

    assert SearchDocument.objects.count() == 0
    assert is_index_sound()


def test_a_prompt_deleted_by_another_program_is_in_no_list_and_is_cleared_away():
    prompt = make_prompt(title="번역")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM prompt_versions WHERE prompt_id = %s", [prompt.pk])
        cursor.execute("DELETE FROM listings WHERE prompt_id = %s", [prompt.pk])
        cursor.execute("DELETE FROM prompts WHERE id = %s", [prompt.pk])

    assert titles(text="번역") == titles() == []
    assert remove_orphans(is_dry_run=True) == 1
    assert remove_orphans() == 1
    assert remove_orphans() == 0
    assert is_index_sound()


def test_popularity_grows_with_the_logarithm_of_sales_and_new_ones_lead_in_a_bucket():
    first, second, third = make_prompt(title="1"), make_prompt(title="2"), make_prompt(title="3")
    assert titles() == ["3", "2", "1"]

    add_sales(prompt_ids=[first.pk], n=3, now=NOON)
    add_sales(prompt_ids=[second.pk], n=1, now=NOON)

    assert titles() == ["1", "2", "3"]
    listing = Listing.objects.get(prompt=first)
    assert listing.popularity == 24 << 40 | listing.pk
    assert SearchDocument.objects.get(listing=listing).pk == listing.popularity
    assert is_index_sound()
    assert third.pk


def test_a_sale_that_moves_no_bucket_writes_no_document():
    prompt = make_prompt()
    add_sales(prompt_ids=[prompt.pk], n=1_000_000, now=NOON)
    before = SearchDocument.objects.values_list("pk", flat=True).get()

    add_sales(prompt_ids=[prompt.pk], n=1, now=NOON)

    assert Listing.objects.get().sales_count == 1_000_001
    assert SearchDocument.objects.values_list("pk", flat=True).get() == before


def test_sales_never_fall_below_nothing():
    prompt = make_prompt()
    add_sales(prompt_ids=[prompt.pk], n=-1, now=NOON)

    assert Listing.objects.get().sales_count == 0


@pytest.mark.parametrize(
    ("rating", "count", "rank"), [(0, 0, 0), (None, None, 0), (5.0, 1, 3.75), (4.5, 100, 4.4524), (5.0, 0, 0)]
)
def test_few_reviews_pull_less_than_many(rating, count, rank):
    assert rank_rating(rating, count) == rank


@given(st.integers(0, 10_000_000), st.integers(0, 10_000_000), st.integers(0, 10_000_000))
@settings(max_examples=200, deadline=None)
def test_price_terms_cover_a_range_and_nothing_else(low, high, price):
    from catalog.search import PRICE_LEVELS, _make_price_term

    terms = list_price_terms(low, high)
    own = {_make_price_term(level, price // 10**level) for level in range(PRICE_LEVELS)}

    assert bool(own & set(terms)) == (low <= price <= high)
    assert len(terms) <= 130


def test_the_index_is_rebuilt_in_place():
    make_prompt(title="번역", tags=["a"])
    make_prompt(title="요약")
    Listing.objects.update(model="GPT-4o")
    FacetTotal.objects.update(prompt_count=99)

    assert list(rebuild_search()) == [(2, 2)]

    assert titles(text="번역") == ["번역"]
    assert set(titles(model="GPT-4o")) == {"번역", "요약"}
    assert recount_facets() == 0
    assert is_index_sound()
    assert list(rebuild_search()) == [(2, 0)]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps a generated column right by itself")
def test_a_damaged_index_is_noticed_and_made_again():
    make_prompt(title="번역")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO prompt_search (prompt_search) VALUES ('delete-all')")
    assert titles(text="번역") == []
    assert not is_index_sound()

    list(rebuild_search(is_sound=False))

    assert titles(text="번역") == ["번역"]
    assert is_index_sound()
