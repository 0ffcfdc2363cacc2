import io
import struct
import zlib
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import translation
from PIL import Image

from accounts.profiles import (
    AVATAR_MAX_BYTES,
    NicknameRefused,
    change_avatar,
    change_nickname,
    clean_nickname,
    draw_avatar,
    remove_avatar,
)
from marketplace.uploads import UploadRefused
from tests.accounts.pictures import draw, upload
from tests.factories import NOON, make_user


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def storage(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path, "base_url": "/media/"},
        }
    }
    return tmp_path


# --- Nicknames


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("미나", "미나"),
        ("  Mina   Kim ", "Mina Kim"),
        ("\u1106\u1175\u1102\u1161", "미나"),  # typed on a Mac: separate jamo
        ("cafe\u0301", "café"),
        ("김치🥬", "김치🥬"),
        ("a" * 30, "a" * 30),
        ("", None),
        ("   ", None),
    ],
)
def test_a_nickname_is_stored_in_its_short_form(typed, stored):
    assert clean_nickname(typed) == stored


@pytest.mark.parametrize("typed", ["a", "미", "a" * 31])
def test_a_nickname_has_2_to_30_characters(typed):
    with pytest.raises(NicknameRefused, match="2 to 30"):
        clean_nickname(typed)


@pytest.mark.parametrize(
    "char",
    [
        "\u200b",
        "\u200d",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\u00ad",
        "\x00",
        "\x1b",
        "\ue000",
        "\u3164",
        "\u115f",
        "\u2800",
    ],
)
def test_a_nickname_holds_nothing_that_cannot_be_seen(char):
    with pytest.raises(NicknameRefused, match="cannot be seen"):
        clean_nickname(f"mi{char}na")


def test_a_letter_does_not_carry_a_tower_of_marks():
    with pytest.raises(NicknameRefused, match="too many marks"):
        clean_nickname("m" + "\u0336\u0337\u0338" + "na")


@pytest.mark.django_db
def test_a_changed_nickname_moves_updated_at():
    user = make_user()

    profile = change_nickname(user=user, nickname="Mina", now=NOON)
    change_nickname(user=user, nickname=None, now=NOON + timedelta(hours=1))

    assert (profile.nickname, profile.updated_at) == ("Mina", NOON)
    user.profile.refresh_from_db()
    assert (user.profile.nickname, user.profile.updated_at) == (None, NOON + timedelta(hours=1))


# --- Avatars


def open_result(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(draw_avatar(upload(data))))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_any_common_picture_becomes_a_square_webp_of_256_pixels(kind):
    result = open_result(draw(kind=kind))

    assert (result.format, result.size) == ("WEBP", (256, 256))


@pytest.mark.parametrize(("mode", "colour"), [("L", 90), ("CMYK", (0, 9, 9, 0)), ("P", 3), ("LA", (9, 99)), ("1", 1)])
def test_every_colour_mode_is_read(mode, colour):
    kind = "JPEG" if mode == "CMYK" else "PNG"

    assert open_result(draw(mode=mode, colour=colour, kind=kind)).size == (256, 256)


def test_the_middle_is_kept_and_small_pictures_are_enlarged():
    wide = Image.new("RGB", (300, 100), "blue")
    wide.paste("red", (100, 0, 200, 100))
    target = io.BytesIO()
    wide.save(target, "PNG")

    result = open_result(target.getvalue()).convert("RGB")

    for corner in [(6, 6), (250, 6), (6, 250), (250, 250)]:
        red, green, blue = result.getpixel(corner)
        assert red > 200
        assert max(green, blue) < 60


def test_a_photograph_is_turned_upright():
    photograph = Image.new("RGB", (200, 200), "blue")
    photograph.paste("red", (0, 0, 200, 100))  # red above, and the camera says: turn by 180 degrees
    exif = Image.Exif()
    exif[0x0112] = 3
    target = io.BytesIO()
    photograph.save(target, "JPEG", exif=exif)

    result = open_result(target.getvalue()).convert("RGB")

    assert result.getpixel((128, 20))[2] > 200
    assert result.getpixel((128, 236))[0] > 200


def test_place_and_camera_are_gone():
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    data = draw(exif=exif, icc_profile=b"profile-of-someone" * 20)

    made = draw_avatar(upload(data))

    assert b"SecretCamera" in data
    assert b"SecretCamera" not in made
    assert not {"exif", "icc_profile", "xmp"} & set(Image.open(io.BytesIO(made)).info)


