"""What the buyer fills in to order, to have a deposit back, and to review."""

import unicodedata
from collections.abc import Mapping

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from catalog.variables import Variable, make_key
from checkout.consents import Wording
from checkout.provider import RefundAccount
from checkout.provider_words import BANKS

MAX_VALUE_LENGTH = 5_000  # characters that stand in for one variable


class CheckoutForm(forms.Form):
    """One unticked box per wording, with a link to its full text; two hidden values the page was drawn with."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=16)
    token = forms.CharField(widget=forms.HiddenInput, required=False, max_length=36)

    def __init__(self, *args, wordings: list[Wording], **kwargs):
        super().__init__(*args, **kwargs)
        self.wordings = wordings
        for wording in wordings:
            self.fields[f"consent_{wording.key}"] = forms.BooleanField(
                label=wording.text,
                help_text=format_html(
                    '<a href="{}" target="_blank" rel="noopener">{}</a>', reverse(wording.url_name), wording.link_text
                ),
                error_messages={"required": _("Please tick this to order.")},
            )

    def consents(self):
        return [self[f"consent_{wording.key}"] for wording in self.wordings]


class FillForm(forms.Form):
    """A field for each variable of a text, and a name to save them under.

    values: what the fields show at first, by key of the variable. `values` is what was filled in, by name, without
    empty ones. An invalid form has only what was valid.
    """

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    preset_name = forms.CharField(label=_("Name"), required=False, max_length=60)

    def __init__(self, data=None, *, variables: list[Variable], values: Mapping[str, str], version: int | None):
        super().__init__(data, initial={"version": version}, prefix="fill")
        self.variables = variables
        for number, variable in enumerate(variables):
            self.fields[f"value_{number}"] = forms.CharField(
                label=variable.name,
                required=False,
                strip=False,
                max_length=MAX_VALUE_LENGTH,
                initial=values.get(make_key(variable.name), ""),
                widget=forms.Textarea(attrs={"rows": 1, "autocomplete": "off", "data-fills": number}),
            )

    def slots(self) -> list[tuple[Variable, forms.BoundField]]:
        return [(variable, self[f"value_{number}"]) for number, variable in enumerate(self.variables)]

    @property
    def values(self) -> dict[str, str]:
        typed = self.cleaned_data if self.is_bound and hasattr(self, "cleaned_data") else {}
        found = {
            variable.name: typed.get(field.name, "" if self.is_bound else field.initial)
            for variable, field in self.slots()
        }
        return {name: value.replace("\r\n", "\n") for name, value in found.items() if value}

    def count_unfilled(self) -> int:
        """Variables without a default that have no value yet."""
        values = self.values
        return sum(1 for variable in self.variables if variable.default is None and variable.name not in values)


class RefundAccountForm(forms.Form):
    """Where a deposit goes back to. What is typed goes to the provider and is stored nowhere.

    `cleaned_data["account_number"]` is digits only, however it was typed.
    """

    mark_required = True

    bank_code = forms.ChoiceField(label=_("Bank"), choices=lambda: [("", _("Choose a bank")), *BANKS.items()])
    account_number = forms.CharField(
        label=_("Account number"),
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    holder_name = forms.CharField(
        label=_("Account holder"),
        help_text=_("As the bank has it. The money can only go to this name."),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )

    def clean_account_number(self):
        typed = unicodedata.normalize("NFKC", self.cleaned_data["account_number"])
        digits = "".join(character for character in typed if character not in " -‐‑–")
        if not (digits.isascii() and digits.isdigit() and 6 <= len(digits) <= 20):
            raise forms.ValidationError(_("Type 6 to 20 digits, without letters."))
        return digits

    def account(self) -> RefundAccount:
        """Of a valid form."""
        return RefundAccount(**self.cleaned_data)


class ReviewForm(forms.Form):
    """Stars are asked for; words and model may be missing. `cleaned_data["rating"]` is a number."""

    STARS = [
        (5, pgettext_lazy("stars", "5, very good")),
        (4, pgettext_lazy("stars", "4, good")),
        (3, pgettext_lazy("stars", "3, fair")),
        (2, pgettext_lazy("stars", "2, poor")),
        (1, pgettext_lazy("stars", "1, bad")),
    ]
    MAX_LENGTH = 2_000

    seen = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)  # of `checkout.views.reviews`
    rating = forms.TypedChoiceField(
        label=_("Stars"),
        choices=STARS,
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one to five stars.")},
        template_name="checkout/_stars_field.html",
    )
    body = forms.CharField(
        label=_("Your experience"),
        help_text=_("What did you use it for, and what came of it? Everybody can read this. Up to 2,000 characters."),
        required=False,
        max_length=MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    model_used = forms.CharField(
        label=_("Model you used"),
        help_text=_("Such as GPT-5 or Claude."),
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"list": "known-models", "autocomplete": "off"}),
    )

    def clean_body(self):
        return unicodedata.normalize("NFC", self.cleaned_data["body"].replace("\r\n", "\n")).strip()

    def clean_model_used(self):
        return " ".join(unicodedata.normalize("NFC", self.cleaned_data["model_used"]).split())
