import unicodedata
from urllib.parse import unquote

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import DatabaseError
from django.utils import translation
from PIL import Image

from catalog import listings
from catalog.attachments import MAX_FILE_BYTES, attach_file, describe_attachment, detach_file, find_stored_file_name
from catalog.listings import publish_prompt, save_text, withdraw_prompt
from catalog.models import Listing
from catalog.uploads import FILE_ACCEPT, clean_file_name, describe_kinds, recognise_file
from marketplace.uploads import UploadRefused
from tests.catalog.upload_files import (
    RELATIONSHIP,
    Part,
    assemble,
    docx,
    encode,
    jpeg,
    noise,
    pack,
    pdf,
    pdf_packed,
    png,
    unicode_path,
    xlsx,
)
from tests.factories import NOON, make_prompt, make_purchase, make_seller, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def attach(prompt, data: bytes = b"hello", name: str = "a.txt") -> str:
    attach_file(prompt=prompt, upload=SimpleUploadedFile(name, data), now=NOON)
    return prompt.file_url


def make_draft():
    prompt = make_prompt(state=Listing.State.DRAFT)
    Listing.objects.filter(prompt=prompt).update(published_at=None)
    return prompt


def stored(folder) -> list[str]:
    """Everything in the private storage below its folder for attachments, folders included."""
    root = folder / "private" / "attachments"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*")) if root.exists() else []


def temporary(name: str, data: bytes) -> TemporaryUploadedFile:
    upload = TemporaryUploadedFile(name, "text/html", len(data), None)
    upload.write(data)
    upload.seek(0)
    return upload


# --- Storing


def test_a_file_is_stored_privately_under_a_random_folder_and_its_own_name(upload_folders):
    prompt = make_prompt()

    address = attach(prompt, "안녕".encode(), "손님 편지.txt")

    folder, name = address.removeprefix("private://attachments/").split("/")
    assert (len(folder), name) == (22, "손님 편지.txt")
    assert stored(upload_folders) == [folder, f"{folder}/{name}"]
    assert not (upload_folders / "media").exists()
    prompt.refresh_from_db()
    assert prompt.file_url == address
    assert prompt.listing.updated_at == NOON
    assert describe_attachment(prompt) == ("손님 편지.txt", 6)


def test_a_large_file_that_django_keeps_on_disk_is_stored_alike(upload_folders):
    prompt = make_prompt()
    data = pack({"노이즈.bin": noise((900, 900)).tobytes()})

    with temporary("큰 파일.zip", data) as upload:
        attach_file(prompt=prompt, upload=upload, now=NOON)

    assert describe_attachment(prompt) == ("큰 파일.zip", len(data))
    with storages["private"].open(prompt.file_url.removeprefix("private://")) as file:
        assert file.read() == data


def test_a_file_above_the_limit_is_refused_unread(upload_folders):
    upload = SimpleUploadedFile("a.zip", b"PK\x03\x04")
    upload.size = MAX_FILE_BYTES + 1
    upload.file = None

    with pytest.raises(UploadRefused, match="larger than 50 MB"):
        attach_file(prompt=make_prompt(), upload=upload, now=NOON)

    assert stored(upload_folders) == []


@pytest.mark.parametrize(
    ("file_url", "shown"),
    [
        (None, None),
        ("", None),
        ("https://files.example/a.zip", ("a.zip", None)),
        ("private://demo/mail/letters.zip", ("letters.zip", None)),
        ("private://../secret", ("secret", None)),
    ],
)
@pytest.mark.usefixtures("upload_folders")
def test_the_editor_is_told_what_is_there(file_url, shown):
    assert describe_attachment(make_prompt(file_url=file_url)) == shown


# --- Versions


def test_another_file_makes_a_version_and_the_old_one_stays_for_its_buyers(
    upload_folders, django_capture_on_commit_callbacks
):
    prompt = make_prompt()

    with django_capture_on_commit_callbacks(execute=True):
        first = attach(prompt, b"one")
        second = attach(prompt, b"two")
        assert detach_file(prompt=prompt, now=NOON) is True
        assert detach_file(prompt=prompt, now=NOON) is False

    versions = prompt.versions.order_by("number").values_list("number", "file_url")
    assert list(versions) == [(1, None), (2, first), (3, second), (4, None)]
    assert len(stored(upload_folders)) == 4  # two folders, two files


