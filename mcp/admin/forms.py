"""What staff fill in about servers."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mcp.credentials import MAX_NAME_LENGTH, CredentialsRefused, check_header_name
from mcp.foreign_text import clean_line
from mcp.models import McpServer
from mcp.registry.submissions import MAX_DESCRIPTION_LENGTH, SubmissionRefused, clean_endpoint

CREDENTIAL_ROWS = 4
_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class RequiredSettingsField(forms.CharField):
    """`Entry.required_settings` as lines: header, what it is for, then `secret` or `optional` or both."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField", **_PLAIN})

    def prepare_value(self, value):
        return value if isinstance(value, str) else "\n".join(map(self._write, value or []))

    def to_python(self, value):
        return [self._read(line) for line in super().to_python(value).splitlines() if line.strip()]

    @staticmethod
    def _write(row: dict) -> str:
        words = ["secret"] if row.get("isSecret") else []
        if not row.get("isRequired", True):
            words.append("optional")
        return " | ".join([str(row.get("name", "")), str(row.get("description", "")), " ".join(words)]).rstrip(" |")

    @staticmethod
    def _read(line: str) -> dict:
        name, description, words = ([part.strip() for part in line.split("|", 2)] + ["", ""])[:3]
        try:
            check_header_name(name)
        except CredentialsRefused as refused:
            raise ValidationError(str(refused)) from None
        if not set(words.split()) <= {"secret", "optional"}:
            raise ValidationError(_("After the second | only “secret” and “optional” can stand."))
        return {
            "name": name,
            "description": clean_line(description, MAX_DESCRIPTION_LENGTH),
            "isRequired": "optional" not in words.split(),
            "isSecret": "secret" in words.split(),
        }


class McpServerForm(forms.ModelForm):
    """The columns that staff write, and what the entry beside them holds."""

    website_url = forms.URLField(label=_("Website"), required=False, max_length=500, assume_scheme="https")
    required_settings = RequiredSettingsField(
        label=_("Settings it needs"),
        required=False,
        help_text=_("A header on each line, never its value: Authorization | API key of the provider | secret"),
    )
    note = forms.CharField(
        label=_("Internal note"),
        required=False,
        help_text=_("For staff alone."),
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )

    class Meta:
        model = McpServer
        fields = ["name", "description", "endpoint"]
        help_texts = {
            "endpoint": _("Another address takes stored credentials away, and what checks of this one found."),
        }
        widgets = {
            "name": forms.TextInput(attrs={"class": "vTextField"}),
            "endpoint": forms.TextInput(attrs={"class": "vTextField", "inputmode": "url", **_PLAIN}),
            "description": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        entry = getattr(self.instance, "entry", None)
        for name in ("website_url", "required_settings", "note"):
            if entry and name in self.fields:  # who only looks has no fields
                self.initial.setdefault(name, getattr(entry, name))

    def clean_endpoint(self):
        """What another program wrote may stay as it is; what is typed here must be usable."""
        endpoint = self.cleaned_data["endpoint"]
        if endpoint == self.initial.get("endpoint"):
            return endpoint
        try:
            return clean_endpoint(endpoint)
        except SubmissionRefused as refused:
            raise ValidationError(str(refused)) from None


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Whoever submitted it reads it, in a mail and on the page of their submissions."),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField"}),
        error_messages={"required": _("Please write why: the submitter reads it.")},
    )


class CredentialForm(forms.Form):
    """One header. The value is written and never shown again, not even after an error."""

    name = forms.CharField(
        label=_("Header"),
        required=False,
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "placeholder": "Authorization", **_PLAIN}),
    )
    value = forms.CharField(
        label=_("Value"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"class": "vTextField", **_PLAIN, "autocomplete": "new-password"}),
    )

    def clean(self):
        cleaned = super().clean()
        if bool(cleaned.get("name")) != bool(cleaned.get("value")):
            raise ValidationError(_("A header needs both its name and its value."))
        return cleaned


class BaseCredentialFormSet(forms.BaseFormSet):
    @property
    def headers(self) -> list[tuple[str, str]]:
        return [
            (form.cleaned_data["name"], form.cleaned_data["value"])
            for form in self.forms
            if form.cleaned_data.get("name")
        ]

    def clean(self):
        if any(self.errors):
            return
        names = [name.casefold() for name, _value in self.headers]
        if len(set(names)) < len(names):
            raise ValidationError(_("A header is named twice."))


CredentialFormSet = forms.formset_factory(
    CredentialForm,
    formset=BaseCredentialFormSet,
    extra=CREDENTIAL_ROWS,
    max_num=CREDENTIAL_ROWS,
    absolute_max=CREDENTIAL_ROWS,
)
