"""What lines of the log and reports of errors leave out."""

import logging
import re

from django.views.debug import ExceptionReporter

# Whoever has one of these may do what its owner may: what stands behind such an address, or an access token.
_KEY_IN_PATH = re.compile(r"(/sell/application/|/password/reset/key/)[^/\s]+")
_TOKEN = re.compile(r"pm_[A-Za-z0-9_-]{20,}")
_FORMATTER = logging.Formatter()


def hide_keys(text: str) -> str:
    return _TOKEN.sub("pm_…", _KEY_IN_PATH.sub(r"\1…", text))


class HideLinks(logging.Filter):
    """Takes the keys out of addresses that signed links lead to, because Django logs the path of each request that it
    refuses; and tokens, wherever somebody put one, also in the words of an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        hidden = hide_keys(text)
        if hidden != text:
            record.msg, record.args = hidden, None
        if record.exc_info:
            record.exc_text = hide_keys(record.exc_text or _FORMATTER.formatException(record.exc_info))
        return True


class SafeReporter(ExceptionReporter):
    """The page and the mail of an error show headers and variables. Django hides those whose names sound secret; this
    hides what is one by its looks."""

    def get_traceback_html(self):
        return hide_keys(super().get_traceback_html())

    def get_traceback_text(self):
        return hide_keys(super().get_traceback_text())
