"""What people own: the right to open it, the seal, and the one guard in front of every way to the text."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Case, Count, Exists, F, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from catalog.models import Prompt, PromptVersion
from checkout import consents
from checkout.models import AccessEvent, Entitlement, OrderLine, Purchase
from checkout.reviewing import settle_reviews

READ_AGAIN_AFTER = timedelta(hours=1)  # reading within that is one visit in the log

Kind = AccessEvent.Kind


class NotOwned(Exception):
    """The person never had this prompt, or nobody is signed in. Pages answer 404: whether it exists says nothing."""


class Sealed(Exception):
    """Bought and not opened yet: opening is the owner's decision, because it ends the right to cancel."""

    def __init__(self, entitlement: Entitlement):
        self.entitlement = entitlement
        super().__init__(str(entitlement.pk))


class Revoked(Exception):
    """The purchase was refunded or taken back."""

    def __init__(self, entitlement: Entitlement):
        self.entitlement = entitlement
        super().__init__(str(entitlement.pk))


@dataclass(frozen=True)
class Unlocked:
    """What the guard hands out. `versions` are those the owner may read, newest first, without their texts."""

    entitlement: Entitlement
    version_number: int
    title: str
    text: str
    file_url: str
    versions: list[PromptVersion]

    @property
    def is_newest(self) -> bool:
        return not self.versions or self.version_number == self.versions[0].number


def owned_prompt_ids(user, prompt_ids: Iterable) -> set:
    """Which of these prompts the person has, sealed or open. One query; none for a visitor or an empty list."""
    prompt_ids = list(prompt_ids)
    if not prompt_ids or not getattr(user, "is_authenticated", False):
        return set()
    return set(
        Entitlement.objects.live().filter(user=user, prompt_id__in=prompt_ids).values_list("prompt_id", flat=True)
    )


def find_entitlement(*, user, slug: str) -> Entitlement:
    """The person's right to this prompt: the live one, else the one that was taken back last. Raises NotOwned."""
    if not user.is_authenticated:
        raise NotOwned(slug)
    entitlement = (
        Entitlement.objects.filter(user=user, prompt__listing__slug=unicodedata.normalize("NFC", slug))
        .select_related("prompt__listing__seller", "purchase", "version", "order_line__order")
        .defer("prompt__prompt_text", "prompt__file_url", "version__prompt_text", "version__file_url")
        .order_by(F("revoked_at").desc(nulls_first=True), "pk")
        .first()
    )
    if entitlement is None:
        raise NotOwned(slug)
    return entitlement


def unlock(*, user, slug: str, kind: str, now: datetime, version_number: int | None = None) -> Unlocked:
    """The guard: gives out the text and the file of a prompt, and logs that it did. `hand_out` is its short form.

    version_number: one from the bought version on; None is the newest. The owner of a purchase gets later versions too.
    Raises NotOwned (also for a version that is none of theirs), Sealed, Revoked.
    """
    entitlement = find_entitlement(user=user, slug=slug)
    if entitlement.is_revoked:
        raise Revoked(entitlement)
    if entitlement.is_sealed:
        raise Sealed(entitlement)
    versions = readable_versions(entitlement)
    numbers = [version.number for version in versions]
    if version_number is not None and version_number not in numbers:
        raise NotOwned(slug)
    if versions:
        version = versions[numbers.index(version_number) if version_number else 0]
        number, title = version.number, version.title
        texts = PromptVersion.objects.values_list("prompt_text", "file_url", "prompt__file_url")
        text, file_url, present_file_url = texts.get(pk=version.pk)
        if number == numbers[0]:  # another program, which knows no versions, writes the prompt alone
            file_url = file_url or present_file_url
    else:
        version, number = None, 1
        title, text, file_url = Prompt.objects.values_list("title", "prompt_text", "file_url").get(
            pk=entitlement.prompt_id
        )
    if kind in (Kind.READ, Kind.COPIED):
        log_visit(entitlement=entitlement, kind=kind, version=version, now=now)
    return Unlocked(entitlement, number, title, text, file_url or "", versions)


