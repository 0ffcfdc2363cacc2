"""What was seen, put into carts, paid and refunded: the page, and the same as a file."""

from datetime import date
from itertools import chain
from uuid import UUID

from django.http import Http404, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from catalog.models import Listing, Prompt
from checkout.sales import RATE_FLOOR, ZERO, Figures, PromptSales, Sales, has_figures, read_sales, stream_sales
from marketplace import charts
from marketplace.spreadsheets import csv_response
from sellers.studio.access import seller_required
from sellers.studio.periods import DEFAULT, PERIODS, DaysForm, find_period

ROWS_IN_CHART = 10
SORTS = {  # of the table by prompt, in the order of its columns: the largest first, titles by themselves
    "title": lambda row: 0,
    "views": lambda row: -row.figures.view_count,
    "carts": lambda row: -row.figures.cart_count,
    "sold": lambda row: -row.figures.paid_count,
    "paid": lambda row: (-row.figures.paid_krw, -row.figures.paid_count),
    "refunds": lambda row: -row.figures.refund_count,
    "refunded": lambda row: -row.figures.refund_krw,
    "net": lambda row: -row.figures.net_krw,
}
DEFAULT_SORT = "paid"
KEPT = ("period", "since", "until", "prompt", "sort")  # of an address


@require_safe
@seller_required
@vary_on_headers("HX-Request", "HX-Target")
def sales(request):
    """A request that targets `#sales` gets only that part. Days that cannot be read: 422, and the usual ones shown."""
    prompt = find_own_prompt(request)
    form, period, first, last = read_days(request.GET, today=timezone.localdate())
    figures = read_sales(seller=request.seller, first=first, last=last, prompt=prompt)
    wanted = request.GET.get("sort")
    sort = wanted if wanted in SORTS else DEFAULT_SORT
    context = {
        "form": form,
        "periods": describe_periods(request.GET, chosen=period),
        "prompt": prompt,
        "own_prompts": list_own_prompts(request.seller),
        "first": first,
        "last": last,
        "total": figures.total,
        "days": figures.days[::-1],
        "headings": describe_headings(request.GET, chosen=sort),
        "rows": describe_rows(request.GET, figures.prompts, sort=sort),
        "kept_sort": "" if sort == DEFAULT_SORT else sort,
        "all_address": change_address(request.GET, prompt=None),
        "csv_address": f"{reverse('studio:sales_csv')}?{keep_params(request.GET).urlencode()}",
        "rate_floor": RATE_FLOOR,
        "is_new": figures.total == ZERO and not has_figures(request.seller),
        **describe_charts(figures),
    }
    template = "sellers/studio/sales.html"
    if request.htmx.target == "sales":
        template += "#answer"
    return render(request, template, context, status=422 if form.errors else 200)


@require_safe
@seller_required
def sales_csv(request):
    """One line for each day and prompt with anything to say. Days that cannot be read lead to the page that says so."""
    prompt = find_own_prompt(request)
    form, _period, first, last = read_days(request.GET, today=timezone.localdate())
    if form.errors:
        return redirect(f"{reverse('studio:sales')}?{keep_params(request.GET).urlencode()}")
    heading = [
        _("Day"),
        _("Prompt"),
        pgettext("number", "Views"),
        pgettext("number", "Put into carts"),
        pgettext("number", "Sold"),
        _("Paid (won)"),
        pgettext("number", "Refunds"),
        _("Refunded (won)"),
        _("Net (won)"),
    ]
    rows = stream_sales(seller=request.seller, first=first, last=last, prompt=prompt)
    lines = ([day, title, *list_numbers(figures)] for day, title, figures in rows)
    filename = _("sales-%(first)s-%(last)s.csv") % {"first": first.isoformat(), "last": last.isoformat()}
    return csv_response(chain([heading], lines), filename=filename)


def list_numbers(figures: Figures) -> list[int]:
    """In the order of the file's columns."""
    return [
        figures.view_count,
        figures.cart_count,
        figures.paid_count,
        figures.paid_krw,
        figures.refund_count,
        figures.refund_krw,
        figures.net_krw,
    ]


