"""From an application to a decision: how people apply, and what they and staff may do with it then.

    received ──> in_review ──> accepted, declined
       │  ^          │
       │  └─ asked <─┘   (staff ask, the applicant answers)
       └──> withdrawn ──> received   (both by the applicant)

`in_review` is a note for staff; every decision may be taken from `received`, `in_review` and `asked`. Each move holds
the row in `seller_waitlist` until it is done, so moves come one after the other, and `processed` tells every program
whether a decision stands. Another program may write `processed` too: a row that it closes was decided elsewhere, and
nobody here moves it; one that it opens again waits here as well.
"""

import logging
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from sellers.addresses import email_key, find_verified_user, list_sent_with
from sellers.application_mails import mail_application_link, mail_decision, name_moment
from sellers.models import ApplicationCase, ApplicationEvent, SellerApplication, SellerMail
from sellers.openings import claim_for_address, open_seller

logger = logging.getLogger(__name__)

Status, Kind = ApplicationCase.Status, ApplicationEvent.Kind
OPEN = [Status.RECEIVED, Status.IN_REVIEW, Status.ASKED]
ELSEWHERE = "elsewhere"  # closed by another program, nobody knows how
KEY_LENGTH = 320  # of `email_key`'s column


# --- The applicant


def apply_to_sell(
    *,
    name: str,
    email: str,
    portfolio_url: str,
    categories: list[str],
    message: str,
    consent_version: str,
    language: str,
    now: datetime,
) -> tuple[SellerApplication, bool]:
    """An application with its first event and the mail with the link to its page. (application, whether it is new).

    The same address in any case applies once: what came first stays as it is, and its owner gets a mail with a fresh
    link, at most one a day. The caller's page says the same either way, and takes as long: each way is one write.
    """
    key = email_key(email)
    there = find_application(key)
    if there is None:
        try:
            with transaction.atomic():
                application = SellerApplication.objects.create(
                    created_at=now,
                    name=name,
                    email=email,
                    portfolio_url=portfolio_url or None,
                    categories=categories,
                    message=message,
                )
                ApplicationCase.objects.create(
                    application=application,
                    email_key=key,
                    language=language,
                    consent_version=consent_version,
                    consented_at=now,
                    updated_at=now,
                )
                _record(application, Kind.RECEIVED, now=now)
                mail_application_link(application, occasion="received", language=language, now=now)
            return application, True
        except IntegrityError:  # the other click was first
            there = find_application(key)
            if there is None:
                raise
    with transaction.atomic():
        if _take_up(there, now=now):  # else it is gone in this very moment, and this one with it
            topic = f"again:{timezone.localdate(now):%Y-%m-%d}"
            if mail_application_link(there, occasion="again", topic=topic, language=language, now=now):
                _record(there, Kind.SENT_AGAIN, now=now)
    return there, False


def find_application(key: str) -> SellerApplication | None:
    """Whoever has this address; also a row of another program that has no case yet, those that wait first."""
    found = SellerApplication.objects.filter(case__email_key=key).first()
    return found or next(iter(list_sent_with([key])), None)


def mail_link(*, email: str, language: str, now: datetime) -> bool:
    """Mail a fresh link to whoever applied with this address. False, and nothing done, when nobody did."""
    application = find_application(email_key(email))
    if application is None:
        return False
    with transaction.atomic():
        if not _take_up(application, now=now):
            return False
        topic = f"link:{name_moment(now)}"
        return bool(mail_application_link(application, occasion="link", topic=topic, language=language, now=now))


def withdraw_application(*, application: SellerApplication, now: datetime) -> bool:
    """By the applicant. False when it is not open any more."""
    with transaction.atomic():
        if not _take_up(application, now=now) or not _decide(application, to=Status.WITHDRAWN, now=now):
            return False
        _record(application, Kind.WITHDRAWN, now=now)
    return True


def reopen_application(*, application: SellerApplication, now: datetime, staff: User | None = None) -> bool:
    """Wait for a decision again: the applicant's own withdrawal, or, by staff, also a refusal or what another program
    closed. False otherwise."""
    may_move = [Status.WITHDRAWN] if staff is None else [Status.WITHDRAWN, Status.DECLINED, ELSEWHERE]
    with transaction.atomic():
        if not _take_up(application, now=now) or find_standing(application) not in may_move:
            return False
        SellerApplication.objects.filter(pk=application.pk).update(processed=False)
        application.processed = False
        if _find_case(application):
            _wait_again(application, now=now)
        else:
            ensure_case(application, now=now)
        _record(application, Kind.REOPENED, actor=staff, now=now)
    return True


def answer_question(*, application: SellerApplication, text: str, now: datetime) -> bool:
    """What the applicant says to the question of staff. False when nobody waits for an answer.

    Raises ValueError without an answer.
    """
    text = text.strip()
    if not text:
        raise ValueError("nothing answered")
    with transaction.atomic():
        if not _take_up(application, now=now) or find_standing(application) != Status.ASKED:
            return False
        _set_case(application, status=Status.RECEIVED, reason="", updated_at=now)
        _record(application, Kind.ANSWERED, text=text, now=now)
    return True


# --- Staff


def start_review(*, application: SellerApplication, staff: User, now: datetime) -> bool:
    """Tell the applicant's page that somebody is reading. False unless it was just received."""
    with transaction.atomic():
        if not _take_up(application, now=now) or find_standing(application) != Status.RECEIVED:
            return False
        _set_case(application, status=Status.IN_REVIEW, reason="", updated_at=now)
        _record(application, Kind.REVIEW_STARTED, actor=staff, now=now)
    return True


