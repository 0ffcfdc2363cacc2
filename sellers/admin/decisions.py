"""What staff do with applications: on a page of its own for one, and from the list for many. Each once."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import transaction
from django.http import Http404, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from marketplace.admin import join_names
from sellers.addresses import find_verified_user
from sellers.admin.forms import (
    READY_QUESTIONS,
    READY_REASONS,
    ActForm,
    ChosenForm,
    NoteForm,
    QuestionForm,
    ReasonForm,
)
from sellers.admin.standing import (
    describe_standing,
    find_language,
    find_neighbours,
    find_next,
    find_similar,
    name_application,
    name_language,
)
from sellers.application_mails import draft_mail
from sellers.mails import write_message
from sellers.models import ApplicationCase, SellerApplication, SellerMail
from sellers.onboarding import (
    ELSEWHERE,
    accept_application,
    add_note,
    ask_applicant,
    decline_application,
    find_standing,
    reopen_application,
    start_review,
)

logger = logging.getLogger(__name__)

DECIDE_MANY_FOR_S = 20  # then the list answers, and says which applications it did not reach
ROWS_COUNT = 50  # on the page before many are decided; the rest is counted

Status = ApplicationCase.Status


@dataclass(frozen=True)
class Act:
    """One thing that staff do. `run(application, staff, text, now)` says whether it changed anything.

    log: for the history in the admin. ready: {key: (name of a button, text in the applicant's language)}.
    """

    name: str
    title: str | Promise
    explanation: str | Promise
    log: str
    run: Callable[[SellerApplication, User, str, datetime], bool]
    form: type[ActForm] = ActForm
    mail_kind: str = ""
    ready: dict[str, tuple] = field(default_factory=dict)

    @property
    def has_text(self) -> bool:
        return "text" in self.form.base_fields


ACTS = {
    act.name: act
    for act in [
        Act(
            name="review",
            title=_("Start the review"),
            explanation=_("The applicant's page says that somebody is reading it. No mail goes out."),
            log=gettext_noop("Started the review."),
            run=lambda application, staff, text, now: start_review(application=application, staff=staff, now=now),
        ),
        Act(
            name="accept",
            title=_("Accept"),
            explanation=_(
                "The applicant becomes a seller now if they have an account with this address, and when they verify it "
                "otherwise."
            ),
            log=gettext_noop("Accepted."),
            run=lambda application, staff, text, now: accept_application(application=application, staff=staff, now=now),
            mail_kind=SellerMail.Kind.APPLICATION_ACCEPTED,
        ),
        Act(
            name="decline",
            title=_("Decline"),
            explanation=_("The applicant reads the reason in a mail and on their page."),
            log=gettext_noop("Declined: %(text)s"),
            run=lambda application, staff, text, now: decline_application(
                application=application, staff=staff, reason=text, now=now
            ),
            form=ReasonForm,
            mail_kind=SellerMail.Kind.APPLICATION_DECLINED,
            ready=READY_REASONS,
        ),
        Act(
            name="ask",
            title=_("Ask for more"),
            explanation=_("It goes on waiting. The applicant reads the question in a mail and answers on their page."),
            log=gettext_noop("Asked: %(text)s"),
            run=lambda application, staff, text, now: ask_applicant(
                application=application, staff=staff, question=text, now=now
            ),
            form=QuestionForm,
            mail_kind=SellerMail.Kind.APPLICATION_ASKED,
            ready=READY_QUESTIONS,
        ),
        Act(
            name="reopen",
            title=_("Open again"),
            explanation=_("The application waits for a decision again. No mail goes out."),
            log=gettext_noop("Opened again."),
            run=lambda application, staff, text, now: reopen_application(application=application, staff=staff, now=now),
        ),
    ]
}
FOR_MANY = ["accept", "decline", "ask"]  # with a page in between
REOPENED_FROM = [Status.DECLINED, Status.WITHDRAWN, ELSEWHERE]


def list_acts(application: SellerApplication) -> list[Act]:
    """What can be done with it as it stands. No query with `case` loaded."""
    standing = find_standing(application)
    if standing in REOPENED_FROM:
        return [ACTS["reopen"]]
    if application.processed:
        return []
    names = ["accept", "decline", "ask"]
    return [ACTS[name] for name in (["review", *names] if standing == Status.RECEIVED else names)]


# --- Doing it


@dataclass
class Outcome:
    """Names of applications by what became of them."""

    done: list[str] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def carry_out(
    act: Act,
    applications: list[SellerApplication],
    *,
    text: str,
    staff: User,
    log: Callable[[SellerApplication, str], None],
) -> Outcome:
    """Each application in a transaction of its own: what fails in one changes nothing there, and stops no other.

    log: writes the admin's history. Safe to repeat: what was done or decided before is only named.
    """
    until, outcome = time.monotonic() + DECIDE_MANY_FOR_S, Outcome()
    for application in applications:
        name = name_application(application)
        if time.monotonic() > until:
            outcome.left.append(name)
            continue
        try:
            with transaction.atomic():
                is_done = act.run(application, staff, text, timezone.now())
                if is_done:
                    log(application, gettext(act.log) % {"text": text})
        except Exception:
            logger.exception("%s failed application=%s", act.name, application.pk)
            outcome.failed.append(name)
            continue
        if is_done:
            outcome.done.append(name)
            continue
        now_there = SellerApplication.objects.select_related("case").filter(pk=application.pk).first()
        is_decided = now_there is None or now_there.processed
        standing = describe_standing(now_there) if now_there else gettext("deleted")
        (outcome.decided if is_decided else outcome.same).append(f"{name} ({standing})")
    return outcome


def describe_outcome(act: Act, outcome: Outcome) -> list[tuple[int, str]]:
    """(level of the message, text). What was done is said even when it is nothing."""
    count = len(outcome.done)
    done = {
        "review": ngettext("%(n)d review started", "%(n)d reviews started", count),
        "accept": ngettext("%(n)d application accepted", "%(n)d applications accepted", count),
        "decline": ngettext("%(n)d application declined", "%(n)d applications declined", count),
        "ask": ngettext("%(n)d applicant asked", "%(n)d applicants asked", count),
        "reopen": ngettext("%(n)d application opened again", "%(n)d applications opened again", count),
    }[act.name]
    told = [(messages.SUCCESS if count else messages.WARNING, done, outcome.done)]
    if outcome.decided:
        text = ngettext("%(n)d decided already", "%(n)d decided already", len(outcome.decided))
        told.append((messages.WARNING, text, outcome.decided))
    if outcome.same:
        text = ngettext(
            "%(n)d as it was, because this was done before",
            "%(n)d as they were, because this was done before",
            len(outcome.same),
        )
        told.append((messages.WARNING, text, outcome.same))
    if outcome.failed:
        text = ngettext(
            "%(n)d failed, and nothing changed there",
            "%(n)d failed, and nothing changed there",
            len(outcome.failed),
        )
        told.append((messages.ERROR, text, outcome.failed))
    if outcome.left:
        text = ngettext(
            "%(n)d not reached in time; please choose it again",
            "%(n)d not reached in time; please choose them again",
            len(outcome.left),
        )
        told.append((messages.WARNING, text, outcome.left))
    return [(level, join_names(text % {"n": len(names)}, names)) for level, text, names in told]


# --- Pages


class ApplicationActs:
    """For the admin of applications: their acts, one by one and for many."""

    actions = ["accept_chosen", "decline_chosen", "ask_chosen", "review_chosen"]

    def has_decide_permission(self, request) -> bool:
        return request.user.has_perm("sellers.change_sellerapplication")

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        before, after = find_neighbours(obj)
        is_decider = self.has_decide_permission(request)
        account = find_verified_user(obj.email)
        context |= {
            "acts": list_acts(obj) if is_decider else [],
            "before": before,
            "after": after,
            "similar": find_similar(obj),
            "account": account,
            "seller": getattr(account, "seller", None),
            "events": obj.events.select_related("actor").order_by("at", "pk"),
            "mails": obj.mails.order_by("queued_at", "pk"),
            "note_form": NoteForm() if is_decider else None,
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self):
        def wrap(view):
            return self.admin_site.admin_view(never_cache(view))

        one, many, note = wrap(self.act_view), wrap(self.act_on_many_view), wrap(self.note_view)
        return [
            path("<uuid:application_id>/note/", note, name="sellers_sellerapplication_note"),
            path("<uuid:application_id>/act/<slug:name>/", one, name="sellers_sellerapplication_act"),
            path("act/<slug:name>/", many, name="sellers_sellerapplication_act_on_many"),
            *super().get_urls(),
        ]

    # --- One

    def act_view(self, request, application_id, name):
        """A form where there is something to write, the mail as it will go out, then the act. GET changes nothing."""
        act, application = self._find(request, name, application_id)
        if act not in list_acts(application):
            return self._refuse(request, act, application)
        data = request.POST if request.method == "POST" else None
        form = act.form(fill_in(act, data, find_language(application)))
        step = find_step(act, request, form)
        text = read_text(form)
        if step != "do":
            context = {"act": act, "form": form, "step": step}
            if step == "check":
                context["mail"] = draft_message(act, [application], text)
            return self._show(request, "act", act.title, application, find_status(form), **context)
        outcome = self._carry_out(request, act, [application], text)
        next_one = find_next(application) if "next" in request.POST and outcome.done else None
        if "next" in request.POST and outcome.done and next_one is None:
            self.message_user(request, gettext("Nothing waits any more."), messages.INFO)
            return redirect("admin:sellers_sellerapplication_changelist")
        return redirect("admin:sellers_sellerapplication_change", (next_one or application).pk)

    def _refuse(self, request, act, application):
        """Somebody was faster, or an old page was open."""
        text = gettext("%(act)s is not possible: “%(name)s” is %(standing)s. Nothing was changed.")
        facts = {"act": act.title, "name": name_application(application), "standing": describe_standing(application)}
        self.message_user(request, text % facts, messages.WARNING)
        return redirect("admin:sellers_sellerapplication_change", application.pk)

    def note_view(self, request, application_id):
        """From the form on the application's page; who comes by the address finds the form alone."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        application = get_object_or_404(self.get_queryset(request), pk=application_id)
        form = NoteForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._show(request, "note", gettext("Add a note"), application, find_status(form), form=form)
        with transaction.atomic():
            text = form.cleaned_data["text"]
            add_note(application=application, staff=request.user, text=text, now=timezone.now())
            self.log_change(request, application, gettext("Added a note."))
        self.message_user(request, gettext("The note is kept."), messages.SUCCESS)
        return redirect("admin:sellers_sellerapplication_change", application.pk)

    # --- Many

    @admin.action(description=_("Accept…"), permissions=["decide"])
    def accept_chosen(self, request, queryset):
        return self._begin_many(request, "accept", queryset)

    @admin.action(description=_("Decline with one reason…"), permissions=["decide"])
    def decline_chosen(self, request, queryset):
        return self._begin_many(request, "decline", queryset)

    @admin.action(description=_("Ask all of them…"), permissions=["decide"])
    def ask_chosen(self, request, queryset):
        return self._begin_many(request, "ask", queryset)

    @admin.action(description=_("Start the review"), permissions=["decide"])
    def review_chosen(self, request, queryset):
        self._carry_out(request, ACTS["review"], self._find_chosen(request, queryset), "")

    def _find_chosen(self, request, queryset) -> list[SellerApplication]:
        """The rows that were ticked, also those that a colleague has decided since and the list's filter hides."""
        if request.POST.get("select_across") != "1":
            queryset = self.get_queryset(request).filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME))
        return list(queryset.oldest_first())

    def _begin_many(self, request, name, queryset):
        chosen = self._find_chosen(request, queryset)
        keys = ",".join(str(application.pk) for application in chosen)
        initial = {"chosen": keys, "shown": request.GET.urlencode()}
        return self._show_many(request, ACTS[name], chosen, ACTS[name].form(), ChosenForm(initial=initial))

    def act_on_many_view(self, request, name):
        """What the list began: a form where there is something to write, the mail, then the act for each."""
        act, _application = self._find(request, name)
        if name not in FOR_MANY:
            raise Http404
        back = reverse("admin:sellers_sellerapplication_changelist")
        chosen_form = ChosenForm(request.POST)
        if request.method != "POST" or not chosen_form.is_valid():
            self.message_user(request, gettext("Please choose the applications in the list."), messages.WARNING)
            return redirect(back)
        rows = self.get_queryset(request).filter(pk__in=chosen_form.cleaned_data["chosen"])
        chosen = list(rows.oldest_first())
        waiting = [application for application in chosen if not application.processed]
        language = find_language(waiting[0]) if waiting else "ko"
        form = act.form(fill_in(act, request.POST, language))
        if find_step(act, request, form) != "do":
            return self._show_many(request, act, chosen, form, chosen_form)
        self._carry_out(request, act, chosen, read_text(form))
        shown = QueryDict(chosen_form.cleaned_data["shown"]).urlencode()
        return redirect(f"{back}?{shown}" if shown else back)

    def _show_many(self, request, act, chosen, form, chosen_form):
        waiting = [application for application in chosen if not application.processed]
        step = find_step(act, request, form)
        context = {
            "act": act,
            "form": form,
            "chosen_form": chosen_form,
            "step": step,
            "waiting": waiting[:ROWS_COUNT],
            "waiting_count": len(waiting),
            "more_count": max(0, len(waiting) - ROWS_COUNT),
            "decided_count": len(chosen) - len(waiting),
            "languages": sorted({name_language(application) for application in waiting}),
        }
        if step == "check":
            context["mail"] = draft_message(act, waiting, read_text(form))
        return self._show(request, "many", act.title, None, find_status(form), **context)

    # --- Parts

    def _find(self, request, name, application_id=None) -> tuple[Act, SellerApplication | None]:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        act = get_act_or_404(name)
        return act, application_id and get_object_or_404(self.get_queryset(request), pk=application_id)

    def _carry_out(self, request, act, applications, text) -> Outcome:
        def log(application, change):
            self.log_change(request, application, change)

        outcome = carry_out(act, applications, text=text, staff=request.user, log=log)
        for level, told in describe_outcome(act, outcome):
            self.message_user(request, told, level)
        return outcome

    def _show(self, request, name, title, application, status=200, **context):
        subtitle = name_application(application) if application else None
        context |= self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": title, "subtitle": subtitle, "application": application}
        return TemplateResponse(request, f"admin/sellers/sellerapplication/{name}.html", context, status=status)


