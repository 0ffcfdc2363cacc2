"""Reporting a listing or a review: a form, and a page that says thank you. Visitors sign in first and come back."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from catalog.discovery import read_slug
from catalog.forms import ReportForm
from catalog.models import Prompt, Review
from catalog.reports import PROMPT_REASONS, REVIEW_REASONS, ReportRefused, refuse_own, send_report
from catalog.views import may_see
from marketplace.rate_limits import is_allowed


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def prompt_report(request, slug):
    prompt = find_visible_prompt(request.user, slug)
    return take_report(request, prompt=prompt, thing=prompt, reasons=PROMPT_REASONS)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def review_report(request, slug, review_id):
    prompt = find_visible_prompt(request.user, slug)
    reviews = Review.objects.visible().filter(prompt=prompt).select_related("author__profile")
    review = get_object_or_404(reviews, pk=review_id)
    return take_report(request, prompt=prompt, thing=review, reasons=REVIEW_REASONS)


@never_cache
@require_safe
def report_sent(request, slug):
    """Says thank you, also when the same person's report waits already. Reloading is harmless."""
    return render(request, "catalog/report_sent.html", {"prompt": find_visible_prompt(request.user, slug)})


def find_visible_prompt(user, slug: str) -> Prompt:
    """With its listing and seller, for those who may see its page."""
    prompts = Prompt.objects.for_cards()
    prompt = get_object_or_404(prompts, listing__slug=read_slug(slug))
    if not may_see(prompt, user):
        raise Http404
    return prompt


def take_report(request, *, prompt: Prompt, thing: Prompt | Review, reasons: list[str]):
    try:
        refuse_own(reporter=request.user, thing=thing)
    except ReportRefused as refused:
        messages.warning(request, str(refused))
        return redirect(prompt)
    form, status = ReportForm(request.POST if request.method == "POST" else None, reasons=reasons), 200
    if form.is_bound and form.is_valid():
        if is_allowed(request, "report"):
            send_report(reporter=request.user, thing=thing, **form.cleaned_data, now=timezone.now())
            return redirect("catalog:report_sent", prompt.listing.slug)
        form.add_error(None, _("You have sent many reports within an hour. Please send this one later."))
        status = 429
    elif form.is_bound:
        status = 422
    review = thing if isinstance(thing, Review) else None
    return render(request, "catalog/report.html", {"prompt": prompt, "review": review, "form": form}, status=status)
