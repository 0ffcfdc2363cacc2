"""What lines of the log leave out."""

import logging
import re

# Whoever has one of these addresses may do what its owner may. What stands behind them is the key.
_KEY_IN_PATH = re.compile(r"(/sell/application/|/password/reset/key/)[^/\s]+")


class HideLinks(logging.Filter):
    """Takes the keys out of addresses that signed links lead to: Django logs the path of each request it refuses."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        hidden = _KEY_IN_PATH.sub(r"\1…", text)
        if hidden != text:
            record.msg, record.args = hidden, None
        return True
