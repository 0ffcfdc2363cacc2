"""One's own account: the page that leads to everything, the profile, the data, the end. And a person's public page."""

import json
from functools import wraps

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.deletion import DeletionRefused, erase_account, refuse_while_selling
from accounts.exports import export_account, format_moment
from accounts.forms import AvatarForm, DeletionForm, NicknameForm
from accounts.models import User
from accounts.profiles import AvatarRefused, change_avatar, change_nickname, ensure_profile, remove_avatar
from catalog.models import Review
from sellers.models import Seller, SellerApplication

REVIEWS_SHOWN = 20


def password_first(view):
    """Asks for the password, a code or a passkey unless that was done within five minutes.

    A post that comes later than that starts again at the page: what it was about is read once more before it happens.
    """
    guarded = reauthentication_required(view)

    @wraps(view)
    def wrapped(request, *args, **kwargs):
        try:
            return guarded(request, *args, **kwargs)
        except ReauthenticationRequired:
            if request.method == "POST":
                return redirect(request.path)
            raise

    return wrapped


@require_safe
@never_cache
def settings_page(request):
    """Everything a person can look at or change about the account, each one link away."""
    factors = list(request.user.authenticator_set.values_list("type", flat=True))
    return render(
        request,
        "accounts/settings.html",
        {
            "profile": ensure_profile(request.user),
            "pending_address": request.user.emailaddress_set.filter(verified=False).first(),
            "passkey_count": factors.count(Authenticator.Type.WEBAUTHN),
            "has_app": Authenticator.Type.TOTP in factors,
            "session_count": request.user.usersession_set.count(),
            "seller": Seller.objects.active().filter(user=request.user).first(),
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


@require_POST
def avatar_change(request):
    profile = ensure_profile(request.user)
    form = AvatarForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            change_avatar(user=request.user, upload=form.cleaned_data["avatar"], now=timezone.now())
        except AvatarRefused as refused:
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
        .select_related("prompt__listing")
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


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@password_first
def data_export(request):
    """GET explains, POST answers with the file; nothing is kept on the server."""
    if request.method != "POST":
        return render(request, "accounts/data_export.html")
    now = timezone.now()
    text = json.dumps(collect_personal_data(request.user, now=now), ensure_ascii=False, indent=2)
    response = HttpResponse(text + "\n", content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="my-data-{timezone.localdate(now):%Y-%m-%d}.json"'
    return response


def collect_personal_data(user, *, now) -> dict:
    """Everything the site holds about one person, app by app."""
    addresses = user.emailaddress_set.filter(verified=True).values_list("email", flat=True)
    same_address = Q(pk__in=[])
    for address in addresses:
        same_address |= Q(email__iexact=address)
    return {
        "exported_at": format_moment(now),
        **export_account(user),
        "cart": [
            {"prompt": item.prompt.title, "added_at": format_moment(item.created_at)}
            for item in user.cart_items.select_related("prompt").order_by("created_at", "pk")
        ],
        "purchases": [
            {
                "prompt": purchase.prompt.title,
                "bought_at": format_moment(purchase.created_at),
                "payment_order_id": purchase.payment_order_id,
            }
            for purchase in user.purchases.select_related("prompt").order_by("created_at", "pk")
        ],
        "reviews": [
            {
                "prompt": review.prompt.title,
                "rating": review.rating,
                "body": review.body,
                "model_used": review.model_used,
                "written_at": format_moment(review.created_at),
                "updated_at": format_moment(review.updated_at),
            }
            for review in user.reviews.select_related("prompt").order_by("created_at", "pk")
        ],
        "seller": [
            {"name": seller.name, "about": seller.bio, "website": seller.website_url, "address": seller.slug}
            for seller in Seller.objects.filter(user=user)
        ],
        "seller_applications": [
            {
                "name": application.name,
                "email": application.email,
                "portfolio_url": application.portfolio_url,
                "categories": application.categories,
                "message": application.message,
                "applied_at": format_moment(application.created_at),
                "processed": application.processed,
            }
            for application in SellerApplication.objects.filter(same_address).order_by("created_at", "pk")
        ],
    }


@require_safe
@never_cache
def account_delete(request):
    """The first step: what goes, what stays and for how long."""
    return render(request, "accounts/account_delete.html", {"obstacle": _find_obstacle(request.user)})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@password_first
def account_delete_confirm(request):
    """The second step: the password once more, and a typed word."""
    if _find_obstacle(request.user):
        return redirect("accounts:account_delete")
    form = DeletionForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            erase_account(user=request.user, now=timezone.now())
        except DeletionRefused:
            return redirect("accounts:account_delete")
        logout(request)
        return redirect("accounts:account_deleted")
    status = 422 if form.errors else 200
    return render(request, "accounts/account_delete_confirm.html", {"form": form}, status=status)


def _find_obstacle(user) -> str:
    """What must happen before the account can be deleted; empty when nothing."""
    try:
        refuse_while_selling(user)
    except DeletionRefused as refused:
        return str(refused)
    return ""


@login_not_required
@require_safe
def account_deleted(request):
    return render(request, "accounts/account_deleted.html")
