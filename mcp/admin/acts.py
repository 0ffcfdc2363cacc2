"""What staff do with servers, from the list for many and from a server's page for that one: each once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from marketplace.admin import join_names
from mcp.admin.forms import DeclineForm
from mcp.checking.check_now import begin_staff_checks
from mcp.models import Entry, McpServer, SubmissionMail
from mcp.registry.registration import (
    accept_submission,
    decline_submission,
    ensure_entries,
    pause,
    resume,
    switch_off,
    switch_on,
)
from mcp.registry.submission_mails import draft_mail

logger = logging.getLogger(__name__)

CHECKS_AT_ONCE = 100  # from one click; the command does more

State, Mode = Entry.State, Entry.Mode


@dataclass(frozen=True)
class Act:
    """`run(server, staff, text, now)` says whether it changed anything. log: for the history in the admin."""

    name: str
    title: str | Promise
    log: str
    run: Callable[[McpServer, User, str, datetime], bool]


ACTS = {
    act.name: act
    for act in [
        Act(
            "accept",
            _("Accept"),
            gettext_noop("Accepted."),
            lambda server, staff, text, now: accept_submission(server=server, staff=staff, now=now),
        ),
        Act(
            "decline",
            _("Decline…"),
            gettext_noop("Declined: %(text)s"),
            lambda server, staff, text, now: decline_submission(server=server, staff=staff, reason=text, now=now),
        ),
        Act(
            "pause",
            _("Pause the checks"),
            gettext_noop("Paused the checks."),
            lambda server, staff, text, now: pause(server=server),
        ),
        Act(
            "resume",
            _("Resume the checks"),
            gettext_noop("Resumed the checks."),
            lambda server, staff, text, now: resume(server=server, now=now),
        ),
        Act(
            "switch_off",
            _("Switch off"),
            gettext_noop("Switched off."),
            lambda server, staff, text, now: switch_off(server=server, now=now),
        ),
        Act(
            "switch_on",
            _("Switch on"),
            gettext_noop("Switched on."),
            lambda server, staff, text, now: switch_on(server=server, now=now),
        ),
    ]
}
CHECK = "check_now"  # `check` is the admin's own


def list_acts(entry: Entry | None) -> list[tuple[str, str | Promise]]:
    """(name of the action, title) of what makes sense for a server as it stands."""
    if entry is None:
        return [(CHECK, _("Check now"))]
    names = {State.SUBMITTED: ["accept", "decline"], State.DECLINED: ["accept"], State.ACCEPTED: []}[entry.state]
    if entry.state == State.ACCEPTED:
        names = {
            Mode.CHECKED: ["pause", "switch_off"],
            Mode.PAUSED: ["resume", "switch_off"],
            Mode.OFF: ["switch_on"],
        }[entry.mode]
    check = [] if entry.mode == Mode.OFF else [(CHECK, _("Check now"))]
    return [*check, *((name, ACTS[name].title) for name in names)]


@dataclass
class Outcome:
    """Names of servers by what became of them."""

    done: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def carry_out(
    act: Act, servers: list[McpServer], *, text: str, staff: User, log: Callable[[McpServer, str], None]
) -> Outcome:
    """Each server in a transaction of its own: what fails in one changes nothing there, and stops no other."""
    outcome = Outcome()
    for server in servers:
        try:
            with transaction.atomic():
                is_done = act.run(server, staff, text, timezone.now())
                if is_done:
                    log(server, gettext(act.log) % {"text": text})
        except Exception:
            logger.exception("%s failed server=%s", act.name, server.pk)
            outcome.failed.append(server.name)
            continue
        (outcome.done if is_done else outcome.same).append(server.name)
    return outcome


def describe_outcome(act: Act, outcome: Outcome) -> list[tuple[int, str]]:
    """(level of the message, text). What was done is said even when it is nothing."""
    count = len(outcome.done)
    done = {
        "accept": ngettext("%(n)d server accepted", "%(n)d servers accepted", count),
        "decline": ngettext("%(n)d server declined", "%(n)d servers declined", count),
        "pause": ngettext("Checks of %(n)d server paused", "Checks of %(n)d servers paused", count),
        "resume": ngettext("Checks of %(n)d server resumed", "Checks of %(n)d servers resumed", count),
        "switch_off": ngettext("%(n)d server switched off", "%(n)d servers switched off", count),
        "switch_on": ngettext("%(n)d server switched on", "%(n)d servers switched on", count),
    }[act.name]
    told = [(messages.SUCCESS if count else messages.WARNING, done, outcome.done)]
    if outcome.same:
        text = ngettext(
            "%(n)d stays as it was, because this does not fit its state",
            "%(n)d stay as they were, because this does not fit their state",
            len(outcome.same),
        )
        told.append((messages.WARNING, text, outcome.same))
    if outcome.failed:
        text = ngettext(
            "%(n)d failed, and nothing changed there",
            "%(n)d failed, and nothing changed there",
            len(outcome.failed),
        )
        told.append((messages.ERROR, text, outcome.failed))
    return [(level, join_names(text % {"n": len(names)}, names)) for level, text, names in told]


class ServerActs:
    """Actions of the list. The buttons of a server's page post to the list too, with `back` to return to the page."""

    actions = [CHECK, *ACTS]

    @admin.action(description=_("Check now"), permissions=["change"])
    def check_now(self, request, queryset):
        """In the background: a server that hangs takes its time, and the list would wait for it."""
        keys = list(queryset.values_list("pk", flat=True))
        now = timezone.now()
        ensure_entries(now=now)
        begun_count = begin_staff_checks(server_ids=keys[:CHECKS_AT_ONCE], now=now)
        text = ngettext(
            "The check of %(n)d server has begun. Load the page again in half a minute to see what it found.",
            "Checks of %(n)d servers have begun. Load the page again in half a minute to see what they found.",
            begun_count,
        )
        if begun_count:
            self.message_user(request, text % {"n": begun_count}, messages.SUCCESS)
        off_count = min(len(keys), CHECKS_AT_ONCE) - begun_count
        if off_count:
            text = ngettext(
                "%(n)d is switched off, so it is not checked.",
                "%(n)d are switched off, so they are not checked.",
                off_count,
            )
            self.message_user(request, text % {"n": off_count}, messages.WARNING)
        if len(keys) > CHECKS_AT_ONCE:
            text = gettext("Only the first %(n)d at once; the command check_mcp_servers does all.")
            self.message_user(request, text % {"n": CHECKS_AT_ONCE}, messages.WARNING)
        return self._go_back(request)

    @admin.action(description=_("Accept"), permissions=["change"])
    def accept(self, request, queryset):
        return self._act(request, "accept", queryset)

    @admin.action(description=_("Decline…"), permissions=["change"])
    def decline(self, request, queryset):
        """Asks for the reason, shows the mail, then declines."""
        waiting = queryset.filter(entry__state=State.SUBMITTED).order_by("entry__submitted_at", "pk")
        form = DeclineForm(request.POST if "step" in request.POST else None)
        is_written = form.is_bound and form.is_valid()
        if is_written and request.POST["step"] == "do":
            return self._act(request, "decline", queryset, text=form.cleaned_data["reason"])
        servers = list(waiting.select_related("entry__submitted_by"))
        if not servers:
            self.message_user(
                request, gettext("None of them waits for a decision. Nothing was changed."), messages.WARNING
            )
            return self._go_back(request)
        is_check = is_written and request.POST["step"] == "check"
        mail = None
        if is_check:
            drafts = (
                draft_mail(kind=SubmissionMail.Kind.DECLINED, entry=server.entry, reason=form.cleaned_data["reason"])
                for server in servers
            )
            mail = next(filter(None, drafts), None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Decline"),
            "servers": servers,
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "back": request.POST.get("back", ""),
            "form": form,
            "is_check": is_check,
            "mail": mail,
        }
        status = 422 if form.is_bound and form.errors else 200
        return TemplateResponse(request, "admin/mcp/mcpserver/decline.html", context, status=status)

    @admin.action(description=_("Pause the checks"), permissions=["change"])
    def pause(self, request, queryset):
        return self._act(request, "pause", queryset)

    @admin.action(description=_("Resume the checks"), permissions=["change"])
    def resume(self, request, queryset):
        return self._act(request, "resume", queryset)

    @admin.action(description=_("Switch off"), permissions=["change"])
    def switch_off(self, request, queryset):
        return self._act(request, "switch_off", queryset)

    @admin.action(description=_("Switch on"), permissions=["change"])
    def switch_on(self, request, queryset):
        return self._act(request, "switch_on", queryset)

    def _act(self, request, name, queryset, *, text=""):
        ensure_entries(now=timezone.now())

        def log(server, change):
            self.log_change(request, server, change)

        outcome = carry_out(ACTS[name], list(queryset.order_by("pk")), text=text, staff=request.user, log=log)
        for level, told in describe_outcome(ACTS[name], outcome):
            self.message_user(request, told, level)
        return self._go_back(request)

    def _go_back(self, request):
        """None: Django leads back to the list as it was."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        return (
            redirect("admin:mcp_mcpserver_change", chosen[0]) if request.POST.get("back") and len(chosen) == 1 else None
        )
