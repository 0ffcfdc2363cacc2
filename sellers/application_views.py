"""The applicant's side: the page about selling with its form, and the page of an application behind its link."""

from functools import wraps

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.discovery import describe_page
from checkout.ledger import split_price
from marketplace.background import run_soon
from marketplace.rate_limits import is_allowed
from sellers.addresses import email_key
from sellers.application_forms import AnswerForm, ApplicationForm, LinkForm
from sellers.application_links import LinkExpired, LinkRefused, read_link
from sellers.categories import name_categories
from sellers.consents import APPLICATION
from sellers.models import ApplicationCase, ApplicationEvent, Seller
from sellers.onboarding import (
    answer_question,
    apply_to_sell,
    find_standing,
    list_history,
    mail_link,
    reopen_application,
    withdraw_application,
)

EXAMPLE_PRICE_KRW = 10_000
HOUR = 60 * 60  # seconds
Status, Kind = ApplicationCase.Status, ApplicationEvent.Kind

TOLD_AS = {  # how the history reads to the applicant
    Kind.RECEIVED: gettext_lazy("You applied"),
    Kind.SENT_AGAIN: gettext_lazy("The form was sent again with your address"),
    Kind.REVIEW_STARTED: gettext_lazy("We began to read it"),
    Kind.ASKED: gettext_lazy("We asked you"),
    Kind.ANSWERED: gettext_lazy("You answered"),
    Kind.ACCEPTED: gettext_lazy("We accepted it"),
    Kind.DECLINED: gettext_lazy("We declined it"),
    Kind.WITHDRAWN: gettext_lazy("You withdrew it"),
    Kind.REOPENED: gettext_lazy("It was opened again"),
    Kind.SELLER_MADE: gettext_lazy("Your seller page was made"),
}


# --- Applying


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sell(request):
    """What selling here means, and the form to apply. Whether the address applied before, no answer tells."""
    if request.user.is_authenticated and Seller.objects.filter(user=request.user).exists():
        return redirect("studio:home")
    form = ApplicationForm(
        request.POST if request.method == "POST" else None, initial={"email": find_own_address(request.user)}
    )
    status = 422 if form.errors else 200
    if form.is_valid():
        if is_allowed(request, "sell_apply"):
            if not form.is_from_a_program:
                send_application(form.cleaned_data)
            return redirect("sellers:sell_applied")
        form.add_error(
            None,
            _("Too many applications came from your connection. Send it again in an hour; what you typed is kept."),
        )
        status = 429
    fee_krw, payout_krw = split_price(price_krw=EXAMPLE_PRICE_KRW, fee_bp=settings.PLATFORM_FEE_BP)
    context = {
        "form": form,
        "page": describe_page(
            title=_("Sell your prompts"),
            description=_("Put your prompts up for sale: what it costs, when you are paid, and how to apply."),
            url_name="sellers:sell",
        ),
        "fee_percent": f"{settings.PLATFORM_FEE_BP / 100:g}",
        "example": {"price_krw": EXAMPLE_PRICE_KRW, "fee_krw": fee_krw, "payout_krw": payout_krw},
    }
    response = render(request, "sellers/sell.html", context, status=status)
    if status == 429:
        response["Retry-After"] = str(HOUR)
    return response


def find_own_address(user) -> str:
    """The confirmed address of somebody signed in; empty for everybody else."""
    if not user.is_authenticated:
        return ""
    verified = user.emailaddress_set.filter(verified=True).order_by("-primary", "pk")
    return verified.values_list("email", flat=True).first() or ""


def send_application(typed: dict) -> None:
    apply_to_sell(
        name=typed["name"],
        email=typed["email"],
        portfolio_url=typed["portfolio_url"],
        categories=typed["categories"],
        message=typed["message"],
        consent_version=APPLICATION.version,
        language=get_language(),
        now=timezone.now(),
    )


@login_not_required
@require_safe
def sell_applied(request):
    """The same for everybody, also for whoever comes here by themselves."""
    return render(request, "sellers/sell_applied.html")


