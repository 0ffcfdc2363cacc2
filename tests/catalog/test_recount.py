"""Counters proved against the rows they count, and the two commands that repair."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from catalog.browse import BrowseQuery, find_prompts
from catalog.models import FacetTotal, Listing, Prompt, PromptView, SearchDocument
from catalog.recount import Recount, recount_prompts
from tests.factories import NOON, make_prompt, make_purchase, make_review

pytestmark = pytest.mark.django_db


def recount(**options) -> Recount:
    return recount_prompts(count_sales=lambda keys: {}, count_downloads=lambda keys: {}, now=NOON, **options)


def test_ratings_come_from_visible_reviews():
    prompt = make_prompt()
    make_review(prompt=prompt, rating=5)
    make_review(prompt=prompt, rating=4)
    make_review(prompt=prompt, rating=1, hidden_at=NOON)

    assert recount(is_dry_run=True).ratings == 1
    assert recount().ratings == 1
    assert recount().ratings == 0

    prompt.refresh_from_db()
    assert (prompt.rating, prompt.review_count) == (4.5, 2)
    assert find_prompts(BrowseQuery(min_rating=4.5)).total == 1


def test_a_rating_that_came_without_its_reviews_stays():
    prompt = make_prompt(rating=4.2, review_count=128)

    assert recount().ratings == 0
    prompt.refresh_from_db()
    assert (prompt.rating, prompt.review_count) == (4.2, 128)


def test_sales_come_from_who_sells():
    prompt = make_prompt()

    found = recount_prompts(count_sales=lambda keys: {prompt.pk: 3}, count_downloads=lambda keys: {}, now=NOON)

    assert found.sales == 1
    listing = Listing.objects.get()
    assert listing.sales_count == 3
    assert SearchDocument.objects.get().pk == listing.popularity == 24 << 40 | listing.pk


def test_facet_totals_are_proved():
    make_prompt(tags=["a"])
    FacetTotal.objects.filter(kind="t").update(prompt_count=9)

    assert recount(is_dry_run=True).facets == 1
    assert recount().facets == 1
    assert FacetTotal.objects.get(kind="t").prompt_count == 1


def test_old_views_are_forgotten_and_yesterdays_are_not():
    prompt = make_prompt()
    for days in (0, 1, 2, 30):
        PromptView.objects.create(prompt=prompt, visitor=f"v{days}", seen_on=(NOON - timedelta(days=days)).date())

    assert recount(is_dry_run=True).pruned == 2
    assert recount().pruned == 2
    assert recount().pruned == 0
    assert PromptView.objects.count() == 2


def test_a_second_count_finds_nothing():
    make_review(prompt=make_prompt(tags=["a"]), rating=4)

    recount()

    assert recount() == Recount()


def test_the_command_tells_what_it_would_do_and_does_it(capsys):
    prompt = make_prompt()
    make_purchase(prompt=prompt)
    Listing.objects.update(sales_count=7)

    with pytest.raises(CommandError) as wrong:
        call_command("recount_prompts", "--dry-run", "--json")
    assert wrong.value.returncode == 1
    assert json.loads(capsys.readouterr().out)["sales"] == 1
    assert Listing.objects.get().sales_count == 7

    call_command("recount_prompts")
    assert "1 sales" in capsys.readouterr().out
    assert Listing.objects.get().sales_count == 1

    call_command("recount_prompts", "--dry-run")
    assert capsys.readouterr().out == (
        "would change: 0 prompts taken in, 0 ratings, 0 sales, 0 views, 0 downloads, 0 counters taken over, "
        "0 orphans, 0 facet totals; 0 old views pruned\n"
    )


def test_the_search_command_tells_what_is_stale_and_mends_it(capsys):
    make_prompt(title="번역")
    Prompt.objects.update(title="요약")

    with pytest.raises(CommandError):
        call_command("rebuild_search", "--dry-run")
    call_command("rebuild_search", "--json")
    call_command("rebuild_search", "--dry-run")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "looked at 1 listings, 1 of them were stale"
    assert json.loads(lines[1]) == {"listings": 1, "stale": 1, "sound": True, "dry_run": False}
    assert lines[2] == "looked at 1 listings, 0 of them were stale"
    assert find_prompts(BrowseQuery(text="요약")).total == 1
