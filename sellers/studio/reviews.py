"""What buyers said of the seller's prompts, and the one reply to each."""

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from catalog.models import Review
from catalog.reviews import STARS, reply_to_review
from sellers.models import Seller
from sellers.studio.access import seller_required

PAGE_SIZE = 20
UNANSWERED = Q(reply="")


class ReplyForm(forms.Form):
    reply = forms.CharField(
        label=gettext_lazy("Your reply"),
        help_text=gettext_lazy("It stands below the review for everybody to read. Up to 1,000 characters."),
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": gettext_lazy("Write something first.")},
    )

    def clean_reply(self):
        return self.cleaned_data["reply"].replace("\r\n", "\n").strip()


@require_safe
@seller_required
def review_list(request):
    """Newest first. Parameters: state=unanswered, stars, page. Three queries besides those of every page."""
    stars = int(request.GET["stars"]) if request.GET.get("stars") in map(str, STARS) else None
    is_unanswered = request.GET.get("state") == "unanswered"
    everything = find_own_reviews(request.seller)
    reviews = everything.filter(UNANSWERED) if is_unanswered else everything
    reviews = reviews.filter(rating=stars) if stars else reviews
    context = {
        "page": Paginator(reviews.order_by("-created_at", "-pk"), PAGE_SIZE).get_page(request.GET.get("page")),
        "filters": list_filters(everything, is_unanswered=is_unanswered, stars=stars),
        "is_filtered": is_unanswered or bool(stars),
    }
    return render(request, "sellers/studio/review_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def review_reply(request, review_id):
    """Writes the reply, or changes it."""
    review = get_object_or_404(find_own_reviews(request.seller), pk=review_id)
    form = ReplyForm(request.POST if request.method == "POST" else None, initial={"reply": review.reply})
    if form.is_bound and form.is_valid():
        reply_to_review(review=review, reply=form.cleaned_data["reply"], now=timezone.now())
        messages.success(request, _("Your reply is published."))
        return redirect("studio:review_list")
    status = 422 if form.errors else 200
    return render(request, "sellers/studio/review_reply.html", {"review": review, "form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def reply_delete(request, review_id):
    """A second click finds it gone. Whoever comes back to the address, as after signing in, finds the reply."""
    review = get_object_or_404(find_own_reviews(request.seller), pk=review_id)
    if request.method != "POST":
        return redirect("studio:review_reply", review.pk)
    reply_to_review(review=review, reply="", now=timezone.now())
    messages.success(request, _("Your reply is deleted."))
    return redirect("studio:review_list")


def find_own_reviews(seller: Seller) -> QuerySet[Review]:
    """What everybody may read of this seller's prompts. Hidden reviews are as if there were none."""
    return (
        Review.objects.visible()
        .filter(prompt__listing__seller=seller)
        .select_related("author__profile", "prompt__listing")
        .defer("prompt__prompt_text", "prompt__file_url", "prompt__description", "prompt__listing__description_html")
    )


def list_filters(reviews: QuerySet[Review], *, is_unanswered: bool, stars: int | None) -> list[dict]:
    """Chips with how many each would show, the other choice kept. One query."""
    state = UNANSWERED if is_unanswered else Q()
    counts = reviews.order_by().aggregate(
        all=Count("pk", filter=Q(rating=stars) if stars else None),
        unanswered=Count("pk", filter=UNANSWERED & (Q(rating=stars) if stars else Q())),
        **{f"stars_{n}": Count("pk", filter=state & Q(rating=n)) for n in STARS},
    )

    def make_chip(label, key: str, *, unanswered: bool, number: int | None, is_selected: bool) -> dict:
        query = QueryDict(mutable=True)
        query.update({"state": "unanswered"} if unanswered else {})
        query.update({"stars": str(number)} if number else {})
        address = reverse("studio:review_list") + (f"?{query.urlencode()}" if query else "")
        return {"label": label, "address": address, "count": counts[key], "is_selected": is_selected}

    return [
        make_chip(
            pgettext_lazy("reviews", "All"), "all", unanswered=False, number=stars, is_selected=not is_unanswered
        ),
        make_chip(_("Unanswered"), "unanswered", unanswered=True, number=stars, is_selected=is_unanswered),
        *(
            make_chip(
                ngettext("%(n)d star", "%(n)d stars", n) % {"n": n},
                f"stars_{n}",
                unanswered=is_unanswered,
                number=None if stars == n else n,
                is_selected=stars == n,
            )
            for n in STARS
        ),
    ]
