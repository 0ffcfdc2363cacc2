"""The library, the seal, and the guard in front of the text and the file."""

from datetime import timedelta
from io import BytesIO
from urllib.parse import unquote, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from catalog.models import PromptVersion
from checkout.library import (
    Kind,
    NotOwned,
    Revoked,
    Sealed,
    find_entitlement,
    grant_missing_entitlements,
    open_entitlement,
    owned_prompt_ids,
    revoke_entitlement,
    unlock,
)
from checkout.models import AccessEvent, Entitlement, Purchase
from checkout.views.library import CountedStream
from tests.factories import NOON, make_prompt, make_purchase, make_seller

pytestmark = pytest.mark.django_db

EN = {"Accept-Language": "en"}
MARKER = "zq7-only-for-buyers-4471"
WAYS = ["", "?version=1", "text.md", "text.txt", "file/"]


def make_secret(**fields):
    """A prompt whose text and file nobody but a buyer may see."""
    name = storages["private"].save(f"{MARKER}.zip", ContentFile(f"{MARKER} in the file".encode()))
    prompt = make_prompt(
        **{
            "slug": "비밀-글",
            "title": "비밀 글: 손님/편지",
            "prompt_text": f"Write to {{{{guest}}}}. {MARKER}",
            "file_url": f"private://{name}",
            **fields,
        }
    )
    prompt.versions.update(file_url=prompt.file_url)
    return prompt


def read(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


@pytest.mark.parametrize("way", WAYS)
def test_a_visitor_is_sent_to_sign_in(client, buyer, way):
    make_purchase(buyer=buyer, prompt=make_secret(), is_open=True)

    answer = client.get(f"/library/비밀-글/{way}")

    assert urlsplit(answer["Location"]).path == "/accounts/login/"


@pytest.mark.parametrize("way", WAYS)
def test_a_stranger_finds_nothing(buyer, stranger_client, way):
    make_purchase(buyer=buyer, prompt=make_secret(), is_open=True)

    answer = stranger_client.get(f"/library/비밀-글/{way}")

    assert answer.status_code == 404
    assert MARKER.encode() not in read(answer)


@pytest.mark.parametrize("way", WAYS)
def test_a_sealed_purchase_shows_no_text_and_hands_out_nothing(buyer, buyer_client, way):
    make_purchase(buyer=buyer, prompt=make_secret())

    answer = buyer_client.get(f"/library/비밀-글/{way}", follow=True)

    assert answer.status_code == 200
    assert MARKER.encode() not in read(answer)
    assert AccessEvent.objects.count() == 0


@pytest.mark.parametrize("way", WAYS)
def test_after_a_refund_the_row_stays_and_the_text_is_gone(buyer, buyer_client, way):
    entitlement = make_purchase(buyer=buyer, prompt=make_secret(), is_open=True)
    revoke_entitlement(entitlement_id=entitlement.pk, reason="refunded", now=NOON)

    answer = buyer_client.get(f"/library/비밀-글/{way}", follow=True, headers=EN)

    assert answer.status_code == 200
    assert "refunded" in answer.content.decode()
    assert MARKER.encode() not in read(answer)
    assert "비밀 글" in buyer_client.get("/library/").content.decode()


@pytest.mark.parametrize("way", WAYS)
def test_the_owner_of_an_open_purchase_gets_everything(buyer, buyer_client, way):
    make_purchase(buyer=buyer, prompt=make_secret(), is_open=True)

    answer = buyer_client.get(f"/library/비밀-글/{way}")

    assert answer.status_code == 200
    assert MARKER.encode() in read(answer)
    assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


@pytest.mark.parametrize("action", ["open", "cancel", "copied"])
def test_a_stranger_can_do_nothing_to_somebodys_purchase(buyer, stranger_client, client, action):
    entitlement = make_purchase(buyer=buyer, prompt=make_secret())

    assert stranger_client.post(f"/library/비밀-글/{action}/").status_code == 404
    assert urlsplit(client.post(f"/library/비밀-글/{action}/")["Location"]).path == "/accounts/login/"
    entitlement.refresh_from_db()
    assert entitlement.is_sealed
    assert not entitlement.is_revoked


def test_opening_breaks_the_seal_once_and_stores_wording_version_and_time(buyer, buyer_client):
    entitlement = make_purchase(buyer=buyer, prompt=make_secret())

    for _ in range(2):
        answer = buyer_client.post("/library/비밀-글/open/")

    assert unquote(answer["Location"]) == "/library/비밀-글/"
    entitlement.refresh_from_db()
    assert not entitlement.is_sealed
    event = AccessEvent.objects.get()
    assert (event.kind, event.wording_version, event.version.number) == ("opened", "2026-11", 1)
    assert event.at == entitlement.opened_at


def test_looking_at_a_page_never_opens_a_seal(buyer, buyer_client):
    entitlement = make_purchase(buyer=buyer, prompt=make_secret())

    assert buyer_client.get("/library/비밀-글/open/").status_code == 405
    buyer_client.get("/library/비밀-글/")
    buyer_client.head("/library/비밀-글/")

    entitlement.refresh_from_db()
    assert entitlement.is_sealed


def test_the_file_arrives_whole_under_a_safe_korean_name_and_counts_once(buyer, buyer_client):
    prompt = make_secret()
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)

    answer = buyer_client.get("/library/비밀-글/file/")

    assert read(answer) == f"{MARKER} in the file".encode()
    assert unquote(answer["Content-Disposition"]) == "attachment; filename*=utf-8''비밀 글 손님 편지.zip"
    assert int(answer["Content-Length"]) == len(f"{MARKER} in the file")
    prompt.refresh_from_db()
    assert prompt.download_count == 1
    assert list(AccessEvent.objects.values_list("kind", flat=True).order_by("pk"))[1:] == ["file_downloaded"]