def test_a_file_of_a_draft_that_was_never_on_sale_goes_with_its_replacement(
    upload_folders, django_capture_on_commit_callbacks
):
    prompt = make_draft()
    attach(prompt, b"one")

    with django_capture_on_commit_callbacks() as callbacks:
        second = attach(prompt, b"two")
    assert len(stored(upload_folders)) == 4  # nothing is gone before the change is certain
    for call in callbacks:
        call()

    folder = second.removeprefix("private://attachments/").partition("/")[0]
    assert stored(upload_folders) == [folder, f"{folder}/a.txt"]
    assert set(prompt.versions.values_list("file_url", flat=True)) == {None, second}

    with django_capture_on_commit_callbacks(execute=True):
        detach_file(prompt=prompt, now=NOON)
    assert stored(upload_folders) == []


def test_once_on_sale_every_file_stays(upload_folders, django_capture_on_commit_callbacks):
    prompt = make_draft()
    attach(prompt, b"one")
    publish_prompt(prompt=prompt, now=NOON, is_staff_decision=True)
    withdraw_prompt(prompt=prompt, reason="", now=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        attach(type(prompt).objects.get(pk=prompt.pk), b"two")

    assert len(stored(upload_folders)) == 4


def test_a_file_from_elsewhere_is_replaced_and_not_touched(upload_folders, django_capture_on_commit_callbacks):
    name = storages["private"].save("demo/mail/letters.zip", SimpleUploadedFile("letters.zip", b"demo"))
    prompt = make_draft()
    save_text(prompt=prompt, prompt_text="new", file_url=f"private://{name}", now=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        attach(prompt)

    assert storages["private"].exists(name)


# --- Failures leave nothing


def test_a_storage_that_fails_in_the_middle_keeps_nothing(upload_folders, full_disk):
    prompt = make_prompt()

    with pytest.raises(OSError, match="No space left"):
        attach(prompt, b"hello" * 100)

    assert stored(upload_folders) == []
    prompt.refresh_from_db()
    assert prompt.file_url is None


@pytest.mark.parametrize("make_upload", [SimpleUploadedFile, temporary])
def test_a_database_that_fails_after_storing_leaves_no_file(upload_folders, monkeypatch, make_upload):
    prompt = make_prompt()

    def fail(*args, **kwargs):
        raise DatabaseError("the disk of the database is full")

    monkeypatch.setattr(listings, "index_prompts", fail)
    with make_upload("a.txt", b"hello") as upload, pytest.raises(DatabaseError):
        attach_file(prompt=prompt, upload=upload, now=NOON)

    assert stored(upload_folders) == []
    prompt.refresh_from_db()
    assert (prompt.file_url, prompt.versions.count()) == (None, 1)


# --- Which files are taken


def make_place() -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def zip_of_macos() -> bytes:
    """Sizes and checksum follow the data there, and each file has a shadow."""
    text, shadow = "안녕".encode(), b"\0\5\x16\7" + bytes(40)
    names = (
        unicodedata.normalize("NFD", "프롬프트/편지.md"),
        unicodedata.normalize("NFD", "__MACOSX/프롬프트/._편지.md"),
    )
    return assemble(
        *(
            Part(name.encode(), data, flags=0x808, descriptor=b"PK\x07\x08" + bytes(12), extra=b"UT\5\0\1" + bytes(4))
            for name, data in zip(names, (text, shadow), strict=True)
        )
    )


GOOD_FILES = {
    "a PDF": ("a.pdf", lambda: pdf()),
    "a PDF with packed objects": ("a.pdf", lambda: pdf(pdf_packed(b"9 0 << /Type /Annot /S /URI >>"))),
    "a PDF with a picture that looks like a script": (
        "a.pdf",
        lambda: pdf(pdf_packed(b"/JS /AA", kind=b"/Type /XObject")),
    ),
    "a PDF with blank lines behind": ("a.pdf", lambda: pdf(tail=b"\r\n\n")),
    "a ZIP": ("a.zip", lambda: pack({"a.txt": "one", "folder/b.md": "two", "folder/": ""})),
    "a ZIP that is not packed": ("a.zip", lambda: pack({"a.txt": "one"}, method=0)),
    "a ZIP with Korean names": ("프롬프트.zip", lambda: pack({"프롬프트/손님 편지.txt": "안녕"})),
    "a ZIP of an old Windows": ("a.zip", lambda: assemble(Part("편지\\손님.txt".encode("cp949")))),
    "a ZIP with a second name in Unicode": ("a.zip", lambda: assemble(Part(b"?.txt", extra=unicode_path("편지.txt")))),
    "a ZIP of macOS": ("a.zip", zip_of_macos),
    "a ZIP with sources": (
        "a.zip",
        lambda: pack({"run.py": "#!/usr/bin/env python\n", "a.ts": "let a"}),
    ),
    "a ZIP with a text about the MZ generation": ("a.zip", lambda: pack({"a.txt": "MZ세대를 위한 프롬프트"})),
    "a ZIP with pictures": ("a.zip", lambda: pack({"a.png": png(), "b.jpg": jpeg()})),
    "a ZIP with documents": ("a.zip", lambda: pack({"a.docx": docx(), "b.xlsx": xlsx()})),
    "a ZIP with much text": ("a.zip", lambda: pack({"a.csv": "".join(f"{n},{n * n % 977}\n" for n in range(400_000))})),
    "a document": ("a.docx", docx),
    "a document with a link and a template of its own": (
        "a.docx",
        lambda: docx(
            {
                "word/_rels/document.xml.rels": RELATIONSHIP
                % b'Type="http://x/relationships/hyperlink" Target="https://a.example/" TargetMode="External"',
                "word/_rels/settings.xml.rels": RELATIONSHIP
                % b'Type="http://x/relationships/attachedTemplate" Target="file:///C:\\N.dotm" TargetMode="External"',
                "word/media/logo.svg": b"<svg/>",
            }
        ),
    ),
    "a workbook": ("a.xlsx", xlsx),
    "a slide show with a chart": (
        "a.pptx",
        lambda: pack(
            {
                "[Content_Types].xml": "<Types/>",
                "ppt/presentation.xml": "<p/>",
                "ppt/embeddings/chart.xlsx": xlsx(),
            }
        ),
    ),
    "a text": ("a.txt", lambda: "안녕하세요\r\n\tHello\f".encode()),
    "a text with a mark": ("a.txt", lambda: b"\xef\xbb\xbfhello"),
    "a text in CP949": ("a.txt", lambda: "안녕하세요, 똠방각하".encode("cp949")),
    "a text about the MZ generation": ("a.txt", lambda: "MZ세대".encode()),
    "a prompt in tags": ("a.txt", lambda: b"<role>You are a lawyer.</role>\n<task>{{task}}</task>"),
    "a Markdown with code": ("a.MD", lambda: b"# Page\n\n```html\n<script>alert(1)</script>\n```\n"),
    "a CSV in CP949": ("고객.csv", lambda: "이름,값\n김,-5\n이,=A1+B1\n".encode("cp949")),
    "a CSV with numbers and lists": (
        "a.csv",
        lambda: b"a,b\n-5,+82 10\n- one | two,@mina\n=IMAGES,=SUM(A1)\n",
    ),
    "a JSON": ("a.json", lambda: '\ufeff{"프롬프트": [1, null, "<b>"]}'.encode()),
    "a YAML": ("a.yml", lambda: "role: 변호사\n".encode()),
    "a picture": ("a.png", lambda: png()),
    "a photograph": ("a.jpeg", lambda: jpeg()),
    "a drawing in WebP": ("a.webp", lambda: encode(noise(), "WEBP")),
}


@pytest.mark.parametrize("name", GOOD_FILES)
def test_it_is_taken_byte_by_byte(upload_folders, name):
    file_name, make = GOOD_FILES[name]
    data, prompt = make(), make_prompt()

    attach(prompt, data, file_name)

    with storages["private"].open(prompt.file_url.removeprefix("private://")) as file:
        assert file.read() == data


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.png", jpeg(), "does not fit"),
        ("a.jpg", png(), "does not fit"),
        ("a.jpg", encode(noise(), "JPEG", exif=make_place()), "says where it was taken"),
        ("a.jpg", jpeg() + jpeg(), "stands behind"),
        ("a.jpg", jpeg() + b"\0\0\0\x18ftypmp42" + bytes(range(1, 200)), "stands behind"),
        ("a.gif", encode(noise(), "GIF"), "cannot be offered. Choose one of these: PDF, ZIP, Word"),
    ],
)
def test_pictures_that_are_kept_as_they_are_are_held_to_more(upload_folders, name, data, words):
    with pytest.raises(UploadRefused, match=words):
        attach(make_prompt(), data, name)


