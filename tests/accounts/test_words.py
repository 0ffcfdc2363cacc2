"""Every page and mail of accounts is ours: the words of allauth have another tone, and one form an inline style."""

import re
from pathlib import Path

import allauth
import pytest
from django.template.loader import get_template

OURS = Path(__file__).resolve().parents[2] / "templates"
THEIRS = Path(allauth.__file__).parent / "templates"

# What our settings never show: phone numbers, codes in place of passwords, several addresses, trusted browsers.
NEVER_SHOWN = {
    "account/confirm_login_code.html",
    "account/confirm_password_reset_code.html",
    "account/confirm_phone_verification_code.html",
    "account/email.html",
    "account/email_confirm.html",
    "account/phone_change.html",
    "account/request_login_code.html",
    "account/verification_sent.html",
    "account/verified_email_required.html",
    "account/email/login_code_message.txt",
    "account/email/login_code_subject.txt",
    "account/email/password_reset_code_message.txt",
    "account/email/password_reset_code_subject.txt",
    "account/messages/login_code_sent.txt",
    "account/messages/phone_verification_sent.txt",
    "account/messages/phone_verified.txt",
    "account/snippets/already_logged_in.html",
    "account/snippets/warn_no_email.html",
    "mfa/trust.html",
    # No words in them: they only extend a layout, or list the codes.
    "account/base_entrance.html",
    "account/base_manage.html",
    "account/base_manage_email.html",
    "account/base_manage_password.html",
    "account/base_manage_phone.html",
    "mfa/base_entrance.html",
    "mfa/base_manage.html",
    "mfa/recovery_codes/download.txt",
    "usersessions/base_manage.html",
}
SHIPPED = [
    path.relative_to(THEIRS).as_posix()
    for folder in ("account", "mfa", "usersessions")
    for path in sorted((THEIRS / folder).rglob("*.*"))
]


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - NEVER_SHOWN))
def test_a_template_of_allauth_is_replaced_by_ours(name):
    assert Path(get_template(name).origin.name).is_relative_to(OURS)


def test_the_exceptions_are_still_shipped():
    assert set(SHIPPED) >= NEVER_SHOWN


@pytest.mark.parametrize("folder", ["account", "accounts", "mfa", "usersessions"])
def test_our_templates_shout_nowhere_and_hold_no_inline_code(folder):
    for path in (OURS / folder).rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        if path.name != "message.html":  # a mail: mail programs read inline styles only
            assert "style=" not in text, path
        assert not re.search(r"\son[a-z]+=", text), path
        assert not re.search(r"\w!", text), path