def accept_application(*, application: SellerApplication, staff: User, now: datetime) -> bool:
    """A decision, and the seller in the same transaction where an account with this verified address exists.

    Where there is none, `openings.claim_acceptance` makes the seller when the address is verified. False, and nothing
    changed, when a decision stood already.
    """
    with transaction.atomic():
        if not _take_up(application, now=now) or not _decide(application, to=Status.ACCEPTED, staff=staff, now=now):
            return False
        _record(application, Kind.ACCEPTED, actor=staff, now=now)
        user = find_verified_user(application.email)
        if user:
            open_seller(user=user, application=application, now=now)
        else:  # the address may be being verified in this moment, by a request that does not see the decision yet
            transaction.on_commit(lambda: claim_for_address(email=application.email, now=now), robust=True)
        mail_decision(application, SellerMail.Kind.APPLICATION_ACCEPTED, now=now)
    logger.info("application accepted application=%s", application.pk)
    return True


def decline_application(*, application: SellerApplication, staff: User, reason: str, now: datetime) -> bool:
    """A decision with the reason that the applicant reads. False, and nothing changed, when a decision stood already.

    Raises ValueError without a reason.
    """
    reason = reason.strip()
    if not reason:
        raise ValueError("a refusal needs a reason")
    with transaction.atomic():
        if not _take_up(application, now=now):
            return False
        if not _decide(application, to=Status.DECLINED, staff=staff, reason=reason, now=now):
            return False
        _record(application, Kind.DECLINED, text=reason, actor=staff, now=now)
        mail_decision(application, SellerMail.Kind.APPLICATION_DECLINED, text=reason, now=now)
    logger.info("application declined application=%s", application.pk)
    return True


def ask_applicant(*, application: SellerApplication, staff: User, question: str, now: datetime) -> bool:
    """Ask for more before deciding; the answer comes through the applicant's page.

    False when a decision stands, and for the question that waits for its answer already. Raises ValueError without one.
    """
    question = question.strip()
    if not question:
        raise ValueError("nothing to ask")
    with transaction.atomic():
        if not _take_up(application, now=now) or find_standing(application) not in OPEN:
            return False
        if application.case.status == Status.ASKED and application.case.reason == question:
            return False
        _set_case(application, status=Status.ASKED, reason=question, updated_at=now)
        _record(application, Kind.ASKED, text=question, actor=staff, now=now)
        mail_decision(application, SellerMail.Kind.APPLICATION_ASKED, text=question, now=now)
    return True


def add_note(*, application: SellerApplication, staff: User, text: str, now: datetime) -> None:
    """For staff alone. Nothing else changes; a blank one is not kept."""
    if text.strip():
        _record(application, Kind.NOTED, text=text.strip(), actor=staff, now=now)


# --- How an application stands


def find_standing(application: SellerApplication) -> str:
    """One of `ApplicationCase.Status`, or ELSEWHERE. What `processed` says comes first: every program reads that."""
    case = _find_case(application)
    if application.processed:
        return case.status if case and case.status not in OPEN else ELSEWHERE
    return case.status if case and case.status in OPEN else Status.RECEIVED


def list_history(application: SellerApplication) -> list[ApplicationEvent]:
    """What happened, oldest first, as far as it concerns the applicant: no notes. Who did it is not for them either."""
    return list(application.events.exclude(kind=Kind.NOTED).order_by("at", "pk"))


def ensure_case(application: SellerApplication, *, now: datetime) -> ApplicationCase | None:
    """The case of a row that another program wrote; one that is there stays, unless that program opened the row again.

    None for a row that came in as processed: it was decided elsewhere, nobody knows how.
    """
    case = ApplicationCase.objects.filter(application=application).first()
    if case is None and not application.processed:
        key = email_key(application.email)
        is_taken = len(key) > KEY_LENGTH or ApplicationCase.objects.filter(email_key=key).exists()
        case, _is_new = ApplicationCase.objects.get_or_create(
            application=application, defaults={"email_key": None if is_taken else key, "updated_at": now}
        )
    if case:
        application.case = case
    if case and not application.processed and case.status not in OPEN:
        _wait_again(application, now=now)
        _record(application, Kind.REOPENED, now=now)
    return case


# --- Parts


def _take_up(application: SellerApplication, *, now: datetime) -> bool:
    """Hold the application until the transaction ends and bring it up to date. False when it is gone.

    It is held by a write, which both databases take as a lock.
    """
    if not SellerApplication.objects.filter(pk=application.pk).update(processed=F("processed")):
        return False
    application.refresh_from_db(fields=["processed", "email", "name"])
    ensure_case(application, now=now)
    return True


def _decide(application: SellerApplication, *, to: str, now: datetime, staff: User | None = None, reason: str = ""):
    """The one move that takes an application off the queue. Its row count says who decided."""
    if not SellerApplication.objects.filter(pk=application.pk, processed=False).update(processed=True):
        return False
    application.processed = True
    _set_case(application, status=to, reason=reason, decided_at=now, decided_by=staff, updated_at=now)
    return True


def _wait_again(application: SellerApplication, *, now: datetime) -> None:
    _set_case(application, status=Status.RECEIVED, reason="", decided_at=None, decided_by=None, updated_at=now)


def _set_case(application: SellerApplication, **changes) -> None:
    for name, value in changes.items():
        setattr(application.case, name, value)
    application.case.save(update_fields=list(changes))


def _find_case(application: SellerApplication) -> ApplicationCase | None:
    return getattr(application, "case", None)


def _record(application, kind: str, *, now: datetime, text: str = "", actor: User | None = None) -> None:
    ApplicationEvent.objects.create(application=application, kind=kind, text=text, actor=actor, at=now)
