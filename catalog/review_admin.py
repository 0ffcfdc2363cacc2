"""Reviews, and reports of reviews and listings, in the admin. What breaks the rules is hidden, never rewritten."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Q
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from catalog.models import Report, Review
from catalog.moderation import hide_reviews
from catalog.reports import dismiss_report, find_reports_of_same, uphold_report, uphold_reports_of
from checkout.reviewing import show_reviews_again

EARLIER_SHOWN = 10
HIDDEN_COLUMNS = ["prompt_text", "file_url", "description"]


class PeopleAdmin(admin.ModelAdmin):
    """Rows of people whom everybody knows by a nickname: their address is shown to, and found by, those who may look
    at people. Of the columns named in `people`, the others see `<name>_shown`."""

    people: tuple[str, ...] = ()

    def get_list_display(self, request):
        return self._choose(request, super().get_list_display(request))

    def get_fields(self, request, obj=None):
        return self._choose(request, super().get_fields(request, obj))

    def get_readonly_fields(self, request, obj=None):
        return self._choose(request, super().get_readonly_fields(request, obj))

    def get_search_fields(self, request):
        fields = super().get_search_fields(request)
        hidden = () if may_see_people(request) else tuple(f"{name}__" for name in self.people)
        return [field for field in fields if not field.startswith(hidden)]

    def _choose(self, request, names):
        if may_see_people(request):
            return names
        return [f"{name}_shown" if name in self.people else name for name in names]


def may_see_people(request) -> bool:
    return request.user.has_perm("accounts.view_user")


class AuthorReasonForm(ActionForm):
    reason = forms.CharField(label=_("Reason, for the author:"), required=False, max_length=500)


@admin.register(Review)
class ReviewAdmin(PeopleAdmin):
    people = ("author",)
    list_display = ["prompt_title", "rating", "author", "created_at", "hidden_at", "hidden_reason"]
    list_select_related = ["prompt", "author__profile"]
    list_filter = ["rating", "hidden_reason", ("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["body", "author__email", "prompt__title"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "pk"]
    list_per_page = 50
    show_full_result_count = False
    actions = ["hide", "show"]
    action_form = AuthorReasonForm
    fields = readonly_fields = [
        *("prompt_page", "author", "rating", "body", "model_used", "reply", "created_at", "changed_at"),
        *("hidden_at", "hidden_reason", "hidden_note"),
    ]

    @admin.display(description=_("author"))
    def author_shown(self, review):
        return review.author.display_name

    @admin.display(description=_("prompt"), ordering="prompt__title")
    def prompt_title(self, review):
        return review.prompt.title

    @admin.display(description=_("Last change"))
    def changed_at(self, review):
        return date_format(timezone.localtime(review.updated_at), "DATETIME_FORMAT")

    @admin.display(description=_("prompt"))
    def prompt_page(self, review):
        address = reverse("admin:catalog_prompt_change", args=[review.prompt_id])
        return format_html('<a href="{}">{}</a>', address, review.prompt.title)

    def get_queryset(self, request):
        return super().get_queryset(request).defer(*(f"prompt__{name}" for name in HIDDEN_COLUMNS))

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    @admin.action(description=_("Hide, with a reason"), permissions=["change"])
    def hide(self, request, queryset):
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, gettext("Nothing was hidden: the author needs a reason."), messages.ERROR)
            return
        with transaction.atomic():
            now = timezone.now()
            changed = hide_reviews(reviews=queryset, note=reason, now=now)
            for review in changed:
                uphold_reports_of(thing=review, staff=request.user, now=now)
            self._log(request, changed, gettext("Hidden: %(reason)s") % {"reason": reason})

    @admin.action(description=_("Show again"), permissions=["change"])
    def show(self, request, queryset):
        """A review whose author got the money back stays hidden for that reason."""
        with transaction.atomic():
            changed = show_reviews_again(reviews=queryset, now=timezone.now())
            self._log(request, changed, gettext("Shown again."))

    def _log(self, request, changed, text):
        for review in changed:
            self.log_change(request, review, text)
        count = len(changed)
        text = ngettext("%(count)d review was changed.", "%(count)d reviews were changed.", count) % {"count": count}
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)


class ReasonActionForm(ActionForm):
    reason = forms.CharField(label=_("Reason, for the author or seller:"), required=False, max_length=500)


class DecisionForm(forms.Form):
    """What staff decide of a report. `reason` is read by the author or seller, so acting needs one."""

    DISMISS, UPHOLD = "dismiss", "uphold"

    decision = forms.ChoiceField(label=_("Decision"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )

    def __init__(self, *args, is_about_review: bool, can_act: bool, **kwargs):
        super().__init__(*args, **kwargs)
        act = _("Hide the review") if is_about_review else _("Take the listing off sale")
        choices = [(self.DISMISS, _("Nothing wrong found"))] + ([(self.UPHOLD, act)] if can_act else [])
        self.fields["decision"].choices = choices
        self.fields["reason"].help_text = (
            _("The author of the review reads it.")
            if is_about_review
            else _("The seller reads it, and gets it by mail.")
        )

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("decision") == self.UPHOLD and not cleaned.get("reason", "").strip():
            self.add_error("reason", _("Give a reason: it is read by whom it concerns."))
        return cleaned


class WaitingFilter(admin.SimpleListFilter):
    """Waiting ones unless somebody asks for others."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("handled", _("handled")), ("all", _("all"))]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        yield first | {"display": _("waiting")}
        yield from others

    def queryset(self, request, queryset):
        match self.value():
            case "handled":
                return queryset.filter(handled_at__isnull=False)
            case "all":
                return queryset
        return queryset.filter(handled_at__isnull=True)


