"""What sellers are owed, and that it was paid out. Finance staff record a payout here; nothing else can be done."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from checkout.admin.forms import PayoutForm
from checkout.admin.shared import link_to, show_won
from checkout.balances import find_untied, list_balances, sum_ledger, sum_months
from checkout.models import Payout, Statement
from checkout.payouts import PayoutRefused, check_payable, check_payout, record_payout
from checkout.statements import list_lines, read_month
from marketplace.admin import ReadOnlyAdmin
from marketplace.spreadsheets import csv_response

LINES_PER_PAGE = 100
MONTHS_TO_CHOOSE = 36
SUMS = ("sales_krw", "refunds_krw", "fee_krw", "payable_krw")

IS_OPEN = Q(due_krw__gt=0, payout__isnull=True)
STATES = {
    "open": (_("to be paid out"), IS_OPEN),
    "paid": (_("paid out"), Q(payout__isnull=False)),
    "debt": (_("carried over as a debt"), Q(due_krw__lt=0)),
    "nothing": (_("nothing due"), Q(due_krw=0)),
}


class MonthFilter(admin.SimpleListFilter):
    title = _("month")
    parameter_name = "month"

    def lookups(self, request, model_admin):
        months = Statement.objects.order_by("-month").values_list("month", flat=True).distinct()
        return [(f"{month:%Y-%m}", show_month(month)) for month in months[:MONTHS_TO_CHOOSE]]

    def queryset(self, request, queryset):
        month = read_month(self.value() or "")
        return queryset.filter(month=month) if month else queryset


class PaidFilter(admin.SimpleListFilter):
    title = _("payout")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [(key, name) for key, (name, _condition) in STATES.items()]

    def queryset(self, request, queryset):
        return queryset.filter(STATES[self.value()][1]) if self.value() in STATES else queryset


class AmountColumns:
    """The sums of a statement with their currency."""

    @admin.display(description=_("month"), ordering="month")
    def month_name(self, statement):
        return show_month(statement.month)

    @admin.display(description=_("sales"), ordering="sales_krw")
    def sales(self, statement):
        return show_won(statement.sales_krw)

    @admin.display(description=_("refunds"), ordering="refunds_krw")
    def refunds(self, statement):
        return show_won(statement.refunds_krw)

    @admin.display(description=_("fee"), ordering="fee_krw")
    def fee(self, statement):
        return show_won(statement.fee_krw)

    @admin.display(description=_("payable"), ordering="payable_krw")
    def payable(self, statement):
        return show_won(statement.payable_krw)

    @admin.display(description=_("carried over"), ordering="carried_krw")
    def carried(self, statement):
        return show_won(statement.carried_krw)

    @admin.display(description=_("due"), ordering="due_krw")
    def due(self, statement):
        return show_won(statement.due_krw)

    @admin.display(description=_("payout"), ordering="payout__paid_on")
    def payout_state(self, statement):
        return describe_payout(statement)

    @admin.display(description=_("payout"))
    def payout_page(self, statement):
        payout = find_payout(statement)
        return link_to(payout) if payout else describe_payout(statement)


@admin.register(Statement)
class StatementAdmin(AmountColumns, ReadOnlyAdmin):
    list_display = [
        *("seller_name", "month_name", "due", "payout_state", "sales", "refunds", "fee", "payable", "carried"),
    ]
    list_filter = [PaidFilter, MonthFilter]
    list_select_related = ["seller", "payout"]
    search_fields = ["seller__name", "seller__slug", "seller__user__email", "=payout__bank_reference"]
    search_help_text = _("Seller, their e-mail address or the bank reference of the payout")
    ordering = ["-month", "seller__name", "pk"]
    fields = [
        *("seller", "month_name", "sales", "refunds", "fee", "payable", "carried", "due", "payout_page", "built_at"),
    ]
    readonly_fields = fields
    actions = None

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller", "payout")

    def get_object_title(self, statement):
        return name_statement(statement)

    @admin.display(description=_("seller"), ordering="seller__name")
    def seller_name(self, statement):
        return statement.seller.name

    # --- Pages

    def get_urls(self):
        def page(address, view, name):
            return path(address, self.admin_site.admin_view(never_cache(view)), name=f"checkout_statement_{name}")

        pages = [
            page("<uuid:statement_id>/payout/", self.payout_view, "payout"),
            page("ties/", require_safe(self.ties_view), "ties"),
            page("due.csv", require_safe(self.due_view), "due"),
        ]
        return [*pages, *super().get_urls()]

    def has_pay_permission(self, request) -> bool:
        return request.user.has_perm("checkout.add_payout")

    def changelist_view(self, request, extra_context=None):
        """With the sums of everything that the filters leave."""
        extra_context = {"can_pay": self.has_pay_permission(request), **(extra_context or {})}
        answer = super().changelist_view(request, extra_context)
        listed = getattr(answer, "context_data", {}).get("cl")
        if listed:
            answer.context_data["totals"] = describe_totals(listed.queryset)
        return answer

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        context |= {
            "lines": Paginator(list_lines(obj), LINES_PER_PAGE).get_page(request.GET.get("page")),
            "can_pay": self.has_pay_permission(request) and is_open(obj),
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _show(self, request, name: str, title: str, status: int = 200, **context):
        context |= self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": title}
        return TemplateResponse(request, f"admin/checkout/statement/{name}.html", context, status=status)

    def payout_view(self, request, statement_id):
        """A form, then a page that says what will be recorded, then the payout. A form sent twice records once."""
        if not self.has_pay_permission(request) or not self.has_view_permission(request):
            raise PermissionDenied
        statements = Statement.objects.select_related("seller", "seller__business", "payout")
        statement = get_object_or_404(statements, pk=statement_id)
        back = redirect("admin:checkout_statement_change", statement.pk)
        try:
            check_payable(statement)
        except PayoutRefused as refused:
            self.message_user(request, str(refused), messages.WARNING)
            return back
        form = PayoutForm(request.POST if request.method == "POST" else None, initial={"paid_on": timezone.localdate()})
        context = {
            "form": form,
            "statement": statement,
            "original": statement,
            "subtitle": name_statement(statement),
            "amount": show_won(statement.due_krw),
            "balance": list_balances(seller=statement.seller)[0],
        }
        title = gettext("Record a payout")
        if not form.is_valid() or "change" in request.POST:
            status = 422 if form.is_bound and not form.is_valid() else 200
            return self._show(request, "payout", title, status, **context)
        try:
            if "confirm" not in request.POST:
                check_payout(statement=statement, now=timezone.now(), **form.cleaned_data)
                return self._show(request, "payout_check", title, **context)
            payout = record_payout(statement=statement, staff=request.user, now=timezone.now(), **form.cleaned_data)
        except PayoutRefused as refused:
            form.add_error(None, str(refused))
            return self._show(request, "payout", title, 422, **context)
        words = {"amount": show_won(payout.amount_krw), "reference": payout.bank_reference}
        self.log_change(request, statement, gettext("Recorded a payout of %(amount)s: %(reference)s.") % words)
        text = gettext("The payout of %(amount)s to %(seller)s is recorded. The seller gets a mail about it.")
        self.message_user(request, text % {**words, "seller": statement.seller.name}, messages.SUCCESS)
        return back

    def ties_view(self, request):
        """Whether every won ties to the payments, month by month. It reads the whole ledger."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {"months": sum_months()[::-1], "whole": sum_ledger(), "untied": find_untied()}
        return self._show(request, "ties", gettext("Do the sums tie?"), **context)

    def due_view(self, request):
        """What is to be paid out, for the bank, as CSV."""
        if not self.has_pay_permission(request) or not self.has_view_permission(request):
            raise PermissionDenied
        return csv_response(list_due_rows(), filename=f"payouts-due-{timezone.localdate():%Y-%m-%d}.csv")


