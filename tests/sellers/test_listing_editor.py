"""The editor: drafts, saves that overwrite nothing unseen, the checklist, publishing and withdrawing."""

import re
import uuid

import pytest
from django.utils import translation

from catalog.editing import EditOutdated, EditRefused, digest_edit, save_edit, start_draft
from catalog.listings import ListingRefused, change_listing, publish_prompt, remove_prompt, withdraw_prompt
from catalog.models import Listing, Prompt, PromptVersion
from tests.catalog.pages import plain
from tests.factories import NOON, make_business, make_prompt, make_purchase, make_seller
from tests.sellers.studio_pages import complaints, notices, read_form, send

pytestmark = pytest.mark.django_db

NEW = "/studio/listings/new/"
WHOLE = {
    "title": "손님에게 보내는 편지",
    "price": "9,900",
    "description": "**편지**를 써요.",
    "prompt_text": "{{손님}}에게 편지를 쓴다.\r\n\r\n{{날씨}} 이야기로 시작한다.",
    "tags": "글쓰기, #Mail",
    "model": "GPT-5",
    "output_kind": "text",
    "language": "ko",
}


def editor(prompt) -> str:
    return f"/studio/listings/{prompt.pk}/"


def stored(prompt) -> Prompt:
    return Prompt.objects.select_related("listing").get(pk=prompt.pk)


# --- Beginning


def test_a_title_is_enough_for_a_draft(studio, seller):
    answer = send(studio, NEW, title="편지")

    prompt = Prompt.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, editor(prompt))
    assert (prompt.title, prompt.price, prompt.prompt_text, prompt.is_published) == ("편지", 0, "", False)
    assert (prompt.listing.seller, prompt.listing.state, prompt.listing.slug) == (seller, "draft", "편지")


def test_everything_typed_is_stored_as_the_shop_uses_it(studio):
    send(studio, NEW, **WHOLE)

    prompt = Prompt.objects.get()
    assert (prompt.price, prompt.tags) == (9_900, ["글쓰기", "mail"])
    assert prompt.prompt_text == "{{손님}}에게 편지를 쓴다.\n\n{{날씨}} 이야기로 시작한다."
    assert prompt.listing.description_html == "<p><strong>편지</strong>를 써요.</p>"
    assert (prompt.listing.model, prompt.listing.variable_count) == ("GPT-5", 2)
    assert PromptVersion.objects.get().prompt_text == prompt.prompt_text


def test_a_draft_without_a_title_is_refused_and_keeps_everything_else(studio):
    page = send(studio, NEW, **WHOLE | {"title": "  "})

    assert page.status_code == 422
    assert complaints(page) == "One thing to correct Title : Type a title. It is all that a draft needs."
    assert read_form(page) | {"title": []} == read_form(studio.get(NEW)) | {
        **{name: [value] for name, value in WHOLE.items()},
        "title": [],
        "token": read_form(page)["token"],
    }
    assert Prompt.objects.count() == 0


def test_two_clicks_make_one_draft(studio):
    form = read_form(studio.get(NEW)) | {"title": "편지", "tags": "#글, mail"}

    answers = [studio.post(NEW, form) for _ in range(2)]

    assert [answer["Location"] for answer in answers] == [editor(Prompt.objects.get())] * 2


def test_whoever_goes_back_and_types_on_loses_nothing(studio):
    form = read_form(studio.get(NEW)) | {"title": "편지"}
    studio.post(NEW, form)

    page = studio.post(NEW, form | {"description": "Later thought."})

    prompt = Prompt.objects.get()
    assert page.status_code == 422
    assert read_form(page)["description"] == ["Later thought."]
    assert studio.post(editor(prompt), read_form(page)).status_code == 302
    assert stored(prompt).description == "Later thought."


