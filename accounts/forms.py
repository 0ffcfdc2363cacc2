"""What people type about themselves, and how allauth's forms differ from its own."""

from allauth.account import forms as account_forms
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm, SignupWebAuthnForm
from django import forms
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.profiles import NICKNAME_MAX_LENGTH, NicknameRefused, clean_nickname

PASSWORD_HELP = _("At least 10 characters. Not only digits, not your address, and none of those that everybody uses.")
PASSKEY_NAME_LABEL = _("Name of the passkey")
PASSKEY_NAME_HELP = _("For you alone, to tell your passkeys apart: “work laptop”.")


class WithoutPlaceholders:
    """Labels stand above the fields; the same words inside would only vanish while typing."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class WithCode(WithoutPlaceholders):
    """A code is typed letter by letter: large, in capitals, suggested by phones that have just received it."""

    code_label = _("Code from the mail")
    inputmode = "text"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label = self.code_label
        field.widget.attrs |= {
            "class": "input--code",
            "inputmode": self.inputmode,
            "autocapitalize": "characters",
            "spellcheck": "false",
            "autofocus": True,
        }


class LoginForm(WithoutPlaceholders, account_forms.LoginForm):
    pass


class WithNewPassword(WithoutPlaceholders):
    """The rules in one sentence in place of a list."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "password1" in self.fields:
            self.fields["password1"].help_text = PASSWORD_HELP


class SignupForm(WithNewPassword, account_forms.SignupForm):
    def try_save(self, request):
        """Two posts at the same moment: the second meets the first one's row and is answered like any known address."""
        try:
            with transaction.atomic():
                return super().try_save(request)
        except IntegrityError:
            self.account_already_exists = True
            return super().try_save(request)


class ConfirmCodeForm(WithCode, account_forms.ConfirmEmailVerificationCodeForm):
    pass


class ResetPasswordForm(WithoutPlaceholders, account_forms.ResetPasswordForm):
    pass


class ResetPasswordKeyForm(WithNewPassword, account_forms.ResetPasswordKeyForm):
    pass


class ChangePasswordForm(WithNewPassword, account_forms.ChangePasswordForm):
    pass


class SetPasswordForm(WithNewPassword, account_forms.SetPasswordForm):
    pass


class ReauthenticateForm(WithoutPlaceholders, account_forms.ReauthenticateForm):
    pass


class ChangeAddressForm(WithoutPlaceholders, account_forms.AddEmailForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("New address")


class AuthenticateForm(WithCode, mfa_forms.AuthenticateForm):
    code_label = _("Code of the app, or a recovery code")
    inputmode = "numeric"


class ReauthenticateByCodeForm(WithCode, mfa_forms.ReauthenticateForm):
    code_label = _("Code of the app, or a recovery code")
    inputmode = "numeric"


class ActivateAppForm(WithCode, ActivateTOTPForm):
    code_label = _("Code that the app shows")
    inputmode = "numeric"


class AddPasskeyForm(AddWebAuthnForm):
    field_order = ["name", "passwordless", "credential"]
    name = forms.CharField(label=PASSKEY_NAME_LABEL, help_text=PASSKEY_NAME_HELP, max_length=60, required=False)
    passwordless = forms.BooleanField(
        label=_("Sign in with it alone, without the password"),
        help_text=_("Your device then asks for fingerprint, face or PIN. Unticked, it is a second factor only."),
        required=False,
        initial=True,
    )


class SignupPasskeyForm(SignupWebAuthnForm):
    name = forms.CharField(label=PASSKEY_NAME_LABEL, help_text=PASSKEY_NAME_HELP, max_length=60, required=False)


class RenamePasskeyForm(EditWebAuthnForm):
    name = forms.CharField(label=PASSKEY_NAME_LABEL, max_length=60)


class NicknameForm(forms.Form):
    nickname = forms.CharField(
        label=_("Nickname"),
        help_text=_("2 to 30 characters, seen by everybody. Leave it empty to be shown as “Shopper”."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "nickname", "maxlength": NICKNAME_MAX_LENGTH * 2}),
    )

    def clean_nickname(self):
        try:
            return clean_nickname(self.cleaned_data["nickname"])
        except NicknameRefused as refused:
            raise forms.ValidationError(str(refused)) from None


class AvatarForm(forms.Form):
    avatar = forms.FileField(
        label=_("Picture"),
        help_text=_("JPEG, PNG, WebP, GIF or AVIF, up to 5 MB. We cut out the middle square and remove all metadata."),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif,image/avif"}),
        error_messages={
            "required": _("Choose a picture first."),
            "empty": _("This file is empty. Choose another one."),
        },
    )


class DeletionForm(forms.Form):
    """`word` is what the page asks to type; the person's language decides it."""

    WORD = pgettext_lazy("typed to confirm deletion", "delete")

    word = forms.CharField(
        label=_("Confirmation"), widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"})
    )

    def clean_word(self):
        if self.cleaned_data["word"].strip().casefold() not in {str(self.WORD), "delete", "삭제"}:
            raise forms.ValidationError(_("Type “%(word)s” to confirm.") % {"word": self.WORD})
        return self.cleaned_data["word"]