def test_what_the_browser_says_of_a_file_is_not_asked(upload_folders):
    prompt = make_prompt()

    attach_file(prompt=prompt, upload=SimpleUploadedFile("a.txt", b"hello", "text/html"), now=NOON)

    assert prompt.file_url.endswith("/a.txt")


def test_forms_can_say_what_is_taken():
    assert describe_kinds().startswith("PDF, ZIP, Word (DOCX), Excel (XLSX), PowerPoint (PPTX), text (TXT,")
    assert FILE_ACCEPT == ".pdf,.zip,.docx,.xlsx,.pptx,.txt,.md,.csv,.json,.yaml,.yml,.png,.jpg,.jpeg,.webp"


# --- Names


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("손님 편지.PDF", "손님 편지.pdf"),
        (unicodedata.normalize("NFD", "손님.pdf"), "손님.pdf"),
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\mina\\편지.pdf", "편지.pdf"),
        ("a\u202egnp.pdf", "a gnp.pdf"),
        ("a\r\nX-Header: 1.pdf", "a X-Header 1.pdf"),
        ('a<b>:"|?*c.pdf', "a b c.pdf"),
        ("con.pdf", "_con.pdf"),
        ("LPT1.2026.pdf", "_LPT1.2026.pdf"),
        (" . .pdf", "file.pdf"),
        (".pdf", "file.pdf"),
        ("report.exe.pdf. ", "report.exe.pdf"),
        ("a\u3164\u200b.pdf", "a.pdf"),
        ("가" * 300 + ".pdf", "가" * 66 + ".pdf"),
        ("a" * 300 + ".pdf", "a" * 80 + ".pdf"),
        ("😀" * 90 + ".pdf", "😀" * 50 + ".pdf"),
    ],
)
def test_a_name_is_kept_as_far_as_every_system_takes_it(sent, kept):
    assert clean_file_name(sent, "pdf") == kept
    assert len(kept.encode()) <= 255


