"""One's own account: the page that leads to everything, the profile; and what others see of a person."""

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.forms import AvatarForm, NicknameForm
from accounts.models import User
from accounts.profiles import change_avatar, change_nickname, ensure_profile, remove_avatar
from catalog.models import Review
from marketplace.uploads import UploadRefused
from sellers.models import Seller

REVIEWS_SHOWN = 20


@require_safe
@never_cache
def settings_page(request):
    """Everything a person can look at or change about the account, each one link away."""
    factors = list(request.user.authenticator_set.values_list("type", flat=True))
    seller = Seller.objects.filter(user=request.user).first()
    return render(
        request,
        "accounts/settings.html",
        {
            "profile": ensure_profile(request.user),
            "pending_address": request.user.emailaddress_set.filter(verified=False).first(),
            "passkey_count": factors.count(Authenticator.Type.WEBAUTHN),
            "has_app": Authenticator.Type.TOTP in factors,
            "session_count": request.user.usersession_set.count(),
            "token_count": request.user.api_tokens.live().count(),
            "is_seller": seller is not None,
            "seller": seller if seller and seller.status == Seller.Status.ACTIVE else None,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def profile_edit(request):
    profile = ensure_profile(request.user)
    form = NicknameForm(request.POST if request.method == "POST" else None, initial={"nickname": profile.nickname})
    if form.is_valid():
        change_nickname(user=request.user, nickname=form.cleaned_data["nickname"], now=timezone.now())
        messages.success(request, _("Your profile is saved."))
        return redirect("accounts:profile_edit")
    return _render_profile_edit(request, profile, form=form)


def avatar_change(request):
    """Takes a picture; whoever comes back to the address, as after a change of language, finds the form again."""
    if request.method != "POST":
        return redirect("accounts:profile_edit")
    profile = ensure_profile(request.user)
    form = AvatarForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            change_avatar(user=request.user, upload=form.cleaned_data["avatar"], now=timezone.now())
        except UploadRefused as refused:
            form.add_error("avatar", str(refused))
        else:
            messages.success(request, _("Your picture is saved."))
            return redirect("accounts:profile_edit")
    return _render_profile_edit(request, profile, avatar_form=form)


@require_POST
def avatar_remove(request):
    remove_avatar(user=request.user, now=timezone.now())
    messages.success(request, _("Your picture is removed."))
    return redirect("accounts:profile_edit")


def _render_profile_edit(request, profile, *, form=None, avatar_form=None):
    """The page with both its forms; 422 when one of them was refused."""
    form = form or NicknameForm(initial={"nickname": profile.nickname})
    avatar_form = avatar_form or AvatarForm()
    return render(
        request,
        "accounts/profile_edit.html",
        {"profile": profile, "form": form, "avatar_form": avatar_form},
        status=422 if form.errors or avatar_form.errors else 200,
    )


@login_not_required
@require_safe
def profile_detail(request, handle):
    """What everybody may see of a person: name, picture, since when, seller page, reviews of prompts on sale."""
    people = User.objects.filter(is_active=True, deleted_at__isnull=True).select_related("profile")
    person = get_object_or_404(people, handle=handle)
    reviews = (
        Review.objects.visible()
        .filter(author=person, prompt__is_published=True, prompt__listing__isnull=False)
        .exclude(prompt__listing__seller__status=Seller.Status.SUSPENDED)
        .select_related("prompt__listing__seller")
        .defer("prompt__prompt_text", "prompt__file_url", "prompt__description", "prompt__listing__description_html")
        .order_by("-created_at", "-pk")
    )
    newest = list(reviews[: REVIEWS_SHOWN + 1])
    return render(
        request,
        "accounts/profile_detail.html",
        {
            "person": person,
            "reviews": newest[:REVIEWS_SHOWN],
            "has_more_reviews": len(newest) > REVIEWS_SHOWN,
            "seller": Seller.objects.active().filter(user=person).first(),
        },
    )
