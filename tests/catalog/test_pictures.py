import io
import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DatabaseError
from django.utils import translation
from PIL import Image

from catalog import listings
from catalog.cards import make_cards, render_cards
from catalog.images import Picture, list_pictures
from catalog.pictures import MAX_PICTURES, add_picture, describe_picture, draw_sizes, move_picture, remove_picture
from marketplace.pictures import read_picture
from marketplace.uploads import UploadRefused
from tests.accounts.pictures import draw, upload
from tests.catalog.upload_files import FullDisk, encode, gif, jpeg, jpeg_segment, noise, png, srgb_profile
from tests.factories import NOON, make_prompt

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def add(prompt, data=None, *, alt="") -> str:
    return add_picture(prompt=prompt, upload=upload(data or draw((50, 40))), alt=alt, now=NOON)


def stored(folder) -> list[str]:
    return sorted(path.name for path in (folder / "media").rglob("*") if path.is_file())


def read(address: str) -> Image.Image:
    with default_storage.open(address.removeprefix("/media/")) as file:
        return Image.open(io.BytesIO(file.read()))


# --- What is stored


def test_a_picture_is_stored_in_three_widths_under_a_name_that_tells_them(upload_folders):
    prompt = make_prompt()

    address = add(prompt, draw((2400, 1800)), alt="  A letter\non a desk ")

    random = address.removeprefix("/media/prompts/").removesuffix("-1600x1200.webp")
    assert len(random) == 22
    assert stored(upload_folders) == sorted(f"{random}-{size}.webp" for size in ("1600x1200", "960x720", "480x360"))
    prompt.refresh_from_db()
    assert prompt.image_urls == [address]
    assert prompt.listing.image_alts == {address: "A letter on a desk"}
    assert prompt.listing.updated_at == NOON
    assert (read(address).format, read(address).size) == ("WEBP", (1600, 1200))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ((300, 200), ["300x200"]),
        ((480, 360), ["480x360"]),
        ((700, 500), ["480x343", "700x500"]),
        ((1, 1), ["1x1"]),
        ((1, 9000), ["1x8000"]),
        ((9000, 1), ["1600x1", "480x1", "960x1"]),
        ((1080, 12_000), ["480x5333", "720x8000"]),
    ],
)
def test_no_picture_is_enlarged_and_none_is_too_long_for_its_format(upload_folders, sent, kept):
    add(make_prompt(), draw(sent))

    assert sorted(name[23:].removesuffix(".webp") for name in stored(upload_folders)) == kept


def test_pages_learn_every_size_from_the_address_alone(django_assert_num_queries, upload_folders):
    prompt = make_prompt(image_urls=["/media/old.png"])
    address = add(prompt, draw((2000, 1500)), alt="A desk")
    base = address.removesuffix("-1600x1200.webp")

    with django_assert_num_queries(0):
        pictures = list_pictures(prompt)

    srcset = f"{base}-480x360.webp 480w, {base}-960x720.webp 960w, {base}-1600x1200.webp 1600w"
    assert pictures == [Picture("/media/old.png"), Picture(address, srcset, 1600, 1200, "A desk")]


@pytest.mark.parametrize(
    "address",
    [
        *("/media/prompts/a.webp", "/media/prompts/short-480x360.webp", "/media/demo/mail-1.webp"),
        *(f"/media/prompts/{'a' * 22}-480x360.png", f"/media/prompts/{'a' * 22}-480x360.webp?x"),
    ],
)
def test_addresses_of_other_programs_stay_as_they_are(address):
    assert list_pictures(make_prompt(image_urls=[address])) == [Picture(address)]


def test_a_listing_without_pictures_shows_its_drawn_cover():
    [cover] = list_pictures(make_prompt(slug="letter"))

    assert cover.url.startswith("/covers/letter.webp?")


@pytest.mark.usefixtures("upload_folders")
def test_product_page_and_card_say_what_a_picture_shows(client):
    prompt = make_prompt(slug="letter", title="Letters")
    first, second = add(prompt, draw((700, 500)), alt='A "desk" & more'), add(prompt)

    page = client.get("/prompts/letter/", headers={"accept-language": "en"}).content.decode()
    [card] = render_cards(make_cards([prompt]))

    assert f'<img src="{first}" srcset="' in page
    assert 'alt="A &quot;desk&quot; &amp; more" width="700" height="500"' in page
    assert f'<img src="{second}" alt="Letters, picture 2" width="50" height="40"' in page
    assert f'{first.removesuffix("-700x500.webp")}-480x343.webp 480w, {first} 700w" sizes="' in card
    assert 'alt="A &quot;desk&quot; &amp; more"' in card


