"""Counters proved against the rows they count, and the two commands that repair."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from catalog import view_counts
from catalog.browse import BrowseQuery, find_prompts
from catalog.listings import adopt_prompts
from catalog.models import FacetTotal, Listing, Prompt, PromptDay, PromptView, SearchDocument
from catalog.recount import Recount, recount_prompts
from checkout.library import Kind, count_download, count_downloads, revoke_entitlement, unlock
from checkout.orders import count_live_sales
from tests.factories import NOON, make_prompt, make_purchase, make_refund, make_review

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


def test_placeholders_read_anew_change_the_count_and_not_the_day_of_the_listing():
    prompt = make_prompt(prompt_text="{{guest}} and ${town:Seoul}")
    recount()
    Listing.objects.update(variable_count=1, updated_at=NOON)

    assert recount_prompts(
        count_sales=lambda keys: {}, count_downloads=lambda keys: {}, now=NOON + timedelta(days=9)
    ).adopted
    prompt.listing.refresh_from_db()
    assert (prompt.listing.variable_count, prompt.listing.updated_at) == (2, NOON)
    assert recount().adopted == 0


def test_sales_come_from_who_sells():
    prompt = make_prompt()

    found = recount_prompts(count_sales=lambda keys: {prompt.pk: 3}, count_downloads=lambda keys: {}, now=NOON)

    assert found.sales == 1
    listing = Listing.objects.get()
    assert listing.sales_count == 3
    assert SearchDocument.objects.get().pk == listing.popularity == 24 << 40 | listing.pk


def count(prompt):
    """(views, downloads) of the prompt, and how many of each came from elsewhere."""
    columns = "view_count", "download_count", "listing__outside_view_count", "listing__outside_download_count"
    return Prompt.objects.values_list(*columns).get(pk=prompt.pk)


def recount_downloads(downloads=0, **options) -> Recount:
    counts = dict.fromkeys(Prompt.objects.values_list("pk", flat=True), downloads)
    return recount_prompts(count_sales=lambda keys: {}, count_downloads=lambda keys: counts, now=NOON, **options)


def test_the_first_run_on_an_older_database_takes_over_what_is_there():
    prompt = make_prompt(view_count=1_000, download_count=40)  # before there were rows to prove them
    PromptDay.objects.create(prompt=prompt, day=NOON.date(), view_count=7)

    dry, first, second = recount_downloads(3, is_dry_run=True), recount_downloads(3), recount_downloads(3)

    assert (dry.taken_over, first.taken_over, second) == (2, 2, Recount())
    assert (dry.views, dry.downloads, first.views, first.downloads) == (0, 0, 0, 0)
    assert count(prompt) == (1_000, 40, 993, 37)


def test_a_dry_run_takes_nothing_over_and_raises_nothing():
    prompt = make_prompt(view_count=5, download_count=0)

    recount_downloads(3, is_dry_run=True)

    assert count(prompt) == (5, 0, 0, 0)


def test_a_counter_that_lost_something_is_raised_to_what_is_proved():
    prompt = make_prompt(view_count=10, download_count=2, listing={"outside_view_count": 8})
    PromptDay.objects.create(prompt=prompt, day=NOON.date(), view_count=5)
    PromptDay.objects.create(prompt=prompt, day=(NOON - timedelta(days=1)).date(), view_count=4, cart_count=3)

    found = recount_downloads(6)

    assert (found.views, found.downloads, found.taken_over) == (1, 1, 0)
    assert count(prompt) == (17, 6, 8, 0)
    assert recount_downloads(6) == Recount()


def test_what_another_program_adds_later_is_taken_over_and_ours_goes_on_beside_it():
    prompt = make_prompt(view_count=10)
    recount()
    PromptDay.objects.create(prompt=prompt, day=NOON.date(), view_count=2)
    Prompt.objects.update(view_count=10 + 2 + 100)

    assert recount().taken_over == 1
    assert count(prompt) == (112, 0, 110, 0)


@pytest.mark.parametrize("value", [-5, 0])
def test_a_counter_that_another_program_set_back_is_raised(value):
    prompt = make_prompt(view_count=10)
    recount()
    Prompt.objects.update(view_count=value)

    assert recount().views == 1
    assert count(prompt) == (10, 0, 10, 0)


def test_a_prompt_that_another_program_writes_brings_its_counters_along():
    prompt = Prompt.objects.create(title="Old", price=0, prompt_text="x", view_count=70, download_count=8)

    found = recount()

    assert (found.adopted, found.taken_over) == (1, 0)
    assert count(prompt) == (70, 8, 70, 8)
    assert recount() == Recount()


def test_views_and_downloads_of_the_site_are_proved_without_a_word():
    entitlement = make_purchase(is_open=True)
    adopt_prompts(now=NOON)
    flush_three_views(entitlement.prompt)
    for kind in (Kind.TEXT_DOWNLOADED, Kind.FILE_DOWNLOADED, Kind.TEXT_DOWNLOADED):
        unlocked = unlock(user=entitlement.user, slug=entitlement.prompt.listing.slug, kind=kind, now=NOON)
        count_download(unlocked=unlocked, kind=kind, now=NOON)
    unlock(user=entitlement.user, slug=entitlement.prompt.listing.slug, kind=Kind.READ, now=NOON)

    call_command("recount_prompts", "--dry-run")

    assert count(entitlement.prompt) == (3, 3, 0, 0)
    assert count_downloads([entitlement.prompt_id]) == {entitlement.prompt_id: 3}


def flush_three_views(prompt):
    for number in range(3):
        view_counts._notes.add((prompt.pk, f"visitor {number}", NOON.date()))
    assert view_counts.flush_views() == 3


@pytest.mark.parametrize(("status", "sold"), [("requested", 1), ("failed", 1), ("done", 0)])
def test_a_sale_counts_until_its_money_is_back(status, sold):
    entitlement = make_purchase()
    adopt_prompts(now=NOON)
    make_refund(order=entitlement.order_line.order, status=status)

    call_command("recount_prompts", "--dry-run")

    assert (count_live_sales([entitlement.prompt_id]), Listing.objects.get().sales_count) == (
        {entitlement.prompt_id: 1} if sold else {},
        sold,
    )


def test_what_staff_took_back_is_no_sale():
    entitlement = make_purchase()
    revoke_entitlement(entitlement_id=entitlement.pk, reason="staff", now=NOON)

    assert count_live_sales([entitlement.prompt_id]) == {}


def test_an_average_that_another_program_stored_unrounded_is_right():
    prompt = make_prompt(rating=4.125, review_count=8)
    for stars in (5, 4, 4, 4, 4, 4, 4, 4):
        make_review(prompt=prompt, rating=stars)

    assert recount().ratings == 0


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
