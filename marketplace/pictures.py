"""Pictures that people send: decoded whole, turned upright, and drawn again without anything that came with them."""

import io
import re
import struct
import threading
import zlib

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from PIL import Image, ImageCms

from marketplace.uploads import UploadRefused, is_markup, is_program, refuse_disguise

PICTURE_FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "AVIF"]
PICTURE_TYPES = "image/jpeg,image/png,image/webp,image/gif,image/avif"  # for the `accept` of a form's field
MAX_PIXELS = 40_000_000  # a small file can unfold into gigabytes
MAX_JPEG_SCANS = 64  # each goes over the whole picture; ten are usual, and ten thousand fit into a small file
WEBP_QUALITY = 82

_ORIENTATION, _PLACE = 0x0112, 0x8825  # tags of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BROKEN = (  # what Pillow's readers raise over broken data
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError),
    *(IndexError, KeyError, TypeError, OverflowError, ZeroDivisionError, RuntimeError),
)
_one_at_a_time = threading.BoundedSemaphore(1)  # 40 megapixels with transparency unfold into 160 MB


def open_picture(upload: UploadedFile) -> Image.Image:
    """The picture behind an upload, its header read and nothing decoded yet. The caller has looked at the size.

    Raises UploadRefused for anything but a JPEG, PNG, WebP, GIF or AVIF of at most 40 megapixels, and for one that is
    something else besides.
    """
    upload.seek(0)
    data = upload.read()
    if b"<svg" in data[:1024].lower():
        raise UploadRefused(_("SVG drawings cannot be used here. Save it as PNG or JPEG first."))
    try:
        image = Image.open(io.BytesIO(data), formats=PICTURE_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UploadRefused(_too_many_pixels()) from None
    except _BROKEN:
        raise UploadRefused(
            _("This file is not a picture that we can read. Choose a JPEG, PNG, WebP, GIF or AVIF file.")
        ) from None
    if image.width * image.height > MAX_PIXELS:  # known from the header
        raise UploadRefused(_too_many_pixels())
    refuse_disguise(data)
    refuse_what_stands_behind(data, image.format)
    return image


def read_picture(upload: UploadedFile, *, enough_px: int) -> Image.Image:
    """The upload as an upright sRGB picture of mode RGB or RGBA, decoded whole.

    Only the first frame of a moving picture is kept.
    enough_px: large pictures come smaller than they were sent, by a whole factor, but neither side below this.
    Raises UploadRefused. One picture at a time is decoded in each process, so that memory stays bounded.
    """
    with _one_at_a_time, open_picture(upload) as image:
        try:
            image.seek(0)
            image.draft(None, (enough_px, enough_px))  # a JPEG is decoded at a fraction of its size
            image.load()
            profile, turn = image.info.get("icc_profile"), _TURNS.get(_read_orientation(image))
            drawn = _draw_srgb(_reduce(_as_eight_bit(image), enough_px), profile)
        except _BROKEN:
            raise UploadRefused(_is_damaged()) from None
    return drawn if turn is None else drawn.transpose(turn)


def refuse_what_stands_behind(data: bytes, kind: str, *, is_kept: bool = False) -> None:
    """Raises UploadRefused when more than padding follows where the picture itself ends, or when it does not end.

    kind: one of PICTURE_FORMATS.
    is_kept: whether the bytes stay as they are. Phones put films, depth maps and second pictures behind a JPEG; they
    are let through otherwise, because drawing anew drops them. Programs, web pages and PDFs are never.
    """
    end = _FIND_END[kind](data)
    if not end or end > len(data):
        raise UploadRefused(_is_damaged())
    behind = data[end:].lstrip(b"\0")
    if kind == "JPEG" and not is_kept:
        is_refused = is_program(behind) or is_markup(behind) or b"%PDF-" in behind
    else:
        is_refused = bool(behind)
    if is_refused:
        raise UploadRefused(
            _("Something else stands behind the picture in this file. Save it again with a picture program.")
        )


def encode_webp(image: Image.Image) -> bytes:
    """The picture as WebP without metadata: no place, camera, comment or colour profile."""
    bare = Image.new(image.mode, image.size)  # a new image has no metadata to carry over
    bare.paste(image)
    target = io.BytesIO()
    bare.save(target, "WEBP", quality=WEBP_QUALITY, method=4)
    return target.getvalue()


def _too_many_pixels() -> str:
    return _("The picture has more than 40 million pixels. Make it smaller first.")


def _is_damaged() -> str:
    return _("The picture is damaged and could not be read to its end. Choose another one, or save it again.")


def _read_orientation(image: Image.Image) -> int:
    """How the camera was held; upright where the tag cannot be read, because the picture itself can."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        return 1


def has_place(image: Image.Image) -> bool:
    """Whether the file says where the picture was taken."""
    try:
        return bool(image.getexif().get_ifd(_PLACE))
    except _BROKEN:
        return False


def _as_eight_bit(image: Image.Image) -> Image.Image:
    """One of the modes that can be resized: L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):  # 16 bits a pixel: a plain conversion would cut off instead of scale
        return image.point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _reduce(image: Image.Image, enough_px: int) -> Image.Image:
    factor = min(image.size) // enough_px
    return image.reduce(factor) if factor > 1 else image


def _draw_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The same colours in sRGB. A profile that is broken, or of another kind of picture, is left aside."""
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        except (ImageCms.PyCMSError, *_BROKEN):
            pass
    return image.convert(mode)


# --- Where pictures end, so that nothing hides behind. What cannot be followed to its end ends at 0.


def _find_png_end(data: bytes) -> int:
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        place += 12 + length
        if kind == b"IEND":
            return place
    return 0


def _find_jpeg_end(data: bytes) -> int:
    """Segments have a length, but for the coded lines after a start of scan: those last until the next marker."""
    place, scans_left = 2, MAX_JPEG_SCANS
    while marker := _JPEG_MARKER.search(data, place):
        kind, place = data[marker.end() - 1], marker.end()
        scans_left -= kind == 0xDA
        if kind == 0xD9 or scans_left < 0:
            return place if scans_left >= 0 else 0
        if kind not in (0x01, 0xD8):
            place += int.from_bytes(data[place : place + 2], "big")
    return 0


def _find_gif_end(data: bytes) -> int:
    def skip_blocks(place):
        while data[place]:
            place += 1 + data[place]
        return place + 1

    def skip_colours(flags):
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    try:
        place = 13 + skip_colours(data[10])
        while data[place] != 0x3B:
            if data[place] == 0x21:  # an extension with its label
                place = skip_blocks(place + 2)
            elif data[place] == 0x2C:  # a frame
                place = skip_blocks(place + 11 + skip_colours(data[place + 9]))
            else:
                return 0
    except IndexError:
        return 0
    return place + 1


def _find_riff_end(data: bytes) -> int:
    length = int.from_bytes(data[4:8], "little")
    return 8 + length + length % 2


def _find_boxes_end(data: bytes) -> int:
    place = 0
    while place + 8 <= len(data):
        length, _kind = struct.unpack_from(">I4s", data, place)
        if length == 1 and place + 16 <= len(data):
            length = int.from_bytes(data[place + 8 : place + 16], "big")
        if length < 8:  # 0: until the end
            return len(data) if length == 0 else 0
        place += length
    return place


_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_FIND_END = {
    "PNG": _find_png_end,
    "JPEG": _find_jpeg_end,
    "GIF": _find_gif_end,
    "WEBP": _find_riff_end,
    "AVIF": _find_boxes_end,
}