@admin.register(Payout)
class PayoutAdmin(ReadOnlyAdmin):
    list_display = ["seller_name", "month_name", "amount", "bank_reference", "paid_on", "recorded_by", "recorded_at"]
    list_filter = ["paid_on"]
    list_select_related = ["statement__seller", "recorded_by"]
    search_fields = ["^bank_reference", "statement__seller__name", "statement__seller__user__email"]
    search_help_text = _("Bank reference, seller or their e-mail address")
    date_hierarchy = "paid_on"
    ordering = ["-paid_on", "-recorded_at", "pk"]
    fields = ["statement_page", "amount", "bank_reference", "paid_on", "recorded_by", "recorded_at"]
    readonly_fields = fields
    actions = None

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("statement__seller", "recorded_by")

    def get_object_title(self, payout):
        return f"{name_statement(payout.statement)} · {show_won(payout.amount_krw)}"

    @admin.display(description=_("seller"), ordering="statement__seller__name")
    def seller_name(self, payout):
        return payout.statement.seller.name

    @admin.display(description=_("month"), ordering="statement__month")
    def month_name(self, payout):
        return show_month(payout.statement.month)

    @admin.display(description=_("amount"), ordering="amount_krw")
    def amount(self, payout):
        return show_won(payout.amount_krw)

    @admin.display(description=_("statement"))
    def statement_page(self, payout):
        return link_to(payout.statement, name=name_statement(payout.statement))


