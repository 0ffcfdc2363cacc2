"""Prompts and reviews in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from catalog.attachments import attach_file
from catalog.browse import popular_tags
from catalog.models import Listing, Prompt, PromptVersion, Review
from catalog.pictures import add_picture
from marketplace.roles import CATALOGUE
from tests.accounts.pictures import draw, upload
from tests.factories import NOON, make_prompt, make_purchase, make_review, make_seller, make_staff, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def act(client, action, *rows, **data):
    address = f"/admin/catalog/{type(rows[0])._meta.model_name}/"
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], **data}
    page = client.post(address, chosen, follow=True)
    return [str(message) for message in page.context["messages"]]


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_costs_the_same_however_long(staff, count, django_assert_max_num_queries):
    for _ in range(count):
        make_prompt(seller=make_seller())

    with django_assert_max_num_queries(10):
        page = staff.get("/admin/catalog/prompt/")

    assert page.context["cl"].result_count == count


def test_the_text_is_on_no_page_until_somebody_asks_and_then_it_is_logged(staff):
    prompt = make_prompt(title="A", prompt_text="비밀 <b>글</b>", file_url="private://secret.md")

    for address in (
        "/admin/catalog/prompt/",
        "/admin/catalog/prompt/?q=비밀",
        f"/admin/catalog/prompt/{prompt.pk}/change/",
        f"/admin/catalog/prompt/{prompt.pk}/text/",
        f"/admin/catalog/prompt/{prompt.pk}/history/",
    ):
        page = staff.get(address)
        assert page.status_code == 200
        assert "비밀" not in page.text.replace("?q=비밀", "").replace('value="비밀"', "")
        assert "secret.md" not in page.text
    assert LogEntry.objects.count() == 0

    page = staff.post(f"/admin/catalog/prompt/{prompt.pk}/text/")

    assert "비밀 &lt;b&gt;글&lt;/b&gt;" in page.text
    assert "no-store" in page["Cache-Control"]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(prompt.pk), "Looked at the text.")


def test_staff_without_the_right_sees_no_text(client):
    client.force_login(make_user(is_staff=True))

    assert client.post(f"/admin/catalog/prompt/{make_prompt().pk}/text/").status_code == 403


def write_form(prompt: Prompt) -> dict:
    """What the page of a prompt sends, with everything changed that can be, and some that cannot."""
    return {
        "title": "요약",
        "description": "새 **설명**",
        "price": "0",
        "tags": '["새"]',
        "image_urls": "[]",
        "view_count": "999",
        "rating": "1",
        "is_published": "",
        "listing-TOTAL_FORMS": "1",
        "listing-INITIAL_FORMS": "1",
        "listing-0-id": prompt.listing.pk,
        "listing-0-prompt": prompt.pk,
        "listing-0-slug": "yoyak",
        "listing-0-model": "GPT-4o",
        "listing-0-output_kind": "text",
        "listing-0-language": "ko",
        "listing-0-state": "removed",
        "versions-TOTAL_FORMS": "0",
        "versions-INITIAL_FORMS": "0",
    }


def test_a_saved_form_reaches_listing_and_lists_and_leaves_counters_alone(staff):
    prompt = make_prompt(title="번역", view_count=7, rating=4.5, review_count=2, file_url="private://a.md")

    assert staff.post(f"/admin/catalog/prompt/{prompt.pk}/change/", write_form(prompt)).status_code == 302

    saved = Prompt.objects.get()
    assert (saved.title, saved.price, saved.view_count, saved.rating) == ("요약", 0, 7, 4.5)
    assert (saved.is_published, saved.prompt_text, saved.file_url) == (True, prompt.prompt_text, "private://a.md")
    listing = Listing.objects.get()
    assert (listing.slug, listing.summary, listing.state) == ("yoyak", "새 설명", "published")
    assert PromptVersion.objects.filter(file_url="private://a.md").count() == 1
    assert staff.get("/prompts/?q=요약&tag=새&model=GPT-4o").text.count('class="card"') == 1


def test_what_is_counted_while_a_form_is_saved_stays(staff):
    prompt, is_counted = make_prompt(title="번역", view_count=7), []

    def count_before_it_is_written(execute, sql, params, many, context):
        if sql.startswith('UPDATE "prompts"') and not is_counted:
            is_counted.append(True)
            Prompt.objects.update(view_count=9, rating=4.5, review_count=2)
            Listing.objects.update(sales_count=3, state_reason="moved")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count_before_it_is_written):
        assert staff.post(f"/admin/catalog/prompt/{prompt.pk}/change/", write_form(prompt)).status_code == 302

    saved = Prompt.objects.select_related("listing").get()
    assert (saved.title, saved.view_count, saved.rating, saved.review_count) == ("요약", 9, 4.5, 2)
    assert (saved.listing.slug, saved.listing.sales_count, saved.listing.state_reason) == ("yoyak", 3, "moved")


def test_actions_move_prompts_once_and_say_how_many(staff):
    first, second = make_prompt(title="A"), make_prompt(title="B", state="draft")

    assert act(staff, "publish", first, second) == ["1 prompt was changed."]
    assert act(staff, "publish", first, second) == ["0 prompts were changed."]
    assert act(staff, "remove", first) == ["Nothing was removed: the seller needs a reason."]
    assert act(staff, "remove", first, reason="copied") == ["1 prompt was changed."]
    assert act(staff, "withdraw", second, reason="asked") == ["1 prompt was changed."]

    states = Listing.objects.order_by("pk").values_list("state", "state_reason", "prompt__is_published")
    assert list(states) == [("removed", "copied", False), ("withdrawn", "asked", False)]
    assert act(staff, "publish", first) == ["1 prompt was changed."]


def test_what_somebody_bought_is_never_deleted(staff):
    bought, free = make_purchase().prompt, make_prompt()

    assert staff.post(f"/admin/catalog/prompt/{bought.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff.post(f"/admin/catalog/prompt/{free.pk}/delete/", {"post": "yes"}).status_code == 302
    assert "delete_selected" not in staff.get("/admin/catalog/prompt/").text

    assert [prompt.pk for prompt in Prompt.objects.all()] == [bought.pk]


def test_a_deleted_prompt_is_no_longer_counted_among_its_tags(staff):
    gone = make_prompt(tags=["mail"])
    make_prompt(tags=["mail"])

    staff.post(f"/admin/catalog/prompt/{gone.pk}/delete/", {"post": "yes"})

    assert [(row.tag, row.count) for row in popular_tags(8)] == [("mail", 1)]


def test_a_deleted_prompt_leaves_no_file(staff, upload_folders, django_capture_on_commit_callbacks):
    prompt = make_prompt(image_urls=["/media/demo/mail-1.webp", "https://a.example/1.png", 7])
    add_picture(prompt=prompt, upload=upload(draw((700, 500))), alt="", now=NOON)
    for data in (b"first", b"second"):
        attach_file(prompt=prompt, upload=SimpleUploadedFile("a.txt", data), now=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        staff.post(f"/admin/catalog/prompt/{prompt.pk}/delete/", {"post": "yes"})

    assert not Prompt.objects.exists()
    assert [path for path in upload_folders.rglob("*") if path.is_file()] == []


def test_a_prompt_without_a_listing_is_saved_and_waits_for_one(staff):
    bare = Prompt.objects.create(title="Bare", price=0, prompt_text="x")
    form = {"title": "Named", "price": "100", "tags": "[]", "image_urls": "[]"}
    for part in ("listing", "versions"):
        form |= {f"{part}-TOTAL_FORMS": "0", f"{part}-INITIAL_FORMS": "0"}

    assert staff.post(f"/admin/catalog/prompt/{bare.pk}/change/", form).status_code == 302

    bare.refresh_from_db()
    assert (bare.title, bare.price, hasattr(bare, "listing")) == ("Named", 100, False)


def test_a_prompt_of_another_program_without_a_listing_is_shown(staff):
    Prompt.objects.create(title="Bare", price=0, prompt_text="x")

    assert "Bare" in staff.get("/admin/catalog/prompt/").text
    assert staff.get(f"/admin/catalog/prompt/{Prompt.objects.get().pk}/change/").status_code == 200


@pytest.mark.parametrize(("month", "count"), [("2025-01", 1), ("2025-02", 0)])
def test_the_date_drill_down_reads_iso_texts(staff, month, count):
    from datetime import UTC, datetime

    make_prompt(created_at=datetime(2025, 1, 31, 3, tzinfo=UTC))
    year, number = month.split("-")

    page = staff.get(f"/admin/catalog/prompt/?created_at__year={year}&created_at__month={int(number)}")

    assert page.context["cl"].result_count == count


def test_reviews_are_hidden_and_shown_and_never_rewritten(staff):
    review = make_review(prompt=make_prompt(rating=5, review_count=1))

    assert act(staff, "hide", review) == ["Nothing was hidden: the author needs a reason."]
    assert act(staff, "hide", review, reason=" Rude. ") == ["1 review was changed."]
    assert act(staff, "hide", review, reason="Again.") == ["0 reviews were changed."]
    assert Review.objects.values_list("hidden_reason", "hidden_note").get() == ("staff", "Rude.")
    assert Prompt.objects.get().review_count == 0

    assert act(staff, "show", review) == ["1 review was changed."]
    assert Prompt.objects.get().review_count == 1
    page = staff.get(f"/admin/catalog/review/{review.pk}/change/")
    assert not re.search(r'name="(rating|body)"', page.text)
    assert "+00:00" not in page.text  # times are those of Seoul, written out
    assert str(review.author_id) not in page.text.partition("</h2>")[0]


@pytest.mark.parametrize(("is_superuser", "may"), [(True, True), (False, False)])
def test_whose_a_listing_is_only_a_superuser_changes(client, is_superuser, may):
    client.force_login(
        make_user(is_staff=True, is_superuser=True) if is_superuser else make_staff(CATALOGUE, email="c@example.com")
    )
    mine, other = make_seller(), make_seller()
    prompt = make_prompt(seller=mine)
    form = client.get(f"/admin/catalog/prompt/{prompt.pk}/change/").context["inline_admin_formsets"][0].formset
    assert ("seller" in form.forms[0].fields) == may

    data = {
        "title": prompt.title,
        "description": "What it does.",
        "price": "5000",
        "tags": "[]",
        "image_urls": "[]",
        "listing-TOTAL_FORMS": "1",
        "listing-INITIAL_FORMS": "1",
        "listing-0-id": str(prompt.listing.pk),
        "listing-0-prompt": str(prompt.pk),
        "listing-0-slug": prompt.listing.slug,
        "listing-0-seller": str(other.pk),
        "listing-0-model": "",
        "listing-0-output_kind": "text",
        "listing-0-language": "ko",
        "versions-TOTAL_FORMS": "0",
        "versions-INITIAL_FORMS": "0",
    }
    assert client.post(f"/admin/catalog/prompt/{prompt.pk}/change/", data).status_code == 302
    prompt.listing.refresh_from_db()
    assert prompt.listing.seller == (other if may else mine)