def test_the_same_token_of_another_seller_is_another_draft(seller):
    token = uuid.uuid4()

    mine, _ = start_draft(seller=seller, token=token, prompt_fields={"title": "A"}, listing_fields={}, now=NOON)
    other, is_new = start_draft(
        seller=make_seller(), token=token, prompt_fields={"title": "B"}, listing_fields={}, now=NOON
    )

    assert (is_new, mine.pk != other.pk) == (True, True)


def test_a_new_listing_speaks_the_sellers_language(studio, seller):
    seller.language = "en"
    seller.save()

    send(studio, NEW, title="Letters")

    assert Listing.objects.get().language == "en"


# --- Limits


@pytest.mark.parametrize(
    ("typed", "price_krw"),
    [("0", 0), ("100", 100), ("10,000,000", 10_000_000), ("９９００원", 9_900), (" ₩9 900 ", 9_900), ("", 0)],
)
def test_a_price_may_be_typed_in_many_ways(studio, typed, price_krw):
    send(studio, NEW, title="편지", price=typed)

    assert Prompt.objects.get().price == price_krw


@pytest.mark.parametrize("typed", ["99", "1", "10,000,001", "-100", "100.5", "만원", "1e4", "9" * 40])
def test_other_prices_are_refused_with_the_rule(studio, typed):
    page = send(studio, NEW, title="편지", price=typed)

    assert page.status_code == 422
    assert "A price is 0, which is free, or 100 to 10,000,000 won." in complaints(page)
    assert read_form(page)["price"] == [typed]


@pytest.mark.parametrize("price_krw", [1, 99, 10_000_001])
def test_no_use_case_stores_another_price(seller, price_krw):
    with pytest.raises(EditRefused):
        start_draft(
            seller=seller,
            token=uuid.uuid4(),
            prompt_fields={"title": "A", "price": price_krw},
            listing_fields={},
            now=NOON,
        )
    prompt = make_prompt(seller=seller)
    with pytest.raises(ListingRefused):
        change_listing(prompt=prompt, prompt_fields={"price": price_krw}, now=NOON)

    assert list(Prompt.objects.values_list("price", flat=True)) == [5_000]


def test_nine_tags_are_too_many(studio):
    page = send(studio, NEW, title="편지", tags="a, b, c, d, e, f, g, h, i")

    assert "These are 9 tags, and a prompt has at most 8." in complaints(page)
    assert read_form(page)["tags"] == ["a, b, c, d, e, f, g, h, i"]


def test_a_tag_that_would_be_cut_is_refused_instead(studio):
    assert "is longer than 40 characters" in complaints(send(studio, NEW, title="편지", tags="t" * 41))


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("title", "t" * 121, "This has 121 characters, and at most 120 are possible."),
        ("title", "invoice\u202efdp", "The title holds a character that cannot be seen."),
        ("prompt_text", "x" * 100_001, "This has 100001 characters"),
        ("description", "x" * 50_001, "This has 50001 characters"),
        ("model", "m" * 61, "This has 61 characters"),
        ("output_kind", "video", "Select a valid choice."),
    ],
)
def test_what_is_too_long_or_unknown_is_named(studio, field, value, complaint):
    page = send(studio, NEW, **WHOLE | {field: value})

    assert page.status_code == 422
    assert complaint in complaints(page)
    assert Prompt.objects.count() == 0


def test_popular_tags_are_boxes_and_join_those_that_are_typed(studio, seller):
    make_prompt(tags=["mail", "report"])
    prompt = make_prompt(seller=seller, state="draft", tags=["mail", "letters"])

    form = read_form(studio.get(editor(prompt)))
    assert (form["tag_boxes"], form["tags"]) == (["mail"], ["letters"])
    studio.post(editor(prompt), form | {"tag_boxes": ["report"], "tags": "letters, new"})

    assert stored(prompt).tags == ["letters", "report", "new"]


# --- Rows of other programs


