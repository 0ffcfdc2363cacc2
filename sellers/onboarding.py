"""From an application to a seller: how people apply, what staff decide, and when the seller page is made.

    received ──> in_review ──> accepted, declined
       │  ^          │
       │  └─ asked <─┘   (staff ask, the applicant answers)
       └──> withdrawn ──> received   (both by the applicant)

`in_review` is a note for staff; every decision may be taken from `received`, `in_review` and `asked`. Each move is one
conditional `UPDATE` of the row in `seller_waitlist`, whose `processed` tells every program whether a decision stands.
"""

import logging
import secrets
import unicodedata
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

from accounts.models import User
from sellers import mails
from sellers.models import ApplicationCase, ApplicationEvent, Seller, SellerApplication, SellerMail

logger = logging.getLogger(__name__)

LINK_LIVES = timedelta(days=90)
LINK_SALT = "sellers.application"
MAX_SLUG_LENGTH = 50  # characters, leaving room for a number within the column's 60

Status, Kind = ApplicationCase.Status, ApplicationEvent.Kind
OPEN = [Status.RECEIVED, Status.IN_REVIEW, Status.ASKED]


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
    link, at most one a day. The caller's page says the same either way.
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
                _mail(application, SellerMail.Kind.APPLICATION_RECEIVED, now=now, name=name)
            return application, True
        except IntegrityError:  # the other click was first
            there = find_application(key)
            if there is None:
                raise
    with transaction.atomic():
        ensure_case(there, now=now)
        topic = f"again:{timezone.localdate(now):%Y-%m-%d}"
        if _mail(there, SellerMail.Kind.APPLICATION_RECEIVED, topic=topic, now=now, name=there.name, is_again=True):
            _record(there, Kind.SENT_AGAIN, now=now)
    return there, False


def email_key(email: str) -> str:
    """One form for every way to write an address; dots and tags are left alone, because they tell people apart."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def find_application(key: str) -> SellerApplication | None:
    """Whoever has this address, newest first; also a row of another program that has no case yet."""
    found = SellerApplication.objects.filter(case__email_key=key).first()
    return found or SellerApplication.objects.filter(email__iexact=key).order_by("-created_at", "pk").first()


def withdraw_application(*, application: SellerApplication, now: datetime) -> bool:
    """By the applicant. False when it is not open any more."""
    with transaction.atomic():
        if not _decide(application, to=Status.WITHDRAWN, now=now):
            return False
        _record(application, Kind.WITHDRAWN, now=now)
    return True


def reopen_application(*, application: SellerApplication, now: datetime, staff: User | None = None) -> bool:
    """Wait for a decision again: the applicant's own withdrawal, or, by staff, a refusal too. False otherwise."""
    may_move = [Status.WITHDRAWN] if staff is None else [Status.WITHDRAWN, Status.DECLINED]
    with transaction.atomic():
        closed = ApplicationCase.objects.filter(application=application, status__in=may_move)
        changes = {"status": Status.RECEIVED, "reason": "", "decided_at": None, "decided_by": None, "updated_at": now}
        if not closed.update(**changes):
            return False
        SellerApplication.objects.filter(pk=application.pk).update(processed=False)
        _record(application, Kind.REOPENED, actor=staff, now=now)
    _refresh(application)
    return True


def answer_question(*, application: SellerApplication, text: str, now: datetime) -> bool:
    """What the applicant says to the question of staff. False when nobody waits for an answer."""
    with transaction.atomic():
        asked = ApplicationCase.objects.filter(application=application, status=Status.ASKED)
        if not asked.update(status=Status.RECEIVED, reason="", updated_at=now):
            return False
        _record(application, Kind.ANSWERED, text=text, now=now)
    _refresh(application)
    return True


# --- Staff


def start_review(*, application: SellerApplication, staff: User, now: datetime) -> bool:
    """Tell the applicant's page that somebody is reading. False when it is in review already, or decided."""
    with transaction.atomic():
        ensure_case(application, now=now)
        if not _set_open_status(application, Status.IN_REVIEW, only_from=[Status.RECEIVED], now=now):
            return False
        _record(application, Kind.REVIEW_STARTED, actor=staff, now=now)
    _refresh(application)
    return True