# --- In words


def show_month(month) -> str:
    return date_format(month, "YEAR_MONTH_FORMAT")


def name_statement(statement: Statement) -> str:
    return f"{statement.seller.name} · {show_month(statement.month)}"


def find_payout(statement: Statement) -> Payout | None:
    """No query with `payout` loaded."""
    return getattr(statement, "payout", None)


def is_open(statement: Statement) -> bool:
    return statement.due_krw > 0 and find_payout(statement) is None


def describe_payout(statement: Statement) -> str:
    payout = find_payout(statement)
    if payout:
        return gettext("paid on %(day)s") % {"day": date_format(payout.paid_on, "SHORT_DATE_FORMAT")}
    state = "open" if statement.due_krw > 0 else "debt" if statement.due_krw < 0 else "nothing"
    return str(STATES[state][0])


def describe_totals(statements: QuerySet[Statement]) -> list[tuple[str, str]]:
    """(name, amount) of the sums of these statements. One query."""
    sums = statements.order_by().aggregate(
        **{name: Coalesce(Sum(name), 0) for name in SUMS},
        open_krw=Coalesce(Sum("due_krw", filter=IS_OPEN), 0),
        paid_krw=Coalesce(Sum("payout__amount_krw"), 0),
    )
    names = {
        "sales_krw": gettext("Sales"),
        "refunds_krw": pgettext("sums", "Refunds"),
        "fee_krw": gettext("Fee"),
        "payable_krw": gettext("Payable"),
        "open_krw": gettext("To be paid out"),
        "paid_krw": gettext("Paid out"),
    }
    return [(name, show_won(sums[key])) for key, name in names.items()]


def list_due_rows():
    """Of the CSV for the bank; translated before the download begins."""
    heading = [
        *(gettext("Seller"), gettext("Business name"), gettext("Representative"), gettext("Registration number")),
        *(gettext("E-mail address"), gettext("Month"), gettext("Due (won)"), gettext("Statement")),
    ]
    statements = Statement.objects.filter(IS_OPEN).select_related("seller__user", "seller__business")
    return _write_due_rows(heading, statements.order_by("seller__name", "month", "pk"))


def _write_due_rows(heading: list[str], statements: QuerySet[Statement]):
    yield heading
    for statement in statements.iterator():
        seller = statement.seller
        business = getattr(seller, "business", None)
        facts = [business.trade_name, business.representative, business.registration_number] if business else [""] * 3
        yield [
            *(seller.name, *facts, seller.user.email),
            *(f"{statement.month:%Y-%m}", statement.due_krw, str(statement.pk)),
        ]