def test_a_row_of_another_program_keeps_what_the_seller_does_not_touch(studio, seller):
    tags = ["#Mail", 7, {"odd": None}, "두  칸", *(f"t{n}" for n in range(11))]
    prompt = make_prompt(
        title=" " + "긴 제목 " * 40,
        description=None,
        price=50,
        tags=tags,
        prompt_text="line\r\nline\r\n ",
        seller=seller,
        listing={"language": "ja", "model": "any"},
    )

    assert send(studio, editor(prompt), model="GPT-5").status_code == 302

    row = stored(prompt)
    assert (row.title, row.description, row.price) == (" " + "긴 제목 " * 40, None, 50)
    assert (row.tags, row.prompt_text, row.listing.language) == (tags, "line\r\nline\r\n ", "ja")
    assert row.listing.model == "GPT-5"
    assert PromptVersion.objects.count() == 1


@pytest.mark.parametrize("tags", [None, {}, "mail", 7, [["mail"]], {"mail": 1}])
def test_tags_of_any_shape_open_and_stay(studio, seller, tags):
    prompt = make_prompt(seller=seller, tags=tags or [])
    Prompt.objects.filter(pk=prompt.pk).update(tags=tags if tags is not None else [])

    send(studio, editor(prompt), title="Another title")

    assert stored(prompt).tags == (tags if tags is not None else [])


def test_a_new_tag_leaves_what_is_no_tag_of_ours(studio, seller):
    prompt = make_prompt(seller=seller, tags=["#Mail", 7])

    send(studio, editor(prompt), tags="mail, new")

    assert stored(prompt).tags == ["#Mail", 7, "new"]


# --- Saving


def test_an_untouched_form_writes_nothing(studio, seller):
    prompt = make_prompt(seller=seller, listing={"updated_at": NOON})

    assert send(studio, editor(prompt)).status_code == 302

    assert stored(prompt).listing.updated_at == NOON


def test_saving_what_is_on_sale_takes_effect_at_once_and_makes_a_version(studio, seller, client):
    prompt = make_prompt(slug="letters", seller=seller)

    answer = send(studio, editor(prompt), title="New title", prompt_text="New text", note="짧게 고쳤어요.")

    assert "New title" in client.get("/prompts/letters/").text
    version = prompt.versions.get(number=2)
    assert (version.prompt_text, version.note, version.title) == ("New text", "짧게 고쳤어요.", "New title")
    assert notices(studio.get(answer["Location"])) == ["Saved. Buyers now get version 2."]


def test_the_page_says_that_a_save_takes_effect_at_once(studio, seller):
    on_sale = studio.get(editor(make_prompt(seller=seller))).text
    draft = studio.get(editor(make_prompt(seller=seller, state="draft"))).text

    assert "Save, for buyers at once" in on_sale
    assert "becomes a new version, which everybody who bought the prompt gets" in on_sale
    assert "Save, for buyers at once" not in draft


def test_a_note_without_a_new_text_is_not_dropped_in_silence(studio, seller):
    prompt = make_prompt(seller=seller)

    page = send(studio, editor(prompt), title="New title", note="Fixed a typo.")

    assert page.status_code == 422
    assert "there is no new version that this could be said of" in complaints(page)
    assert read_form(page)["note"] == ["Fixed a typo."]
    assert stored(prompt).title == prompt.title


def test_the_address_follows_the_title_until_it_was_on_sale(studio, seller):
    make_business(seller=seller)
    send(studio, NEW, **WHOLE)
    prompt = Prompt.objects.get()

    send(studio, editor(prompt), title="보고서")
    assert stored(prompt).listing.slug == "보고서"
    publish_prompt(prompt=prompt, now=NOON)
    withdraw_prompt(prompt=prompt, reason="", now=NOON)
    send(studio, editor(prompt), title="계획서")

    assert (stored(prompt).title, stored(prompt).listing.slug) == ("계획서", "보고서")