def test_a_transfer_that_breaks_off_is_not_counted_and_closes_its_file(buyer):
    prompt = make_secret()
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)
    unlocked = unlock(user=buyer, slug="비밀-글", kind=Kind.FILE_DOWNLOADED, now=NOON)
    file = BytesIO(b"one two")
    stream = CountedStream([b"one ", b"two"], unlocked=unlocked, kind=Kind.FILE_DOWNLOADED, file=file)

    assert next(iter(stream)) == b"one "
    stream.close()

    prompt.refresh_from_db()
    assert prompt.download_count == 0
    assert file.closed


@pytest.mark.parametrize(
    "file_url",
    [
        *("private://no-such.zip", "private://", "private://../../etc/passwd", "private:///etc/passwd"),
        *("file:///etc/passwd", f"private://{'a' * 400}"),
    ],
)
def test_a_file_that_is_not_there_is_said_to_be_missing_and_not_counted(buyer, buyer_client, file_url):
    prompt = make_prompt(slug="letter", file_url=file_url)
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)

    answer = buyer_client.get("/library/letter/file/", headers=EN)

    assert answer.status_code == 404
    assert "missing on our side" in answer.content.decode()
    prompt.refresh_from_db()
    assert prompt.download_count == 0


def test_an_address_that_another_program_stored_is_given_to_the_owner_only(buyer, buyer_client, stranger_client):
    make_purchase(buyer=buyer, prompt=make_prompt(slug="letter", file_url="https://files.example/a.zip"), is_open=True)

    assert buyer_client.get("/library/letter/file/")["Location"] == "https://files.example/a.zip"
    assert stranger_client.get("/library/letter/file/").status_code == 404


@pytest.mark.parametrize(("extension", "start"), [("md", b"Write"), ("txt", b"\xef\xbb\xbfWrite")])
def test_the_text_can_be_downloaded_and_counts(buyer, buyer_client, extension, start):
    prompt = make_secret()
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)

    answer = buyer_client.get(f"/library/비밀-글/text.{extension}")

    assert read(answer).startswith(start)
    prompt.refresh_from_db()
    assert prompt.download_count == 1


def test_other_extensions_are_no_pages(buyer, buyer_client):
    make_purchase(buyer=buyer, prompt=make_secret(), is_open=True)

    assert buyer_client.get("/library/비밀-글/text.html").status_code == 404


