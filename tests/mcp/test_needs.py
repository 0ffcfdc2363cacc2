"""The tools that prompts need: naming them, how they are now, and what their seller is told."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from catalog.browse import BrowseQuery, find_prompts
from catalog.models import Listing
from catalog.search import recount_facets
from mcp.models import Entry, McpServer, Tool, ToolNeed
from mcp.tools.need_states import update_needs
from mcp.tools.needs import (
    NeedsOutdated,
    NeedsRefused,
    accept_change,
    digest_names,
    list_names,
    read_names,
    set_needs,
    suggest_tools,
)
from mcp.tools.shown_needs import list_tool_needs
from sellers.models import SellerMail
from tests.catalog.pages import card_titles
from tests.factories import NOON, make_prompt, make_seller
from tests.mcp.needing import INTERVAL, OTHER_SCHEMA, SCHEMA, check, make_tool_server

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_english")]

MISSING, CHANGED, DOWN, UNKNOWN, WORKING = "missing", "changed", "down", "unknown", "working"


@pytest.fixture
def prompt():
    return make_prompt(title="Letters", seller=make_seller(language="en"))


def states(prompt) -> dict[str, str]:
    return {str(need): need.state for need in prompt.tool_needs.order_by("pk")}


def tool_state(prompt) -> str:
    return Listing.objects.get(prompt=prompt).tool_state


def shown(prompt, *, now=NOON) -> dict[str, str]:
    return {need.name: str(need.state) for need in list_tool_needs(prompt, now=now)}


def mails() -> list[SellerMail]:
    return list(SellerMail.objects.filter(kind="tools_changed").order_by("pk"))


# --- Naming


def test_a_named_tool_remembers_its_parameters(prompt):
    make_tool_server("find", "fetch")

    assert set_needs(prompt=prompt, names=["search/find"], now=NOON)

    need = prompt.tool_needs.get()
    assert (str(need), need.input_schema, need.description) == ("search/find", SCHEMA, "Finds.")
    assert (need.state, prompt.listing.tool_state) == (WORKING, "working")


def test_names_stay_in_the_order_in_which_they_were_typed(prompt):
    make_tool_server("find", "fetch", "count")

    set_needs(prompt=prompt, names=["search/find", "search/fetch"], now=NOON)
    set_needs(prompt=prompt, names=["search/count", "search/find"], now=NOON)

    assert list_names(prompt) == ["search/count", "search/find"]


def test_a_second_call_with_the_same_names_writes_nothing(prompt, django_assert_num_queries):
    make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    with django_assert_num_queries(4):  # savepoint, lock, needs, release
        assert not set_needs(prompt=prompt, names=["search/find"], now=NOON)


def test_taking_all_tools_out_leaves_a_prompt_that_needs_none(prompt):
    make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    set_needs(prompt=prompt, names=[], now=NOON)

    assert (states(prompt), tool_state(prompt)) == ({}, "none")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("find", "“find” is not written as server/tool."),
        ("/find", "“/find” is not written as server/tool."),
        ("search/fi\u202end", "“search/find” is not written as server/tool."),
        ("nowhere/find", "There is no server “nowhere” in the registry."),
        ("hidden/find", "There is no server “hidden” in the registry."),
        ("search/lose", "“search” has no tool “lose”. Among what it offers: find, fetch."),
        ("search/gone", "“search” has no tool “gone”. Among what it offers: find, fetch."),
        ("empty/find", "“empty” offers no tools."),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_in_a_sentence(prompt, name, problem):
    server = make_tool_server("find", "fetch", "gone")
    Tool.objects.filter(server=server, name="gone").update(removed_at=NOON)
    make_tool_server("find", slug="hidden", state=Entry.State.SUBMITTED)
    make_tool_server(slug="empty")

    with pytest.raises(NeedsRefused) as refused:
        set_needs(prompt=prompt, names=["search/find", name], now=NOON)

    assert refused.value.problems == [problem]
    assert (states(prompt), tool_state(prompt)) == ({}, "none")


@pytest.mark.parametrize("health", ["sign_in", "configuration", "unchecked"])
def test_a_tool_of_a_server_that_shows_none_may_be_named(prompt, health):
    make_tool_server(health=health, tool_count=None)

    set_needs(prompt=prompt, names=["search/anything"], now=NOON)

    assert (states(prompt), tool_state(prompt)) == ({"search/anything": UNKNOWN}, "unknown")


def test_what_is_named_already_may_stay_although_it_is_gone(prompt):
    server = make_tool_server("find", "fetch")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    check(server, at=NOON + INTERVAL, gone=("find",))

    set_needs(prompt=prompt, names=["search/find", "search/fetch"], now=NOON + INTERVAL)

    assert states(prompt) == {"search/find": MISSING, "search/fetch": WORKING}


def test_a_prompt_names_at_most_twenty_tools(prompt):
    make_tool_server(*(f"tool{number}" for number in range(21)))

    with pytest.raises(NeedsRefused, match="at most 20 tools"):
        set_needs(prompt=prompt, names=[f"search/tool{number}" for number in range(21)], now=NOON)


def test_names_of_another_tab_are_not_overwritten(prompt):
    make_tool_server("find", "fetch")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    with pytest.raises(NeedsOutdated):
        set_needs(prompt=prompt, names=["search/fetch"], now=NOON, seen=digest_names([]))

    assert list_names(prompt) == ["search/find"]


def test_lines_become_names_each_once():
    assert read_names(" search/find \n\n`search/fetch`\r\nsearch/find\n") == ["search/find", "search/fetch"]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("", ["maps/route", "search/find", "search/fetch"]),
        ("fin", ["search/find"]),
        ("MAPS", ["maps/route"]),
        ("search/f", ["search/find", "search/fetch"]),
        ("maps/find", []),
    ],
)
def test_suggestions_come_from_tools_and_servers_that_are_public(typed, names):
    make_tool_server("find", "fetch")
    make_tool_server("route", slug="maps")
    make_tool_server("find", slug="hidden", state=Entry.State.DECLINED)

    assert suggest_tools(typed, limit=20) == names


# --- States


@pytest.mark.parametrize(
    ("server", "state", "together"),
    [
        ({"health": "working"}, WORKING, "working"),
        ({"health": "slow"}, WORKING, "working"),
        ({"health": "down"}, DOWN, "broken"),
        ({"health": "sign_in"}, UNKNOWN, "unknown"),
        ({"health": "configuration"}, UNKNOWN, "unknown"),
        ({"health": "unchecked"}, UNKNOWN, "unknown"),
        ({"health": "working", "mode": "off"}, DOWN, "broken"),
        ({"health": "working", "state": "declined"}, MISSING, "broken"),
    ],
)
def test_a_tool_is_as_its_server_is(prompt, server, state, together):
    row = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    Entry.objects.filter(pk=row.pk).update(**server)

    update_needs(server_ids=[row.pk], now=NOON)

    assert (states(prompt), tool_state(prompt)) == ({"search/find": state}, together)
    assert shown(prompt) == {"search/find": state}


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("working", "sign_in", "unknown"),
        ("sign_in", "down", "broken"),
        ("working", "working", "working"),
    ],
)
def test_a_listing_is_as_its_worst_tool(prompt, first, second, together):
    make_tool_server("find", slug="one", health=first)
    make_tool_server("find", slug="two", health=second)

    set_needs(prompt=prompt, names=["one/find", "two/find"], now=NOON)

    assert tool_state(prompt) == together


def test_a_tool_that_vanished_is_missing_and_works_again_when_it_is_back(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    check(server, at=NOON + INTERVAL, gone=("find",))
    assert (states(prompt), tool_state(prompt)) == ({"search/find": MISSING}, "broken")

    check(server, at=NOON + 2 * INTERVAL, find=None)
    assert (states(prompt), tool_state(prompt)) == ({"search/find": WORKING}, "working")


def test_a_tool_that_was_seen_to_be_gone_stays_gone_while_its_server_is_down(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    check(server, at=NOON + INTERVAL, gone=("find",))

    check(server, at=NOON + 2 * INTERVAL, health="down", verdict="timeout")

    assert states(prompt) == {"search/find": MISSING}


def test_a_changed_schema_says_what_no_longer_fits(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    check(server, at=NOON + INTERVAL, find=OTHER_SCHEMA)

    (need,) = list_tool_needs(prompt, now=NOON + INTERVAL)
    assert (need.state, need.changes) == (CHANGED, ["It no longer takes “query”."])
    assert tool_state(prompt) == "broken"


def test_a_harmless_change_of_the_schema_changes_nothing(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    wider = SCHEMA | {"properties": SCHEMA["properties"] | {"limit": {"type": "integer"}}}

    check(server, at=NOON + INTERVAL, find=wider)

    assert (states(prompt), tool_state(prompt)) == ({"search/find": WORKING}, "working")


def test_a_new_description_is_a_note_and_no_warning(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    Tool.objects.filter(server=server).update(description="Finds, and sends what you type to us.")

    check(server, at=NOON + INTERVAL)

    (need,) = list_tool_needs(prompt, now=NOON + INTERVAL)
    assert (need.is_described_anew, need.is_warning, tool_state(prompt)) == (True, False, "working")


def test_the_first_schema_that_is_seen_is_the_one_to_measure_by(prompt):
    server = make_tool_server(health="sign_in", tool_count=None)
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    Tool.objects.create(server=server, name="find", input_schema=SCHEMA)
    check(server, at=NOON + INTERVAL)
    assert states(prompt) == {"search/find": WORKING}

    check(server, at=NOON + 2 * INTERVAL, find=OTHER_SCHEMA)

    assert states(prompt) == {"search/find": CHANGED}


def test_a_server_with_more_tools_than_are_read_may_offer_any(prompt):
    make_tool_server(tool_count=500)

    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    assert states(prompt) == {"search/find": UNKNOWN}


def test_a_check_that_is_too_old_claims_nothing(prompt):
    make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    later = NOON + timedelta(days=1)

    assert shown(prompt, now=later) == {"search/find": UNKNOWN}  # pages at once
    assert update_needs(now=later) == 1
    assert tool_state(prompt) == "unknown"


def test_a_server_that_is_deleted_leaves_the_need_as_missing(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    server.delete()

    assert shown(prompt) == {"search/find": MISSING}
    assert update_needs(now=NOON) == 1
    assert (states(prompt), tool_state(prompt)) == ({"search/find": MISSING}, "broken")


def test_a_server_that_another_program_deletes_leaves_the_need_as_missing(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM mcp_servers WHERE id = %s", [McpServer._meta.pk.get_db_prep_value(server.pk, connection)]
        )

    assert shown(prompt) == {"search/find": MISSING}
    assert update_needs(now=NOON) == 1
    assert (states(prompt), tool_state(prompt)) == ({"search/find": MISSING}, "broken")


def test_a_run_of_checks_notices_servers_that_are_gone(prompt):
    server = make_tool_server("find", next_check_at=timezone.now() + timedelta(days=1))
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    server.delete()

    call_command("check_mcp_servers", workers=1)

    assert (states(prompt), tool_state(prompt)) == ({"search/find": MISSING}, "broken")


def test_a_check_of_a_server_that_nobody_needs_costs_one_query(django_assert_num_queries):
    server = make_tool_server("find")

    with django_assert_num_queries(1):
        assert update_needs(server_ids=[server.pk], now=NOON) == 0


@pytest.mark.parametrize("count", [1, 20])
def test_a_check_costs_the_same_however_many_need_the_server(django_assert_num_queries, count):
    server = make_tool_server("find")
    for _ in range(count):
        set_needs(prompt=make_prompt(), names=["search/find"], now=NOON)
    Tool.objects.filter(server=server).update(removed_at=NOON)

    with django_assert_num_queries(20):
        assert update_needs(server_ids=[server.pk], now=NOON + INTERVAL) == count


def test_the_change_of_a_listing_is_no_edit_of_it(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    before = Listing.objects.get(prompt=prompt).updated_at

    check(server, at=NOON + INTERVAL, gone=("find",))

    assert Listing.objects.get(prompt=prompt).updated_at == before


# --- What the seller is told


def test_the_seller_is_told_once_a_second_check_agrees(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    check(server, at=NOON + INTERVAL, gone=("find",))
    assert mails() == []
    check(server, at=NOON + 2 * INTERVAL)
    check(server, at=NOON + 3 * INTERVAL)

    (mail,) = mails()
    assert mail.seller == prompt.listing.seller
    assert mail.context["prompts"] == [
        {
            "title": "Letters",
            "path": f"/studio/listings/{prompt.pk}/",
            "tools": [{"name": "search/find", "state": "missing", "breaks": []}],
        }
    ]


def test_a_tool_that_comes_and_goes_is_one_mail(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    for turn in range(1, 20, 4):
        check(server, at=NOON + turn * INTERVAL, gone=("find",))
        check(server, at=NOON + (turn + 1) * INTERVAL)
        check(server, at=NOON + (turn + 2) * INTERVAL, find=None)
        check(server, at=NOON + (turn + 3) * INTERVAL)

    assert len(mails()) == 1


def test_a_tool_that_is_gone_for_one_check_is_no_mail(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    for turn in range(1, 20, 2):
        check(server, at=NOON + turn * INTERVAL, gone=("find",))
        check(server, at=NOON + (turn + 1) * INTERVAL, find=None)

    assert mails() == []


def test_a_check_without_an_answer_confirms_nothing(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    check(server, at=NOON + INTERVAL, gone=("find",))

    check(server, at=NOON + 2 * INTERVAL, verdict="timeout")

    assert mails() == []


def test_another_change_is_another_mail(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    for turn, schema in enumerate([OTHER_SCHEMA, OTHER_SCHEMA | {"required": ["question"]}]):
        check(server, at=NOON + (2 * turn + 1) * INTERVAL, find=schema)
        check(server, at=NOON + (2 * turn + 2) * INTERVAL)

    assert [mail.context["prompts"][0]["tools"][0]["breaks"][-1]["kind"] for mail in mails()] == ["removed", "required"]


def test_the_same_trouble_a_month_later_is_news_again(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    for day in (1, 40):
        begin = NOON + timedelta(days=day)
        check(server, at=begin, gone=("find",))
        check(server, at=begin + INTERVAL)
        check(server, at=begin + 2 * INTERVAL, find=None)

    assert len(mails()) == 2


def test_a_server_that_is_down_is_no_mail(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    for turn in range(1, 5):
        check(server, at=NOON + turn * INTERVAL, health="down", verdict="timeout")

    assert mails() == []


def test_one_seller_gets_one_mail_for_all_prompts(prompt):
    other = make_prompt(title="Replies", seller=prompt.listing.seller)
    server = make_tool_server("find")
    for row in (prompt, other):
        set_needs(prompt=row, names=["search/find"], now=NOON)

    check(server, at=NOON + INTERVAL, gone=("find",))
    check(server, at=NOON + 2 * INTERVAL)

    (mail,) = mails()
    assert sorted(row["title"] for row in mail.context["prompts"]) == ["Letters", "Replies"]


def test_the_mail_names_tools_and_changes_in_the_sellers_language(
    prompt, mailoutbox, django_capture_on_commit_callbacks
):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    check(server, at=NOON + INTERVAL, find=OTHER_SCHEMA)

    with django_capture_on_commit_callbacks(execute=True):
        check(server, at=NOON + 2 * INTERVAL)

    (message,) = mailoutbox
    assert message.subject.endswith("Tools that your prompts need have changed")
    assert "- search/find: It no longer takes “query”.\n" in message.body
    assert f"/studio/listings/{prompt.pk}/" in message.body


@pytest.mark.parametrize("state", ["draft"])
def test_a_draft_is_no_news(state):
    prompt = make_prompt(seller=make_seller(), state=state)
    Listing.objects.filter(prompt=prompt).update(published_at=None)
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    check(server, at=NOON + INTERVAL, gone=("find",))
    check(server, at=NOON + 2 * INTERVAL)

    assert (states(prompt), mails()) == ({"search/find": MISSING}, [])


# --- The seller adapts the prompt


def test_an_accepted_change_is_what_later_ones_are_measured_by(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    check(server, at=NOON + INTERVAL, find=OTHER_SCHEMA)
    (need,) = list_tool_needs(prompt, now=NOON + INTERVAL)

    assert accept_change(prompt=prompt, need_id=need.pk, seen=need.seen, now=NOON + INTERVAL)

    assert (states(prompt), tool_state(prompt)) == ({"search/find": WORKING}, "working")
    check(server, at=NOON + 2 * INTERVAL, find=SCHEMA)
    assert states(prompt) == {"search/find": CHANGED}


def test_what_changed_again_since_it_was_read_is_not_accepted(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    check(server, at=NOON + INTERVAL, find=OTHER_SCHEMA)
    (need,) = list_tool_needs(prompt, now=NOON + INTERVAL)
    check(server, at=NOON + 2 * INTERVAL, find=OTHER_SCHEMA | {"required": ["question"]})

    assert not accept_change(prompt=prompt, need_id=need.pk, seen=need.seen, now=NOON + 2 * INTERVAL)

    assert states(prompt) == {"search/find": CHANGED}


def test_accepting_takes_a_note_away(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    Tool.objects.filter(server=server).update(description="Finds more.")
    check(server, at=NOON + INTERVAL)
    (need,) = list_tool_needs(prompt, now=NOON + INTERVAL)

    assert accept_change(prompt=prompt, need_id=need.pk, seen=need.seen, now=NOON + INTERVAL)

    assert not prompt.tool_needs.get().is_described_anew


def test_nobody_accepts_for_another_prompt(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    check(server, at=NOON + INTERVAL, find=OTHER_SCHEMA)
    (need,) = list_tool_needs(prompt, now=NOON + INTERVAL)

    assert not accept_change(prompt=make_prompt(), need_id=need.pk, seen=need.seen, now=NOON)

    assert ToolNeed.objects.get().state == CHANGED


# --- Lists


def test_browse_finds_what_needs_no_tools_and_what_works(prompt):
    make_tool_server("find")
    make_tool_server("find", slug="locked", health="sign_in")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    set_needs(prompt=make_prompt(title="Unknown"), names=["locked/find"], now=NOON)
    make_prompt(title="Plain")

    def titles(**query):
        return sorted(row.title for row in find_prompts(BrowseQuery(**query)).prompts)

    assert titles(tools="none") == ["Plain"]
    assert titles(tools="working") == ["Letters"]
    assert titles() == ["Letters", "Plain", "Unknown"]


def test_browse_counts_what_each_choice_would_leave(prompt, client):
    make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    make_prompt(title="Plain", tags=["mail"])
    make_prompt(title="Other")

    def counts(**query):
        return {str(row.state): row.count for row in find_prompts(BrowseQuery(**query)).tool_counts}

    assert counts() == {"none": 2, "working": 1}
    assert counts(tags=("mail",)) == {"none": 1, "working": 0}
    assert counts(tools="working") == {"none": 0, "working": 1}


def test_a_state_in_a_list_follows_the_next_check(prompt):
    server = make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)

    check(server, at=NOON + INTERVAL, health="down", verdict="timeout")

    assert find_prompts(BrowseQuery(tools="working")).prompts == []
    assert recount_facets(is_dry_run=True) == 0


@pytest.mark.parametrize(
    ("tools", "titles", "chip"),
    [("none", ["Plain"], "Needs no tools"), ("working", ["Letters"], "All tools work"), ("broken", None, None)],
)
def test_the_list_page_filters_by_tools(prompt, client, tools, titles, chip):
    make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    make_prompt(title="Plain")

    page = client.get(f"/prompts/?tools={tools}&sort=newest", headers={"accept-language": "en"})

    assert card_titles(page) == (titles or ["Plain", "Letters"])
    assert [row.label for row in page.context["listing"].chips] == ([chip] if chip else [])
    assert page.context["listing"].first_address == ("/prompts/?tools=" + tools if chip else "/prompts/") + (
        "&sort=newest" if chip else "?sort=newest"
    )


def test_a_card_says_that_the_prompt_needs_tools_and_stops_saying_it(prompt, client):
    make_tool_server("find")
    set_needs(prompt=prompt, names=["search/find"], now=NOON)
    assert "Needs tools" in client.get("/prompts/", headers={"accept-language": "en"}).text

    set_needs(prompt=prompt, names=[], now=NOON)

    assert "Needs tools" not in client.get("/prompts/", headers={"accept-language": "en"}).text