def find_readable(*, user, since) -> QuerySet[Entitlement]:
    """What the person has, each with what `unlock` would give out as `newest_text`: None behind a seal. One query.

    since: what a program read after it, it is still reading: READ_AGAIN_AFTER ago. Both may be expressions.
    For programs that read many at once, to look for variables; only `hand_out` gives such a text away.
    """
    versions = PromptVersion.objects.filter(prompt_id=OuterRef("prompt_id")).order_by("-number")
    text = Coalesce(Subquery(versions.values("prompt_text")[:1]), "prompt__prompt_text")
    visits = AccessEvent.objects.filter(entitlement=OuterRef("pk"), kind=Kind.CLIENT_READ)
    rights = Entitlement.objects.live().filter(user=user, prompt__listing__isnull=False)
    return rights.select_related("prompt__listing").annotate(
        newest_text=Case(When(opened_at__isnull=False, then=text)),
        newest_version_id=Subquery(versions.values("pk")[:1]),
        was_read_lately=Exists(visits.filter(at__gt=since)),
    )


def hand_out(*, right: Entitlement, now: datetime) -> str:
    """The guard for a row of `find_readable` that was read for this very request: its text, and the visit logged.

    Raises Sealed.
    """
    if right.newest_text is None:
        raise Sealed(right)
    if not right.was_read_lately:
        AccessEvent.objects.create(entitlement=right, kind=Kind.CLIENT_READ, version_id=right.newest_version_id, at=now)
    return right.newest_text


def readable_versions(entitlement: Entitlement) -> list[PromptVersion]:
    """From the bought version on, newest first, without the texts."""
    versions = PromptVersion.objects.filter(prompt_id=entitlement.prompt_id).defer("prompt_text", "file_url")
    if entitlement.version:
        versions = versions.filter(number__gte=entitlement.version.number)
    return list(versions.order_by("-number"))


def log_visit(*, entitlement: Entitlement, kind: str, version: PromptVersion | None, now: datetime) -> None:
    """One row per hour of reading or copying, however often the page is loaded."""
    recent = AccessEvent.objects.filter(entitlement=entitlement, kind=kind, at__gt=now - READ_AGAIN_AFTER)
    if not recent.exists():
        AccessEvent.objects.create(entitlement=entitlement, kind=kind, version=version, at=now)


def count_download(*, unlocked: Unlocked, kind: str, now: datetime) -> None:
    """One more successful download, in one statement; call it when the last byte is on its way."""
    version = next((each for each in unlocked.versions if each.number == unlocked.version_number), None)
    with transaction.atomic():
        Prompt.objects.filter(pk=unlocked.entitlement.prompt_id).update(download_count=F("download_count") + 1)
        AccessEvent.objects.create(entitlement=unlocked.entitlement, kind=kind, version=version, at=now)


def count_downloads(prompt_ids: list) -> dict:
    """{prompt: downloads} as the access log has them: what `count_download` has added up. One query."""
    events = AccessEvent.objects.filter(
        entitlement__prompt__in=prompt_ids, kind__in=[Kind.TEXT_DOWNLOADED, Kind.FILE_DOWNLOADED]
    )
    return dict(events.order_by().values_list("entitlement__prompt").annotate(Count("pk")))


def open_entitlement(*, entitlement: Entitlement, wording_version: str, now: datetime) -> bool:
    """Break the seal, which ends the right to cancel. False when it was open already or was taken back meanwhile."""
    with transaction.atomic():
        sealed = Entitlement.objects.live().filter(pk=entitlement.pk, opened_at__isnull=True)
        if not sealed.update(opened_at=now):
            return False
        AccessEvent.objects.create(
            entitlement=entitlement,
            kind=Kind.OPENED,
            version=entitlement.version,
            wording_version=wording_version,
            at=now,
        )
        settle_reviews(user_id=entitlement.user_id, prompt_ids=[entitlement.prompt_id], now=now)
    return True


def revoke_entitlement(*, entitlement_id, reason: str, now: datetime, sealed_only: bool = False) -> bool:
    """Take the right away; the rows stay. False when it was gone already (or open, with `sealed_only`)."""
    return bool(revoke_entitlements(entitlement_ids=[entitlement_id], reason=reason, now=now, sealed_only=sealed_only))


