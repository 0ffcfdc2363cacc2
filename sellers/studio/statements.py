"""What a seller gets for each month: finished statements, and the running one as it stands."""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from checkout.models import Statement
from checkout.statements import (
    Draft,
    begin_of,
    draft_statements,
    list_fees,
    list_lines,
    month_of,
    next_month,
    read_month,
)
from marketplace.spreadsheets import csv_response
from sellers.models import Seller
from sellers.studio.access import seller_required

MONTHS_PER_PAGE = 24
LINES_PER_PAGE = 50


@require_safe
@seller_required
def statement_list(request):
    statements = Statement.objects.filter(seller=request.seller).select_related("payout").order_by("-month", "pk")
    page = Paginator(statements, MONTHS_PER_PAGE).get_page(request.GET.get("page"))
    drafts = [] if page.number > 1 else list_drafts(request.seller)
    return render(request, "sellers/studio/statement_list.html", {"page": page, "drafts": drafts[::-1]})


@require_safe
@seller_required
def statement_detail(request, month):
    """The lines of a month and its sums; a month that is not built yet shows them as they stand, and says so."""
    account = find_account(request, month)
    context = {
        "account": account,
        "refunds_krw": -account.refunds_krw,
        "fee_krw": -account.fee_krw,
        "is_final": isinstance(account, Statement),
        "is_running": account.month == month_of(timezone.now()),
        "page": Paginator(list_lines(account), LINES_PER_PAGE).get_page(request.GET.get("page")),
        "fees": [describe_fee(fee_bp) for fee_bp in list_fees(account) or [settings.PLATFORM_FEE_BP]],
    }
    return render(request, "sellers/studio/statement_detail.html", context)


@require_safe
@seller_required
def statement_csv(request, month):
    """Every line of the month, and the sums below them."""
    account = find_account(request, month)
    return csv_response(list_rows(account), filename=f"statement-{account.month:%Y-%m}.csv")


# --- Parts


def list_drafts(seller: Seller) -> list[Draft]:
    """Months that are not built yet, oldest first; the running one is always among them."""
    running = month_of(timezone.now())
    drafts = draft_statements(before=next_month(running), seller=seller)
    if drafts and drafts[-1].month == running:
        return drafts
    debt_krw = min(drafts[-1].due_krw if drafts else find_last_due(seller), 0)
    return [*drafts, Draft(seller.pk, running, begin_of(running), 0, 0, 0, debt_krw, 0)]


def describe_fee(fee_bp: int) -> dict:
    return {"basis_points": fee_bp, "percent": f"{fee_bp / 100:g}"}


def find_last_due(seller: Seller) -> int:
    last = Statement.objects.filter(seller=seller).order_by("-month").first()
    return last.due_krw if last else 0


def find_account(request: HttpRequest, text: str) -> Statement | Draft:
    """The seller's own statement of a month, or what it would be. 404 for a month without one."""
    month = read_month(text)
    if month is None:
        raise Http404
    statement = Statement.objects.filter(seller=request.seller, month=month).select_related("payout").first()
    if statement:
        return statement
    draft = next((draft for draft in list_drafts(request.seller) if draft.month == month), None)
    if draft is None:
        raise Http404
    return draft


def list_rows(account: Statement | Draft):
    """Of the CSV; translated before the download begins."""
    kinds = {"charge": _("sale"), "refund": _("refund")}
    money = [_("Price (won)"), _("Fee (basis points)"), _("Fee (won)"), _("Your share (won)")]
    heading = [_("Date"), _("Prompt"), _("What"), *money]
    sums = [
        (_("Sales"), account.sales_krw),
        (pgettext("sums", "Refunds"), -account.refunds_krw),
        (_("Fee"), -account.fee_krw),
        (_("Payable"), account.payable_krw),
        (_("Carried over"), account.carried_krw),
        (_("Due") if isinstance(account, Statement) else _("So far, not final"), account.due_krw),
    ]
    return _write_rows(heading, kinds, sums, account)


def _write_rows(heading: list[str], kinds: dict, sums: list[tuple[str, int]], account: Statement | Draft):
    yield heading
    for line in list_lines(account).iterator():
        money = [line["price_krw"], line["fee_bp"], line["fee_krw"], line["share_krw"]]
        yield [line["booked_at"], line["title"], kinds[line["kind"]], *money]
    for name, amount_krw in sums:
        yield ["", name, "", "", "", "", amount_krw]
