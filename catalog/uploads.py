"""Which kinds of files a seller may hand to buyers, and proof by content that a file is of its kind and no other's."""

import codecs
import json
import mmap
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.profiles import has_invisible
from catalog.archives import OFFICE_PARTS, check_office, check_zip
from catalog.pictures import MAX_PICTURE_BYTES
from marketplace.pictures import has_place, open_picture, read_picture, refuse_what_stands_behind
from marketplace.uploads import SNIFFED_BYTES, UploadRefused, ends_as_archive, is_markup, is_program

MAX_JSON_BYTES = 5 * 1024 * 1024  # read whole to be parsed
MAX_PDF_PARTS_BYTES = 64 * 1024 * 1024  # of the packed parts of a PDF, unpacked
MAX_PDF_PARTS = 20_000
MAX_STEM_LENGTH = 80  # characters
MAX_STEM_BYTES = 200  # in UTF-8: file systems end at 255
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class FileKind:
    """What a file may be. `check` raises UploadRefused."""

    name: str | Promise
    extensions: tuple[str, ...]
    check: Callable[[UploadedFile, str], None]


def recognise_file(upload: UploadedFile) -> tuple[FileKind, str]:
    """The kind that the content proves, and the name under which buyers get the file.

    The caller has looked at the size. What the browser says of the content is not asked. Raises UploadRefused.
    """
    extension = unicodedata.normalize("NFKC", upload.name or "").rstrip(". ").rpartition(".")[2].lower()
    kind = _KIND_OF.get(extension)
    if kind is None:
        raise UploadRefused(
            _("Files of this kind cannot be offered. Choose one of these: %(kinds)s.") % {"kinds": describe_kinds()}
        )
    kind.check(upload, extension)
    upload.seek(0)
    return kind, clean_file_name(upload.name, extension)


def describe_kinds() -> str:
    """The accepted kinds in words, for a form's hint."""
    return ", ".join(str(kind.name) for kind in FILE_KINDS)


def clean_file_name(name: str, extension: str) -> str:
    """A name that every system takes and that looks as it is: NFC, no path, no character that is unseen or reserved.

    Control, direction and zero-width characters would let `exe.txt` read otherwise than it is written.
    """
    text = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1]).rstrip(". ").rpartition(".")[0]
    visible = "".join(" " if has_invisible(char) else char for char in text)
    stem = re.sub(r"\s+", " ", re.sub(r'[<>:"|?*]', " ", visible)).strip(" .")[:MAX_STEM_LENGTH]
    stem = stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore").rstrip(" .")
    if _DEVICE.fullmatch(stem.partition(".")[0]):
        stem = f"_{stem}"
    return f"{stem or 'file'}.{extension}"


_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d) *", re.IGNORECASE)


