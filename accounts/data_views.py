"""One's own data: taking it along, and the end of the account. Both ask for the password first."""

import json
from functools import wraps

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.deletion import DeletionRefused, erase_account, refuse_while_unfinished
from accounts.exports import export_account, format_moment
from accounts.forms import DeletionForm
from catalog.models import Report
from checkout.presets import export_presets, forget_presets
from mcp.registry.submissions import export_submissions, forget_submissions
from sellers.addresses import is_sent_by
from sellers.business import FACTS, find_business, forget_business
from sellers.models import ApplicationEvent, Seller, SellerApplication
from sellers.onboarding import find_standing
from sellers.retention import forget_applicant


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
    return {
        "exported_at": format_moment(now),
        **export_account(user),
        "cart": [
            {"prompt": item.prompt.title, "added_at": format_moment(item.created_at)}
            for item in user.cart_items.select_related("prompt").order_by("created_at", "pk")
        ],
        "orders": [_export_order(order) for order in _orders_of(user)],
        "purchases": [_export_purchase(purchase) for purchase in _purchases_of(user)],
        "presets": export_presets(user),
        "reviews": [
            _export_review(review) for review in user.reviews.select_related("prompt").order_by("created_at", "pk")
        ],
        "reports": [_export_report(report) for report in _reports_of(user)],
        "seller": [_export_seller(seller) for seller in Seller.objects.filter(user=user).select_related("business")],
        "seller_applications": [_export_application(application) for application in _applications_of(user)],
        "submitted_mcp_servers": export_submissions(user),
    }


def _orders_of(user):
    related = ["lines", "refunds__lines__order_line", "consents", "payments", "mails"]
    return user.orders.prefetch_related(*related).order_by("created_at", "pk")


def _export_order(order) -> dict:
    return {
        "number": order.number,
        "email": order.email,
        "status": order.status,
        "total_krw": order.total_krw,
        "refunded_krw": order.refunded_krw,
        "ordered_at": format_moment(order.created_at),
        "paid_at": format_moment(order.paid_at),
        "lines": [
            {"prompt": line.title, "price_krw": line.price_krw}
            for line in sorted(order.lines.all(), key=lambda line: line.position)
        ],
        "refunds": [
            {
                "prompts": [row.order_line.title for row in refund.lines.all()],
                "amount_krw": refund.amount_krw,
                "reason": refund.reason,
                "note": refund.note,
                "status": refund.status,
                "requested_at": format_moment(refund.requested_at),
                "done_at": format_moment(refund.done_at),
            }
            for refund in sorted(order.refunds.all(), key=lambda refund: refund.requested_at)
        ],
        "payments": [
            {
                "provider": payment.provider,
                "method": payment.method,
                "amount_krw": payment.amount_krw,
                "status": payment.status,
                "requested_at": format_moment(payment.requested_at),
                "approved_at": format_moment(payment.approved_at),
            }
            for payment in sorted(order.payments.all(), key=lambda payment: payment.requested_at)
        ],
        "mails": [
            {"about": mail.kind, "status": mail.status, "sent_at": format_moment(mail.sent_at)}
            for mail in sorted(order.mails.all(), key=lambda mail: mail.pk)
        ],
        "consents": [
            {"about": consent.key, "wording": consent.text, "accepted_at": format_moment(consent.accepted_at)}
            for consent in order.consents.all()
        ],
    }


def _purchases_of(user):
    purchases = user.purchases.select_related("prompt", "entitlement").prefetch_related("entitlement__access_events")
    return purchases.order_by("created_at", "pk")


def _export_purchase(purchase) -> dict:
    entitlement = getattr(purchase, "entitlement", None)  # imported purchases may have none
    return {
        "prompt": purchase.prompt.title,
        "bought_at": format_moment(purchase.created_at),
        "payment_order_id": purchase.payment_order_id,
        "opened_at": format_moment(entitlement.opened_at) if entitlement else None,
        "taken_back_at": format_moment(entitlement.revoked_at) if entitlement else None,
        "accesses": [
            {"what": event.kind, "at": format_moment(event.at)}
            for event in sorted(entitlement.access_events.all(), key=lambda event: event.at)
        ]
        if entitlement
        else [],
    }


