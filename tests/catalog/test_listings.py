"""Listings: created, changed, published, withdrawn, removed, and adopted from other programs."""

import pytest
from django.db import connection

from catalog.browse import BrowseQuery, find_prompts
from catalog.listings import (
    ListingRefused,
    adopt_prompts,
    change_listing,
    create_listing,
    find_free_slug,
    guess_language,
    index_seller,
    publish_prompt,
    remove_prompt,
    save_text,
    withdraw_prompt,
)
from catalog.models import Listing, Prompt, PromptVersion
from tests.factories import NOON, make_prompt, make_seller

pytestmark = pytest.mark.django_db


def create(title="블로그 글쓰기", state="published", **fields):
    columns = {
        "title": title,
        "description": "**무엇을** 하나요",
        "price": 3_000,
        "prompt_text": "{{주제}}로 쓴다.\n\n끝.",
    }
    return create_listing(prompt_fields={**columns, **fields}, seller=None, state=state, now=NOON)


def listed(**query) -> list[str]:
    return [prompt.title for prompt in find_prompts(BrowseQuery(**query)).prompts]


def test_a_new_listing_is_described_versioned_and_found():
    prompt = create(tags=["글"], file_url="private://a.md")

    listing = Listing.objects.get(prompt=prompt)
    assert (listing.slug, listing.state, listing.published_at) == ("블로그-글쓰기", "published", NOON)
    assert listing.summary == "무엇을 하나요"
    assert listing.description_html == "<p><strong>무엇을</strong> 하나요</p>"
    assert (listing.text_length, listing.line_count, listing.variable_count) == (15, 2, 1)
    version = PromptVersion.objects.get(prompt=prompt)
    assert (version.number, version.prompt_text, version.file_url) == (1, prompt.prompt_text, "private://a.md")
    assert listed(text="블로그", tags=("글",)) == ["블로그 글쓰기"]


def test_a_draft_is_not_published():
    prompt = create(state="draft")

    assert not Prompt.objects.get(pk=prompt.pk).is_published
    assert prompt.listing.published_at is None
    assert listed() == []


def test_a_taken_address_gets_a_number():
    assert [create().listing.slug for _ in range(3)] == ["블로그-글쓰기", "블로그-글쓰기-2", "블로그-글쓰기-3"]


@pytest.mark.parametrize(("title", "slug"), [("!!!", "prompt"), ("A" * 300, "a" * 100), ("\u1100\u1161 B", "가-b")])
def test_any_title_makes_an_address(title, slug):
    assert find_free_slug(title) == slug


def test_many_of_one_title_still_find_addresses():
    slugs = {create("같은 제목").listing.slug for _ in range(12)}

    assert len(slugs) == 12


def test_an_address_taken_meanwhile_is_given_up(monkeypatch):
    create()
    monkeypatch.setattr("catalog.listings.find_free_slug", lambda text: "블로그-글쓰기")

    prompt = create()

    assert prompt.listing.slug.startswith("블로그-글쓰기-")
    assert Prompt.objects.count() == Listing.objects.count() == 2


def test_publishing_moves_state_and_column_together_and_once():
    prompt = create(state="draft")

    assert publish_prompt(prompt=prompt, now=NOON)
    assert not publish_prompt(prompt=prompt, now=NOON)

    assert prompt.is_published
    assert Listing.objects.get().state == "published"
    assert listed() == [prompt.title]


@pytest.mark.parametrize("missing", ["title", "prompt_text"])
def test_what_is_empty_cannot_be_published(missing):
    prompt = create(state="draft", **{missing: "  "})

    with pytest.raises(ListingRefused):
        publish_prompt(prompt=prompt, now=NOON)

    assert Listing.objects.get().state == "draft"


def test_withdrawing_keeps_the_row_and_says_why():
    prompt = create()

    assert withdraw_prompt(prompt=prompt, reason="새로 쓰는 중", now=NOON)
    assert not withdraw_prompt(prompt=prompt, reason="다시", now=NOON)

    listing = Listing.objects.get()
    assert (listing.state, listing.state_reason) == ("withdrawn", "새로 쓰는 중")
    assert not Prompt.objects.get().is_published
    assert listed() == []


def test_a_draft_cannot_be_withdrawn():
    prompt = create(state="draft")

    assert not withdraw_prompt(prompt=prompt, reason="", now=NOON)
    assert Listing.objects.get().state == "draft"


def test_what_staff_removed_only_staff_brings_back():
    prompt = create()
    assert remove_prompt(prompt=prompt, reason="copied", now=NOON)
    assert not remove_prompt(prompt=prompt, reason="again", now=NOON)

    with pytest.raises(ListingRefused):
        publish_prompt(prompt=prompt, now=NOON)
    assert not withdraw_prompt(prompt=prompt, reason="", now=NOON)
    assert listed() == []

    assert publish_prompt(prompt=prompt, now=NOON, is_staff_decision=True)
    assert Listing.objects.get().state_reason == ""
    assert listed() == [prompt.title]


