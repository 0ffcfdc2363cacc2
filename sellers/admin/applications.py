"""The queue of applications to sell, and the page of one. `decisions.py` has what staff may do with them."""

from datetime import datetime, timedelta

from django.contrib import admin
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from marketplace.admin import ReadOnlyAdmin
from sellers.admin.decisions import ApplicationActs
from sellers.admin.standing import (
    WAITS_LONG_AFTER,
    describe_age,
    describe_standing,
    find_case,
    name_application,
    name_language,
)
from sellers.categories import CATEGORIES, name_categories
from sellers.models import ApplicationCase, SellerApplication
from sellers.onboarding import ELSEWHERE, OPEN

WAITS_A_WHILE_AFTER = timedelta(days=3)

Status = ApplicationCase.Status


class StandingFilter(admin.SimpleListFilter):
    """What waits is shown unless staff choose otherwise; `all` is a choice like the others."""

    title = _("status")
    parameter_name = "status"
    WAITING, ALL = "waiting", "all"

    def lookups(self, request, model_admin):
        first = [(self.WAITING, _("waiting for a decision")), (self.ALL, _("All"))]
        return [*first, *Status.choices, (ELSEWHERE, _("processed elsewhere"))]

    @property
    def shown(self) -> str:
        known = [key for key, _name in self.lookup_choices]
        return self.value() if self.value() in known else self.WAITING

    @property
    def shown_name(self) -> str:
        return dict(self.lookup_choices)[self.shown]

    def queryset(self, request, queryset):
        match self.shown:
            case self.WAITING:
                return queryset.pending()
            case Status.RECEIVED:
                return queryset.pending().exclude(case__status__in=[Status.IN_REVIEW, Status.ASKED])
            case Status.IN_REVIEW | Status.ASKED as status:
                return queryset.pending().filter(case__status=status)
            case Status.ACCEPTED | Status.DECLINED | Status.WITHDRAWN as status:
                return queryset.filter(processed=True, case__status=status)
            case "elsewhere":
                return queryset.filter(Q(case__isnull=True) | Q(case__status__in=OPEN), processed=True)
        return queryset

    def choices(self, changelist):
        counts = self.get_facet_queryset(changelist) if changelist.add_facets else {}
        for index, (key, name) in enumerate(self.lookup_choices):
            query = {self.parameter_name: None if key == self.WAITING else key}
            count = f" ({counts[f'{index}__c']})" if counts else ""
            yield {
                "selected": key == self.shown,
                "query_string": changelist.get_query_string(query),
                "display": f"{name}{count}",
            }


class AgeFilter(admin.SimpleListFilter):
    title = _("age")
    parameter_name = "age"

    def lookups(self, request, model_admin):
        a_while, long = WAITS_A_WHILE_AFTER.days, WAITS_LONG_AFTER.days
        return [
            ("new", _("under %(n)d days") % {"n": a_while}),
            ("while", _("%(n)d to %(m)d days") % {"n": a_while, "m": long}),
            ("long", _("%(n)d days or more") % {"n": long}),
        ]

    def queryset(self, request, queryset):
        now = timezone.now()
        a_while, long = now - WAITS_A_WHILE_AFTER, now - WAITS_LONG_AFTER
        match self.value():
            case "new":
                return queryset.filter(created_at__gt=a_while)
            case "while":
                return queryset.filter(created_at__lte=a_while, created_at__gt=long)
            case "long":
                return queryset.filter(created_at__lte=long)
        return queryset


class CategoryFilter(admin.SimpleListFilter):
    """The column is JSON in a text on SQLite; a key is found in quotes, whatever stands around it."""

    title = _("category")
    parameter_name = "category"

    def lookups(self, request, model_admin):
        return list(CATEGORIES.items())

    def queryset(self, request, queryset):
        return queryset.in_category(self.value()) if self.value() in CATEGORIES else queryset


@admin.register(SellerApplication)
class SellerApplicationAdmin(ApplicationActs, ReadOnlyAdmin):
    list_display = ["title", "email", "applied_on", "age", "standing", "category_names", "decided_by"]
    list_filter = [StandingFilter, AgeFilter, CategoryFilter]
    list_select_related = ["case__decided_by"]
    search_fields = ["name", "email", "portfolio_url", "message"]
    search_help_text = _("Name, e-mail address, link or message")
    date_hierarchy = "created_at"
    ordering = ["processed", "created_at", "pk"]
    fieldsets = [
        (None, {"fields": ["name", "email", "portfolio_url", "category_names", "message", "created_at", "age"]}),
        (_("Decision"), {"fields": ["standing", "reason", "decided_at", "decided_by"]}),
        (_("Consent and language"), {"fields": ["language", "consented_at", "id"], "classes": ["collapse"]}),
    ]
    readonly_fields = [
        "category_names",
        "age",
        "standing",
        "reason",
        "decided_at",
        "decided_by",
        "language",
        "consented_at",
    ]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("case__decided_by")

    def get_object_title(self, application):
        return name_application(application)

    def changelist_view(self, request, extra_context=None):
        """What is shown stands above the list: on a phone its filters stand below."""
        answer = super().changelist_view(request, extra_context)
        changelist = getattr(answer, "context_data", {}).get("cl")
        if changelist:
            chosen = next(spec for spec in changelist.filter_specs if isinstance(spec, StandingFilter))
            answer.context_data |= {
                "shown": chosen.shown_name,
                "show_all": chosen.shown != chosen.ALL and changelist.get_query_string({"status": chosen.ALL}),
                "show_waiting": chosen.shown != chosen.WAITING and changelist.get_query_string({"status": None}),
            }
        return answer

    @admin.display(description=_("name"), ordering="name")
    def title(self, application):
        return name_application(application)

    @admin.display(description=_("categories"))
    def category_names(self, application):
        return ", ".join(name_categories(application.categories)) or "–"

    @admin.display(description=_("applied on"), ordering="created_at")
    def applied_on(self, application):
        moment = application.created_at
        return date_format(timezone.localtime(moment), "DATE_FORMAT") if moment else "–"

    @admin.display(description=_("age"), ordering="-created_at")
    def age(self, application):
        return describe_age(application)

    @admin.display(description=_("status"), ordering="case__status")
    def standing(self, application):
        return describe_standing(application)

    @admin.display(description=_("decided by"), ordering="case__decided_by__email")
    def decided_by(self, application):
        return self._of_case(application, "decided_by")

    @admin.display(description=_("decided at"))
    def decided_at(self, application):
        return self._of_case(application, "decided_at")

    @admin.display(description=_("reason or question"))
    def reason(self, application):
        return self._of_case(application, "reason")

    @admin.display(description=_("language"))
    def language(self, application):
        return name_language(application)

    @admin.display(description=_("agreed at"))
    def consented_at(self, application):
        return self._of_case(application, "consented_at")

    def _of_case(self, application, name):
        case = find_case(application)
        value = case and getattr(case, name)
        if isinstance(value, datetime):
            return date_format(timezone.localtime(value), "DATETIME_FORMAT")
        return value or "–"
