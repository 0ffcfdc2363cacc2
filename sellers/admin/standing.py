"""How staff read an application: its name, how it stands, what is next to it and what looks like it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from sellers.addresses import email_key
from sellers.models import ApplicationCase, SellerApplication
from sellers.onboarding import ELSEWHERE, find_standing

SIMILAR_COUNT = 20
WAITS_LONG_AFTER = timedelta(days=7)


def find_case(application: SellerApplication) -> ApplicationCase | None:
    return getattr(application, "case", None)


def name_application(application: SellerApplication) -> str:
    """Other programs write the table too, and a name may be blank or a page long."""
    return Truncator(" ".join(application.name.split()) or application.email).chars(60)


def describe_standing(application: SellerApplication) -> str:
    """No query with `case` loaded."""
    standing = find_standing(application)
    return gettext("processed elsewhere") if standing == ELSEWHERE else str(ApplicationCase.Status(standing).label)


def describe_age(application: SellerApplication) -> str:
    """Of what waits, in days of 24 hours. A row of another program may hold a date that cannot be read."""
    if application.processed or application.created_at is None:
        return "–"
    waits = timezone.now() - application.created_at
    days = ngettext("%(n)d day", "%(n)d days", waits.days) % {"n": waits.days}
    return gettext("%(days)s, waiting long") % {"days": days} if waits >= WAITS_LONG_AFTER else days


def find_language(application: SellerApplication) -> str:
    case = find_case(application)
    return case.language if case else "ko"


def name_language(application: SellerApplication) -> str:
    language = find_language(application)
    return str(dict(settings.LANGUAGES).get(language, language))


# --- Next to it in the queue


def find_neighbours(application: SellerApplication) -> tuple[SellerApplication | None, SellerApplication | None]:
    """What waits before and after this one, which need not wait itself. Two queries."""
    waiting = SellerApplication.objects.pending().exclude(pk=application.pk)
    if application.created_at is None:  # a date that cannot be read has no place among the others
        return None, waiting.oldest_first().first()
    at, same_moment = application.created_at, Q(created_at=application.created_at)
    before = waiting.filter(Q(created_at__lt=at) | same_moment & Q(pk__lt=application.pk))
    after = waiting.filter(Q(created_at__gt=at) | same_moment & Q(pk__gt=application.pk))
    return before.order_by("-created_at", "-pk").first(), after.oldest_first().first()


def find_next(application: SellerApplication) -> SellerApplication | None:
    """What staff read after this one: the next that waits, or else the oldest of all."""
    _before, after = find_neighbours(application)
    return after or SellerApplication.objects.pending().exclude(pk=application.pk).oldest_first().first()


# --- What looks like it


@dataclass(frozen=True)
class Similar:
    application: SellerApplication
    reasons: list[str | Promise]

    @property
    def name(self) -> str:
        return name_application(self.application)

    @property
    def standing(self) -> str:
        return describe_standing(self.application)


def find_similar(application: SellerApplication) -> list[Similar]:
    """Other applications with the same address, link or name, newest first, with what is the same. One query."""
    key, place, name = email_key(application.email), find_place(application.portfolio_url), fold_name(application.name)
    alike = Q(case__email_key=key) | Q(email__iregex=rf"^\s*{re.escape(key)}\s*$") | Q(email__iexact=application.email)
    if place:
        alike |= Q(portfolio_url__iregex=rf"^\s*(https?://)?(www\.)?{re.escape(place)}/*([?#].*)?\s*$")
    if name:
        alike |= Q(name__iregex=rf"^\s*{re.escape(name)}\s*$")
    rows = SellerApplication.objects.filter(alike).exclude(pk=application.pk).select_related("case")
    found = []
    for row in rows.order_by("-created_at", "pk")[:SIMILAR_COUNT]:
        facts = [
            (email_key(row.email) == key, _("same e-mail address")),
            (place and find_place(row.portfolio_url) == place, _("same link")),
            (name and fold_name(row.name) == name, _("same name")),
        ]
        found.append(Similar(row, [reason for is_same, reason in facts if is_same]))
    return found


def find_place(url: str | None) -> str:
    """Where a link leads, however it is written: host and path, without `www.`, a query or a slash at the end."""
    text = (url or "").strip().casefold()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host = (parts.hostname or "").removeprefix("www.") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return ""
    return (host + parts.path).rstrip("/") if host else ""


def fold_name(name: str) -> str:
    return name.strip().casefold()