def test_a_see_through_picture_stays_see_through():
    result = open_result(draw(mode="RGBA", colour=(255, 0, 0, 0), kind="PNG"))

    assert result.convert("RGBA").getpixel((128, 128))[3] == 0


def test_of_a_moving_picture_the_first_frame_is_kept():
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    target = io.BytesIO()
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:])

    result = open_result(target.getvalue())

    assert getattr(result, "n_frames", 1) == 1
    assert result.convert("RGB").getpixel((128, 128))[0] > 200


def make_bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that promises side × side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"not a picture at all", "not a picture that we can read"),
        (b"", "is empty"),
        (b"%PDF-1.7 ...", "not a picture that we can read"),
        (b"\0" * (AVATAR_MAX_BYTES + 1), "larger than 5 MB"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "SVG drawings cannot be used"),
        (b'<?xml version="1.0"?>\n<!-- a -->\n<SVG></SVG>', "SVG drawings cannot be used"),
        (draw((800, 800))[:3000], "damaged"),
        (draw((800, 800), kind="PNG")[:200], "damaged"),
        (draw((800, 800), kind="WEBP", colour="#123456")[:60], "read"),
        (make_bomb(7_000), "40 million pixels"),
        (make_bomb(12_000), "40 million pixels"),
        (make_bomb(40_000), "40 million pixels"),
        (draw(kind="TIFF"), "not a picture that we can read"),
        (draw(kind="BMP"), "not a picture that we can read"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_used_is_refused_with_a_sentence(data, words):
    with pytest.raises(UploadRefused, match=words):
        draw_avatar(upload(data))


def test_a_large_photograph_within_the_limits_is_taken():
    assert open_result(draw((6000, 4000))).size == (256, 256)


@pytest.mark.django_db
@pytest.mark.usefixtures("storage")
def test_an_avatar_is_stored_under_a_random_name_and_moves_updated_at():
    user = make_user()

    profile = change_avatar(user=user, upload=upload(draw(), name="mina-kim.jpg"), now=NOON)

    assert profile.avatar_url.startswith("/media/avatars/")
    assert profile.avatar_url.endswith(".webp")
    assert "mina" not in profile.avatar_url
    assert str(user.pk) not in profile.avatar_url
    assert profile.updated_at == NOON
    with default_storage.open(profile.avatar_name) as stored, Image.open(stored) as picture:
        assert picture.size == (256, 256)


@pytest.mark.django_db
def test_the_old_picture_is_deleted_once_the_new_one_is_committed(storage, django_capture_on_commit_callbacks):
    user = make_user()
    old = change_avatar(user=user, upload=upload(draw()), now=NOON).avatar_name

    with django_capture_on_commit_callbacks() as callbacks:
        new = change_avatar(user=user, upload=upload(draw(colour="blue")), now=NOON).avatar_name
    assert default_storage.exists(old)

    [delete] = callbacks
    delete()
    assert [path.name for path in (storage / "avatars").iterdir()] == [new.removeprefix("avatars/")]


@pytest.mark.django_db
def test_a_refused_picture_changes_nothing(storage):
    user = make_user()
    before = change_avatar(user=user, upload=upload(draw()), now=NOON)

    with pytest.raises(UploadRefused):
        change_avatar(user=user, upload=upload(b"nonsense"), now=NOON + timedelta(hours=1))

    user.profile.refresh_from_db()
    assert (user.profile.avatar_url, user.profile.updated_at) == (before.avatar_url, NOON)
    assert len(list((storage / "avatars").iterdir())) == 1


@pytest.mark.django_db
def test_removing_deletes_the_file_and_a_second_time_changes_nothing(storage, django_capture_on_commit_callbacks):
    user = make_user()
    change_avatar(user=user, upload=upload(draw()), now=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        remove_avatar(user=user, now=NOON + timedelta(hours=1))
        remove_avatar(user=user, now=NOON + timedelta(hours=2))

    user.profile.refresh_from_db()
    assert (user.profile.avatar_url, user.profile.updated_at) == (None, NOON + timedelta(hours=1))
    assert list((storage / "avatars").iterdir()) == []


@pytest.mark.django_db
def test_an_imported_address_is_never_taken_for_a_file_of_ours(settings):
    user = make_user()
    user.profile.avatar_url = "https://cdn.example/media/avatars/a.png"
    assert (user.profile.avatar_name, user.profile.shown_avatar_url) == ("", "")

    settings.IMAGE_HOSTS = ["https://cdn.example"]
    assert user.profile.shown_avatar_url == "https://cdn.example/media/avatars/a.png"

    user.profile.avatar_url = "http://cdn.example/a.png"
    assert user.profile.shown_avatar_url == ""
