"""What the buyer fills in to order."""

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from checkout.consents import Wording


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
