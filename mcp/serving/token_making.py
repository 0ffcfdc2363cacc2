"""The form that makes an access token, which two pages show: it answers with the token, once, and with no redirect.

So the token stands in one answer to a POST that nothing may store, and in no address, session, cookie or message.
Sending the form again, as reloading that answer does, makes no second one: its key is in the row.
"""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from allauth.account.adapter import get_adapter
from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import ApiToken
from accounts.tokens import FormUsed, TooManyTokens, make_token
from marketplace.rate_limits import is_allowed
from mcp.registry.forms import LineField

SUGGESTIONS = ["Claude Code", "Claude Desktop", "Cursor", "VS Code", "Gemini CLI"]


class TokenForm(forms.Form):
    name = LineField(
        label=gettext_lazy("Name of the token"),
        help_text=gettext_lazy("For you alone, so that you know later what uses it: “Cursor on the laptop”."),
        max_length=60,
        widget=forms.TextInput(attrs={"list": "token-names", "autocomplete": "off"}),
    )
    key = forms.UUIDField(widget=forms.HiddenInput)


@dataclass(frozen=True)
class Making:
    """What became of the form. next_key: of the form that the answer shows. token: only in the answer that made it."""

    form: TokenForm
    tokens: list[ApiToken]
    next_key: UUID = field(default_factory=uuid4)
    made: ApiToken | None = None
    token: str = field(default="", repr=False)
    status: int = 200
    suggestions: tuple[str, ...] = tuple(SUGGESTIONS)


def take_token_form(request: HttpRequest) -> Making:
    """Makes the token and tells its owner by mail. For a POST of the form, and nothing else."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        if "key" in form.errors:
            form.add_error(None, _("This form was incomplete. Please send it again."))
        return _refuse(request, form, status=422)
    if not is_allowed(request, "token_make"):
        form.add_error(None, _("You have made many tokens within an hour. Please come back later."))
        return _refuse(request, form, status=429)
    try:
        made, token = make_token(
            user=request.user,
            name=form.cleaned_data["name"],
            form_key=form.cleaned_data["key"],
            now=timezone.now(),
        )
    except (FormUsed, TooManyTokens) as refused:
        form.add_error(None, str(refused))
        return _refuse(request, form, status=409)
    told = {"name": made.name, "ending": made.ending}
    get_adapter(request).send_notification_mail("account/email/token_made", request.user, told)
    return show_token_form(request, made=made, token=token)


def _list_tokens(request: HttpRequest) -> list[ApiToken]:
    return list(request.user.api_tokens.live().order_by("-created_at", "-pk"))


def show_token_form(request: HttpRequest, **made) -> Making:
    """An empty form. The suggested name is that of a client which has no token yet."""
    tokens = _list_tokens(request)
    taken = {token.name for token in tokens}
    name = next((each for each in SUGGESTIONS if each not in taken), "")
    return Making(TokenForm(initial={"name": name}), tokens, **made)


def _refuse(request: HttpRequest, form: TokenForm, *, status: int) -> Making:
    return Making(form, _list_tokens(request), status=status)
