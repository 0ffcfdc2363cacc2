"""Pictures of a listing and the file for buyers: sent, ordered, described, taken away."""

import re

import pytest
from django.core.files.storage import default_storage, storages

from catalog.models import Prompt
from catalog.pictures import MAX_PICTURES, add_picture
from tests.accounts.pictures import draw, upload
from tests.catalog.pages import plain
from tests.factories import NOON, make_prompt, make_purchase
from tests.sellers.studio_pages import complaints, notices

pytestmark = pytest.mark.django_db


@pytest.fixture
def prompt(seller) -> Prompt:
    return make_prompt(slug="letters", seller=seller)


def listing(prompt) -> str:
    return f"/studio/listings/{prompt.pk}/"


def picture(name="one.jpg", colour="red"):
    return upload(draw((600, 400), colour=colour), name)


def text_file(name="봄 편지.txt", text="한 줄"):
    return upload(text.encode(), name, "text/plain")


def addresses(prompt) -> list[str]:
    return Prompt.objects.values_list("image_urls", flat=True).get(pk=prompt.pk)


def add(prompt, count=2) -> list[str]:
    return [add_picture(prompt=prompt, upload=picture(), alt="", now=NOON) for _ in range(count)]


def stored_files(storage) -> int:
    folders, files = storage.listdir("")
    return len(files) + sum(stored_files(_Inside(storage, folder)) for folder in folders)


class _Inside:
    """A folder of a storage, listed like a storage."""

    def __init__(self, storage, folder):
        self.storage, self.folder = storage, folder

    def listdir(self, name):
        return self.storage.listdir(f"{self.folder}/{name}".rstrip("/"))


# --- Pictures


def test_several_pictures_are_sent_at_once_and_stand_in_their_order(studio, prompt, client):
    answer = studio.post(f"{listing(prompt)}pictures/", {"pictures": [picture("a.jpg"), picture("b.png", "blue")]})

    assert (answer.status_code, answer["Location"]) == (302, f"{listing(prompt)}files/#pictures")
    assert len(addresses(prompt)) == 2
    shown = re.findall(r'<img class="pictures__image" src="([^"]*)"', studio.get(f"{listing(prompt)}files/").text)
    assert shown == addresses(prompt)
    assert client.get("/prompts/letters/").text.count(addresses(prompt)[0]) >= 1


def test_each_refused_picture_is_named_and_the_others_are_kept(studio, prompt):
    sent = [picture("good.jpg"), upload(b"<svg>", "drawing.svg"), upload(b"", "empty.jpg"), picture("fine.jpg")]

    page = studio.post(f"{listing(prompt)}pictures/", {"pictures": sent})

    assert page.status_code == 422
    said = complaints(page)
    assert ("“drawing.svg” was not taken." in said, "“empty.jpg” was not taken." in said) == (True, True)
    assert "good.jpg" not in said
    assert "2 pictures were saved." in plain(page.text)
    assert len(addresses(prompt)) == 2


def test_the_ninth_picture_is_refused_by_name(studio, prompt):
    Prompt.objects.filter(pk=prompt.pk).update(image_urls=[f"/media/{n}.webp" for n in range(MAX_PICTURES - 1)])

    page = studio.post(f"{listing(prompt)}pictures/", {"pictures": [picture("eight.jpg"), picture("nine.jpg")]})

    assert "“nine.jpg” was not taken. A prompt has at most 8 pictures." in complaints(page)
    assert len(addresses(prompt)) == MAX_PICTURES
    assert "There are 8 pictures." in page.text


def test_without_a_choice_the_form_says_so(studio, prompt):
    page = studio.post(f"{listing(prompt)}pictures/", {})

    assert (page.status_code, "Choose a picture first." in complaints(page)) == (422, True)


def test_too_many_files_in_an_hour_are_refused_in_words(studio, prompt, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "upload": "1/h/user"}

    page = studio.post(f"{listing(prompt)}pictures/", {"pictures": [picture("a.jpg"), picture("b.jpg")]})
    file_page = studio.post(f"{listing(prompt)}file/", {"file": text_file()})

    assert "“b.jpg” was not taken. That was too many files for one hour." in complaints(page)
    assert "That was too many files for one hour." in complaints(file_page)
    assert len(addresses(prompt)) == 1


@pytest.mark.parametrize(
    ("act", "moved", "order"),
    [("later", 0, [1, 0, 2]), ("earlier", 2, [0, 2, 1]), ("earlier", 0, [0, 1, 2]), ("later", 2, [0, 1, 2])],
)
def test_a_picture_moves_one_place_by_a_button(studio, prompt, act, moved, order):
    before = add(prompt, 3)

    answer = studio.post(f"{listing(prompt)}pictures/change/", {"address": before[moved], "act": act})

    assert answer.status_code == 302
    assert addresses(prompt) == [before[place] for place in order]


def test_a_picture_is_described_for_people_who_cannot_see_it(studio, prompt):
    first, second = add(prompt)

    answer = studio.post(
        f"{listing(prompt)}pictures/change/", {"address": second, "act": "describe", "alt": "봄 편지 한 장"}
    )

    assert answer["Location"] == f"{listing(prompt)}files/#picture-2"
    prompt.listing.refresh_from_db()
    assert (prompt.listing.image_alts.get(first, ""), prompt.listing.image_alts[second]) == ("", "봄 편지 한 장")


