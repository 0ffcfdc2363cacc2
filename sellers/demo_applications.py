"""Applications of the demo shop, made and moved by the same functions as real ones, at times in the past."""

from datetime import datetime, timedelta

from accounts.models import User
from sellers import onboarding
from sellers.addresses import email_key
from sellers.consents import APPLICATION
from sellers.models import SellerApplication


def add_applications(*, applications: list[dict], staff: User, now: datetime) -> int:
    """How many were made. One whose address has applied is left as it is, whatever somebody did to it since."""
    added = 0
    for fields in applications:
        if onboarding.find_application(email_key(fields["email"])) is None:
            _add_application(fields, staff=staff, now=now)
            added += 1
    return added


def _add_application(fields: dict, *, staff: User, now: datetime) -> None:
    applied_at = now - timedelta(days=fields["days"])
    columns = {name: fields[name] for name in ("name", "email", "categories", "message")}
    columns["portfolio_url"] = fields.get("portfolio_url", "")
    if "language" not in fields:  # as another program writes it
        SellerApplication.objects.create(created_at=applied_at, processed=fields["processed"], **columns)
        return
    application, _is_new = onboarding.apply_to_sell(
        **columns, consent_version=APPLICATION.version, language=fields["language"], now=applied_at
    )
    for step in fields.get("steps", []):
        about = {"application": application, "now": now - timedelta(days=step["days"], hours=-2)}
        match step["act"]:
            case "review":
                onboarding.start_review(**about, staff=staff)
            case "ask":
                onboarding.ask_applicant(**about, staff=staff, question=step["text"])
            case "answer":
                onboarding.answer_question(**about, text=step["text"])
            case "accept":
                onboarding.accept_application(**about, staff=staff)
            case "decline":
                onboarding.decline_application(**about, staff=staff, reason=step["text"])
            case "withdraw":
                onboarding.withdraw_application(**about)
            case "note":
                onboarding.add_note(**about, staff=staff, text=step["text"])
