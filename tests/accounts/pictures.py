"""Pictures to upload."""

import io

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image


def draw(size=(400, 300), *, mode="RGB", colour="red", kind="JPEG", **options) -> bytes:
    target = io.BytesIO()
    Image.new(mode, size, colour).save(target, kind, **options)
    return target.getvalue()


def upload(data: bytes, name="me.jpg", content_type="image/jpeg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type)