def test_another_text_makes_another_card(upload_folders):
    prompt = make_prompt()
    address = add(prompt, alt="before")
    render_cards(make_cards([prompt]))

    describe_picture(prompt=prompt, address=address, alt="after", now=NOON)

    assert 'alt="after"' in render_cards(make_cards([prompt]))[0]


# --- Which pictures are taken


def draw_turned(orientation: int) -> bytes:
    """The left half is blue in the file; `orientation` is what the camera says."""
    image = Image.new("RGB", (60, 40), "red")
    image.paste("blue", (0, 0, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image, "JPEG", exif=exif)


def with_place() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (37.0, 33.0, 58.0)
    return exif


def see_through(size) -> bytes:
    """A PNG with a palette of red and a green that is not there, and the whole picture in it."""
    image = Image.new("P", size, 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    return encode(image, "PNG", transparency=1)


def motion_photo() -> bytes:
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\x20\0mdat" + bytes(range(256)) * 32
    return jpeg(jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>")) + film + b"MotionPhoto_Data"


GOOD_PICTURES = {
    "a JPEG": lambda: jpeg(),
    "a progressive JPEG": lambda: encode(noise(), "JPEG", progressive=True),
    "a JPEG in CMYK": lambda: draw(mode="CMYK", colour=(0, 200, 200, 0)),
    "a JPEG in grey": lambda: draw(mode="L", colour=90),
    "a JPEG with place and camera": lambda: encode(noise(), "JPEG", exif=with_place()),
    "a JPEG with a broken EXIF": lambda: jpeg(jpeg_segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")),
    "a JPEG with padding behind": lambda: jpeg() + bytes(64),
    "a motion photo": motion_photo,
    "a JPEG with a second one behind": lambda: jpeg() + jpeg(),
    "a PNG": lambda: png(),
    "a PNG of 16 bits": lambda: encode(Image.new("I;16", (40, 30), 40_000), "PNG"),
    "a PNG of one bit": lambda: draw(mode="1", colour=1, kind="PNG"),
    "a PNG in grey with alpha": lambda: draw(mode="LA", colour=(90, 99), kind="PNG"),
    "a PNG with a palette and a see-through colour": lambda: see_through((40, 30)),
    "a PNG with a text": lambda: encode(noise(), "PNG", pnginfo=None, dpi=(72, 72)),
    "an interlaced PNG of a program": lambda: encode(noise(mode="RGBA"), "PNG", icc_profile=srgb_profile()),
    "a WebP": lambda: encode(noise(), "WEBP"),
    "a lossless WebP": lambda: encode(noise(mode="RGBA"), "WEBP", lossless=True, exif=with_place()),
    "a moving WebP": lambda: encode(noise(), "WEBP", save_all=True, append_images=[noise()]),
    "a GIF": lambda: gif(),
    "a moving GIF": lambda: encode(noise(), "GIF", save_all=True, append_images=[noise(), noise()]),
    "an AVIF": lambda: encode(noise(), "AVIF", exif=with_place()),
    "an AVIF with alpha": lambda: encode(noise(mode="RGBA"), "AVIF"),
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("name", GOOD_PICTURES)
def test_it_is_taken_and_drawn_again_without_anything_that_came_with_it(upload_folders, name):
    data = GOOD_PICTURES[name]()
    address = add_picture(prompt=make_prompt(), upload=upload(data, name="사진.bin"), alt="", now=NOON)

    drawn = read(address)
    assert drawn.format == "WEBP"
    assert getattr(drawn, "n_frames", 1) == 1
    assert set(drawn.info) <= {"loop", "background", "timestamp", "duration"}
    assert len(drawn.getexif()) == 0
    for path in (upload_folders / "media").rglob("*.webp"):
        assert not any(mark in path.read_bytes() for mark in (b"SecretCamera", b"EXIF", b"XMP ", b"ICCP", b"ftypmp42"))


@pytest.mark.parametrize(
    ("orientation", "size", "blue_at"),
    [
        (1, (60, 40), (5, 20)),
        (2, (60, 40), (55, 20)),
        (3, (60, 40), (55, 20)),
        (4, (60, 40), (5, 20)),
        (5, (40, 60), (20, 5)),
        (6, (40, 60), (20, 5)),
        (7, (40, 60), (20, 55)),
        (8, (40, 60), (20, 55)),
        (9, (60, 40), (5, 20)),
    ],
)
def test_a_photograph_stands_as_the_camera_was_held(orientation, size, blue_at):
    picture = read_picture(upload(draw_turned(orientation)), enough_px=1600)

    assert picture.size == size
    red, _green, blue = picture.getpixel(blue_at)
    assert blue > 200 > 60 > red


def test_sixteen_bits_are_scaled_and_not_cut_off():
    data = encode(Image.new("I;16", (40, 30), 40_000), "PNG")

    assert read_picture(upload(data), enough_px=1600).getpixel((5, 5)) == (156, 156, 156)


def test_colours_are_converted_from_their_profile():
    """A profile whose red and blue have changed places turns violet into something near to red."""
    swapped = srgb_profile().replace(b"rXYZ", b"XYZr").replace(b"bXYZ", b"rXYZ").replace(b"XYZr", b"bXYZ")

    for profile, expected in [(swapped, (200, 60, 120)), (srgb_profile(), (120, 60, 200)), (b"none", (120, 60, 200))]:
        picture = read_picture(upload(draw(colour=(120, 60, 200), kind="PNG", icc_profile=profile)), enough_px=1600)
        assert max(abs(a - b) for a, b in zip(picture.getpixel((5, 5)), expected, strict=True)) <= 2


@pytest.mark.parametrize("size", [(40, 30), (2000, 1500)])
def test_what_is_see_through_stays_so(size):
    drawn = draw_sizes(upload(see_through(size)))

    for data in drawn.values():
        assert Image.open(io.BytesIO(data)).convert("RGBA").getpixel((9, 9))[3] == 0


def test_a_picture_of_forty_megapixels_is_taken():
    assert list(draw_sizes(upload(draw((8000, 5000))))) == [(1600, 1000), (960, 600), (480, 300)]


# --- Order, words, removal


@pytest.fixture
def three(upload_folders):
    prompt = make_prompt()
    return prompt, [add(prompt, alt=f"{number}") for number in range(3)]


@pytest.mark.parametrize(("to", "order"), [(0, "201"), (1, "021"), (9, None), (-5, "201"), (2, None)])
def test_a_picture_moves_to_its_place_and_a_second_time_nothing_happens(three, to, order):
    prompt, addresses = three

    moved = move_picture(prompt=prompt, address=addresses[2], to=to, now=NOON)

    prompt.refresh_from_db()
    assert moved is (order is not None)
    assert prompt.image_urls == [addresses[int(number)] for number in order or "012"]
    assert move_picture(prompt=prompt, address=addresses[2], to=to, now=NOON) is False


def test_a_picture_can_be_described_again(three):
    prompt, addresses = three

    assert describe_picture(prompt=prompt, address=addresses[1], alt=" A  desk ", now=NOON) is True
    assert describe_picture(prompt=prompt, address=addresses[1], alt="A desk", now=NOON) is False

    prompt.listing.refresh_from_db()
    assert [prompt.listing.image_alts[address] for address in addresses] == ["0", "A desk", "2"]


def test_a_removed_picture_leaves_no_file_and_no_words(three, upload_folders, django_capture_on_commit_callbacks):
    prompt, addresses = three

    with django_capture_on_commit_callbacks() as callbacks:
        assert remove_picture(prompt=prompt, address=addresses[0], now=NOON) is True
        assert remove_picture(prompt=prompt, address=addresses[0], now=NOON) is False
    assert len(stored(upload_folders)) == 3  # nothing is gone before the change is certain

    [delete] = callbacks
    delete()
    prompt.refresh_from_db()
    assert prompt.image_urls == addresses[1:]
    assert set(prompt.listing.image_alts) == set(addresses[1:])
    assert stored(upload_folders) == sorted(address.rpartition("/")[2] for address in addresses[1:])


def test_a_picture_that_another_program_wrote_leaves_the_list_and_its_file_stays(
    upload_folders, django_capture_on_commit_callbacks
):
    prompt = make_prompt(image_urls=["/media/demo/mail-1.webp", f"https://b.example/prompts/{'a' * 22}-9x9.webp"])

    with django_capture_on_commit_callbacks() as callbacks:
        for address in list(prompt.image_urls):
            assert remove_picture(prompt=prompt, address=address, now=NOON) is True

    assert (callbacks, prompt.image_urls) == ([], [])


def test_what_the_listing_does_not_have_is_not_changed(three):
    _prompt, addresses = three
    stranger = make_prompt()

    for address in (addresses[0], "/media/other.webp", ""):
        assert remove_picture(prompt=stranger, address=address, now=NOON) is False
        assert move_picture(prompt=stranger, address=address, to=0, now=NOON) is False
        assert describe_picture(prompt=stranger, address=address, alt="x", now=NOON) is False

    assert stranger.image_urls == []
    assert stranger.listing.image_alts == {}


def test_pictures_make_no_version(three):
    prompt, addresses = three

    move_picture(prompt=prompt, address=addresses[2], to=0, now=NOON)

    assert prompt.versions.count() == 1


def test_a_column_that_another_program_broke_is_begun_anew(upload_folders):
    prompt = make_prompt(image_urls="not a list")

    address = add(prompt)

    prompt.refresh_from_db()
    assert prompt.image_urls == [address]


# --- Refusals and failures leave nothing


def test_the_ninth_picture_is_refused_before_it_is_stored(upload_folders):
    prompt = make_prompt(image_urls=[f"/media/{number}.webp" for number in range(MAX_PICTURES)])

    with pytest.raises(UploadRefused, match="at most 8 pictures"):
        add(prompt)

    assert stored(upload_folders) == []


def test_the_ninth_picture_is_refused_though_the_eighth_came_meanwhile(upload_folders):
    prompt = make_prompt(image_urls=[f"/media/{number}.webp" for number in range(MAX_PICTURES - 1)])
    late = type(prompt).objects.get(pk=prompt.pk)
    add(prompt)

    with pytest.raises(UploadRefused, match="at most 8 pictures"):
        add(late)

    late.refresh_from_db()
    assert len(late.image_urls) == MAX_PICTURES
    assert len(stored(upload_folders)) == 1


def test_a_description_that_is_too_long_is_refused_before_anything_is_stored(upload_folders):
    with pytest.raises(UploadRefused, match="at most 200 characters"):
        add(make_prompt(), alt="x" * 201)

    assert stored(upload_folders) == []


@pytest.mark.parametrize("files_left", [0, 1, 2])
def test_a_storage_that_fails_in_the_middle_keeps_nothing(upload_folders, full_disk, files_left):
    prompt = make_prompt()
    FullDisk.files_left = files_left

    with pytest.raises(OSError, match="No space left"):
        add(prompt, draw((2000, 1500)))

    assert stored(upload_folders) == []
    prompt.refresh_from_db()
    assert prompt.image_urls == []


def test_a_database_that_fails_after_storing_leaves_no_file(upload_folders, monkeypatch):
    prompt = make_prompt()

    def fail(*args, **kwargs):
        raise DatabaseError("the disk of the database is full")

    monkeypatch.setattr(listings, "index_prompts", fail)
    with pytest.raises(DatabaseError):
        add(prompt)

    assert stored(upload_folders) == []
    prompt.refresh_from_db()
    assert (prompt.image_urls, prompt.listing.image_alts) == ([], {})


def test_whoever_adds_describes_or_moves_at_once_overwrites_nobody(three):
    prompt, addresses = three
    stale = type(prompt).objects.select_related("listing").get(pk=prompt.pk)
    remove_picture(prompt=prompt, address=addresses[0], now=NOON)

    new = add(stale, alt="new")

    assert stale.image_urls == [*addresses[1:], new]
    assert [stale.listing.image_alts[address] for address in stale.image_urls] == ["1", "2", "new"]


@pytest.mark.slow
def test_processes_that_upload_at_once_lose_nothing_and_keep_the_limit(database_url):
    rounds = 6
    ran = subprocess.run(
        [sys.executable, "-m", "tests.catalog.uploading", str(rounds)],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # no locked database, no deadlock
    assert json.loads(ran.stdout) == {
        "exits": [0],
        "refused": 2 * rounds,
        "pictures": [8] * rounds,
        "descriptions": 2 * rounds,
        "lost_sizes": 0,
        "versions": sorted([2, 3] * rounds),
        "files": 2 * rounds,
    }
