"""Taking over accounts and `profiles` of another program. See `marketplace/takeover.py`.

The schema document has no table of users: rows point to ids. Each id becomes an account. With an e-mail address from
the list of users it can sign in after setting a password through the reset mail; without one it stays inactive under an
address that no mail reaches, keeping its purchases until a list names its address.
"""

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models.functions import Lower

from accounts.models import Profile, User
from marketplace import reading
from marketplace.takeover import BATCH_SIZE, OldDatabase, OldRow, Report, SourceUnreadable, add_rows, take_table

PLACEHOLDER_DOMAIN = "imported.invalid"  # RFC 2606: never a real address
POINTERS = [("profiles", "id"), ("carts", "user_id"), ("purchases", "buyer_id")]


def read_users(*, path: Path, report: Report) -> dict[UUID, str]:
    """E-mail addresses by id from a CSV with the columns id and email. What cannot be read is reported by its line.

    Raises SourceUnreadable for a file without these columns.
    """
    emails, lines = {}, {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            names = {(name or "").strip().lower(): name for name in rows.fieldnames or []}
            if not {"id", "email"} <= names.keys():
                raise SourceUnreadable(f"{path} needs the columns id and email; it has {', '.join(names) or 'none'}")
            for row in rows:
                line = f"line {rows.line_num}"
                try:
                    user_id = reading.read_uuid(row[names["id"]])
                    email = reading.read_text(row[names["email"]]).strip().lower()
                    validate_email(email)
                except (reading.Unreadable, ValidationError) as error:
                    reason = str(error) if isinstance(error, reading.Unreadable) else "is no e-mail address"
                    report.refuse(
                        "users", line, "email" if isinstance(error, ValidationError) else "id", reason, is_row=True
                    )
                    continue
                if email in lines:
                    report.refuse("users", line, "email", f"{lines[email]} has the same address", is_row=True)
                    continue
                lines[email] = line
                emails[user_id] = email
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceUnreadable(f"{path}: {error}") from error
    return emails


def take_users(*, source: OldDatabase, emails: dict[UUID, str], report: Report, now: datetime) -> None:
    """An account for every id that the list or a table names. A second run finds them there.

    An account that an earlier run left without an address gets the one that the list has by now.
    """
    ids = _list_user_ids(source, emails)
    while batch := list(islice(ids, BATCH_SIZE)):
        batch = list(dict.fromkeys(batch))
        wanted = {user_id: emails[user_id] for user_id in batch if user_id in emails}
        there = {user.pk: user for user in User.objects.filter(pk__in=batch)}
        owners = User.objects.annotate(lowered=Lower("email")).filter(lowered__in=wanted.values())
        taken = {user.lowered: user.pk for user in owners}
        for user_id, email in list(wanted.items()):
            if taken.get(email, user_id) != user_id:
                report.refuse("users", str(user_id), "email", "another account has this address", is_row=False)
                del wanted[user_id]
        _claim([user for user in there.values() if _is_placeholder(user) and user.pk in wanted], wanted, report)
        _add_users([user_id for user_id in batch if user_id not in there], wanted, report, now)


def _list_user_ids(source: OldDatabase, emails: dict[UUID, str]) -> Iterator[UUID]:
    yield from emails
    for value in source.distinct(POINTERS):
        try:
            user_id = reading.read_uuid(value)
        except reading.Unreadable:
            continue  # the row that holds it is reported with its table
        if user_id not in emails:
            yield user_id


def _is_placeholder(user: User) -> bool:
    return not user.is_active and user.email.endswith(f"@{PLACEHOLDER_DOMAIN}")


def _add_users(ids: list[UUID], emails: dict[UUID, str], report: Report, now: datetime) -> None:
    users = [
        User(
            id=user_id,
            email=emails.get(user_id, f"{user_id}@{PLACEHOLDER_DOMAIN}"),
            password=make_password(None),
            is_active=user_id in emails,
            date_joined=now,
        )
        for user_id in ids
    ]
    User.objects.bulk_create(users)
    EmailAddress.objects.bulk_create(_address(user) for user in users if user.is_active)
    report.taken["users"] += len(users)
    for user in users:
        if not user.is_active:
            report.note("users", "email", "no address known, so the account is inactive", str(user.pk))


def _claim(users: list[User], emails: dict[UUID, str], report: Report) -> None:
    for user in users:
        user.email, user.is_active = emails[user.pk], True
        report.note("users", "email", "the address is known now, so the account is active", str(user.pk))
    User.objects.bulk_update(users, ["email", "is_active"])
    EmailAddress.objects.bulk_create(_address(user) for user in users)


def _address(user: User) -> EmailAddress:
    """Verified: whoever cannot read its mail cannot set a password, and there is none yet."""
    return EmailAddress(user=user, email=user.email, verified=True, primary=True)


def take_profiles(*, source: OldDatabase, report: Report, on_progress: Callable[[int], None]) -> None:
    take_table(
        source=source,
        table="profiles",
        read_row=_read_profile,
        add_batch=lambda wanted: add_rows(model=Profile, table="profiles", wanted=wanted, report=report),
        report=report,
        on_progress=on_progress,
    )


def _read_profile(row: OldRow) -> Profile:
    return Profile(
        user_id=row.need("id", reading.read_uuid),
        nickname=row.take("nickname", reading.read_text),
        avatar_url=row.take("avatar_url", reading.read_text),
        updated_at=row.take("updated_at", reading.read_time),
    )
