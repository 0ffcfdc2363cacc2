"""The button “Check now” on a server's page: asking, and following the check that runs."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from marketplace.rate_limits import is_allowed
from mcp.checking.check_now import CheckStanding, Standing, begin_check, find_check_standing
from mcp.models import Entry


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def server_check(request, slug):
    """POST asks for a check. GET says how it stands, for a page that follows it; other visits lead to the page."""
    entry, now = _find_entry(slug), timezone.now()
    check = find_check_standing(entry, user=request.user, now=now)
    is_asked = request.method == "POST" and check.standing == Standing.READY
    is_refused = is_asked and not is_allowed(request, "mcp_check")
    if is_asked and not is_refused:
        check = begin_check(entry=entry, user=request.user, now=now)
        if check.standing == Standing.RUNNING:  # without threads it has ended by now
            entry = _find_entry(slug)
            check = find_check_standing(entry, user=request.user, now=now)
    if request.htmx:
        # Whoever asked would find the server resting by now, had its check been recorded.
        has_failed = check.is_person and (is_asked or request.method != "POST")
        context = {
            "entry": entry,
            "check": check,
            "is_followed": True,
            "is_refused": is_refused,
            "has_failed": has_failed,
        }
        return render(request, "mcp/_check_now.html#inside", context)
    if request.method == "POST":
        level, text = _describe(check, is_asked=is_asked, is_refused=is_refused)
        messages.add_message(request, level, text)
    return redirect(entry)


def _find_entry(slug: str) -> Entry:
    entries = Entry.objects.public().select_related("server").defer("server__config", "server__metadata")
    return get_object_or_404(entries, slug=slug)


def _describe(check: CheckStanding, *, is_asked: bool, is_refused: bool) -> tuple[int, str]:
    if is_refused:
        return messages.WARNING, _("You have asked for many checks within an hour. Please come back later.")
    match check.standing:
        case Standing.RUNNING:
            return messages.INFO, _("A check runs. Load this page again in a few seconds to see what it found.")
        case Standing.COOLING if is_asked and not check.is_person:
            return messages.SUCCESS, _("Checked just now. This page shows what was found.")
        case Standing.COOLING if not is_asked:
            time = date_format(timezone.localtime(check.again_at), "H:i:s")
            return messages.INFO, _("A check was asked for a moment ago. The next is possible at %(time)s.") % {
                "time": time
            }
        case Standing.OFF:
            return messages.WARNING, _("This server is not checked for now.")
        case Standing.BUSY:
            return messages.WARNING, _("Several other checks run at the moment. Please try again in a few seconds.")
    return messages.WARNING, _("The check could not be finished. Please try again.")
