"""The page that connects an AI client to what somebody owns: a token, the line to paste, and a look at the outcome."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from marketplace.rate_limits import is_allowed
from mcp.registry.page_meta import describe_connect_head
from mcp.serving.shop_clients import endpoint_url, list_commands, list_shop_clients
from mcp.serving.token_making import Making, show_token_form, take_token_form
from mcp.serving.trial import Trial, try_as_client


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request):
    """Visitors read how it works. For members POST makes a token and answers with lines that hold it."""
    if request.method != "POST":
        return _render(request)
    if not request.user.is_authenticated:
        return redirect_to_login(request.path)
    return _render(request, making=take_token_form(request))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connect_try(request):
    """What the person's client would see. Whoever comes back to the address finds the page that has the button."""
    if request.method != "POST":
        return redirect("mcp:connect")
    is_refused = not is_allowed(request, "mcp_try")
    trial = Trial(is_refused=True) if is_refused else try_as_client(user=request.user, now=timezone.now())
    if request.htmx:  # with 200, because htmx would not show another answer
        return render(request, "mcp/_trial.html", {"trial": trial})
    return _render(request, trial=trial, status=429 if is_refused else 200)


def _render(request, *, making: Making | None = None, trial: Trial | None = None, status=200):
    if making is None and request.user.is_authenticated:
        making = show_token_form(request)
    context = {
        "making": making,
        "trial": trial,
        "endpoint": endpoint_url(),
        "clients": list_shop_clients(token=making.token if making else ""),
        "commands": list_commands(),
        "page": describe_connect_head(),
    }
    if making and making.status != 200:
        status = making.status
    return render(request, "mcp/connect.html", context, status=status)
