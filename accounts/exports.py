"""What an account holds about its person, for the download. Other apps' parts are added in `data_views.py`."""

from datetime import UTC, datetime

from allauth.usersessions.models import UserSession

from accounts.models import User


def format_moment(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, whole seconds; None stays None."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None


def export_account(user: User) -> dict:
    """Account, addresses, profile, second factors, tokens and sessions. No secret: neither password nor keys."""
    profile = getattr(user, "profile", None)
    return {
        "account": {
            "id": str(user.pk),
            "email": user.email,
            "public_handle": user.handle,
            "joined_at": format_moment(user.date_joined),
            "last_sign_in_at": format_moment(user.last_login),
        },
        "email_addresses": [
            {"email": address.email, "verified": address.verified, "primary": address.primary}
            for address in user.emailaddress_set.order_by("pk")
        ],
        "profile": {
            "nickname": profile.nickname if profile else None,
            "avatar_url": profile.avatar_url if profile else None,
            "updated_at": format_moment(profile.updated_at) if profile else None,
        },
        "second_factors": [
            {
                "type": authenticator.get_type_display(),
                "created_at": format_moment(authenticator.created_at),
                "last_used_at": format_moment(authenticator.last_used_at),
            }
            for authenticator in user.authenticator_set.order_by("pk")
        ],
        "access_tokens": [
            {
                "name": token.name,
                "ends_with": token.ending,
                "created_at": format_moment(token.created_at),
                "last_used_at": format_moment(token.last_used_at),
                "revoked_at": format_moment(token.revoked_at),
            }
            for token in user.api_tokens.order_by("pk")
        ],
        "sessions": [
            {
                "started_at": format_moment(session.created_at),
                "ip_address": session.ip,
                "browser": session.user_agent,
            }
            for session in UserSession.objects.filter(user=user).order_by("pk")
        ],
    }