# --- The page behind the link


def by_link(view):
    """Gives the view the application of the link in the address; without a good link, a page that offers a new one.

    The address is the key, so nothing keeps the page and no other site learns of it. `strict-origin` and not
    `no-referrer`: under that one browsers send `Origin: null` with the page's own forms, and CSRF protection refuses.
    """

    @login_not_required
    @never_cache
    @wraps(view)
    def wrapped(request, token):
        try:
            application = read_link(token)
        except LinkExpired:
            response = render_link_form(request, LinkForm(), status=410)
        except LinkRefused:
            response = render_link_form(request, LinkForm(), status=404)
        else:
            response = view(request, application, token)
        response["Referrer-Policy"] = "strict-origin"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return wrapped


@require_safe
@by_link
def application_status(request, application, token):
    return render_status(request, application, token, form=AnswerForm())


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@by_link
def application_answer(request, application, token):
    """Takes the answer; whoever comes back to the address finds the page with the question."""
    if request.method != "POST":
        return redirect("sellers:application_status", token)
    form = AnswerForm(request.POST)
    if find_standing(application) == Status.ASKED and not form.is_valid():
        return render_status(request, application, token, form=form, status=422)
    text = form.cleaned_data["text"] if form.is_valid() else ""
    if text and answer_question(application=application, text=text, now=timezone.now()):
        messages.success(request, _("Your answer is on its way to us."))
    else:
        messages.warning(request, _("This question is no longer open, so nothing was sent."))
    return redirect("sellers:application_status", token)


@require_http_methods(["GET", "HEAD", "POST"])
@by_link
def application_withdraw(request, application, token):
    """GET asks whether to withdraw, POST does it."""
    is_open = find_standing(application) in (Status.RECEIVED, Status.IN_REVIEW, Status.ASKED)
    if request.method != "POST" and is_open:
        return render(request, "sellers/application_withdraw.html", {"token": token})
    if request.method == "POST" and withdraw_application(application=application, now=timezone.now()):
        messages.success(request, _("You withdrew your application."))
    elif find_standing(application) != Status.WITHDRAWN:
        messages.warning(request, _("A decision was made already, so nothing was withdrawn."))
    return redirect("sellers:application_status", token)


@require_POST
@by_link
def application_again(request, application, token):
    """Wait for a decision again after one's own withdrawal."""
    if reopen_application(application=application, now=timezone.now()):
        messages.success(request, _("Your application waits for our answer again."))
    return redirect("sellers:application_status", token)


def render_status(request, application, token, *, form, status=200):
    history = list_history(application)
    standing = find_standing(application)
    context = {
        "application": application,
        "token": token,
        "form": form,
        "standing": standing,
        "is_open": standing in (Status.RECEIVED, Status.IN_REVIEW, Status.ASKED),
        "has_seller": any(event.kind == Kind.SELLER_MADE for event in history),
        "categories": name_categories(application.categories),
        "history": [{"told_as": TOLD_AS[event.kind], "at": event.at, "text": event.text} for event in history],
    }
    return render(request, "sellers/application_status.html", context, status=status)


# --- A fresh link


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def sell_link(request):
    """Mails a fresh link to whoever applied with the address: after the answer, which is the same for every address."""
    form = LinkForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render_link_form(request, form, status=422 if form.errors else 200)
    email = form.cleaned_data["email"]
    if not is_allowed(request, "sell_link", key=email_key(email)):
        form.add_error(None, _("A link was asked for too often. Please try again in an hour."))
        response = render_link_form(request, form, status=429)
        response["Retry-After"] = str(HOUR)
        return response
    run_soon(mail_link, email=email, language=get_language(), now=timezone.now())
    return redirect("sellers:sell_link_sent")


def render_link_form(request, form, *, status):
    """410 and 404 are the page in place of an application's; the form stands on it all the same."""
    return render(request, "sellers/sell_link.html", {"form": form, "status": status}, status=status)


@login_not_required
@require_safe
def sell_link_sent(request):
    return render(request, "sellers/sell_link_sent.html")