class KindFilter(admin.SimpleListFilter):
    title = _("what is reported")
    parameter_name = "about"

    def lookups(self, request, model_admin):
        return [("prompt", _("listings")), ("review", _("reviews"))]

    def queryset(self, request, queryset):
        return (
            queryset.filter(**{f"{self.value()}__isnull": False}) if self.value() in ("prompt", "review") else queryset
        )


@admin.register(Report)
class ReportAdmin(PeopleAdmin):
    """A queue, oldest first. A report's page shows what is reported and takes the decision, for all of that thing."""

    people = ("reporter",)
    list_display = ["thing", "reason", "reporter", "created_at", "outcome", "handled_by"]
    list_display_links = ["thing"]
    list_filter = [WaitingFilter, KindFilter, "reason"]
    list_select_related = ["prompt", "review__prompt", "handled_by"]
    search_fields = ["note", "prompt__title", "review__prompt__title", "review__body", "reporter__email"]
    search_help_text = _("Prompt, review or note")
    date_hierarchy = "created_at"
    ordering = ["created_at", "pk"]
    list_per_page = 50
    show_full_result_count = False
    actions = ["dismiss", "uphold"]
    action_form = ReasonActionForm

    def get_queryset(self, request):
        hidden = [f"{path}__{name}" for path in ("prompt", "review__prompt") for name in HIDDEN_COLUMNS]
        people = ["reporter__profile", "review__author__profile"]
        return super().get_queryset(request).select_related("prompt", "review__prompt", *people).defer(*hidden)

    @admin.display(description=_("reported by"))
    def reporter_shown(self, report):
        return report.reporter and report.reporter.display_name

    @admin.display(description=_("what is reported"))
    def thing(self, report):
        if report.prompt_id:
            return gettext("Listing: %(title)s") % {"title": report.prompt.title}
        words = Truncator(report.review.body).chars(40) or "–"
        return gettext("Review of %(title)s: %(words)s") % {"title": report.review.prompt.title, "words": words}

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def may_act(self, request, report) -> bool:
        """Whether this person may hide the review or remove the listing."""
        needed = "catalog.change_review" if report.review_id else "catalog.change_prompt"
        return self.has_change_permission(request, report) and request.user.has_perm(needed)

    # --- The page of a report

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """GET shows, POST decides. A decision that somebody took before stands, and the page says so."""
        report = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, report):
            raise PermissionDenied
        if report is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        can_decide = self.has_change_permission(request, report)
        if request.method == "POST" and not can_decide:
            raise PermissionDenied
        form = DecisionForm(
            request.POST if request.method == "POST" else None,
            is_about_review=bool(report.review_id),
            can_act=self.may_act(request, report),
        )
        if form.is_bound and form.is_valid():
            self._decide(request, report, **form.cleaned_data)
            return redirect("admin:catalog_report_changelist")
        context = {
            **self.admin_site.each_context(request),
            **describe_reported(report),
            "opts": self.opts,
            "original": report,
            "report": report,
            "title": self.thing(report),
            "form": form if can_decide and not report.handled_at else None,
            "can_see_people": may_see_people(request),
            "can_read_text": request.user.has_perm("catalog.read_prompt_text"),
        }
        return TemplateResponse(request, "admin/catalog/report/page.html", context, status=422 if form.errors else 200)

    # --- Deciding

    @admin.action(description=_("Nothing wrong found"), permissions=["change"])
    def dismiss(self, request, queryset):
        self._decide_many(request, queryset, DecisionForm.DISMISS, "")

    @admin.action(description=_("Hide or remove, with a reason"), permissions=["change"])
    def uphold(self, request, queryset):
        reason = request.POST.get("reason", "").strip()
        if not reason:
            text = gettext("Nothing was done: the author or seller needs a reason.")
            self.message_user(request, text, messages.ERROR)
            return
        self._decide_many(request, queryset, DecisionForm.UPHOLD, reason)

    def _decide_many(self, request, queryset, decision, reason):
        closed_count = 0
        for report in queryset.filter(handled_at__isnull=True):
            if decision == DecisionForm.UPHOLD and not self.may_act(request, report):
                text = gettext("You may not act upon this one: %(thing)s")
                self.message_user(request, text % {"thing": self.thing(report)}, messages.WARNING)
                continue
            closed_count += len(self._close(request, report, decision, reason))
        self._tell(request, closed_count)

    def _decide(self, request, report, *, decision, reason):
        self._tell(request, len(self._close(request, report, decision, reason)))

    def _close(self, request, report, decision, reason) -> list[Report]:
        """One decision for all waiting reports of the thing, each with its line in the log, and one for the thing."""
        now = timezone.now()
        with transaction.atomic():
            if decision == DecisionForm.DISMISS:
                closed = dismiss_report(report=report, staff=request.user, now=now)
                text = gettext("Nothing wrong found.")
            else:
                closed = uphold_report(report=report, staff=request.user, reason=reason, now=now)
                text = gettext("Acted upon: %(reason)s") % {"reason": reason}
                if closed:
                    self.log_change(request, report.review or report.prompt, text)
            for each in closed:
                self.log_change(request, each, text)
        return closed

    def _tell(self, request, closed_count):
        text = ngettext("%(count)d report was closed.", "%(count)d reports were closed.", closed_count)
        if not closed_count:
            text = gettext("Somebody decided this before; nothing was changed.")
        level = messages.SUCCESS if closed_count else messages.WARNING
        self.message_user(request, text % {"count": closed_count} if closed_count else text, level)


def describe_reported(report: Report) -> dict:
    """Context of a report's page: the other reports of the same thing, and what became of the reporter's earlier ones.
    Three queries."""
    of_same = find_reports_of_same(report).exclude(pk=report.pk).select_related("reporter__profile", "handled_by")
    earlier = {}
    if report.reporter_id:
        earlier = Report.objects.filter(reporter=report.reporter_id, created_at__lt=report.created_at).aggregate(
            upheld_count=Count("pk", filter=Q(outcome=Report.Outcome.UPHELD)),
            dismissed_count=Count("pk", filter=Q(outcome=Report.Outcome.DISMISSED)),
            waiting_count=Count("pk", filter=Q(handled_at__isnull=True)),
        )
    return {"of_same": of_same.order_by("-created_at", "-pk")[:EARLIER_SHOWN], "earlier": earlier}
