"""What every upload is asked before its kind is: is it small enough, and is it one file and not two in one."""

import re

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

ZIP_END = b"PK\x05\x06"
ZIP_END_BYTES = 22  # of the end record without its comment
ZIP_TAIL_BYTES = ZIP_END_BYTES + 65_535  # the end record stands within so many bytes of the end
SNIFFED_BYTES = 1445  # of the beginning: as far as browsers look for signs of a web page

# Whatever a browser would take for a document, anywhere in a file that should hold none.
_MARKUP = re.compile(rb"<(?:script|html|iframe|object|embed)[\s/>]|<svg[\s>]|<!doctype\s+html|<\?php\b", re.IGNORECASE)
_DOCUMENT_START = re.compile(
    rb"(?:\xef\xbb\xbf)?[\s\0]*<(?:!doctype|!--|\?|%|svg\b|(?:html|head|script|iframe|h1|div|font|table|a|style|title|b"
    rb"|body|br|p|object|embed|meta|link|base|form)[\s/>])",
    re.IGNORECASE,
)
_PROGRAM_SIGNS = (  # ELF, Java and fat Mach-O, Mach-O in both byte orders and widths, Android, a shortcut of Windows
    *(b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xce"),
    *(b"\xfe\xed\xfa\xcf", b"dex\n", b"L\0\0\0\x01\x14\x02\0"),
)
_PACKED = re.compile(rb"Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|MSCF\0\0\0\0")
_SCRIPT_SIZES = {b"\xff\xd8\xff": 4, b"GIF8": 6, b"RIFF": 4}  # where a size could spell the start of a comment


class UploadRefused(Exception):
    """The message is written for whoever sends the file: what is wrong with it and what to do."""


def refuse_large(upload: UploadedFile, *, max_bytes: int) -> None:
    """Raises UploadRefused for a file above `max_bytes`, whole megabytes, and for an empty one. Reads nothing."""
    if not upload.size:
        raise UploadRefused(_("The file is empty. Choose another one."))
    if upload.size > max_bytes:
        raise UploadRefused(
            _("The file is larger than %(limit)d MB. Choose a smaller one.") % {"limit": max_bytes // (1024 * 1024)}
        )


def refuse_disguise(data: bytes) -> None:
    """Raises UploadRefused for a picture that is also a web page, a script, an archive or a PDF."""
    head = data[:1024]
    is_script = any(head.startswith(sign) and head[at : at + 2] == b"/*" for sign, at in _SCRIPT_SIZES.items())
    if is_script or _MARKUP.search(data):
        raise UploadRefused(
            _("A web page or a script is hidden in this file. Save the picture again with a picture program.")
        )
    if b"%PDF-" in head or ends_as_archive(data) or _PACKED.search(data):
        raise UploadRefused(_("Another file is hidden in this one. Save the picture again with a picture program."))


def ends_as_archive(data) -> bool:
    """Whether programs that unpack ZIP would find an archive here: they begin at the end and ignore the start.

    data: anything that acts as bytes, so that a large file can be mapped instead of read.
    """
    tail_at = max(0, len(data) - ZIP_TAIL_BYTES)
    tail = bytes(data[tail_at:])
    at = tail.rfind(ZIP_END)
    while at >= 0:
        end = tail_at + at
        directory_bytes = int.from_bytes(data[end + 12 : end + 16], "little")
        directory_at = end - directory_bytes
        has_directory = directory_at >= 0 and bytes(data[directory_at : directory_at + 4]) == b"PK\x01\x02"
        if has_directory or tail[max(0, at - 20) : at].startswith(b"PK\x06\x07"):  # or one of the 64-bit records
            return True
        at = tail.rfind(ZIP_END, 0, at)
    return False


def is_markup(head: bytes) -> bool:
    """Whether a browser that guesses would open this beginning as a web page, a drawing or XML.

    Source: WHATWG MIME Sniffing, section 7.1; drawings and PHP besides.
    """
    return bool(_DOCUMENT_START.match(head))


def is_program(head: bytes) -> bool:
    """Whether Windows, Linux, macOS, Android or Java could run what begins so."""
    is_dos = head.startswith(b"MZ") and b"\0" in head[:64]  # a text may begin with these letters
    return is_dos or head.startswith(_PROGRAM_SIGNS)