def accept_application(*, application: SellerApplication, staff: User, now: datetime) -> bool:
    """A decision, and the seller in the same transaction where an account with this verified address exists.

    Where there is none, `claim_acceptance` makes the seller when the address is verified. False, and nothing changed,
    when a decision stood already.
    """
    with transaction.atomic():
        ensure_case(application, now=now)
        if not _decide(application, to=Status.ACCEPTED, staff=staff, now=now):
            return False
        _record(application, Kind.ACCEPTED, actor=staff, now=now)
        user = find_verified_user(application.email)
        if user:
            open_seller(user=user, application=application, now=now)
        _mail(
            application,
            SellerMail.Kind.APPLICATION_ACCEPTED,
            topic=f"{now:%Y%m%dT%H%M%S%f}",
            now=now,
            name=application.name,
            has_account=bool(user),
            path=reverse("studio:home") if user else reverse("account_signup"),
        )
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
        ensure_case(application, now=now)
        if not _decide(application, to=Status.DECLINED, staff=staff, reason=reason, now=now):
            return False
        _record(application, Kind.DECLINED, text=reason, actor=staff, now=now)
        _mail_text(application, SellerMail.Kind.APPLICATION_DECLINED, text=reason, now=now)
    logger.info("application declined application=%s", application.pk)
    return True


def ask_applicant(*, application: SellerApplication, staff: User, question: str, now: datetime) -> bool:
    """Ask for more before deciding; the answer comes through the applicant's page. False when a decision stands.

    Raises ValueError without a question.
    """
    question = question.strip()
    if not question:
        raise ValueError("nothing to ask")
    with transaction.atomic():
        ensure_case(application, now=now)
        if not _set_open_status(application, Status.ASKED, only_from=OPEN, reason=question, now=now):
            return False
        _record(application, Kind.ASKED, text=question, actor=staff, now=now)
        _mail_text(application, SellerMail.Kind.APPLICATION_ASKED, text=question, now=now)
    _refresh(application)
    return True


def add_note(*, application: SellerApplication, staff: User, text: str, now: datetime) -> None:
    """For staff alone. Nothing else changes; a blank one is not kept."""
    if text.strip():
        _record(application, Kind.NOTED, text=text.strip(), actor=staff, now=now)


def draft_mail(*, application: SellerApplication, kind: str, text: str = "") -> SellerMail:
    """The mail as it would be sent for this decision, not saved: what staff see before they decide."""
    case = getattr(application, "case", None)
    return SellerMail(
        kind=kind,
        to=application.email,
        language=case.language if case else "ko",
        context=_describe(application, name=application.name, text=text),
    )


# --- The seller


def find_verified_user(email: str) -> User | None:
    verified = EmailAddress.objects.filter(email__iexact=email.strip(), verified=True, user__is_active=True)
    found = verified.select_related("user").order_by("-primary", "pk").first()
    return found and found.user


def claim_acceptance(*, user: User, now: datetime) -> Seller | None:
    """Make the seller of whoever verified an address that was accepted before; None when there is nothing to claim.

    Called when an address is verified and at sign-in, so that no moment between two requests loses it. A second call
    changes nothing.
    """
    if Seller.objects.filter(user=user).exists():
        return None
    addresses = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    keys = [email_key(email) for email in addresses]
    accepted = SellerApplication.objects.filter(case__status=Status.ACCEPTED, case__email_key__in=keys)
    application = accepted.select_related("case").order_by("case__decided_at", "pk").first()
    if application is None:
        return None
    with transaction.atomic():
        return open_seller(user=user, application=application, now=now)


def open_seller(*, user: User, application: SellerApplication, now: datetime) -> Seller:
    """The seller of this account, made unless there is one already. Belongs into the caller's transaction."""
    there = Seller.objects.filter(user=user).first()
    if there:
        return there
    case = getattr(application, "case", None)
    name = application.name.strip()[:80] or user.display_name
    try:
        with transaction.atomic():
            seller = Seller.objects.create(
                user=user,
                slug=find_free_slug(name),
                name=name,
                language=case.language if case else "ko",
                created_at=now,
            )
    except IntegrityError:  # another request made it, or took the slug, in the same moment
        there = Seller.objects.filter(user=user).first()
        if there:
            return there
        slug = f"seller-{secrets.token_hex(4)}"
        seller = Seller.objects.create(user=user, slug=slug, name=name, created_at=now)
    _record(application, Kind.SELLER_MADE, now=now)
    return seller


