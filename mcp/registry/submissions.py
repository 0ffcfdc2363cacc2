"""What people do who submit a server: send it, follow it, take it back. Staff decide in `registration.py`."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.exports import format_moment
from accounts.models import User
from marketplace.web_addresses import Blocked, check_url, split_url
from mcp.endpoints import MAX_LENGTH, is_internal, public_endpoint
from mcp.foreign_text import clean_line
from mcp.models import Entry, McpServer, SubmissionMail
from mcp.registry.registration import hold_server, make_entry

MAX_NAME_LENGTH, MAX_DESCRIPTION_LENGTH = 100, 200
KEPT_FOR = timedelta(days=365)  # a submission that was declined


class SubmissionRefused(Exception):
    """The message is written for the submitter. known: the entry that is there already, if it may be seen."""

    def __init__(self, message: str, *, known: Entry | None = None):
        super().__init__(message)
        self.known = known


def clean_endpoint(text: str) -> str:
    """The address in its one spelling, judged by its text alone. Raises SubmissionRefused."""
    networks = settings.MCP_ALLOW_ADDRESSES
    try:
        split = check_url(text.strip(), allow_networks=networks)
        if is_internal(split.host) and not networks:
            raise Blocked("blocked_address", "the name is one of an internal network")
    except Blocked as blocked:
        if blocked.kind == "blocked_address":
            raise SubmissionRefused(_("This address does not lead to the public internet.")) from None
        raise SubmissionRefused(
            _("Please give the full public address, such as https://mcp.example.com/mcp, on port 443 or 8443.")
        ) from None
    if len(split.url) > MAX_LENGTH:
        raise SubmissionRefused(_("The address is longer than %(n)d characters.") % {"n": MAX_LENGTH})
    if not public_endpoint(split.url):
        raise SubmissionRefused(
            _("The address seems to hold a key. Everybody will see it, so please leave the key out.")
        )
    return split.url


def submit_server(
    *,
    user: User,
    name: str,
    description: str,
    endpoint: str,
    website_url: str,
    required_settings: list[dict],
    language: str,
    now: datetime,
) -> Entry:
    """Keep it for staff, hidden from everybody else. Raises SubmissionRefused where the server is known already.

    endpoint: of `clean_endpoint`. required_settings: as in `Entry.required_settings`.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # a form sent twice: the second sees the first
        refuse_known(endpoint=endpoint, user=user)
        server = McpServer.objects.create(
            name=clean_line(name, MAX_NAME_LENGTH),
            description=clean_line(description, MAX_DESCRIPTION_LENGTH),
            endpoint=endpoint,
            created_at=now,
            updated_at=now,
        )
        return make_entry(
            server=server,
            state=Entry.State.SUBMITTED,
            now=now,
            website_url=website_url,
            required_settings=required_settings,
            submitted_by=user,
            language=language,
        )


def refuse_known(*, endpoint: str, user: User) -> None:
    """Raises SubmissionRefused. A declined one may be sent again: what was wrong may be right now."""
    for server in find_same_endpoint(endpoint):
        entry = getattr(server, "entry", None)
        if entry is None or entry.state == Entry.State.ACCEPTED:
            raise SubmissionRefused(_("This server is in the registry already."), known=entry)
        if entry.state == Entry.State.SUBMITTED:
            if entry.submitted_by_id == user.pk:
                raise SubmissionRefused(_("You have submitted this server already, and it waits for our staff."))
            raise SubmissionRefused(_("Somebody has submitted this server already, and it waits for our staff."))


def find_same_endpoint(endpoint: str) -> list[McpServer]:
    """Servers at this address, however it is written there: case of the host, port, last slash, IDN."""
    split = split_url(endpoint)
    hosts = {split.host, _decode_host(split.host)}
    alike = Q()
    for host in hosts:
        alike |= Q(endpoint__icontains=host)
    rows = McpServer.objects.filter(alike).select_related("entry").defer("config", "metadata").order_by("created_at")
    key = _endpoint_key(endpoint)
    return [server for server in rows if _endpoint_key(server.endpoint) == key]


def _endpoint_key(endpoint: str) -> tuple[str, str] | None:
    try:
        split = split_url(endpoint.strip())
    except Blocked:
        return None
    path, mark, query = split.target.partition("?")
    return split.origin, f"{path.rstrip('/')}{mark}{query}"


def _decode_host(host: str) -> str:
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        return host


def list_submissions(user: User) -> QuerySet[Entry]:
    """The newest first, with their servers."""
    rows = Entry.objects.filter(submitted_by=user).select_related("server").defer("server__config", "server__metadata")
    return rows.order_by("-submitted_at", "pk")


def withdraw_submission(*, user: User, slug: str) -> bool:
    """Delete a submission that waits, with everything that belongs to it. False when it does not wait any more."""
    with transaction.atomic():
        waiting = Entry.objects.filter(submitted_by=user, slug=slug, state=Entry.State.SUBMITTED)
        key = waiting.values_list("pk", flat=True).first()
        if key is None:
            return False
        hold_server(key)
        if not waiting.exists():  # staff decided while we waited
            return False
        McpServer.objects.filter(pk=key).delete()
    return True


def forget_submissions(*, user: User) -> None:
    """What goes with an erased account: whatever is not listed, mails, and who submitted what is."""
    own = Entry.objects.filter(submitted_by=user)
    unlisted = list(own.exclude(state=Entry.State.ACCEPTED).values_list("pk", flat=True))
    McpServer.objects.filter(pk__in=unlisted).delete()
    SubmissionMail.objects.filter(user=user).delete()
    own.update(submitted_by=None)


def delete_old_submissions(*, now: datetime, is_dry_run: bool = False) -> int:
    """Delete what was declined a year ago; how many."""
    old = Entry.objects.filter(state=Entry.State.DECLINED, decided_at__lte=now - KEPT_FOR)
    keys = list(old.values_list("pk", flat=True))
    if not is_dry_run:
        McpServer.objects.filter(pk__in=keys, entry__state=Entry.State.DECLINED).delete()
    return len(keys)


def export_submissions(user: User) -> list[dict]:
    """For the download of one's own data."""
    return [
        {
            "name": entry.server.name,
            "description": entry.server.description,
            "endpoint": entry.server.endpoint,
            "website": entry.website_url,
            "required_settings": entry.required_settings,
            "state": entry.state,
            "submitted_at": format_moment(entry.submitted_at),
            "decided_at": format_moment(entry.decided_at),
            "reason": entry.decline_reason,
        }
        for entry in list_submissions(user)
    ]
