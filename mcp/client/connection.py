"""Requests to one server with its credentials, and what answers mean whatever was asked: sign in, come back later, ….

Source: RFC 9110 (`WWW-Authenticate`, `Retry-After`), RFC 9728 (`resource_metadata`), `docs/mcp-registry.md`.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from marketplace.outbound import Answer, Blocked, Failed, OutboundClient
from mcp.foreign_text import clean_line
from mcp.verdicts import Verdict

MAX_QUOTED = 8_000  # of what a server said: whoever shows it takes our credentials out first, and cuts then
MAX_RETRY_AFTER_S = 24 * 60 * 60
# Of gateways, and of the networks in front of a server that tell so that the server itself did not answer.
UNAVAILABLE_STATUSES = frozenset({502, 503, 504, 520, 521, 522, 523, 524, 530})
VERDICTS = {
    "invalid_url": Verdict.INVALID_URL,
    "blocked_address": Verdict.BLOCKED_ADDRESS,
    "unreachable": Verdict.UNREACHABLE,
    "timeout": Verdict.TIMEOUT,
    "tls_error": Verdict.TLS_ERROR,
    "redirect": Verdict.REDIRECT,
    "too_large": Verdict.RESPONSE_TOO_LARGE,
    "ended": Verdict.STREAM_ENDED,
}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_QUOTED = re.compile(r'"[^"]*"')
_BEARER = re.compile(r"(?:^|,)\s*bearer(?:\s|,|$)", re.IGNORECASE)
_RESOURCE_METADATA = re.compile(r'\bresource_metadata\s*=\s*"?(https?://[^\s",]+)', re.IGNORECASE)
_OURS = frozenset({"accept", "content-type", "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id"})


class CheckEnded(Exception):
    """Nothing more can be learned. reason, facts (further fields of the sighting): as the server said, not yet cut."""

    def __init__(self, verdict: Verdict, reason: str = "", *, status: int | None = None, **facts):
        super().__init__(verdict, reason)
        self.verdict, self.reason, self.status, self.facts = verdict, reason, status, facts


class Connection:
    """Sends requests with the credentials; failures, and statuses that mean the same everywhere, end the look."""

    def __init__(self, client: OutboundClient, credentials: Mapping[str, str]):
        self.client = client
        self.credentials = {
            name: value
            for name, value in credentials.items()
            if name.lower() not in _OURS and _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
        }
        self.may_retry = True

    @contextlib.contextmanager
    def request(self, method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> Iterator[Answer]:
        """The answer, closed afterwards. Raises CheckEnded, also for what fails while the caller reads it."""
        try:
            with self._send(method, url, {**self.credentials, **headers}, body) as answer:
                self._refuse_common(answer)
                yield answer
        except (Blocked, Failed) as failure:
            raise CheckEnded(VERDICTS[failure.kind], describe_failure(failure)) from None

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        try:
            return self.client.request(method, url, headers=headers, body=body)
        except Failed as failure:
            if failure.kind != "unreachable" or not self.may_retry:
                raise
        self.may_retry = False
        return self.client.request(method, url, headers=headers, body=body)

    def _refuse_common(self, answer: Answer) -> None:
        status, reason = answer.status, f"HTTP {answer.status}"
        if status in (401, 403):
            raise CheckEnded(*self._judge_refusal(answer), status=status, **_read_challenge(answer))
        if status == 429:
            wait_s = read_retry_after(answer.headers.get("Retry-After", ""))
            raise CheckEnded(Verdict.RATE_LIMITED, reason, status=status, retry_after_s=wait_s)
        if status in UNAVAILABLE_STATUSES:
            raise CheckEnded(Verdict.UNAVAILABLE, reason, status=status)
        if 300 <= status < 400:
            raise CheckEnded(Verdict.REDIRECT, reason, status=status)

    def _judge_refusal(self, answer: Answer) -> tuple[Verdict, str]:
        reason = f"HTTP {answer.status}"
        if self.credentials:
            return Verdict.AUTH_REJECTED, reason
        challenge = _QUOTED.sub('""', answer.headers.get("WWW-Authenticate", ""))
        is_sign_in = answer.status == 401 and _BEARER.search(challenge)
        return (Verdict.AUTH_REQUIRED if is_sign_in else Verdict.FORBIDDEN), reason


def media_type(answer: Answer) -> str:
    return clean_line(answer.headers.get("Content-Type", "").partition(";")[0].lower(), MAX_QUOTED)


def describe_failure(failure: Blocked | Failed) -> str:
    host = getattr(failure, "host", "")
    if failure.kind == "redirect" and host:
        return f"redirect to {clean_line(host, MAX_QUOTED)}"
    return clean_line(getattr(failure, "reason", ""), 200)


def read_retry_after(value: str) -> int | None:
    """Seconds, at most a day; of a date those from now. None where it says nothing."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return min(int(value), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = int((moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0), MAX_RETRY_AFTER_S)


def _read_challenge(answer: Answer) -> dict[str, str]:
    found = _RESOURCE_METADATA.search(answer.headers.get("WWW-Authenticate", ""))
    return {"resource_metadata": clean_line(found[1], MAX_QUOTED)} if found else {}