def find_free_slug(name: str) -> str:
    """An address part made of a name, Hangul kept, that no seller has yet."""
    base = slugify(unicodedata.normalize("NFC", name), allow_unicode=True)[:MAX_SLUG_LENGTH].strip("-_") or "seller"
    candidates = [base, *(f"{base}-{number}" for number in range(2, 10))]
    taken = set(Seller.objects.filter(slug__in=candidates).values_list("slug", flat=True))
    return next((each for each in candidates if each not in taken), f"{base}-{secrets.token_hex(4)}")


# --- The link to an application's page


class LinkRefused(Exception):
    """Forged, or of an application that is gone. Says nothing about which."""


class LinkExpired(LinkRefused):
    pass


def sign_link(application: SellerApplication) -> str:
    """What stands in the address of an application's page: nobody can make one up, and it ends after 90 days."""
    return signing.TimestampSigner(salt=LINK_SALT).sign(application.pk.hex)


def read_link(token: str) -> SellerApplication:
    """The application with its case. Raises LinkExpired, LinkRefused."""
    try:
        key = signing.TimestampSigner(salt=LINK_SALT).unsign(token, max_age=LINK_LIVES)
    except signing.SignatureExpired as expired:
        raise LinkExpired from expired
    except signing.BadSignature as forged:
        raise LinkRefused from forged
    application = SellerApplication.objects.select_related("case").filter(pk=key).first()
    if application is None:
        raise LinkRefused
    return application


# --- Parts


def ensure_case(application: SellerApplication, *, now: datetime) -> ApplicationCase:
    """The case of a row that another program wrote; one that is there stays as it is.

    A row that came in as processed was decided elsewhere, nobody knows how: it is left to the caller to refuse.
    """
    key = email_key(application.email)
    is_taken = ApplicationCase.objects.filter(email_key=key).exclude(application=application).exists()
    case, _is_new = ApplicationCase.objects.get_or_create(
        application=application, defaults={"email_key": None if is_taken else key, "updated_at": now}
    )
    application.case = case
    return case


def _decide(application: SellerApplication, *, to: str, now: datetime, staff: User | None = None, reason: str = ""):
    """The one move that takes an application off the queue. Inside a transaction; its row count says who decided."""
    waiting = SellerApplication.objects.filter(pk=application.pk, processed=False)
    if not waiting.update(processed=True):
        return False
    ApplicationCase.objects.filter(application=application).update(
        status=to, reason=reason, decided_at=now, decided_by=staff, updated_at=now
    )
    _refresh(application)
    return True


def _set_open_status(
    application: SellerApplication, status: str, *, only_from: list[str], now: datetime, reason: str = ""
) -> bool:
    """A move among the open states. It locks the row of the waitlist, so that a decision comes before it or after."""
    if not SellerApplication.objects.filter(pk=application.pk, processed=False).update(processed=False):
        return False
    open_cases = ApplicationCase.objects.filter(application=application, status__in=only_from)
    return bool(open_cases.update(status=status, reason=reason, updated_at=now))


def _refresh(application: SellerApplication) -> None:
    application.refresh_from_db(fields=["processed"])
    application.case = ApplicationCase.objects.get(application=application)


def _record(application, kind: str, *, now: datetime, text: str = "", actor: User | None = None) -> None:
    ApplicationEvent.objects.create(application=application, kind=kind, text=text, actor=actor, at=now)


def _mail_text(application: SellerApplication, kind: str, *, text: str, now: datetime) -> None:
    _mail(application, kind, topic=f"{now:%Y%m%dT%H%M%S%f}", now=now, name=application.name, text=text)


def _mail(application: SellerApplication, kind: str, *, now: datetime, topic: str = "", **context):
    """Returns the queued mail; None when it was queued before or mails are muted."""
    key = f"{kind}:{application.pk.hex}" + (f":{topic}" if topic else "")
    if SellerMail.objects.filter(key=key).exists():
        return None
    return mails.queue_mail(
        kind=kind,
        key=key,
        to=application.email,
        language=application.case.language,
        context=_describe(application, **context),
        now=now,
        application=application,
    )


def _describe(application: SellerApplication, **context) -> dict:
    path = reverse("sellers:application_status", args=[sign_link(application)])
    return {"path": path, "status_path": path, **context}
