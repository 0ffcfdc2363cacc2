"""What the buyer fills in to order, and to have a deposit back."""

import unicodedata

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from checkout.consents import Wording
from checkout.provider import RefundAccount
from checkout.provider_words import BANKS


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
