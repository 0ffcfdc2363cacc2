"""Files to upload, built byte by byte: good ones, and parts for bad ones."""

import errno
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files.storage import FileSystemStorage
from PIL import Image, ImageCms

CONTENT_TYPES = (
    b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Override PartName="/word/document.xml" ContentType="application/%b+xml"/></Types>'
)
DOCUMENT = b'<?xml version="1.0"?><w:document xmlns:w="w"><w:body><w:p><w:r>%b</w:r></w:p></w:body></w:document>'
RELATIONSHIP = b'<?xml version="1.0"?><Relationships><Relationship Id="r1" %b/></Relationships>'


def encode(image: Image.Image, kind: str, **options) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def noise(size=(120, 90), mode="RGB") -> Image.Image:
    """A picture that does not pack well, so that half of its bytes are half of its lines."""
    return Image.effect_noise(size, 90).convert(mode)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 8, height: int = 8, *, rows: bytes | None = None, extra: bytes = b"") -> bytes:
    """A PNG in RGB. rows: what the image data unpacks to; black by default."""
    rows = bytes((1 + 3 * width) * height) if rows is None else rows
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


def jpeg_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(*segments: bytes, size=(120, 90)) -> bytes:
    """A JPEG with `segments` right after its start."""
    plain = encode(noise(size), "JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def gif_comment(text: bytes) -> bytes:
    return b"\x21\xfe" + bytes([len(text)]) + text + b"\0"


def gif(*blocks: bytes) -> bytes:
    """A GIF with `blocks` before its frame."""
    plain = encode(Image.new("P", (8, 8)), "GIF")
    begin = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    return plain[:begin] + b"".join(blocks) + plain[begin:]


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# --- ZIP


def pack(files: dict[str, bytes | str], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


@dataclass
class Part:
    """An entry whose two headers can say different things. `None` means the truth."""

    name: bytes
    data: bytes = b"x"
    packed: bytes | None = None
    flags: int = 0
    method: int = 8
    mode: int = 0o100644
    local_name: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    extra: bytes = b""
    descriptor: bytes = b""
    place: int | None = None
    before: bytes = b""
    is_listed: bool = True
    is_written: bool = True
    at: int = field(default=0, init=False)


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def assemble(*parts: Part, prefix: bytes = b"", comment: bytes = b"", before_end: bytes = b"", suffix: bytes = b""):
    """An archive as the parts say, contradictions included."""
    body, directory = bytearray(prefix), b""
    for part in parts:
        packed = part.packed if part.packed is not None else deflate(part.data) if part.method == 8 else part.data
        crc = zlib.crc32(part.data) if part.crc is None else part.crc
        size = len(part.data) if part.size is None else part.size
        packed_size = len(packed) if part.packed_size is None else part.packed_size
        local_name = part.name if part.local_name is None else part.local_name
        shared = (20, part.flags, part.method, 0, 33, crc, packed_size, size)
        body += part.before
        part.at = len(body) - len(prefix)
        if part.is_written:
            body += struct.pack("<4s5H3L2H", b"PK\x03\x04", *shared, len(local_name), len(part.extra))
            body += local_name + part.extra + packed + part.descriptor
        if part.is_listed:
            place = part.at if part.place is None else part.place
            tail = (len(part.name), len(part.extra), 0, 0, 0, part.mode << 16, place)
            directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 0x0314, *shared, *tail) + part.name + part.extra
    count = sum(part.is_listed for part in parts)
    end = (0, 0, count, count, len(directory), len(body) - len(prefix), len(comment))
    return bytes(body) + directory + before_end + struct.pack("<4s4H2LH", b"PK\x05\x06", *end) + comment + suffix


def unicode_path(name: str) -> bytes:
    """The extra field in which some programs keep another name for the entry."""
    data = b"\x01" + bytes(4) + name.encode()
    return struct.pack("<2H", 0x7075, len(data)) + data


def docx(files: dict[str, bytes] | None = None, *, kind: bytes = b"document", body: bytes = b"<w:t>hi</w:t>") -> bytes:
    return pack(
        {
            "[Content_Types].xml": CONTENT_TYPES % kind,
            "_rels/.rels": RELATIONSHIP % b'Type="http://x/officeDocument" Target="word/document.xml"',
            "word/document.xml": DOCUMENT % body,
            **(files or {}),
        }
    )


def xlsx(files: dict[str, bytes] | None = None) -> bytes:
    return pack({"[Content_Types].xml": CONTENT_TYPES % b"sheet", "xl/workbook.xml": b"<workbook/>", **(files or {})})


# --- PDF


def pdf(*objects: bytes, catalogue: bytes = b"", trailer: bytes = b"", head: bytes = b"", tail: bytes = b"") -> bytes:
    """A PDF of one empty page. objects: bodies of further ones, numbered from 4."""
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R %b >>" % catalogue,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
        *objects,
    ]
    made, places = bytearray(b"%PDF-1.7\n" + head), []
    for number, body in enumerate(bodies, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table_at = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer\n<< /Size %d /Root 1 0 R %b >>\n" % (len(bodies) + 1, trailer)
    return bytes(made) + b"startxref\n%d\n%%%%EOF\n" % table_at + tail


def pdf_packed(data: bytes, *, kind: bytes = b"/Type /ObjStm /N 1 /First 4") -> bytes:
    packed = zlib.compress(data)
    return b"<< %b /Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream" % (kind, len(packed), packed)


# --- Storage


class FullDisk(FileSystemStorage):
    """A folder with room for `files_left` files; of the next one half is written."""

    files_left = 0

    def _save(self, name, content):
        if type(self).files_left:
            type(self).files_left -= 1
            return super()._save(name, content)
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read(content.size // 2))
        raise OSError(errno.ENOSPC, "No space left on device")
