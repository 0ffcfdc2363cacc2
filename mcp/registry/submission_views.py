"""Submitting a server, and what became of one's submissions. The middleware asks everybody to sign in first."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from marketplace.rate_limits import is_allowed
from mcp.models import Entry
from mcp.registry.forms import make_longer_forms, make_submission_forms
from mcp.registry.submissions import SubmissionRefused, list_submissions, submit_server, withdraw_submission


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def server_submit(request):
    """Nothing is asked of the server here; staff and the first check do that."""
    if request.method == "POST" and "more" in request.POST:
        form, settings = make_longer_forms(request.POST)
        return _show_form(request, form, settings)
    form, settings = make_submission_forms(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _show_form(request, form, settings)
    if not (settings.is_valid() & form.is_valid()):
        return _show_form(request, form, settings, status=422)
    if not is_allowed(request, "mcp_submit"):
        form.add_error(
            None, _("You have submitted many servers today. What you typed is still here; please send it later.")
        )
        return _show_form(request, form, settings, status=429)
    try:
        submit_server(
            user=request.user,
            **form.cleaned_data,
            required_settings=settings.list_settings(),
            language=get_language(),
            now=timezone.now(),
        )
    except SubmissionRefused as refused:
        form.add_error("endpoint", str(refused))
        return _show_form(request, form, settings, status=422, known=refused.known)
    messages.success(request, _("Your submission has arrived."))
    return redirect("mcp:submission_list")


def _show_form(request, form, settings, *, status=200, known: Entry | None = None):
    can_grow = settings.total_form_count() < settings.max_num
    context = {"form": form, "settings": settings, "can_grow": can_grow, "known": known}
    return render(request, "mcp/server_submit.html", context, status=status)


@never_cache
@require_safe
def submission_list(request):
    return render(request, "mcp/submission_list.html", {"entries": list_submissions(request.user)})


@never_cache
@require_POST
def submission_withdraw(request, slug):
    if withdraw_submission(user=request.user, slug=slug):
        messages.success(request, _("The submission is withdrawn, and we keep nothing of it."))
    elif list_submissions(request.user).filter(slug=slug).exists():
        messages.warning(request, _("Our staff decided meanwhile, so it cannot be withdrawn any more."))
    else:  # sent twice, from another tab, or never one's own: the same answer
        messages.info(request, _("You have no such submission any more."))
    return redirect("mcp:submission_list")
