"""Somebody says that a listing or a review breaks the rules, and what staff make of it.

All waiting reports of one thing are handled together, because they ask for one decision.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.listings import remove_prompt
from catalog.models import Prompt, Report, Review
from catalog.moderation import hide_reviews
from catalog.ratings import lock_prompts

Reason, Outcome = Report.Reason, Report.Outcome
PROMPT_REASONS = [
    *(Reason.MISLEADING, Reason.COPIED, Reason.HARMFUL, Reason.PERSONAL_DATA, Reason.ADVERTISING, Reason.OTHER),
]
RETAINED_YEARS = 3
REVIEW_REASONS = [Reason.ABUSIVE, Reason.ADVERTISING, Reason.PERSONAL_DATA, Reason.HARMFUL, Reason.OTHER]


class ReportRefused(Exception):
    """The message is written for whoever reports."""


def refuse_own(*, reporter: User, thing: Prompt | Review) -> None:
    """Raises ReportRefused for one's own review or listing. A prompt comes with its listing's seller loaded."""
    if isinstance(thing, Review):
        if thing.author_id == reporter.pk:
            raise ReportRefused(_("This is your own review. You can edit or delete it."))
    elif thing.listing.seller and thing.listing.seller.user_id == reporter.pk:
        raise ReportRefused(_("This is your own listing. You can withdraw it."))


def send_report(*, reporter: User, thing: Prompt | Review, reason: str, note: str, now: datetime) -> bool:
    """Put it before staff. False, and nothing written, while this person's report of the same thing waits: the caller's
    page says the same either way. Raises ReportRefused as `refuse_own` does.
    """
    refuse_own(reporter=reporter, thing=thing)
    about = {"review": thing} if isinstance(thing, Review) else {"prompt": thing}
    _report, is_new = Report.objects.get_or_create(
        reporter=reporter, handled_at=None, **about, defaults={"reason": reason, "note": note, "created_at": now}
    )
    return is_new


# --- Staff


def dismiss_report(*, report: Report, staff: User, now: datetime) -> list[Report]:
    """Nothing wrong found. Returns the reports that were closed, all that waited of the same thing; a second call finds
    none."""
    with transaction.atomic():
        return _close(report, outcome=Outcome.DISMISSED, staff=staff, now=now)


def uphold_report(*, report: Report, staff: User, reason: str, now: datetime) -> list[Report]:
    """Hide the review or take the listing off sale, with a reason for its author or seller.

    Returns the reports that were closed; none, and nothing done, when somebody decided before. What is hidden or
    removed already stays so, with the reason it has. Raises ValueError without a reason.
    """
    reason = reason.strip()
    if not reason:
        raise ValueError("acting upon a report needs a reason")
    with transaction.atomic():
        closed = _close(report, outcome=Outcome.UPHELD, staff=staff, now=now)
        if closed and report.review_id:
            hide_reviews(reviews=[report.review], note=reason, now=now)
        elif closed:
            remove_prompt(prompt=report.prompt, reason=reason, now=now)
    return closed


def uphold_reports_of(*, thing: Prompt | Review, staff: User, now: datetime) -> int:
    """Close what waits about a review or listing that staff have just hidden or removed without a report's page.

    Belongs into the transaction that did so, after it. Returns how many were closed; a second call finds none.
    """
    about = {"review": thing} if isinstance(thing, Review) else {"prompt": thing}
    waiting = Report.objects.filter(handled_at__isnull=True, **about)
    return waiting.update(outcome=Outcome.UPHELD, handled_at=now, handled_by=staff)


def delete_old_reports(*, now: datetime, is_dry_run: bool = False) -> int:
    """Delete reports three years after they were handled, as the privacy policy says. The number of reports.

    Source: Enforcement Decree of the Act on Consumer Protection in Electronic Commerce, article 6: records of
    complaints are kept for three years. What nobody has handled stays. A second call finds none.
    """
    begin = now.replace(day=min(now.day, 28)) if now.month == 2 else now  # there is not always a 29th
    old = Report.objects.filter(handled_at__lte=begin.replace(year=begin.year - RETAINED_YEARS))
    return old.count() if is_dry_run else old.delete()[0]


def find_reports_of_same(report: Report) -> QuerySet[Report]:
    """Every report of the thing that this one is about, itself included."""
    about = {"review": report.review_id} if report.review_id else {"prompt": report.prompt_id}
    return Report.objects.filter(**about)


def _close(report: Report, *, outcome: str, staff: User, now: datetime) -> list[Report]:
    lock_prompts([report.review.prompt_id if report.review_id else report.prompt_id])
    closed = list(find_reports_of_same(report).filter(handled_at__isnull=True).order_by("created_at", "pk"))
    waiting = Report.objects.filter(pk__in=[each.pk for each in closed])
    waiting.update(outcome=outcome, handled_at=now, handled_by=staff)
    return closed
