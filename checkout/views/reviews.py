"""A buyer's own review: written, changed and deleted at one address below the prompt in their library."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from catalog.models import Review
from catalog.reviews import ReviewRefused, delete_review, suggest_models
from checkout.forms import ReviewForm
from checkout.library import NotOwned, find_entitlement
from checkout.models import Entitlement
from checkout.reviewing import Standing, find_review_standing, write_review

TYPED = ["rating", "body", "model_used"]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def review_edit(request, slug):
    """The form, filled with what was written before. Who may not write is led back, or reads what there is.

    What another tab saved meanwhile is shown before it is overwritten.
    """
    entitlement, standing = find_own(request, slug)
    form = make_review_form(standing, request.POST if request.method == "POST" else None)
    is_outdated = standing.can_write and form.is_bound and form.is_valid() and overwrites_unseen(standing.review, form)
    if is_outdated:
        data = request.POST.copy()
        data["seen"] = mark_review(standing.review)
        form = make_review_form(standing, data)
        form.add_error(
            None, _("You saved a review in another tab meanwhile. Save once more to replace it with this one.")
        )
    elif form.is_bound and form.is_valid():
        typed = {name: form.cleaned_data[name] for name in TYPED}
        try:
            _review, is_new = write_review(entitlement=entitlement, **typed, now=timezone.now())
        except ReviewRefused as refused:
            messages.warning(request, str(refused))
            return redirect("checkout:library_prompt", entitlement.prompt.listing.slug)
        messages.success(request, _("Thank you. Your review is published.") if is_new else _("Your review is saved."))
        return redirect(reverse("checkout:library_prompt", args=[entitlement.prompt.listing.slug]) + "#review")
    if not standing.can_write and not standing.review:
        messages.warning(request, explain_no_review(entitlement))
        return redirect("checkout:library_prompt", entitlement.prompt.listing.slug)
    context = {
        "entitlement": entitlement,
        "prompt": entitlement.prompt,
        "standing": standing,
        "form": form,
        "is_outdated": is_outdated,
        "models": suggest_models(),
    }
    return render(request, "checkout/review_edit.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def review_delete(request, slug):
    """GET asks once, POST deletes. A second POST finds it gone."""
    entitlement, standing = find_own(request, slug)
    if standing.review is None:
        return redirect("checkout:library_prompt", entitlement.prompt.listing.slug)
    if request.method == "POST":
        try:
            delete_review(review=standing.review)
        except ReviewRefused as refused:
            messages.warning(request, str(refused))
            return redirect("checkout:review_edit", entitlement.prompt.listing.slug)
        messages.success(request, _("Your review is deleted."))
        return redirect("checkout:library_prompt", entitlement.prompt.listing.slug)
    context = {"entitlement": entitlement, "prompt": entitlement.prompt, "review": standing.review}
    return render(request, "checkout/review_delete.html", context)


def find_own(request, slug: str) -> tuple[Entitlement, Standing]:
    """What the person bought, now or before, and what they may say of it."""
    try:
        entitlement = find_entitlement(user=request.user, slug=slug)
    except NotOwned as missing:
        raise Http404 from missing
    return entitlement, find_review_standing(user=request.user, prompt=entitlement.prompt)


def make_review_form(standing: Standing, data=None) -> ReviewForm:
    review = standing.review
    initial = {name: getattr(review, name) for name in TYPED} if review else {}
    return ReviewForm(data, initial=initial | {"seen": mark_review(review)})


def mark_review(review: Review | None) -> str:
    """Another text after each change; empty where nothing is written yet."""
    return review.updated_at.isoformat() if review else ""


def overwrites_unseen(review: Review | None, form: ReviewForm) -> bool:
    """Whether the form was opened before the review was last saved, and says something else. Two clicks do not."""
    if review is None or form.data.get("seen") in (None, mark_review(review)):
        return False
    return any(form.cleaned_data[name] != getattr(review, name) for name in TYPED)


def explain_no_review(entitlement: Entitlement) -> str:
    if entitlement.is_revoked:
        return _("This purchase was refunded or taken back, so it can no longer be reviewed.")
    if entitlement.is_sealed:
        return _("Open the prompt first. A review tells what it was like to use it.")
    return _("You sell this prompt yourself, so you cannot review it.")
