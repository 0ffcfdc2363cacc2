"""The reader: filling in a text, taking the filled text away, and presets."""

import logging

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from checkout.library import revoke_entitlement
from checkout.models import AccessEvent, Entitlement, Preset
from checkout.presets import (
    MAX_PRESET_LENGTH,
    MAX_PRESETS,
    PresetRefused,
    delete_preset,
    find_preset,
    list_presets,
    save_preset,
)
from tests.factories import NOON, make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db

EN = {"Accept-Language": "en"}
TEXT = "{{손님}}께 {{tone|다정하게}} 써 주세요. ${장소:서울}\n{{손님}}, <b>"
FILL = "/library/letter/fill/"
SECRET = "zq7-value-5512"


def make_letter(**fields):
    return make_prompt(**{"slug": "letter", "title": "편지", "prompt_text": TEXT, **fields})


@pytest.fixture
def right(buyer) -> Entitlement:
    """An open purchase of the letter."""
    return make_purchase(buyer=buyer, prompt=make_letter(), is_open=True)


def read(answer) -> str:
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode("utf-8-sig")


def send(client, *values: str, do: str = "show", **more: str):
    typed = {f"fill-value_{number}": value for number, value in enumerate(values)}
    return client.post(FILL, {"do": do, **typed, **more}, headers=EN)


def slots(answer) -> list[str]:
    """What stands in the marked places of the page."""
    return [part.partition(">")[2].partition("</mark>")[0] for part in answer.text.split('<mark class="slot')[1:]]


# --- The page


def test_there_is_a_field_for_each_variable_with_its_default(right, buyer_client):
    page = buyer_client.get("/library/letter/", headers=EN)

    form = page.context["fill_form"]
    assert [(variable.name, variable.default) for variable, _field in form.slots()] == [
        ("손님", None),
        ("tone", "다정하게"),
        ("장소", "서울"),
    ]
    assert "If empty: 다정하게" in page.text
    assert "Left to fill in: 1" in page.text
    assert slots(page) == ["{{손님}}", "다정하게", "서울", "{{손님}}"]


def test_a_text_without_variables_has_no_form(buyer, buyer_client):
    make_purchase(buyer=buyer, prompt=make_letter(prompt_text='{"a": [1]}'), is_open=True)

    assert "data-fills" not in buyer_client.get("/library/letter/").text


def test_a_form_answers_with_the_filled_text(right, buyer_client):
    page = send(buyer_client, "봄 씨", "", "부산")

    assert page.status_code == 200
    assert slots(page) == ["봄 씨", "다정하게", "부산", "봄 씨"]
    assert "Everything is filled in." in page.text
    assert page.context["fill_form"].values == {"손님": "봄 씨", "장소": "부산"}


def test_values_are_text_and_never_filled_again(right, buyer_client):
    page = send(buyer_client, "{{tone}} <i>", "${장소}", "x")

    assert slots(page) == ["{{tone}} &lt;i&gt;", "${장소}", "x", "{{tone}} &lt;i&gt;"]


def test_line_breaks_of_a_browser_are_one_character(right, buyer_client):
    assert read(send(buyer_client, "a\r\nb", do="md")).startswith("a\nb께")


def test_a_value_that_is_too_long_is_refused_beside_its_field(right, buyer_client):
    page = send(buyer_client, "x" * 5_001, "warm")

    assert page.status_code == 422
    assert list(page.context["fill_form"].errors) == ["value_0"]
    assert slots(page) == ["{{손님}}", "warm", "서울", "{{손님}}"]


def test_the_text_begins_where_the_seller_began_it(buyer, buyer_client):
    """Browsers drop the first line break inside a pre."""
    make_purchase(buyer=buyer, prompt=make_letter(prompt_text="\n\nDear {{손님}}"), is_open=True)

    assert 'aria-labelledby="text-title">\n\n\nDear <mark' in buyer_client.get("/library/letter/").text


def test_an_older_version_is_filled_in_as_it_is(right, buyer_client):
    right.prompt.versions.create(number=2, title="편지", prompt_text="New {{지역}}")

    page = send(buyer_client, "봄", **{"fill-version": "1"})
    newest = send(buyer_client, "제주")

    assert slots(page) == ["봄", "다정하게", "서울", "봄"]
    assert slots(newest) == ["제주"]


def test_the_address_of_the_form_leads_back_to_the_reader(right, buyer_client):
    assert buyer_client.get(FILL)["Location"] == "/library/letter/"