def _export_review(review) -> dict:
    return {
        "prompt": review.prompt.title,
        "rating": review.rating,
        "body": review.body,
        "model_used": review.model_used,
        "written_at": format_moment(review.created_at),
        "updated_at": format_moment(review.updated_at),
        "reply_of_the_seller": review.reply,
        "replied_at": format_moment(review.replied_at),
        "hidden_at": format_moment(review.hidden_at),
        "hidden_because": review.hidden_reason,
        "hidden_note": review.hidden_note,
    }


def _reports_of(user):
    reports = Report.objects.filter(reporter=user).select_related("prompt", "review__prompt")
    return reports.order_by("created_at", "pk")


def _export_report(report) -> dict:
    return {
        "about": "review" if report.review_id else "prompt",
        "prompt": (report.review.prompt if report.review_id else report.prompt).title,
        "reason": report.reason,
        "note": report.note,
        "reported_at": format_moment(report.created_at),
        "outcome": report.outcome,
    }


def _export_seller(seller) -> dict:
    business = find_business(seller)
    listings = (
        seller.listings.select_related("prompt").prefetch_related("prompt__versions").order_by("created_at", "pk")
    )
    return {
        "name": seller.name,
        "about": seller.bio,
        "website": seller.website_url,
        "address": seller.slug,
        "language": seller.language,
        "business": {name: getattr(business, name) for name in FACTS} if business else None,
        "listings": [_export_listing(listing) for listing in listings],
    }


def _export_listing(listing) -> dict:
    """What the seller wrote, every version of it."""
    prompt = listing.prompt
    return {
        "title": prompt.title,
        "description": prompt.description,
        "price_krw": prompt.price,
        "tags": prompt.tags,
        "model": listing.model,
        "output": listing.output_kind,
        "language": listing.language,
        "state": listing.state,
        "state_reason": listing.state_reason,
        "pictures": prompt.image_urls,
        "picture_descriptions": listing.image_alts,
        "created_at": format_moment(listing.created_at),
        "published_at": format_moment(listing.published_at),
        "updated_at": format_moment(listing.updated_at),
        "versions": [
            {
                "number": version.number,
                "title": version.title,
                "prompt_text": version.prompt_text,
                "note": version.note,
                "saved_at": format_moment(version.created_at),
            }
            for version in sorted(prompt.versions.all(), key=lambda version: version.number)
        ],
    }


def _applications_of(user):
    """Those sent with an address that this person has confirmed; of their history nothing that staff noted."""
    history = Prefetch(
        "events", ApplicationEvent.objects.exclude(kind=ApplicationEvent.Kind.NOTED).order_by("at", "pk"), "history"
    )
    applications = SellerApplication.objects.filter(is_sent_by(user)).select_related("case")
    return applications.prefetch_related(history, "mails").order_by("created_at", "pk")


def _export_application(application) -> dict:
    case = getattr(application, "case", None)  # other programs' rows may have none
    return {
        "name": application.name,
        "email": application.email,
        "portfolio_url": application.portfolio_url,
        "categories": application.categories,
        "message": application.message,
        "applied_at": format_moment(application.created_at),
        "processed": application.processed,
        "status": find_standing(application),
        "reason": case.reason if case else "",
        "decided_at": format_moment(case.decided_at) if case else None,
        "consented_at": format_moment(case.consented_at) if case else None,
        "consent_version": case.consent_version if case else "",
        "history": [
            {"what": event.kind, "text": event.text, "at": format_moment(event.at)} for event in application.history
        ],
        "mails": [
            {"about": mail.kind, "status": mail.status, "sent_at": format_moment(mail.sent_at)}
            for mail in sorted(application.mails.all(), key=lambda mail: mail.pk)
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
            forget = [forget_applicant, forget_business, forget_submissions, forget_presets]
            erase_account(user=request.user, now=timezone.now(), forget=forget)
        except DeletionRefused:
            return redirect("accounts:account_delete")
        logout(request)
        return redirect("accounts:account_deleted")
    status = 422 if form.errors else 200
    return render(request, "accounts/account_delete_confirm.html", {"form": form}, status=status)


def _find_obstacle(user) -> str:
    """What must happen before the account can be deleted; empty when nothing."""
    try:
        refuse_while_unfinished(user)
    except DeletionRefused as refused:
        return str(refused)
    return ""


@login_not_required
@require_safe
def account_deleted(request):
    if request.user.is_authenticated:  # who signs in from this page is sent back to it
        return redirect("catalog:home")
    return render(request, "accounts/account_deleted.html")
