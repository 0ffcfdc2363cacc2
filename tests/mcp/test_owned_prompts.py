"""Names and pages of what somebody has: thousands of prompts, keys that nearly agree, changes while a client reads."""

import uuid
from datetime import timedelta

import pytest

from catalog.models import Listing, Prompt
from checkout.models import Entitlement, Purchase
from mcp.registry.romanized import romanize
from mcp.serving.owned_prompts import find_owned, list_owned
from mcp.serving.service import BadParams
from tests.factories import NOON, make_user
from tests.mcp.shop_calls import Caller

pytestmark = pytest.mark.django_db

SOME_ID = "5dbdee0b-e399-457b-8113-ab7cf4d635a1"


def own_many(user, count: int, *, key=lambda number: uuid.uuid4(), begin: int = 0) -> list[Entitlement]:
    """Rights as they are after buying and opening, ten to a second."""
    numbers = range(begin, begin + count)
    prompts = Prompt.objects.bulk_create(
        Prompt(pk=key(number), title=f"Prompt {number}", price=0, prompt_text=f"{{{{주제}}}} {number}")
        for number in numbers
    )
    Listing.objects.bulk_create(
        Listing(prompt=prompt, slug=f"prompt-{number}", state="published", published_at=NOON)
        for number, prompt in zip(numbers, prompts, strict=True)
    )
    purchases = Purchase.objects.bulk_create(
        Purchase(buyer=user, prompt=prompt, payment_order_id=f"order-{number}", created_at=NOON)
        for number, prompt in zip(numbers, prompts, strict=True)
    )
    return Entitlement.objects.bulk_create(
        Entitlement(
            purchase=purchase,
            user=user,
            prompt=purchase.prompt,
            granted_at=NOON + timedelta(seconds=number // 10),
            opened_at=NOON,
        )
        for number, purchase in zip(numbers, purchases, strict=True)
    )


def test_five_thousand_are_read_without_gap_or_double_while_some_come_and_go():
    owner = make_user()
    rights = own_many(owner, 5_000)
    caller = Caller.of(owner)
    refunded, found, params, pages = [], [], {}, 0
    while True:
        page = caller.ask("prompts/list", **params)
        found += [prompt["title"] for prompt in page["prompts"]]
        pages += 1
        if "nextCursor" not in page:
            break
        params = {"cursor": page["nextCursor"]}
        own_many(owner, 2, begin=5_000 + 2 * pages)  # newer than all: before what has been read
        gone = [rights[-50 * pages], rights[10 * pages]]  # the last of the page just read, and one far behind
        Entitlement.objects.filter(pk__in=[right.pk for right in gone]).update(revoked_at=NOON, revoked_reason="staff")
        refunded += [right.prompt.title for right in gone]

    stayed = {right.prompt.title for right in rights} - set(refunded)
    assert len(found) == len(set(found))
    assert stayed <= set(found)
    assert set(found) <= {right.prompt.title for right in rights}
    assert pages == pytest.approx(100, abs=2)


def test_a_list_is_newest_first_and_the_same_each_time():
    owner = make_user()
    own_many(owner, 120)
    caller = Caller.of(owner)

    found = [int(prompt["title"].removeprefix("Prompt ")) // 10 for prompt in caller.list_prompts()]

    assert found == sorted(found, reverse=True)
    assert caller.list_prompts() == caller.list_prompts()


@pytest.mark.parametrize(
    "key",
    [
        lambda number: uuid.UUID(int=number + 1),
        lambda number: uuid.UUID(int=(number + 1) << 96),
        lambda number: uuid.UUID(f"0198f3c1-7a2b-7000-8000-{number:012x}"),
    ],
    ids=["counted from one", "counted in front", "of one millisecond"],
)
def test_names_stay_apart_whatever_numbers_another_program_gives(key):
    owner = make_user()
    own_many(owner, 300, key=key)

    names = [prompt["name"] for prompt in Caller.of(owner).list_prompts()]

    assert len(set(names)) == 300
    assert [find_owned(user=owner, name=name, now=NOON).name for name in names[:50]] == names[:50]


def test_a_name_works_after_its_address_changed():
    owner = make_user()
    (right,) = own_many(owner, 1)
    (owned,), _place = list_owned(user=owner, now=NOON)

    Listing.objects.update(slug="한글-주소")

    renamed = find_owned(user=owner, name=owned.name, now=NOON)
    assert renamed.right == right
    assert renamed.name == f"hangeul-juso-{right.prompt_id.hex[:6]}{right.prompt_id.hex[-6:]}"


@pytest.mark.parametrize(
    ("slug", "words"),
    [
        ("weekly-report", "weekly-report"),
        ("주간-보고서-쓰기", "jugan-bogoseo-sseugi"),
        ("값-2026", "gap-2026"),
        ("日本語", "prompt"),
        ("a" * 120, "a" * 40),
    ],
)
def test_a_name_is_short_ascii_that_sounds_like_the_address(slug, words):
    owner = make_user()
    (right,) = own_many(owner, 1)
    Listing.objects.update(slug=slug)

    (owned,), _place = list_owned(user=owner, now=NOON)

    assert owned.name == f"{words}-{right.prompt_id.hex[:6]}{right.prompt_id.hex[-6:]}"
    assert owned.name.isascii()


@pytest.mark.parametrize(
    "place",
    [
        "x",
        "own x",
        "own -1",
        f"own {'9' * 30}",
        f"2026-11-22T12:00:00 {SOME_ID}",
        f"2026-02-30T12:00:00+00:00 {SOME_ID}",
        f"0001-01-01T00:00:00+14:00 {SOME_ID}",
        "2026-11-22T12:00:00+00:00 x",
        "2026-11-22T12:00:00+00:00",
    ],
)
def test_a_place_that_is_none_is_refused(place):
    with pytest.raises(BadParams):
        list_owned(user=make_user(), now=NOON, after=place)


@pytest.mark.parametrize(
    ("hangul", "latin"),
    [
        ("한글", "hangeul"),
        ("쌍둥이", "ssangdungi"),
        ("의사", "uisa"),
        ("꽃잎", "kkotip"),
        ("abc 1", "abc 1"),
        ("ㄱ", "ㄱ"),
    ],
)
def test_hangul_is_spelled_a_syllable_at_a_time(hangul, latin):
    assert romanize(hangul) == latin