def test_an_address_that_fits_the_title_already_stays(studio, seller):
    make_prompt(slug="letters")
    prompt = make_prompt(title="Letters!", slug="letters-2", seller=seller, state="draft")
    Listing.objects.filter(prompt=prompt).update(published_at=None)

    send(studio, editor(prompt), title="Letters?")

    assert stored(prompt).listing.slug == "letters-2"


@pytest.mark.parametrize("field", ["title", "description", "prompt_text"])
def test_what_is_on_sale_cannot_lose_what_buyers_need(studio, seller, field):
    prompt = make_prompt(seller=seller)

    assert send(studio, editor(prompt), **{field: ""}).status_code == 422

    assert getattr(stored(prompt), field) == getattr(prompt, field)


def test_what_is_free_cannot_cost_something_before_buyers_know_who_sells(studio, seller):
    prompt = make_prompt(price=0, seller=seller)

    page = send(studio, editor(prompt), price="5000")

    assert "While it is on sale it cannot do without your business facts." in complaints(page)
    make_business(seller=seller)
    assert send(studio, editor(prompt), price="5000").status_code == 302
    assert stored(prompt).price == 5_000


def test_the_price_of_what_is_on_sale_cannot_be_left_empty(studio, seller):
    assert send(studio, editor(make_prompt(seller=seller)), price="").status_code == 422


# --- Two tabs


def test_a_change_in_another_tab_is_shown_before_it_is_overwritten(studio, seller):
    prompt = make_prompt(title="First", description="Before", seller=seller, state="draft")
    tab = read_form(studio.get(editor(prompt)))
    send(studio, editor(prompt), title="From the other tab")

    page = studio.post(editor(prompt), tab | {"title": "Mine", "description": "Typed here"})

    assert page.status_code == 422
    assert [(row["name"], row["stored"]) for row in page.context["differences"]] == [
        ("title", "From the other tab"),
        ("description", "Before"),
    ]
    assert (read_form(page)["title"], read_form(page)["description"]) == (["Mine"], ["Typed here"])
    assert stored(prompt).title == "From the other tab"

    assert studio.post(editor(prompt), read_form(page)).status_code == 302
    assert (stored(prompt).title, stored(prompt).description) == ("Mine", "Typed here")


def test_going_on_sale_meanwhile_counts_as_a_change(studio, seller):
    make_business(seller=seller)
    prompt = make_prompt(seller=seller, state="withdrawn")
    tab = read_form(studio.get(editor(prompt)))
    publish_prompt(prompt=prompt, now=NOON)

    page = studio.post(editor(prompt), tab | {"title": "Mine"})

    assert page.status_code == 422
    assert stored(prompt).title == prompt.title


def test_counters_and_pictures_are_no_change_of_what_one_types(studio, seller):
    prompt = make_prompt(seller=seller)
    tab = read_form(studio.get(editor(prompt)))
    Prompt.objects.update(view_count=9, image_urls=["/media/a.webp"])
    Listing.objects.update(sales_count=3)

    assert studio.post(editor(prompt), tab | {"title": "Mine"}).status_code == 302


def test_a_save_from_what_was_not_seen_writes_nothing(seller):
    prompt = make_prompt(seller=seller)

    with pytest.raises(EditOutdated):
        save_edit(prompt=prompt, seen="0" * 16, prompt_fields={"title": "A"}, listing_fields={}, note="", now=NOON)

    assert stored(prompt).title == prompt.title


def test_a_second_save_of_the_same_makes_no_second_version(seller):
    prompt = make_prompt(seller=seller)
    change = {"prompt_fields": {"prompt_text": "New"}, "listing_fields": {}, "now": NOON}

    first = save_edit(prompt=prompt, seen=digest_edit(prompt), note="Shorter", **change)
    second = save_edit(prompt=prompt, seen=digest_edit(prompt), note="", **change)

    assert (first.number, second) == (2, None)


# --- Looking without saving