def test_a_title_in_an_attack_is_a_harmless_file_name_and_text_is_escaped(buyer, buyer_client):
    prompt = make_prompt(
        slug="letter", title='../../etc\r\nX: "y" <script>', prompt_text="<script>alert(1)</script> {{a&b}}"
    )
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)

    answer = buyer_client.get("/library/letter/text.md")
    page = buyer_client.get("/library/letter/").content.decode()

    assert answer["Content-Disposition"] == 'attachment; filename="etc X y script.md"'
    assert "<script>alert(1)" not in page
    assert '<mark class="slot" data-slot="0" data-written="{{a&amp;b}}">{{a&amp;b}}</mark>' in page


def test_the_owner_reads_later_versions_and_the_bought_one_but_none_before(buyer, buyer_client):
    prompt = make_prompt(slug="letter", prompt_text="first text")
    PromptVersion.objects.create(prompt=prompt, number=2, title=prompt.title, prompt_text="second text")
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)
    PromptVersion.objects.create(prompt=prompt, number=3, title=prompt.title, prompt_text="third text")

    assert "third text" in buyer_client.get("/library/letter/").content.decode()
    assert "second text" in buyer_client.get("/library/letter/?version=2").content.decode()
    assert buyer_client.get("/library/letter/?version=1").status_code == 404
    assert buyer_client.get("/library/letter/text.md?version=1").status_code == 404


def test_a_withdrawn_prompt_stays_with_its_owners(buyer, buyer_client):
    prompt = make_prompt(slug="letter", prompt_text="my words")
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)
    type(prompt).objects.filter(pk=prompt.pk).update(is_published=False)

    assert "my words" in buyer_client.get("/library/letter/").content.decode()


def test_reading_is_logged_once_an_hour(buyer):
    prompt = make_prompt(slug="letter")
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)

    for minutes in (0, 10, 59, 61):
        unlock(user=buyer, slug="letter", kind=Kind.READ, now=NOON + timedelta(minutes=minutes))

    assert AccessEvent.objects.filter(kind="read").count() == 2


def test_copying_is_logged_for_an_open_purchase_only(buyer, buyer_client):
    entitlement = make_purchase(buyer=buyer, prompt=make_secret())
    assert buyer_client.post("/library/비밀-글/copied/").status_code == 404

    open_entitlement(entitlement=entitlement, wording_version="x", now=NOON)

    assert buyer_client.post("/library/비밀-글/copied/").status_code == 204
    assert AccessEvent.objects.filter(kind="copied").count() == 1


def test_the_guard_tells_its_refusals_apart(buyer, stranger):
    entitlement = make_purchase(buyer=buyer, prompt=make_prompt(slug="letter"))

    with pytest.raises(NotOwned):
        unlock(user=stranger, slug="letter", kind=Kind.READ, now=NOON)
    with pytest.raises(Sealed):
        unlock(user=buyer, slug="letter", kind=Kind.READ, now=NOON)
    revoke_entitlement(entitlement_id=entitlement.pk, reason="staff", now=NOON)
    with pytest.raises(Revoked):
        unlock(user=buyer, slug="letter", kind=Kind.READ, now=NOON)
    assert not open_entitlement(entitlement=entitlement, wording_version="x", now=NOON)
    assert not revoke_entitlement(entitlement_id=entitlement.pk, reason="staff", now=NOON)


def test_who_buys_again_after_a_refund_gets_the_new_purchase(buyer):
    prompt = make_prompt(slug="letter")
    first = make_purchase(buyer=buyer, prompt=prompt)
    revoke_entitlement(entitlement_id=first.pk, reason="refunded", now=NOON)
    second = make_purchase(buyer=buyer, prompt=prompt, now=NOON + timedelta(days=1))

    assert find_entitlement(user=buyer, slug="letter") == second
    assert owned_prompt_ids(buyer, [prompt.pk]) == {prompt.pk}


