"""Where allauth asks us: words, mails, and what comes with a new account."""

import logging

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib import messages
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.profiles import ensure_profile
from marketplace.context_processors import describe_site

logger = logging.getLogger(__name__)

INCORRECT_CODE = gettext_lazy("This code is not right. Look at the newest mail or at your app and type it again.")


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": gettext_lazy("This account is switched off."),
        "duplicate_email": gettext_lazy("This is already the address of your account."),
        "email_password_mismatch": gettext_lazy("The e-mail address or the password is not right."),
        "email_taken": gettext_lazy("This address cannot be used. Choose another one."),
        "enter_current_password": gettext_lazy("This is not your current password."),
        "incorrect_code": INCORRECT_CODE,
        "incorrect_password": gettext_lazy("The password is not right."),
        "invalid_password_reset": gettext_lazy("This link has been used or is too old. Ask for a new one."),
        "rate_limited": gettext_lazy("That was too often. Wait a moment and try again."),
        "same_as_current": gettext_lazy("This is already the address of your account."),
        "too_many_login_attempts": gettext_lazy("Too many attempts. Wait five minutes and try again."),
    }

    def _get_login_attempts_cache_key(self, request, **credentials):
        """Attempts are counted per address alone. allauth adds the Host header, whose port anybody may make up."""
        return credentials.get("email", "").strip().lower()

    def save_user(self, request, user, form, commit=True):
        """The account and its profile come together, or neither does."""
        user = super().save_user(request, user, form, commit=False)
        if commit:
            with transaction.atomic():
                user.save()
                ensure_profile(user)
        return user

    def confirm_email(self, request, email_address):
        """False, with a message, when somebody else took the address while the code was on its way."""
        if User.objects.filter(email=email_address.email).exclude(pk=email_address.user_id).exists():
            self.add_message(request, messages.ERROR, message=str(self.error_messages["email_taken"]))
            return False
        return super().confirm_email(request, email_address)

    def get_email_verification_redirect_url(self, email_address):
        """Where a changed address was confirmed; after sign-up, `next` decides before this is asked."""
        if self.request.user.is_authenticated:
            return reverse("accounts:settings")
        return super().get_email_verification_redirect_url(email_address)

    def get_password_change_redirect_url(self, request):
        return reverse("accounts:settings")

    def format_email_subject(self, subject):
        return f"[{describe_site()['name']}] {subject}"

    def render_mail(self, template_prefix, email, context, headers=None):
        """The text from its template, and the same words as HTML. A code stands alone on its line in both."""
        message = super().render_mail(template_prefix, email, context, headers)
        paragraphs = [part.splitlines() for part in message.body.partition("\n--\n")[0].strip().split("\n\n")]
        html = render_to_string(
            "account/email/message.html",
            {
                "site": context["site"],
                "language": get_language(),
                "subject": message.subject,
                "paragraphs": [{"lines": lines, "is_code": lines == [context.get("code")]} for lines in paragraphs],
            },
        )
        message.attach_alternative(html, "text/html")
        return message

    def send_mail(self, template_prefix, email, context):
        """A mail server that does not answer costs the mail, not the page: the page offers another one."""
        try:
            super().send_mail(template_prefix, email, {**context, "site": describe_site()})
        except Exception as error:  # whatever the mail backend raises; what it says may name the address
            logger.error("mail not sent template=%s error=%s", template_prefix, type(error).__name__)
            if "user_agent" in context:  # a notice, which nobody asked for
                return
            text = _("We could not send the mail. Wait a minute and ask for it again.")
            self.add_message(self.request, messages.ERROR, message=text)


class MFAAdapter(DefaultMFAAdapter):
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "cannot_generate_recovery_codes": gettext_lazy("Set up an app or a passkey first."),
        "incorrect_code": INCORRECT_CODE,
        "unverified_email": gettext_lazy("Confirm your e-mail address first."),
    }

    def _get_site_name(self):
        """The name that authenticator apps and passkey dialogs show."""
        return str(describe_site()["name"])

    def generate_authenticator_name(self, user, type):  # noqa: A002 (allauth's name)
        count = user.authenticator_set.filter(type=type).count()
        return _("My passkey") if count == 0 else _("Passkey %(number)d") % {"number": count + 1}
