"""Access tokens of the person who is signed in: what there is, making one, revoking one."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.tokens import revoke_token
from mcp.serving.shop_clients import list_shop_clients
from mcp.serving.token_making import show_token_form, take_token_form


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request):
    """POST makes one and answers with it."""
    making = take_token_form(request) if request.method == "POST" else show_token_form(request)
    context = {"making": making, "clients": list_shop_clients(token=making.token) if making.token else []}
    return render(request, "mcp/token_list.html", context, status=making.status)


@never_cache
@require_POST
def token_revoke(request):
    """Another's token and one that never was give the same 404."""
    number = request.POST.get("token", "")
    token = request.user.api_tokens.filter(pk=int(number)).first() if _is_key(number) else None
    if token is None:
        raise Http404
    if revoke_token(user=request.user, token_id=token.pk, now=timezone.now()):
        text = _("“%(name)s” is revoked. Whatever still uses it is turned away from now on.")
        messages.success(request, text % {"name": token.name})
    else:
        messages.info(request, _("“%(name)s” was revoked before.") % {"name": token.name})
    return redirect("mcp:token_list")


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
