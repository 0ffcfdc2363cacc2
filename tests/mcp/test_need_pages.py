"""Where people meet the tools that a prompt needs: the editor, the product page, the library, the studio's list."""

import re

import pytest
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from catalog.models import Listing
from mcp.models import Entry, Tool
from mcp.tools.needs import list_names, set_needs
from tests.catalog.pages import plain
from tests.factories import make_business, make_prompt, make_purchase, make_seller, make_user
from tests.mcp.needing import INTERVAL, OTHER_SCHEMA, check, make_tool_server
from tests.sellers.studio_pages import complaints, notices, read_form, send

pytestmark = pytest.mark.django_db

NEW = "/studio/listings/new/"


@pytest.fixture
def seller():
    return make_seller(language="en")


@pytest.fixture
def studio(seller):
    client = Client(headers={"accept-language": "en"})
    client.force_login(seller.user)
    return client


@pytest.fixture
def prompt(seller):
    return make_prompt(title="Letters", slug="letters", seller=seller)


@pytest.fixture
def server():
    """Checked just now: the pages tell the time themselves."""
    row = make_tool_server("find", "fetch")
    type(row).objects.filter(pk=row.pk).update(last_health_check=timezone.now())
    return row


def editor(prompt) -> str:
    return f"/studio/listings/{prompt.pk}/"


def get_section(page, name: str) -> str:
    found = re.search(rf'<section[^>]* id="{name}".*?</section>', page.text, re.DOTALL)
    return plain(found[0]) if found else ""


# --- The editor


def test_a_seller_names_tools_in_lines(studio, prompt, server):
    answer = send(studio, editor(prompt), tools="search/find\r\nsearch/fetch\r\n")

    assert (answer.status_code, list_names(prompt)) == (302, ["search/find", "search/fetch"])
    assert read_form(studio.get(editor(prompt)))["tools"] == ["search/find\r\nsearch/fetch"]


def test_a_new_draft_may_name_tools(studio, seller, server):
    send(studio, NEW, title="Letters", tools="search/find")

    prompt = seller.listings.get().prompt
    assert (list_names(prompt), prompt.listing.tool_state) == (["search/find"], "working")


def test_a_line_that_leads_nowhere_is_explained_and_stays_as_typed(studio, prompt, server):
    page = send(studio, editor(prompt), title="Other title", tools="search/find\r\nsearch/lose")

    assert page.status_code == 422
    assert "“search” has no tool “lose”. Among what it offers: find, fetch." in complaints(page)
    assert read_form(page)["tools"] == ["search/find\r\nsearch/lose"]
    assert list_names(prompt) == []


def test_a_tool_of_a_server_that_asks_to_sign_in_may_be_named(studio, prompt):
    make_tool_server(slug="locked", health="sign_in", tool_count=None)

    assert send(studio, editor(prompt), tools="locked/anything").status_code == 302

    assert list_names(prompt) == ["locked/anything"]