def test_a_look_shows_description_and_count_and_saves_nothing(studio):
    page = send(studio, NEW, look="1", **WHOLE | {"description": "# Big\n<script>alert(1)</script>"})

    assert page.status_code == 200
    assert Prompt.objects.count() == 0
    assert "Nothing is saved yet." in page.text
    assert "<h3>Big</h3>" in page.text
    assert "<script>alert" not in page.text
    assert (page.context["variables"], page.context["length"]) == (["손님", "날씨"], 35)
    assert read_form(page)["title"] == [WHOLE["title"]]


@pytest.mark.parametrize(
    ("target", "field", "shown"),
    [
        ("description-look", {"description": "**bold**"}, "<strong>bold</strong>"),
        ("text-facts", {"prompt_text": "{{a}} {{b}} {{a}}"}, "17 characters · 2 variables"),
    ],
)
def test_htmx_gets_the_part_it_asks_for(studio, target, field, shown):
    part = studio.post(NEW, {"look": "1", **field}, headers={"hx-request": "true", "hx-target": target})

    assert part.status_code == 200
    assert shown in " ".join(part.text.split())
    assert "<html" not in part.text


def test_what_may_have_been_meant_as_a_variable_is_said_before_publishing(studio):
    text = "Dear {{guest, <b> hello.\nFrom [Your Name]"
    part = studio.post(
        NEW, {"look": "1", "prompt_text": text}, headers={"hx-request": "true", "hx-target": "text-facts"}
    )

    assert "0 variables" in " ".join(part.text.split())
    assert "“{{guest, &lt;b&gt; hello.” opens a variable and never closes it." in part.text
    assert "look the same: [Your Name]. If you mean one, write {{name}}." in " ".join(part.text.split())


# --- Publishing


def test_publishing_names_everything_that_is_missing_at_once(studio, seller):
    prompt = make_prompt(seller=seller, state="draft", description=None, prompt_text=" ", price=5_000)
    address = f"{editor(prompt)}publish/"

    page = studio.post(address)

    assert page.status_code == 422
    assert complaints(page) == (
        "Not published It cannot be published yet. "
        "Still missing: a description, the prompt itself, your business facts."
    )
    links = page.text.partition('class="checklist"')[2].partition("</ul>")[0]
    assert re.findall('href="([^"]*)"', re.sub("<use[^>]*>", "", links)) == [
        f"{editor(prompt)}#id_description",
        f"{editor(prompt)}#id_prompt_text",
        "/studio/business/",
    ]
    assert not stored(prompt).is_published


def test_a_complete_listing_goes_on_sale_and_its_page_says_for_how_much(studio, seller, client):
    make_business(seller=seller)
    send(studio, NEW, **WHOLE)
    prompt = Prompt.objects.get()

    page = studio.get(f"{editor(prompt)}publish/")
    assert "Publish for ₩9,900" in page.text
    answer = studio.post(f"{editor(prompt)}publish/")

    assert (answer.status_code, answer["Location"]) == (302, editor(prompt))
    assert client.get(prompt.listing.get_absolute_url()).status_code == 200
    assert studio.post(f"{editor(prompt)}publish/").status_code == 302  # a second time changes nothing


def test_what_is_free_needs_no_business_facts_and_says_that_it_is_free(studio, seller):
    prompt = make_prompt(seller=seller, state="draft", price=0)

    assert "Publish for free" in studio.get(f"{editor(prompt)}publish/").text
    studio.post(f"{editor(prompt)}publish/")

    assert stored(prompt).is_published


@pytest.mark.parametrize(
    ("lacks", "named"),
    [
        ({"description": ""}, "a description"),
        ({"price": 5_000}, "your business facts"),
        (
            {"description": None, "price": 50},
            "a price of 0 or of 100 to 10,000,000 won, a description, your business facts",
        ),
    ],
)
def test_the_use_case_refuses_what_lacks_something_by_name(seller, lacks, named):
    prompt = make_prompt(**{"seller": seller, "state": "draft", "price": 0, **lacks})

    with translation.override("en"), pytest.raises(ListingRefused, match=rf"Still missing: {named}\."):
        publish_prompt(prompt=prompt, now=NOON)

    assert publish_prompt(prompt=prompt, now=NOON, is_staff_decision=True)  # house rows and rows of other programs