def test_a_new_text_is_a_new_version_and_the_old_one_stays():
    prompt = create()

    version = save_text(prompt=prompt, prompt_text="새 글", note="짧게", now=NOON)
    assert save_text(prompt=prompt, prompt_text="새 글", now=NOON) is None

    assert (version.number, version.note) == (2, "짧게")
    assert list(PromptVersion.objects.order_by("number").values_list("prompt_text", flat=True)) == [
        "{{주제}}로 쓴다.\n\n끝.",
        "새 글",
    ]
    assert Listing.objects.get().text_length == 3


def test_a_change_without_a_new_text_makes_no_version():
    prompt = create()

    change_listing(
        prompt=prompt, now=NOON, prompt_fields={"title": "요약", "price": 0}, listing_fields={"model": "GPT-4o"}
    )

    assert PromptVersion.objects.count() == 1
    assert listed(text="요약", free_only=True, model="GPT-4o") == ["요약"]
    assert listed(text="블로그") == []


def test_a_change_to_what_is_there_already_writes_nothing(django_assert_num_queries):
    prompt = create()

    with django_assert_num_queries(0):
        change_listing(prompt=prompt, now=NOON, prompt_fields={"price": 3_000})


def test_a_sellers_prompts_leave_and_return_with_the_seller():
    seller = make_seller()
    make_prompt(title="A", seller=seller)
    seller.status = "suspended"
    seller.save()

    assert index_seller(seller=seller) == 1
    assert listed() == []

    seller.status = "active"
    seller.save()
    index_seller(seller=seller)
    assert listed() == ["A"]


# --- Other programs


def insert_prompt(title="남이 쓴 글", *, is_published=True, tags="[]", description=None) -> None:
    """As another program writes a row: by the columns of the document alone."""
    from uuid import uuid4

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO prompts (id, created_at, title, description, price, prompt_text, tags, is_published) "
            "VALUES (%s, %s, %s, %s, 1000, 'text', %s, %s)",
            [
                uuid4() if connection.vendor == "postgresql" else str(uuid4()),
                "2025-01-02T03:04:05.678Z",
                title,
                description,
                tags,
                is_published if connection.vendor == "postgresql" else int(is_published),
            ],
        )


def test_rows_of_other_programs_are_adopted_once():
    insert_prompt(tags='["하나"]')
    insert_prompt("Hidden", is_published=False)
    assert listed() == []

    assert adopt_prompts(now=NOON, is_dry_run=True) == 2
    assert Listing.objects.count() == 0
    assert adopt_prompts(now=NOON) == 2
    assert adopt_prompts(now=NOON) == 0

    assert listed(text="남이", tags=("하나",)) == ["남이 쓴 글"]
    assert dict(Listing.objects.values_list("slug", "state")) == {"남이-쓴-글": "published", "hidden": "withdrawn"}
    assert PromptVersion.objects.count() == 2


def test_what_another_program_changed_is_taken_over():
    prompt = create()
    hidden = create("Hidden")
    Prompt.objects.filter(pk=prompt.pk).update(
        title="새 제목", price=0, tags=["새"], prompt_text="새 글", description="새"
    )
    Prompt.objects.filter(pk=hidden.pk).update(is_published=False)

    assert adopt_prompts(now=NOON, is_dry_run=True) == 2
    assert adopt_prompts(now=NOON) == 2
    assert adopt_prompts(now=NOON) == 0

    assert listed(text="제목", free_only=True, tags=("새",)) == ["새 제목"]
    assert listed(text="블로그") == []
    assert Listing.objects.get(prompt=prompt).summary == "새"
    assert Listing.objects.get(prompt=hidden).state == "withdrawn"
    assert list(PromptVersion.objects.filter(prompt=prompt).values_list("number", flat=True)) == [1, 2]


def test_a_text_that_its_seller_saves_in_the_same_moment_stays_the_last_version():
    prompt, is_saved = create(prompt_text="One."), []

    def save_before_versions_are_read(execute, sql, params, many, context):
        if "prompt_versions" in sql and not is_saved:
            is_saved.append(True)
            change_listing(prompt=Prompt.objects.get(), prompt_fields={"prompt_text": "Two."}, now=NOON)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(save_before_versions_are_read):
        adopted = adopt_prompts(now=NOON)

    assert is_saved
    assert list(prompt.versions.order_by("number").values_list("prompt_text", flat=True)) == ["One.", "Two."]
    assert adopted == 0


def test_adopting_goes_in_batches(monkeypatch):
    monkeypatch.setattr("catalog.listings.BATCH_SIZE", 2)
    for n in range(5):
        insert_prompt(f"Row {n}")

    assert adopt_prompts(now=NOON) == 5
    assert len(listed()) == 5


@pytest.mark.parametrize(("text", "language"), [("번역 prompt", "ko"), ("Only English", "en"), ("", "en")])
def test_the_language_is_guessed_from_the_script(text, language):
    assert guess_language(text) == language