def test_a_description_holds_no_character_that_a_database_refuses(studio, prompt):
    (address,) = add(prompt, 1)

    answer = studio.post(f"{listing(prompt)}pictures/change/", {"address": address, "act": "describe", "alt": "a\0b"})

    assert answer.status_code == 302
    prompt.listing.refresh_from_db()
    assert prompt.listing.image_alts[address] == "ab"


def test_a_description_that_is_too_long_is_kept_on_the_page(studio, prompt):
    (address,) = add(prompt, 1)

    page = studio.post(f"{listing(prompt)}pictures/change/", {"address": address, "act": "describe", "alt": "a" * 201})

    assert page.status_code == 422
    assert "at most 200 characters" in complaints(page)
    assert f'name="alt" value="{"a" * 201}"' in page.text


def test_whoever_comes_back_to_the_address_of_a_change_finds_the_pictures(studio, prompt):
    answer = studio.get(f"/studio/listings/{prompt.pk}/pictures/change/")

    assert (answer.status_code, answer["Location"]) == (302, f"/studio/listings/{prompt.pk}/files/")


def test_removing_asks_first_and_then_leaves_nothing_behind(studio, prompt, django_capture_on_commit_callbacks):
    before = stored_files(default_storage)
    (address,) = add(prompt, 1)

    question = studio.get(f"{listing(prompt)}pictures/remove/", {"address": address})
    assert "Remove picture 1?" in question.text
    assert addresses(prompt) == [address]
    with django_capture_on_commit_callbacks(execute=True):
        answer = studio.post(f"{listing(prompt)}pictures/remove/", {"address": address})

    assert addresses(prompt) == []
    assert stored_files(default_storage) == before
    assert notices(studio.get(answer["Location"])) == ["The picture is removed."]
    assert studio.post(f"{listing(prompt)}pictures/remove/", {"address": address}).status_code == 302  # a second time


def test_a_picture_that_is_not_there_cannot_be_asked_for(studio, prompt):
    assert studio.get(f"{listing(prompt)}pictures/remove/?address=/media/x.webp").status_code == 404
    moved = studio.post(f"{listing(prompt)}pictures/change/", {"address": "/media/x.webp", "act": "later"})
    assert moved.status_code == 404


@pytest.mark.parametrize("image_urls", [{}, "x", [7, None, {"a": 1}], ["https://elsewhere.example/a.png", 7]])
def test_pictures_of_any_shape_open_and_stay(studio, prompt, image_urls):
    Prompt.objects.filter(pk=prompt.pk).update(image_urls=image_urls)

    page = studio.get(f"{listing(prompt)}files/")

    assert page.status_code == 200
    assert '<img class="pictures__image"' not in page.text
    assert addresses(prompt) == image_urls


# --- The file


def test_a_file_is_attached_under_its_name_and_makes_a_version(studio, prompt):
    answer = studio.post(f"{listing(prompt)}file/", {"file": text_file(), "note": "With a letter."})

    assert (answer.status_code, answer["Location"]) == (302, f"{listing(prompt)}files/#file")
    page = plain(studio.get(f"{listing(prompt)}files/").text)
    assert "봄 편지.txt 7 bytes" in page
    version = prompt.versions.get(number=2)
    assert (version.note, bool(version.file_url)) == ("With a letter.", True)


def test_buyers_of_an_earlier_version_keep_its_file(studio, prompt, client):
    studio.post(f"{listing(prompt)}file/", {"file": text_file(text="first")})
    entitlement = make_purchase(prompt=Prompt.objects.select_related("listing").get(pk=prompt.pk), is_open=True)
    client.force_login(entitlement.user)

    studio.post(f"{listing(prompt)}file/", {"file": text_file(text="second")})
    studio.post(f"{listing(prompt)}file/remove/")

    first = client.get("/library/letters/file/?version=2")
    assert b"".join(first) == b"first"
    assert not Prompt.objects.get(pk=prompt.pk).has_file


def test_a_refused_file_is_named_and_nothing_changes(studio, prompt):
    before = stored_files(storages["private"])

    page = studio.post(f"{listing(prompt)}file/", {"file": upload(b"MZ\0\0", "tool.exe"), "note": "Typed"})

    assert page.status_code == 422
    assert "“tool.exe” was not taken." in complaints(page)
    assert ">\nTyped</textarea>" in page.text
    assert (stored_files(storages["private"]), prompt.versions.count()) == (before, 1)


def test_without_a_file_there_is_nothing_to_remove(studio, prompt):
    assert studio.get(f"{listing(prompt)}file/remove/").status_code == 302
    assert studio.post(f"{listing(prompt)}file/remove/").status_code == 302
    assert prompt.versions.count() == 1


@pytest.mark.parametrize("count", [0, 8])
def test_the_page_costs_the_same_however_many_pictures(studio, prompt, django_assert_num_queries, count):
    Prompt.objects.filter(pk=prompt.pk).update(image_urls=[f"/media/{n}.webp" for n in range(count)])

    with django_assert_num_queries(5):
        studio.get(f"{listing(prompt)}files/")