def test_the_ending_is_the_one_that_the_content_proves():
    assert recognise_file(SimpleUploadedFile("a.exe.TXT", b"hello"))[1] == "a.exe.txt"
    assert recognise_file(SimpleUploadedFile("a.ＴＸＴ", b"hello"))[1] == "a.txt"


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "private://demo/mail/letters.zip",
            "https://a.example/attachments/a.zip",
            "private://attachments/a/b.zip",
        ),
        *(f"private://attachments/{'a' * 22}/../b", f"private://attachments/{'a' * 22}/"),
    ],
)
def test_only_our_own_naming_tells_a_name(address):
    assert find_stored_file_name(address) == ""


# --- Handing out


@pytest.fixture
def sold(upload_folders):
    seller = make_user()
    prompt = make_prompt(slug="letter", title="Letters", seller=make_seller(user=seller))
    attach(prompt, b"the first", "손님 편지.txt")
    buyer = make_user()
    make_purchase(buyer=buyer, prompt=prompt, is_open=True)
    return prompt, buyer, seller


def read(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_buyers_get_the_file_under_its_own_name_and_as_nothing_that_runs(client, sold):
    client.force_login(sold[1])

    answer = client.get("/library/letter/file/")

    assert read(answer) == b"the first"
    assert unquote(answer["Content-Disposition"]) == "attachment; filename*=utf-8''손님 편지.txt"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Length"] == "9"


def test_buyers_of_a_version_keep_its_file_when_the_seller_replaces_it(
    client, sold, django_capture_on_commit_callbacks
):
    prompt, buyer, _seller = sold
    with django_capture_on_commit_callbacks(execute=True):
        attach(prompt, b"the second", "second.txt")
    client.force_login(buyer)

    assert read(client.get("/library/letter/file/")) == b"the second"
    assert read(client.get("/library/letter/file/?version=2")) == b"the first"


@pytest.mark.parametrize("who", ["a visitor", "a stranger", "another seller", "the seller"])
def test_nobody_else_gets_the_file_by_any_address(client, sold, who):
    prompt, _buyer, seller = sold
    people = {"a stranger": make_user, "another seller": lambda: make_seller().user, "the seller": lambda: seller}
    if who in people:
        client.force_login(people[who]())
    name = prompt.file_url.removeprefix("private://")

    for address in ("/library/letter/file/", f"/media/{name}", f"/private/{name}", f"/static/{name}", f"/{name}"):
        answer = client.get(address)
        assert answer.status_code in (302, 404)
        assert "login" in answer.get("Location", "login")