def test_withdrawing_asks_for_a_reason_that_may_be_empty(studio, seller):
    prompt = make_prompt(seller=seller)

    answer = studio.post(f"{editor(prompt)}withdraw/", {"reason": " 새로 쓰는 중 "})

    assert answer.status_code == 302
    listing = stored(prompt).listing
    assert (listing.state, listing.state_reason) == ("withdrawn", "새로 쓰는 중")
    assert "새로 쓰는 중" in studio.get(editor(prompt)).text
    assert studio.get(f"{editor(prompt)}withdraw/").status_code == 302  # nothing to withdraw any more


def test_what_staff_removed_can_be_edited_but_not_published(studio, seller):
    make_business(seller=seller)
    prompt = make_prompt(seller=seller)
    remove_prompt(prompt=prompt, reason="It names a real person.", now=NOON)

    page = studio.get(editor(prompt))
    assert "It names a real person." in page.text
    assert "publish/" not in page.text
    assert send(studio, editor(prompt), title="Mended").status_code == 302
    refused = studio.post(f"{editor(prompt)}publish/")

    assert refused.status_code == 422
    assert "Our staff took this prompt off sale." in complaints(refused)
    assert (stored(prompt).title, stored(prompt).listing.state) == ("Mended", "removed")


# --- Versions and preview


def test_versions_are_listed_with_notes_and_can_be_read(studio, seller):
    prompt = make_prompt(prompt_text="First text", seller=seller)
    send(studio, editor(prompt), prompt_text="Second text", note="Warmer.")

    page = studio.get(f"{editor(prompt)}versions/?number=1")

    assert "Version 2 Newest just now Warmer. Read" in plain(page.text)
    assert "First text" in page.text
    assert "Second text" not in page.text
    assert studio.get(f"{editor(prompt)}versions/?number=x").status_code == 200


@pytest.mark.parametrize("rows", [1, 15])
def test_versions_cost_the_same_however_many(studio, seller, django_assert_num_queries, rows):
    prompt = make_prompt(seller=seller)
    for number in range(2, rows + 1):
        PromptVersion.objects.create(prompt=prompt, number=number, title="T", prompt_text=f"text {number}")

    with django_assert_num_queries(7):
        studio.get(f"{editor(prompt)}versions/")


@pytest.mark.parametrize("state", ["draft", "published", "withdrawn", "removed"])
def test_the_preview_is_the_page_as_buyers_see_it_without_effect(studio, seller, state):
    prompt = make_prompt(slug="letters", title="Letters", seller=seller, state=state)

    page = studio.get("/prompts/letters/?preview=1")

    assert page.status_code == 200
    assert "Back to the editor" in page.text
    buying = page.text.partition('id="buy-actions"')[2].partition("</section>")[0]
    assert "Buy now" in buying
    assert "<form" not in buying
    assert "<a " not in buying.partition("buy-box__note")[0]
    assert f"/studio/listings/{prompt.pk}/" in page.text


def test_others_see_no_preview(client, seller):
    prompt = make_prompt(slug="letters", seller=seller)
    make_prompt(slug="draft", seller=seller, state="draft")
    client.force_login(make_purchase(prompt=prompt).user)

    assert "Back to the editor" not in client.get("/prompts/letters/?preview=1", headers={"accept-language": "en"}).text
    assert client.get("/prompts/draft/?preview=1").status_code == 404


def test_ones_own_page_leads_to_the_editor(studio, seller):
    prompt = make_prompt(slug="letters", seller=seller)

    assert f'href="/studio/listings/{prompt.pk}/"' in studio.get("/prompts/letters/").text