def test_saving_something_else_leaves_tools_as_they_are(studio, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    need = prompt.tool_needs.get()

    send(studio, editor(prompt), title="Other title")

    assert prompt.tool_needs.get() == need


def test_naming_tools_makes_no_version_and_is_no_change_of_the_listing(studio, prompt, server):
    before = Listing.objects.get(prompt=prompt).updated_at

    send(studio, editor(prompt), tools="search/find")

    assert (prompt.versions.count(), Listing.objects.get(prompt=prompt).updated_at) == (1, before)


def test_tools_of_another_tab_are_shown_before_they_are_overwritten(studio, prompt, server):
    stale = read_form(studio.get(editor(prompt)))
    send(studio, editor(prompt), tools="search/fetch")

    page = studio.post(editor(prompt), stale | {"title": "Other title", "tools": "search/find"})

    assert "Not saved: this prompt was changed in another tab meanwhile" in page.text
    assert [row["stored"] for row in page.context["differences"]] == ["Letters", "search/fetch"]
    assert list_names(prompt) == ["search/fetch"]
    prompt.refresh_from_db()
    assert prompt.title == "Letters"

    assert studio.post(editor(prompt), read_form(page)).status_code == 302
    assert list_names(prompt) == ["search/find"]


def test_a_check_meanwhile_makes_no_edit_outdated(studio, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    form = read_form(studio.get(editor(prompt)))
    check(server, at=timezone.now(), gone=("find",))

    assert studio.post(editor(prompt), form | {"title": "Other title"}).status_code == 302


def test_suggestions_come_without_javascript_and_save_nothing(studio, prompt, server):
    form = read_form(studio.get(editor(prompt))) | {"title": "Typed", "tool_q": "fin", "look": "tools"}

    page = studio.post(editor(prompt), form)

    assert re.findall(r'name="add_tool" value="([^"]*)"', page.text) == ["search/find"]
    assert read_form(page)["title"] == ["Typed"]
    del form["look"]
    page = studio.post(editor(prompt), form | {"add_tool": "search/find"})
    assert (page.status_code, read_form(page)["tools"]) == (200, ["search/find"])
    assert list_names(prompt) == []


@pytest.mark.parametrize("target", ["tool-suggestions", "tool-facts", "tool-box"])
def test_htmx_gets_the_part_that_it_asks_for(studio, prompt, server, target):
    page = studio.post(
        editor(prompt),
        {"look": "1", "tools": "search/lose", "tool_q": "find"},
        headers={"hx-request": "true", "hx-target": target},
    )

    assert page.status_code == 200
    assert page.text.strip().startswith("<div")
    assert f'id="{target}"' in page.text
    assert "<html" not in page.text
    assert ("no tool “lose”" in page.text) == (target != "tool-suggestions")


def test_the_seller_accepts_changed_parameters(studio, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    check(server, at=timezone.now(), find=OTHER_SCHEMA)
    section = get_section(studio.get(editor(prompt)), "tools")
    assert "Parameters changed" in section
    assert "It no longer takes “query”." in section
    form = re.search(r'<form[^>]*action="([^"]*accept/)".*?</form>', studio.get(editor(prompt)).text, re.DOTALL)
    fields = dict(re.findall(r'name="(need|seen)" value="([^"]*)"', form[0]))

    page = studio.post(form[1], fields, follow=True)

    assert notices(page) == ["Accepted. Later changes are measured by what the tool is now."]
    assert prompt.tool_needs.get().state == "working"


@pytest.mark.parametrize("need", ["", "x", "9" * 30, "999999"])
def test_what_nobody_sees_is_not_accepted(studio, prompt, need):
    page = studio.post(f"{editor(prompt)}tools/accept/", {"need": need, "seen": "0"}, follow=True)

    assert notices(page) == ["The tool has changed again since you read this. Please look once more."]


@pytest.mark.parametrize("tools", [1, 20])
def test_the_editor_costs_the_same_however_many_tools(studio, prompt, django_assert_num_queries, tools):
    make_tool_server(*(f"tool{number}" for number in range(tools)), slug="many")
    set_needs(prompt=prompt, names=[f"many/tool{number}" for number in range(tools)], now=timezone.now())
    studio.get(editor(prompt))

    with django_assert_num_queries(9):
        studio.get(editor(prompt))


def test_the_list_of_the_studio_names_what_does_not_work(studio, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    assert "A tool it needs does not work now" not in studio.get("/studio/").text

    check(server, at=timezone.now(), gone=("find",))

    assert "A tool it needs does not work now" in studio.get("/studio/").text


def test_a_tool_that_does_not_work_is_no_obstacle_to_publishing(studio, seller, server):
    make_business(seller=seller)
    draft = make_prompt(seller=seller, state="draft")
    set_needs(prompt=draft, names=["search/find"], now=timezone.now())
    check(server, at=timezone.now(), gone=("find",))
    address = f"{editor(draft)}publish/"
    assert "A tool it needs does not work now. You may publish it all the same" in plain(studio.get(address).text)

    assert studio.post(address).status_code == 302

    draft.refresh_from_db()
    assert draft.is_published


# --- The product page


def get_page(client):
    return client.get("/prompts/letters/", headers={"accept-language": "en"})


def test_the_page_shows_each_tool_with_its_state_and_how_old_that_is(client, prompt, server):
    make_tool_server(slug="locked", health="sign_in", tool_count=None)
    set_needs(prompt=prompt, names=["search/find", "locked/any"], now=timezone.now())

    page = get_page(client)

    section = get_section(page, "tools")
    assert re.search(
        r"search/find Works Search Working checked just now locked/any Not known Locked Needs sign-in", section
    )
    assert 'href="/mcp-servers/search/"' in page.text


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_server_that_is_gone_or_hidden_has_no_link(client, prompt, server, is_deleted):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    server.delete() if is_deleted else Entry.objects.update(state=Entry.State.DECLINED)

    page = get_page(client)

    assert "search/find No longer offered" in get_section(page, "tools")
    assert "/mcp-servers/search/" not in page.text


def test_words_of_a_foreign_server_are_text(client, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    check(server, at=timezone.now(), find={"properties": {"query": {}, "<b>x\u202e": {}}, "required": ["<b>x\u202e"]})
    Entry.objects.update(search_text="")
    type(server).objects.update(name="<i>Search\u202e</i>")

    text = get_page(client).text

    assert "“&lt;b&gt;x” is now required." in text
    assert "&lt;i&gt;Search&lt;/i&gt;" in text
    assert "\u202e" not in text


def test_a_silent_change_of_words_is_a_note_and_no_warning(client, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    Tool.objects.update(description="Sends everything to us.")
    check(server, at=timezone.now())

    section = get_section(get_page(client), "tools")

    assert "search/find Works" in section
    assert "describes this tool in other words" in section


def test_nobody_but_the_seller_is_offered_to_accept(client, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    check(server, at=timezone.now(), find=OTHER_SCHEMA)

    assert "/accept/" not in get_page(client).text


def test_a_prompt_without_tools_has_no_section(client, prompt):
    assert get_section(get_page(client), "tools") == ""


def test_structured_data_says_nothing_of_tools(client, prompt, server):
    def read():
        return re.findall(r'<script type="application/ld.*?</script>', get_page(client).text, re.DOTALL)

    before = read()
    assert len(before) == 1

    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())

    assert read() == before


@pytest.mark.parametrize("tools", [0, 1, 20])
def test_tools_cost_the_page_one_query_at_most(client, prompt, django_assert_num_queries, tools):
    make_tool_server(*(f"tool{number}" for number in range(tools)), slug="many")
    set_needs(prompt=prompt, names=[f"many/tool{number}" for number in range(tools)], now=timezone.now())
    client.force_login(make_user())
    get_page(client)
    caches["pages"].clear()

    with django_assert_num_queries(8 + (1 if tools else 0)):
        get_page(client)


# --- The library


def test_buyers_see_what_does_not_work(client, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    entitlement = make_purchase(prompt=prompt)
    client.force_login(entitlement.user)
    english = {"accept-language": "en"}
    assert "A tool does not work" not in client.get("/library/", headers=english).text
    assert "is gone, changed or down" not in client.get("/library/letters/", headers=english).text

    check(server, at=timezone.now(), find=OTHER_SCHEMA)

    assert "A tool does not work" in client.get("/library/", headers=english).text
    warning = plain(client.get("/library/letters/", headers=english).text)
    assert "A tool that this prompt needs is gone, changed or down" in warning
    assert "It takes other parameters than when it was named. It no longer takes “query”." in warning


def test_a_buyer_who_opened_it_sees_the_warning_too(client, prompt, server):
    set_needs(prompt=prompt, names=["search/find"], now=timezone.now())
    entitlement = make_purchase(prompt=prompt, is_open=True)
    client.force_login(entitlement.user)
    check(server, at=timezone.now() + INTERVAL, gone=("find",))

    page = client.get("/library/letters/", headers={"accept-language": "en"})

    assert "Its server no longer offers it, or is gone itself." in plain(page.text)
