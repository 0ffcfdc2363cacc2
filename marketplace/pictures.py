"""Pictures that people send: decoded whole, turned upright, and drawn again without anything that came with them."""

import io
import struct
import threading
import zlib

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from PIL import Image, ImageCms

from marketplace.uploads import UploadRefused, refuse_disguise

PICTURE_FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "AVIF"]
PICTURE_TYPES = "image/jpeg,image/png,image/webp,image/gif,image/avif"  # for the `accept` of a form's field
MAX_PIXELS = 40_000_000  # a small file can unfold into gigabytes
WEBP_QUALITY = 82

_ORIENTATION = 0x0112
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
    *(IndexError, KeyError, TypeError, OverflowError, ZeroDivisionError),
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
            raise UploadRefused(
                _("The picture is damaged and could not be read to its end. Choose another one, or save it again.")
            ) from None
    return drawn.transpose(turn) if turn else drawn


def encode_webp(image: Image.Image) -> bytes:
    """The picture as WebP without metadata: no place, camera, comment or colour profile."""
    bare = Image.new(image.mode, image.size)  # a new image has no metadata to carry over
    bare.paste(image)
    target = io.BytesIO()
    bare.save(target, "WEBP", quality=WEBP_QUALITY, method=4)
    return target.getvalue()


def _too_many_pixels() -> str:
    return _("The picture has more than 40 million pixels. Make it smaller first.")


def _read_orientation(image: Image.Image) -> int:
    """How the camera was held; upright where the tag cannot be read, because the picture itself can."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        return 1


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