def test_the_library_filters_searches_and_sorts(buyer, buyer_client, stranger):
    bought = {
        title: make_purchase(buyer=buyer, prompt=make_prompt(title=title), now=NOON + timedelta(hours=hours))
        for hours, title in enumerate(["가을 편지", "봄 편지", "여름 보고서"])
    }
    open_entitlement(entitlement=bought["봄 편지"], wording_version="x", now=NOON)
    revoke_entitlement(entitlement_id=bought["여름 보고서"].pk, reason="refunded", now=NOON)
    make_purchase(buyer=stranger, prompt=make_prompt(title="남의 편지"))

    def titles(query):
        page = buyer_client.get(f"/library/?{query}").context["page"]
        return [entitlement.prompt.title for entitlement in page]

    assert titles("sort=bought") == ["여름 보고서", "봄 편지", "가을 편지"]
    assert titles("sort=title") == ["가을 편지", "봄 편지", "여름 보고서"]
    assert titles("q=편지&sort=title") == ["가을 편지", "봄 편지"]
    assert titles("q=%E1%84%87%E1%85%A9%E1%86%B7") == ["봄 편지"]  # 봄, decomposed as a Mac types it
    assert titles("state=sealed") == ["가을 편지"]
    assert titles("state=opened") == ["봄 편지"]
    assert titles("state=refunded") == ["여름 보고서"]
    assert titles("q=nothing") == []


def test_a_new_version_brings_a_prompt_to_the_top_of_the_library(buyer, buyer_client):
    old = make_purchase(buyer=buyer, prompt=make_prompt(title="Old"))
    make_purchase(buyer=buyer, prompt=make_prompt(title="New"), now=NOON + timedelta(days=1))
    PromptVersion.objects.create(
        prompt=old.prompt, number=2, title="Old", prompt_text="x", created_at=timezone.now() + timedelta(minutes=1)
    )

    page = buyer_client.get("/library/", headers=EN)

    assert [entitlement.prompt.title for entitlement in page.context["page"]] == ["Old", "New"]
    assert page.content.decode().count("Newer version") == 1


@pytest.mark.parametrize("count", [1, 50])
def test_the_library_costs_the_same_however_full_it_is(buyer, buyer_client, count, django_assert_num_queries):
    seller = make_seller()
    for _ in range(count):
        make_purchase(buyer=buyer, prompt=make_prompt(seller=seller))

    with django_assert_num_queries(5):  # session, user, count, page, badge
        buyer_client.get("/library/")


@pytest.mark.parametrize("count", [1, 50])
def test_the_orders_cost_the_same_however_many(buyer, buyer_client, count, django_assert_num_queries):
    for _ in range(count):
        make_purchase(buyer=buyer)

    with django_assert_num_queries(6):  # session, user, count, page, lines, badge
        buyer_client.get("/orders/")


def test_the_list_gets_only_its_results_from_htmx(buyer, buyer_client):
    make_purchase(buyer=buyer)

    part = buyer_client.get(
        "/library/", headers={"HX-Request": "true", "HX-Target": "library-results"}
    ).content.decode()

    assert part.strip().startswith('<div id="library-results"')
    assert "<html" not in part


def test_purchases_of_another_program_get_their_rights_once(buyer, stranger):
    first, second = make_prompt(slug="first", prompt_text="first text"), make_prompt(slug="second")
    for number, (person, prompt) in enumerate([(buyer, first), (buyer, first), (stranger, second)]):
        Purchase.objects.create(
            buyer=person, prompt=prompt, payment_order_id=f"old-{number}", created_at=NOON + timedelta(hours=number)
        )
    Purchase.objects.create(
        buyer_id="00000000-0000-4000-8000-000000000000", prompt=first, payment_order_id="nobody", created_at=NOON
    )

    assert grant_missing_entitlements(now=NOON) == 2
    assert grant_missing_entitlements(now=NOON) == 0

    assert sorted(Entitlement.objects.values_list("purchase__payment_order_id", flat=True)) == ["old-0", "old-2"]
    assert unlock(user=buyer, slug="first", kind=Kind.READ, now=NOON).text == "first text"


def test_a_visitor_owns_nothing_and_costs_no_query(django_assert_num_queries):
    from django.contrib.auth.models import AnonymousUser

    with django_assert_num_queries(0):
        assert owned_prompt_ids(AnonymousUser(), ["x"]) == set()