def revoke_entitlements(
    *, entitlement_ids: Iterable, reason: str, now: datetime, sealed_only: bool = False
) -> list[Entitlement]:
    """Take rights of one person away, and out of sight what they said of what was refunded, in one transaction.

    Returns those that were there to take. With `sealed_only` an open one is left.
    """
    revoked = []
    with transaction.atomic():
        for right in Entitlement.objects.filter(pk__in=list(entitlement_ids)).order_by("pk"):
            rights = Entitlement.objects.live().filter(pk=right.pk)
            if sealed_only:
                rights = rights.filter(opened_at__isnull=True)
            if rights.update(revoked_at=now, revoked_reason=reason):
                revoked.append(right)
        if revoked:
            prompt_ids = [right.prompt_id for right in revoked]
            settle_reviews(user_id=revoked[0].user_id, prompt_ids=prompt_ids, now=now)
    return revoked


def grant_entitlement(*, line: OrderLine, purchase: Purchase, now: datetime) -> Entitlement:
    """The right that comes with one bought line: sealed, or open at once when there was nothing to pay."""
    entitlement = Entitlement.objects.create(
        purchase=purchase,
        order_line=line,
        user_id=purchase.buyer_id,
        prompt_id=line.prompt_id,
        version_id=line.version_id,
        granted_at=now,
    )
    if line.price_krw == 0:
        open_entitlement(entitlement=entitlement, wording_version=consents.OPENING_FREE.version, now=now)
    return entitlement


def grant_missing_entitlements(*, now: datetime) -> int:
    """Rights for purchases that another program wrote: open since they were bought. Returns how many were missing.

    A second call finds none. Of two purchases of one prompt by one person the first gets the right; a purchase whose
    buyer has no account here gets none until there is one.
    """
    known_buyers = get_user_model().objects.filter(pk=OuterRef("buyer_id"))
    first_version = PromptVersion.objects.filter(prompt_id=OuterRef("prompt_id")).order_by("number")
    missing = (
        Purchase.objects.filter(entitlement__isnull=True, buyer__in=Subquery(known_buyers.values("pk")))
        .annotate(first_version_id=Subquery(first_version.values("pk")[:1]))
        .order_by("created_at", "pk")
    )
    granted_count = 0
    for purchase in list(missing):
        with transaction.atomic():
            if Entitlement.objects.live().filter(user_id=purchase.buyer_id, prompt_id=purchase.prompt_id).exists():
                continue
            Entitlement.objects.create(
                purchase=purchase,
                user_id=purchase.buyer_id,
                prompt_id=purchase.prompt_id,
                version_id=purchase.first_version_id,
                granted_at=purchase.created_at,
                opened_at=purchase.created_at,
            )
            granted_count += 1
    return granted_count


SORTS = {
    "updated": [F("latest_at").desc(nulls_last=True), "-granted_at", "-pk"],
    "bought": ["-granted_at", "-pk"],
    "title": ["prompt__title", "-granted_at", "-pk"],
}
STATES = ["sealed", "opened", "refunded"]


def list_library(*, user, query: str = "", state: str = "", sort: str = "updated") -> QuerySet[Entitlement]:
    """Everything the person bought, refunded ones too; one query, and no text in it.

    A right that was taken back is left out when the person bought the same prompt again.
    """
    newest = PromptVersion.objects.filter(prompt_id=OuterRef("prompt_id")).order_by("-number")
    last_right = Entitlement.objects.filter(user=user, prompt_id=OuterRef("prompt_id")).order_by("-granted_at", "-pk")
    entitlements = (
        Entitlement.objects.filter(user=user, prompt__listing__isnull=False, pk=Subquery(last_right.values("pk")[:1]))
        .select_related("prompt__listing__seller", "purchase", "version", "order_line__order")
        .defer(
            "prompt__prompt_text",
            "prompt__file_url",
            "prompt__description",
            "version__prompt_text",
            "version__file_url",
        )
        .annotate(
            latest_at=Subquery(newest.values("created_at")[:1]),
            latest_number=Subquery(newest.values("number")[:1]),
        )
    )
    if query:
        entitlements = entitlements.filter(prompt__title__icontains=unicodedata.normalize("NFC", query))
    if state == "sealed":
        entitlements = entitlements.filter(opened_at__isnull=True, revoked_at__isnull=True)
    elif state == "opened":
        entitlements = entitlements.filter(opened_at__isnull=False, revoked_at__isnull=True)
    elif state == "refunded":
        entitlements = entitlements.filter(revoked_at__isnull=False)
    return entitlements.order_by(*SORTS.get(sort, SORTS["updated"]))