# --- Files


@pytest.mark.parametrize(("wish", "text"), [
    ("md", "봄께 다정하게 써 주세요. 서울\n봄, <b>"),
    ("txt", "봄께 다정하게 써 주세요. 서울\r\n봄, <b>"),
])  # fmt: skip
def test_the_filled_text_is_taken_away_as_a_file_and_counts(right, buyer_client, wish, text):
    answer = send(buyer_client, "봄", do=wish)

    assert read(answer) == text
    assert answer["Content-Disposition"].startswith("attachment")
    right.prompt.refresh_from_db()
    assert right.prompt.download_count == 1
    assert AccessEvent.objects.filter(kind="text_downloaded").count() == 1


def test_the_plain_text_is_still_there(right, buyer_client):
    assert read(buyer_client.get("/library/letter/text.md")) == TEXT


# --- Who may


@pytest.mark.parametrize("do", ["show", "md", "txt", "save"])
def test_a_stranger_finds_nothing(right, stranger_client, client, do):
    more = {"fill-preset_name": "mine"}

    assert send(stranger_client, "x", do=do, **more).status_code == 404
    assert send(client, "x", do=do, **more)["Location"].startswith("/accounts/login/")
    assert Preset.objects.count() == 0


@pytest.mark.parametrize("do", ["show", "md", "txt", "save"])
@pytest.mark.parametrize("state", ["sealed", "refunded"])
def test_who_has_not_opened_it_or_had_it_refunded_gets_no_text(buyer, buyer_client, do, state):
    entitlement = make_purchase(buyer=buyer, prompt=make_letter(), is_open=state == "refunded")
    if state == "refunded":
        revoke_entitlement(entitlement_id=entitlement.pk, reason="refunded", now=NOON)

    answer = send(buyer_client, "x", do=do, **{"fill-preset_name": "mine"})

    assert answer["Location"] == "/library/letter/"
    assert Preset.objects.count() == 0
    assert AccessEvent.objects.exclude(kind="opened").count() == 0


def test_filling_in_is_logged_as_reading_once_an_hour(right, buyer_client):
    for value in ("a", "b"):
        send(buyer_client, value)

    assert AccessEvent.objects.filter(kind="read").count() == 1


# --- Presets


def test_values_are_kept_under_a_name_and_come_back(right, buyer_client):
    answer = send(buyer_client, SECRET, do="save", **{"fill-preset_name": "  봄   편지 "})

    preset = Preset.objects.get()
    assert (preset.name, preset.values, preset.user_id) == ("봄 편지", {"손님": SECRET}, right.user_id)
    assert answer["Location"] == f"/library/letter/?preset={preset.pk}"
    page = buyer_client.get(answer["Location"], headers=EN)
    assert slots(page)[0] == SECRET
    assert "Saved as “봄 편지”." in page.text


def test_a_preset_fits_a_later_version_that_spells_the_name_otherwise(right, buyer_client):
    preset = save_preset(entitlement=right, name="a", values={"손님": "봄"}, now=NOON)
    right.prompt.versions.create(number=2, title="편지", prompt_text="${tone}, {{ 손님 }}")

    assert slots(buyer_client.get(f"/library/letter/?preset={preset.pk}")) == ["${tone}", "봄"]


def test_saving_under_the_same_name_replaces_what_was_there(right):
    first = save_preset(entitlement=right, name="a", values={"손님": "봄", "tone": "x"}, now=NOON)
    second = save_preset(entitlement=right, name="a", values={"손님": "여름"}, now=NOON)

    assert (first.pk, second.values) == (second.pk, {"손님": "여름"})
    assert Preset.objects.count() == 1


def test_a_preset_is_deleted_and_what_was_typed_stays(right, buyer_client):
    preset = save_preset(entitlement=right, name="a", values={"손님": "봄"}, now=NOON)

    for _ in range(2):
        page = send(buyer_client, "여름", do=f"delete-{preset.pk}")

    assert page.status_code == 200
    assert slots(page)[0] == "여름"
    assert Preset.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("", {}, "Give it a name first."),
        (" \t ", {}, "Give it a name first."),
        ("long", {"손님": "x" * MAX_PRESET_LENGTH, "tone": "y"}, "Together these values are too long to be saved."),
    ],
)
def test_a_preset_is_refused(right, name, values, said):
    with translation.override("en"), pytest.raises(PresetRefused, match=said):
        save_preset(entitlement=right, name=name, values=values, now=NOON)