def get_act_or_404(name: str) -> Act:
    if name not in ACTS:
        raise Http404
    return ACTS[name]


def fill_in(act: Act, data: QueryDict | None, language: str) -> QueryDict | None:
    """What was sent, with the sentence of the button that was pressed behind what stands there."""
    if data is None or data.get("ready") not in act.ready:
        return data
    with translation.override(language):
        sentence = str(act.ready[data["ready"]][1])
    data, text = data.copy(), data.get("text", "").strip()
    data["text"] = text if sentence in text else f"{text}\n\n{sentence}".strip()
    return data


def find_step(act: Act, request, form: ActForm) -> str:
    """`write` the text, `check` what will happen, or `do` it."""
    if act.has_text and (not form.is_valid() or "ready" in request.POST or "change" in request.POST):
        return "write"
    return "do" if request.method == "POST" and ("confirm" in request.POST or "next" in request.POST) else "check"


def read_text(form: ActForm) -> str:
    return form.cleaned_data.get("text", "") if form.is_bound and form.is_valid() else ""


def find_status(form: forms.Form) -> int:
    return 422 if form.is_bound and form.errors else 200


def draft_message(act: Act, applications: list[SellerApplication], text: str) -> EmailMultiAlternatives | None:
    """The mail to the first of them as it will go out, without the applicant's own link.

    None for an act that sends none, and where no address is one: another program may have written anything.
    """
    if not act.mail_kind:
        return None
    application = next((each for each in applications if is_address(each.email)), None)
    return application and write_message(draft_mail(application=application, kind=act.mail_kind, text=text))


def is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