@contextmanager
def _map(upload: UploadedFile) -> Iterator[bytes | mmap.mmap]:
    """The file's bytes without reading a large one into memory: Django keeps large uploads on disk."""
    upload.seek(0)
    try:
        number = upload.file.fileno()
    except (AttributeError, OSError):
        yield upload.read()
        return
    with mmap.mmap(number, 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def _refuse_mislabelled() -> None:
    raise UploadRefused(
        _("The ending of the name does not fit what is in the file. Save it again in the kind that it is.")
    )


# --- Archives and documents


def _check_zip(upload: UploadedFile, extension: str) -> None:
    if _read_head(upload)[:4] != b"PK\x03\x04":
        _refuse_mislabelled()
    if extension in OFFICE_PARTS:
        check_office(upload, extension)
    else:
        check_zip(upload)


def _read_head(upload: UploadedFile) -> bytes:
    upload.seek(0)
    return upload.read(SNIFFED_BYTES)


# --- PDF


def _spell(*names: bytes) -> re.Pattern:
    """PDF names, each letter as it is or in hexadecimal, as `/J#61vaScript`."""
    spelt = (b"".join(rb"(?:%c|(?i:#%02x))" % (letter, letter) for letter in name) for name in names)
    return re.compile(rb"/(?:" + b"|".join(spelt) + rb")(?![A-Za-z0-9#])")


_PDF_ACTIVE = _spell(
    *(b"JavaScript", b"Launch", b"RichMedia", b"EmbeddedFile", b"EmbeddedFiles", b"ImportData", b"SubmitForm")
)
_PDF_PACKED = _spell(b"ObjStm")
_PDF_LOCKED = _spell(b"Encrypt")
_PDF_STREAM = re.compile(rb"stream\r?\n")
_PDF_END = re.compile(rb"startxref\s+\d+\s+%%EOF[\s\0]*\Z")


def _check_pdf(upload: UploadedFile, _extension: str) -> None:
    """Header first, end last, and nothing that runs, opens or sends something by itself.

    Active parts are looked for by name, in plain and packed objects, as well as that goes without a reader of our own.
    Source: ISO 32000-1, sections 7.5 and 12.6.
    """
    with _map(upload) as data:
        if not re.match(rb"%PDF-[12]\.\d", data):
            _refuse_mislabelled()
        if not _PDF_END.search(data, max(0, len(data) - 2048)):
            raise UploadRefused(_("The PDF is damaged or does not end where it should. Save it again."))
        if ends_as_archive(data) or re.search(rb"<(?:script|html|svg|!doctype)|<\?php", data[:1024], re.IGNORECASE):
            raise UploadRefused(_("Another file is hidden in this PDF. Save it again with a PDF program."))
        if _PDF_LOCKED.search(data):
            raise UploadRefused(_("The PDF is locked or restricted by a password. Save it without one."))
        if _PDF_ACTIVE.search(data) or any(_PDF_ACTIVE.search(part) for part in _unpack_objects(data)):
            raise UploadRefused(
                _("The PDF has scripts, forms that send, or files inside. Print it to a new PDF and choose that one.")
            )


def _unpack_objects(data) -> Iterator[bytes]:
    """The packed objects of a PDF, each whole. Raises UploadRefused for one that cannot be looked into."""
    left = MAX_PDF_PARTS_BYTES
    for number, found in enumerate(_PDF_PACKED.finditer(data)):
        begin = _PDF_STREAM.search(data, found.end(), found.end() + 2048)
        if begin is None:  # too far away to be looked for, or none
            raise UploadRefused(_("The PDF is damaged or does not end where it should. Save it again."))
        part = _inflate(data, begin.end(), max_bytes=left)
        left -= len(part)
        if left <= 0 or number > MAX_PDF_PARTS:
            raise UploadRefused(_("The PDF is too large to be looked through. Split it, or put its files into a ZIP."))
        yield part


def _inflate(data, place: int, *, max_bytes: int) -> bytes:
    """What the stream at `place` unpacks to, up to so many bytes. Raises UploadRefused for a broken one."""
    stream, parts = zlib.decompressobj(), []
    try:
        while max_bytes > 0 and not stream.eof and (packed := data[place : place + CHUNK_BYTES]):
            parts.append(stream.decompress(packed, max_bytes))
            max_bytes -= len(parts[-1])
            place += len(packed)
    except zlib.error:
        pass
    if max_bytes > 0 and not stream.eof:
        raise UploadRefused(_("The PDF is damaged or does not end where it should. Save it again."))
    return b"".join(parts)


# --- Text


def _check_text(upload: UploadedFile, extension: str) -> None:
    """Text to its last character, in UTF-8, or in CP949 where programs of Windows write that.

    A text that a browser or another program would take for something else is none.
    """
    head = _read_head(upload)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UploadRefused(_("The text is saved in UTF-16. Save it as UTF-8."))
    if is_markup(head) or is_program(head) or b"%PDF-" in head or head.startswith((b"#!", b"{\\rtf", b"GIF8", b"%!")):
        raise UploadRefused(
            _("The text begins like a web page, a script or another kind of file. Begin with a line of plain text.")
        )
    encodings = _ENCODINGS.get(extension, ("utf-8",))
    encoding = next((encoding for encoding in encodings if _is_text(upload, encoding)), None)
    if encoding is None:
        raise UploadRefused(_("This is no plain text, or it is not saved as UTF-8. Save it again as UTF-8."))
    if extension == "json":
        _check_json(upload)
    if extension == "csv" and _has_reaching_cell(upload, encoding):
        raise UploadRefused(
            _("The table has cells that start programs or load from elsewhere when it is opened. Take them out.")
        )


_ENCODINGS = {"txt": ("utf-8", "cp949"), "csv": ("utf-8", "cp949")}
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")  # all but tab, line and page breaks
_REACHING_CELL = re.compile(  # DDE as `=cmd|' /C …'!A1`, and functions of Excel and Google Sheets; never looks back
    r"(?:^|[,;\t\"\r\n]) {0,3}[=+\-@]"
    r"(?:[^|,;\t\"\r\n]*+(?<=\w)\|[^!,;\t\"\r\n]*+!"
    r"|[^,;\t\"\r\n]*?\b(?:dde|rtd|call|exec|register|webservice|image|import\w{2,6}) {0,3}\()",
    re.IGNORECASE,
)


def _decode(upload: UploadedFile, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    upload.seek(0)
    for chunk in upload.chunks(CHUNK_BYTES):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _is_text(upload: UploadedFile, encoding: str) -> bool:
    try:
        return not any(_CONTROL.search(part) for part in _decode(upload, encoding))
    except UnicodeDecodeError:
        return False


def _has_reaching_cell(upload: UploadedFile, encoding: str) -> bool:
    before = ""
    for part in _decode(upload, encoding):
        if _REACHING_CELL.search(before + part):
            return True
        before = part[-500:]
    return False


def _check_json(upload: UploadedFile) -> None:
    if upload.size > MAX_JSON_BYTES:
        raise UploadRefused(_("A JSON file has at most 5 MB here. Put it into a ZIP archive."))
    upload.seek(0)
    try:
        json.loads(upload.read().decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UploadRefused(_("This is no JSON that can be read. Correct it, or save it as a text.")) from None


# --- Pictures


def _check_picture(upload: UploadedFile, extension: str) -> None:
    """Decoded whole; and because buyers get the very bytes, nothing behind its end and no place in it."""
    if upload.size > MAX_PICTURE_BYTES:
        raise UploadRefused(_("A picture has at most 10 MB here. Put larger ones into a ZIP archive."))
    with open_picture(upload) as image:
        if image.format != _FORMATS[extension]:
            _refuse_mislabelled()
        upload.seek(0)
        refuse_what_stands_behind(upload.read(), image.format, is_kept=True)
        if has_place(image):
            raise UploadRefused(_("The picture says where it was taken. Save it without its place first."))
    read_picture(upload, enough_px=64)


_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}


FILE_KINDS = (
    FileKind("PDF", ("pdf",), _check_pdf),
    FileKind("ZIP", ("zip",), _check_zip),
    FileKind("Word (DOCX)", ("docx",), _check_zip),
    FileKind("Excel (XLSX)", ("xlsx",), _check_zip),
    FileKind("PowerPoint (PPTX)", ("pptx",), _check_zip),
    FileKind(gettext_lazy("text (TXT, MD, CSV, JSON, YAML)"), ("txt", "md", "csv", "json", "yaml", "yml"), _check_text),
    FileKind(gettext_lazy("picture (PNG, JPEG, WebP)"), ("png", "jpg", "jpeg", "webp"), _check_picture),
)
_KIND_OF = {extension: kind for kind in FILE_KINDS for extension in kind.extensions}
FILE_ACCEPT = ",".join(f".{extension}" for extension in _KIND_OF)  # for the `accept` of a form's field
