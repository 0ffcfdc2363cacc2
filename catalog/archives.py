"""What may be in a ZIP archive or a Word, Excel or PowerPoint document: all is unpacked once to look at, nothing kept.

Programs that unpack disagree over an archive whose parts contradict each other, so that one is refused: entries follow
each other from the first byte to the directory, both headers of an entry say the same, nothing stands before or behind.
Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5; ECMA-376 part 2 for what the documents are made of.
"""

import re
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from django.utils.translation import gettext as _

from marketplace.uploads import SNIFFED_BYTES, ZIP_END, ZIP_END_BYTES, UploadRefused, is_markup, is_program

MAX_ENTRIES = 2_000  # over all levels, as the bytes
MAX_UNPACKED_BYTES = 300 * 1024 * 1024
MAX_RATIO = 200  # unpacked to packed, of an entry of some size; texts reach 20, drawings in XML 100
RATIO_FROM_BYTES = 4 * 1024 * 1024
MAX_DIRECTORY_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 2  # a slide show in a ZIP keeps its charts as workbooks
MAX_PATH_LENGTH = 240  # characters
MAX_RELATIONS_BYTES = 8 * 1024 * 1024  # of the parts that say what a document is made of
CHUNK_BYTES = 64 * 1024

# What a double click runs, installs, mounts or opens in a browser on a stock Windows, macOS, Linux desktop or Android.
# Sources such as .py and .sh open in an editor there, so they may come along.
RUNNABLE = frozenset(
    [
        *("apk", "app", "appimage", "application", "appx", "bat", "chm", "class", "cmd", "com", "command", "cpl"),
        *("crx", "deb", "desktop", "dll", "dmg", "exe", "gadget", "hta", "htm", "html", "img", "inf", "iso", "jar"),
        *("js", "jse", "library-ms", "lnk", "mht", "mhtml", "msc", "msi", "msix", "msp", "ocx", "pif", "pkg", "ps1"),
        *("ps1xml", "psm1", "reg", "rpm", "scf", "scpt", "scr", "search-ms", "settingcontent-ms", "shtml", "svg"),
        *("svgz", "sys", "url", "vb", "vbe", "vbs", "vhd", "vhdx", "webloc", "wsc", "wsf", "wsh", "xbap", "xht"),
        *("xhtml", "xll", "docm", "dotm", "potm", "ppam", "ppsm", "pptm", "xlam", "xlsb", "xlsm", "xltm"),
    ]
)
BUNDLES = frozenset(
    ["action", "app", "kext", "mpkg", "pkg", "prefpane", "scptd", "workflow"]
)  # folders that macOS runs
PACKED = frozenset(
    [
        *("7z", "ace", "alz", "arj", "bz2", "cab", "egg", "gz", "lha", "lzh", "rar", "tar", "tbz", "tgz", "txz"),
        *("xz", "z", "zip", "zst"),
    ]
)
OFFICE_PARTS = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}
CONTENT_TYPES = "[Content_Types].xml"

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_END_RECORD = struct.Struct("<4s4H2LH")
_ENCRYPTED, _STREAMED, _UTF8, _MASKED = 0x1, 0x8, 0x800, 0x2041
_DESCRIPTOR_BYTES = (12, 16, 20, 24)  # with or without a signature, sizes of four or eight bytes
_UNICODE_PATH = 0x7075
_PACKED_SIGN = re.compile(rb"PK\x03\x04|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x1f\x8b\x08|BZh\d1AY&SY|\xfd7zXZ\0|MSCF\0")
_TURNS_AROUND = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # control and direction
_OLE_SIGN = b"\xd0\xcf\x11\xe0"  # the old document format: macros, and objects that can be programs
_RELATIONSHIP = re.compile(r"<(?:\w+:)?Relationship\b[^<]*")
_ATTRIBUTE = re.compile(r"([\w:]{1,40})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_LOADED = frozenset(["attachedtemplate", "oleobject", "frame", "subdocument", "externallink", "control"])
_OUTSIDE = re.compile(r"(?!file:///[a-z]:)(?:[a-z-]+:|\\\\|//)", re.IGNORECASE)
_ASKS_PROGRAMS = re.compile(rb"<(?:\w+:)?(?:dde|ole)Link\b|\binstr(?:Text[^<>]{0,200}>|=[\"'])\s*DDE", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One file of an archive: where its bytes are, and what both of its headers say of it."""

    name: str
    data_at: int
    packed_bytes: int
    unpacked_bytes: int
    crc: int
    is_deflated: bool

    @property
    def extension(self) -> str:
        return _read_extension(self.name)

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


def check_zip(file) -> None:
    """Raises UploadRefused for an archive that could harm whoever unpacks it. file: seekable, read as bytes."""
    _Check().check_zip(file)


def check_office(file, extension: str) -> None:
    """Raises UploadRefused for what is no such document, or one that runs or loads something when opened.

    extension: a key of OFFICE_PARTS.
    """
    _Check().check_office(file, extension)


class _Check:
    """The walk through one upload, with what is left of the limits over all levels."""

    def __init__(self):
        self.entries_left = MAX_ENTRIES
        self.bytes_left = MAX_UNPACKED_BYTES
        self.relations_left = MAX_RELATIONS_BYTES

    def check_zip(self, file) -> None:
        entries = self.read_entries(file)
        names = {entry.name for entry in entries}
        if CONTENT_TYPES in names:
            raise UploadRefused(
                _("This is a Word, Excel or PowerPoint document. Give its name the ending that belongs to it.")
            )
        if marks := names & {"META-INF/MANIFEST.MF", "AndroidManifest.xml"}:
            raise UploadRefused(_is_runnable(marks.pop()))
        for entry in entries:
            self.check_entry(file, entry, refused=RUNNABLE, depth=1)

    def check_office(self, file, extension: str, *, depth: int = 0) -> None:
        entries = self.read_entries(file)
        if not {CONTENT_TYPES, OFFICE_PARTS[extension]} <= {entry.name for entry in entries}:
            raise UploadRefused(
                _("The ending of the name does not fit what is in the file. Save it again in the kind that it is.")
            )
        for entry in entries:
            name = entry.name.lower()
            if any(sign in name for sign in ("vbaproject", "/activex/", "/macrosheets/")):
                raise UploadRefused(_has_macros())
            self.check_entry(file, entry, refused=RUNNABLE - {"svg"}, depth=depth + 1, is_part=True)

    def check_entry(self, file, entry: Entry, *, refused: frozenset[str], depth: int, is_part: bool = False) -> None:
        folders = entry.name.split("/")[:-1]
        if entry.extension in refused or any(_read_extension(folder) in BUNDLES for folder in folders):
            raise UploadRefused(_is_runnable(entry.name))
        if entry.extension in PACKED:
            raise UploadRefused(_is_archive(entry.name))
        if entry.is_folder:
            if entry.unpacked_bytes:
                raise UploadRefused(_is_odd())
            return
        if entry.extension in OFFICE_PARTS:
            self.check_inner_office(file, entry, depth=depth)
            return
        is_xml = is_part and entry.extension in ("xml", "rels", "vml")
        head = before = b""
        for chunk in self.unpack(file, entry):
            if not head:
                head = chunk
                self.check_head(entry, head, is_part=is_part)
            if is_xml:
                self.check_xml(entry, before + chunk)
                before = chunk if entry.extension == "rels" else chunk[-300:]

    def check_head(self, entry: Entry, head: bytes, *, is_part: bool) -> None:
        """By the first bytes: names can say anything."""
        if is_program(head) or (not is_part and is_markup(head[:SNIFFED_BYTES])):
            raise UploadRefused(_is_runnable(entry.name))
        if head.startswith(_OLE_SIGN):
            raise UploadRefused(_has_macros() if is_part else _is_old_office(entry.name))
        if _PACKED_SIGN.match(head):
            raise UploadRefused(_is_archive(entry.name))

    def check_xml(self, entry: Entry, text: bytes) -> None:
        if b"\0" in text[:64] or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise UploadRefused(_is_odd())
        if entry.name == CONTENT_TYPES and b"macroEnabled" in text:
            raise UploadRefused(_has_macros())
        if entry.extension == "rels":
            self.relations_left -= len(text)
            if self.relations_left < 0:
                raise UploadRefused(_is_too_much())
        if _ASKS_PROGRAMS.search(text) or (entry.extension == "rels" and _loads_from_outside(text)):
            raise UploadRefused(
                _("The document loads something from elsewhere when it is opened. Save it without links of that kind.")
            )

    def check_inner_office(self, file, entry: Entry, *, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise UploadRefused(_is_archive(entry.name))
        with tempfile.TemporaryFile() as inner:
            for chunk in self.unpack(file, entry):
                inner.write(chunk)
            self.check_office(inner, entry.extension, depth=depth)

    def read_entries(self, file) -> list[Entry]:
        """Everything the directory lists, in the order of the file. Raises UploadRefused over contradictions."""
        directory_at, directory_bytes, count = _read_end(file)
        self.entries_left -= count
        if self.entries_left < 0 or directory_bytes > MAX_DIRECTORY_BYTES:
            raise UploadRefused(
                _("There are more than %(limit)d files in it. Leave some out.") % {"limit": MAX_ENTRIES}
            )
        try:
            with zipfile.ZipFile(file) as archive:
                infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            if len(infos) != count or not infos:
                raise UploadRefused(_is_odd())
            entries, place = [], 0
            for info, following in zip(infos, [*infos[1:], None], strict=True):
                end = following.header_offset if following else directory_at
                entries.append(_read_entry(file, info, begin=place, end=end))
                place = end
        except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, OSError, IndexError):
            raise UploadRefused(_is_odd()) from None
        keys = [unicodedata.normalize("NFC", entry.name).casefold().rstrip("/") for entry in entries]
        if len(set(keys)) < len(keys):
            raise UploadRefused(_is_odd())
        return entries

    def unpack(self, file, entry: Entry) -> Iterator[bytes]:
        """The entry's bytes in pieces, and proof at the end that they are as many and the ones that were announced."""
        if entry.unpacked_bytes > RATIO_FROM_BYTES and entry.unpacked_bytes > MAX_RATIO * entry.packed_bytes:
            raise UploadRefused(_is_too_much())
        self.bytes_left -= entry.unpacked_bytes
        if self.bytes_left < 0:
            raise UploadRefused(_is_too_much())
        crc = size = 0
        for chunk in _inflate(file, entry) if entry.is_deflated else _copy(file, entry):
            size += len(chunk)
            if size > entry.unpacked_bytes:
                raise UploadRefused(_is_odd())
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if (size, crc) != (entry.unpacked_bytes, entry.crc):
            raise UploadRefused(_is_odd())


def _loads_from_outside(text: bytes) -> bool:
    """Whether a part of the document lies elsewhere. Pictures, and links that somebody has to click, are none."""
    for found in _RELATIONSHIP.finditer(text.decode(errors="replace")):
        values = {name.lower(): unescape(one or other).strip() for name, one, other in _ATTRIBUTE.findall(found[0])}
        is_part = values.get("type", "").rpartition("/")[2].lower() in _LOADED
        if is_part and values.get("targetmode", "").lower() == "external" and _OUTSIDE.match(values.get("target", "")):
            return True
    return False


def _read_end(file) -> tuple[int, int, int]:
    """Place and length of the directory, and how many entries it has. It must reach to the end record, and that to the
    last byte: no comment, nothing behind, nothing before that would have moved the places, none of the 64-bit records.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - ZIP_END_BYTES))
    end = file.read(ZIP_END_BYTES)
    if len(end) < ZIP_END_BYTES or not end.startswith(ZIP_END):
        raise UploadRefused(_is_odd())
    _sign, disk, first_disk, count_here, count, length, place, comment_length = _END_RECORD.unpack(end)
    is_plain = not disk and not first_disk and not comment_length and count_here == count
    if not is_plain or place + length != size - ZIP_END_BYTES:
        raise UploadRefused(_is_odd())
    file.seek(max(0, size - ZIP_END_BYTES - 20))
    if file.read(4) == b"PK\x06\x07":
        raise UploadRefused(_is_odd())
    return place, length, count


def _read_entry(file, info: zipfile.ZipInfo, *, begin: int, end: int) -> Entry:
    """The entry that fills the file from `begin` to `end`, if both its headers say so."""
    file.seek(info.header_offset)
    sign, _version, flags, method, _time, _date, crc, packed, unpacked, name_length, extra_length = (
        _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    )
    raw_name, extra = file.read(name_length), file.read(extra_length)
    if (flags | info.flag_bits) & _ENCRYPTED:
        raise UploadRefused(_("The file is locked with a password. Save or pack it again without one."))
    is_same = (sign, flags, method) == (b"PK\x03\x04", info.flag_bits, info.compress_type)
    is_same = is_same and raw_name == info.orig_filename.encode("utf-8" if flags & _UTF8 else "cp437")
    if not flags & _STREAMED:
        is_same = is_same and (crc, packed, unpacked) == (info.CRC, info.compress_size, info.file_size)
    data_at = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    gap = end - data_at - info.compress_size
    is_full = info.header_offset == begin and (gap == 0 or (flags & _STREAMED and gap in _DESCRIPTOR_BYTES))
    is_known = method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not flags & _MASKED
    if not is_same or not is_full or not is_known:
        raise UploadRefused(_is_odd())
    name = _decode_name(raw_name, is_utf8=bool(flags & _UTF8))
    other_names = {*_read_unicode_paths(extra), *_read_unicode_paths(info.extra)}
    for each in (name, *other_names):
        _refuse_unsafe_name(each)
        if _is_other_kind(each, name):
            raise UploadRefused(_is_odd())
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UploadRefused(_is_misplaced(name))
    return Entry(
        name=(other_names.pop() if len(other_names) == 1 else name).replace("\\", "/"),
        data_at=data_at,
        packed_bytes=info.compress_size,
        unpacked_bytes=info.file_size,
        crc=info.CRC,
        is_deflated=method == zipfile.ZIP_DEFLATED,
    )


def _decode_name(raw: bytes, *, is_utf8: bool) -> str:
    """As unpacking programs in Korea read it: Windows packs names in CP949 and does not say so."""
    for encoding in ("utf-8",) if is_utf8 else ("utf-8", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("cp437")


def _read_unicode_paths(extra: bytes) -> Iterator[str]:
    """Names that some programs take instead of the header's own (Info-ZIP, extra field 0x7075)."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<2H", extra[:4])
        if kind == _UNICODE_PATH:
            yield extra[9 : 4 + length].decode("utf-8")  # after a version and a checksum
        extra = extra[4 + length :]


def _read_extension(name: str) -> str:
    """Of the last part of a path: lower case, without a dot. Windows drops dots and spaces at the end of a name."""
    return name.replace("\\", "/").rpartition("/")[2].rstrip(". ").rpartition(".")[2].lower()


def _is_other_kind(one: str, other: str) -> bool:
    """Whether two names of an entry would be judged differently. Letters that one encoding lacks are no difference."""
    extensions = {_read_extension(one), _read_extension(other)}
    is_judged = extensions & (RUNNABLE | PACKED | OFFICE_PARTS.keys())
    return (len(extensions) > 1 and bool(is_judged)) or one.endswith("/") != other.endswith("/")


def _refuse_unsafe_name(name: str) -> None:
    parts = name.replace("\\", "/").removesuffix("/").split("/")
    is_unsafe = any(part in ("", ".", "..") or ":" in part for part in parts)
    is_unsafe = is_unsafe or bool(_TURNS_AROUND.search(name))
    if is_unsafe or len(name) > MAX_PATH_LENGTH:
        raise UploadRefused(_is_misplaced(name))


def _inflate(file, entry: Entry) -> Iterator[bytes]:
    """Never more than a chunk at once, however tightly it is packed; the stream must end with the entry."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _copy(file, entry):
            while packed and not stream.eof:
                chunk = stream.decompress(packed, CHUNK_BYTES)
                packed = stream.unconsumed_tail
                if chunk:
                    yield chunk
        while not stream.eof and (chunk := stream.decompress(b"", CHUNK_BYTES)):
            yield chunk
    except zlib.error:
        raise UploadRefused(_is_odd()) from None
    if not stream.eof or stream.unused_data or packed:
        raise UploadRefused(_is_odd())


def _copy(file, entry: Entry) -> Iterator[bytes]:
    place, left = entry.data_at, entry.packed_bytes
    while left:
        file.seek(place)
        chunk = file.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise UploadRefused(_is_odd())
        place, left = place + len(chunk), left - len(chunk)
        yield chunk


def _is_odd() -> str:
    return _("The file is damaged or packed in an unusual way. Save the document again, or pack the ZIP again.")


def _is_too_much() -> str:
    return _("Unpacked, the file is much too large. Leave some of it out.")


def _is_archive(name: str) -> str:
    return _("“%(name)s” is an archive within the archive. Unpack it first.") % {"name": _shorten(name)}


def _is_runnable(name: str) -> str:
    return _("“%(name)s” is a program, a script or a web page, and could harm whoever opens it. Leave it out.") % {
        "name": _shorten(name)
    }


def _is_old_office(name: str) -> str:
    return _("“%(name)s” is an old Office document. Save it as DOCX, XLSX or PPTX.") % {"name": _shorten(name)}


def _is_misplaced(name: str) -> str:
    return _("“%(name)s” is a link, or has a name that could end up outside its folder. Give it a plain name.") % {
        "name": _shorten(name)
    }


def _has_macros() -> str:
    return _("The document has macros or embedded objects. Save it without them.")


def _shorten(name: str) -> str:
    shown = "".join(char for char in name if char.isprintable())
    return shown if len(shown) <= 60 else f"…{shown[-59:]}"
