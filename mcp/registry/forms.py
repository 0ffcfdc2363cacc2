"""What people type to submit a server."""

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext_lazy as _

from mcp.credentials import MAX_NAME_LENGTH as MAX_HEADER_LENGTH
from mcp.credentials import CredentialsRefused, check_header_name
from mcp.foreign_text import clean_line
from mcp.registry.submissions import MAX_DESCRIPTION_LENGTH, MAX_NAME_LENGTH, SubmissionRefused, clean_endpoint

MAX_SETTINGS, ROWS_AT_ONCE = 9, 3

_ADDRESS = {"inputmode": "url", "autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}


class LineField(forms.CharField):
    """One line without controls and what turns the direction of a text."""

    def to_python(self, value):
        return clean_line(super().to_python(value), 10_000)


class WebAddressField(forms.URLField):
    default_validators = [URLValidator(schemes=["http", "https"])]


class SubmissionForm(forms.Form):
    mark_required = True

    name = LineField(
        label=_("Name"),
        help_text=_("As its makers call it. The address of its page is made of it and stays."),
        max_length=MAX_NAME_LENGTH,
    )
    description = LineField(
        label=_("What it does, in one line"),
        help_text=_("For somebody who has never heard of it. Up to 200 characters."),
        max_length=MAX_DESCRIPTION_LENGTH,
    )
    endpoint = forms.CharField(
        label=_("Endpoint"),
        help_text=_("The address that clients connect to, https only. Everybody will see it, so put no key into it."),
        widget=forms.TextInput(attrs={**_ADDRESS, "placeholder": "https://mcp.example.com/mcp"}),
    )
    website_url = WebAddressField(
        label=_("Website"),
        help_text=_("Where one can read about it."),
        required=False,
        max_length=500,
        assume_scheme="https",
        widget=forms.TextInput(attrs=_ADDRESS),
    )

    def clean_endpoint(self):
        try:
            return clean_endpoint(self.cleaned_data["endpoint"])
        except SubmissionRefused as refused:
            raise ValidationError(str(refused)) from None

    def clean_website_url(self):
        url = self.cleaned_data["website_url"]
        if "@" in url.partition("://")[2].partition("/")[0]:  # https://known.example@other.example leads elsewhere
            raise ValidationError(_("Leave out the part with the @ in front of the site’s name."))
        return url


class SettingForm(forms.Form):
    """A header that clients must send. What it is, never its value."""

    mark_required = True

    name = forms.CharField(
        label=_("Header"),
        required=False,
        max_length=MAX_HEADER_LENGTH,
        widget=forms.TextInput(
            attrs={
                "autocapitalize": "none",
                "autocomplete": "off",
                "spellcheck": "false",
                "placeholder": "Authorization",
            }
        ),
    )
    description = LineField(label=_("What to put there"), required=False, max_length=MAX_DESCRIPTION_LENGTH)
    is_secret = forms.BooleanField(label=_("It is a secret, such as a key"), required=False)

    def clean_name(self):
        name = self.cleaned_data["name"]
        if name:
            try:
                check_header_name(name)
            except CredentialsRefused as refused:
                raise ValidationError(str(refused)) from None
        return name

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("description") and not cleaned.get("name") and "name" not in self.errors:
            self.add_error("name", _("Please name the header that this belongs to."))
        return cleaned


class BaseSettingFormSet(BaseFormSet):
    def clean(self):
        names = [row["name"].casefold() for row in self.list_settings()]
        if len(set(names)) < len(names):
            raise ValidationError(_("A header is named twice."))

    def list_settings(self) -> list[dict]:
        """As in `Entry.required_settings`."""
        return [
            {
                "name": form.cleaned_data["name"],
                "description": form.cleaned_data["description"],
                "isRequired": True,
                "isSecret": form.cleaned_data["is_secret"],
            }
            for form in self.forms
            if getattr(form, "cleaned_data", {}).get("name")
        ]


SettingFormSet = formset_factory(
    SettingForm,
    formset=BaseSettingFormSet,
    extra=ROWS_AT_ONCE,
    max_num=MAX_SETTINGS,
    absolute_max=MAX_SETTINGS,
    validate_max=True,
)


def make_submission_forms(data=None) -> tuple[SubmissionForm, BaseSettingFormSet]:
    return SubmissionForm(data), SettingFormSet(data, prefix="settings")


def make_longer_forms(data) -> tuple[SubmissionForm, BaseSettingFormSet]:
    """What was typed, unjudged, with more rows for settings below: the button for those without JavaScript."""
    count = (
        min(int(data.get("settings-TOTAL_FORMS") or 0), MAX_SETTINGS)
        if data.get("settings-TOTAL_FORMS", "").isdecimal()
        else 0
    )
    names = SettingForm.base_fields
    rows = [{name: data.get(f"settings-{number}-{name}", "") for name in names} for number in range(count)]
    return (
        SubmissionForm(initial={name: data.get(name, "") for name in SubmissionForm.base_fields}),
        SettingFormSet(initial=rows, prefix="settings"),
    )