def find_own_prompt(request) -> Prompt | None:
    """The one prompt that the figures are narrowed to. 404 for what is not the seller's."""
    text = request.GET.get("prompt", "")
    if not text:
        return None
    try:
        key = UUID(text)
    except ValueError as error:
        raise Http404 from error
    return get_object_or_404(Prompt.objects.only("title"), pk=key, listing__seller=request.seller)


def list_own_prompts(seller) -> list[tuple[UUID, str]]:
    return list(Prompt.objects.filter(listing__seller=seller).order_by("title", "pk").values_list("pk", "title"))


def read_days(params: QueryDict, *, today: date) -> tuple[DaysForm, str, date, date]:
    """(form, name of the chosen period or empty, first day, last day). A form with errors comes with the usual days."""
    if "since" in params or "until" in params:
        form = DaysForm(params, today=today)
        if form.is_valid():
            return form, "", form.cleaned_data["since"], form.cleaned_data["until"]
        return form, "", *find_period(DEFAULT, today=today)
    period = params.get("period")
    if period not in PERIODS:
        period = DEFAULT
    first, last = find_period(period, today=today)
    return DaysForm(initial={"since": first, "until": last}, today=today), period, first, last


def describe_periods(params: QueryDict, *, chosen: str) -> list[dict]:
    return [
        {
            "name": name,
            "title": title,
            "address": change_address(params, period=name, since=None, until=None),
            "is_chosen": name == chosen,
        }
        for name, title in PERIODS.items()
    ]


def describe_headings(params: QueryDict, *, chosen: str) -> list[dict]:
    """The columns of the table by prompt, each with the address that sorts by it."""
    titles = [
        _("Prompt"),
        pgettext("number", "Views"),
        pgettext("number", "Put into carts"),
        pgettext("number", "Sold"),
        pgettext("amount", "Paid"),
        pgettext("number", "Refunds"),
        pgettext("amount", "Refunded"),
        pgettext("amount", "Net"),
    ]
    return [
        {"name": name, "title": title, "address": change_address(params, sort=name), "is_chosen": name == chosen}
        for name, title in zip(SORTS, titles, strict=True)
    ]


def describe_rows(params: QueryDict, prompts: list[PromptSales], *, sort: str) -> list[dict]:
    """The table by prompt; those alike stay in the order of titles. A note stands beside what is no longer on sale."""
    labels = dict(Listing.State.choices)
    return [
        {
            "title": row.title,
            "address": change_address(params, prompt=str(row.prompt_id)),
            "note": "" if row.state == Listing.State.PUBLISHED else labels.get(row.state, ""),
            "figures": row.figures,
        }
        for row in sorted(prompts, key=SORTS[sort])
    ]


def change_address(params: QueryDict, **changes: str | None) -> str:
    """The address of the page with some parameters changed; None drops one."""
    changed = keep_params(params)
    for name, value in changes.items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    return f"{reverse('studio:sales')}?{changed.urlencode()}"


def keep_params(params: QueryDict) -> QueryDict:
    kept = QueryDict(mutable=True)
    for name in KEPT:
        if params.get(name):
            kept[name] = params[name]
    return kept


def describe_charts(sales: Sales) -> dict:
    """What the charts draw. Where nothing was paid but something was taken for free, they count instead of adding."""
    is_free = not sales.total.paid_krw and not sales.total.refund_krw

    def of(figures: Figures) -> int:
        return figures.paid_count if is_free else figures.paid_krw

    best = sorted(sales.prompts, key=SORTS["paid"])[:ROWS_IN_CHART]
    return {
        "unit": "count" if is_free else "won",
        "is_weekly": len(sales.days) > charts.MAX_DAYS,
        "paid_points": charts.make_day_points(
            (each.day, of(each.figures), each.figures.refund_krw) for each in sales.days
        ),
        "view_points": charts.make_day_points((each.day, each.figures.view_count, 0) for each in sales.days),
        "best_rows": [charts.Row(row.title, of(row.figures)) for row in best if of(row.figures)],
    }