def test_a_refusal_stands_at_the_name_and_nothing_typed_is_lost(right, buyer_client):
    page = send(buyer_client, "봄", do="save")

    assert page.status_code == 422
    assert page.context["fill_form"].errors == {"preset_name": ["Give it a name first."]}
    assert slots(page)[0] == "봄"


def test_twenty_presets_of_a_prompt_are_enough_and_can_be_replaced(right, buyer):
    for number in range(MAX_PRESETS):
        save_preset(entitlement=right, name=f"n{number}", values={}, now=NOON)

    with translation.override("en"), pytest.raises(PresetRefused, match="You have 20 already"):
        save_preset(entitlement=right, name="one more", values={}, now=NOON)
    save_preset(entitlement=right, name="n3", values={"손님": "봄"}, now=NOON)
    other = make_purchase(buyer=buyer, prompt=make_prompt(slug="other"), is_open=True)
    save_preset(entitlement=other, name="one more", values={}, now=NOON)


def test_nobody_reads_or_deletes_the_presets_of_others_nor_those_of_another_prompt(right, buyer):
    preset = save_preset(entitlement=right, name="a", values={"손님": SECRET}, now=NOON)
    strangers = make_purchase(buyer=make_user(), prompt=right.prompt, is_open=True)
    elsewhere = make_purchase(buyer=buyer, prompt=make_prompt(slug="other"), is_open=True)

    for entitlement in (strangers, elsewhere):
        delete_preset(entitlement=entitlement, preset_id=preset.pk)
        assert find_preset(entitlement=entitlement, preset_id=preset.pk) is None
        assert list_presets(entitlement=entitlement) == []
    assert find_preset(entitlement=right, preset_id=preset.pk) == preset


def test_an_owner_who_guesses_the_number_of_anothers_preset_sees_nothing_of_it(right, stranger, stranger_client):
    preset = save_preset(entitlement=right, name="hidden-name", values={"손님": SECRET}, now=NOON)
    make_purchase(buyer=stranger, prompt=right.prompt, is_open=True)

    pages = [
        stranger_client.get(f"/library/letter/?preset={preset.pk}"),
        send(stranger_client, "x", do=f"delete-{preset.pk}"),
    ]

    assert not [page for page in pages if SECRET in page.text or "hidden-name" in page.text]
    assert Preset.objects.get() == preset


@pytest.mark.parametrize("asked", ["0", "-1", "x", "99999999999999999999", "１"])
def test_a_number_that_no_preset_has_shows_the_empty_form(right, buyer_client, asked):
    assert buyer_client.get(f"/library/letter/?preset={asked}").context["fill_form"].values == {}


def test_the_database_holds_one_preset_of_a_name(right):
    save_preset(entitlement=right, name="a", values={}, now=NOON)

    with pytest.raises(IntegrityError), transaction.atomic():
        Preset.objects.create(user_id=right.user_id, prompt_id=right.prompt_id, name="a")


@pytest.mark.parametrize("count", [1, 3])
def test_the_reader_asks_the_database_the_same_however_many_presets(
    right, buyer_client, django_assert_num_queries, count
):
    for number in range(count):
        save_preset(entitlement=right, name=f"n{number}", values={"손님": "봄"}, now=NOON)
    buyer_client.get("/library/letter/")  # the visit is logged

    with django_assert_num_queries(11):
        buyer_client.get("/library/letter/")


# --- Where values go: nowhere


def test_values_are_stored_and_logged_nowhere_unless_saved(right, buyer_client, caplog):
    with caplog.at_level(logging.DEBUG):
        for do in ("show", "md", "txt"):
            answer = send(buyer_client, SECRET, do=do)
            assert SECRET in read(answer)
            assert SECRET not in str(dict(answer.headers))

    assert SECRET not in caplog.text
    assert Preset.objects.count() == 0
    assert "no-store" in answer["Cache-Control"]
    assert "no-store" in send(buyer_client, SECRET)["Cache-Control"]


def test_an_error_report_does_not_show_values(right, buyer_client, mailoutbox, monkeypatch, settings):
    settings.ADMINS = [("Staff", "staff@example.com")]
    monkeypatch.setattr("checkout.views.library.show_reader", lambda *args, **kwargs: 1 / 0)
    buyer_client.raise_request_exception = False

    assert send(buyer_client, SECRET).status_code == 500
    assert not [mail for mail in mailoutbox if SECRET in mail.body]
