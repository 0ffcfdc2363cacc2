"""What staff fill in on the pages of an order."""

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from checkout.models import OrderLine
from checkout.payouts import MAX_REFERENCE_LENGTH


class TokenForm(forms.Form):
    """`token` is of the page that the form stood on: a second click sends the same."""

    token = forms.CharField(widget=forms.HiddenInput, validators=[RegexValidator(r"\A[0-9a-f]{32}\Z")])


class ReturnForm(TokenForm):
    """Why a charge that could not be delivered goes back. A deposit needs a `RefundAccountForm` beside it."""

    note = forms.CharField(
        label=_("Reason"),
        help_text=_("The buyer reads it, in the mail and on the page of the order."),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
    )


class PayoutForm(forms.Form):
    """That the due of a statement was paid. The amount is no field: it is always the whole due."""

    bank_reference = forms.CharField(
        label=_("Bank reference"),
        help_text=_("With it the transfer is found at the bank. Each stands for one payout only; the seller reads it."),
        max_length=MAX_REFERENCE_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off", "spellcheck": "false"}),
    )
    paid_on = forms.DateField(
        label=_("Paid out on"),
        help_text=_("The day in Seoul on which the bank made the transfer."),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )


class RefundForm(forms.Form):
    """What to give back, and why. A deposit needs a `RefundAccountForm` beside it."""

    ALL, SOME = "all", "some"
    ERRORS = {  # a choice is missing from the form when another tab or colleague was faster
        "required": _("Please choose what to give back."),
        "invalid_choice": _("This was refunded or is being refunded meanwhile."),
    }

    scope = forms.ChoiceField(label=_("What to give back"), widget=forms.RadioSelect, error_messages=ERRORS)
    lines = forms.MultipleChoiceField(
        label=_("Prompts"), required=False, widget=forms.CheckboxSelectMultiple, error_messages=ERRORS
    )
    note = forms.CharField(
        label=_("Reason"),
        help_text=_("The buyer reads it, in the mail and on the page of the order."),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
    )

    def __init__(self, *args, lines: list[OrderLine], describe_line, total: str, **kwargs):
        """describe_line: the words of one line's tick box. total: the price of all lines, as text."""
        super().__init__(*args, **kwargs)
        self.refundable = {str(line.pk): line for line in lines}
        self.fields["scope"].choices = [(self.ALL, _("Everything: %(amount)s") % {"amount": total})]
        if len(lines) > 1:
            self.fields["scope"].choices += [(self.SOME, _("Only the prompts ticked below"))]
            self.fields["lines"].choices = [(str(line.pk), describe_line(line)) for line in lines]
        else:
            self.fields["scope"].initial = self.ALL
            del self.fields["lines"]

    def clean(self):
        cleaned = super().clean()
        scope, ticked = cleaned.get("scope"), cleaned.get("lines", [])
        if scope == self.SOME and not ticked and "lines" not in self.errors:
            self.add_error("lines", _("Please tick what to give back."))
        if scope == self.ALL and ticked:
            self.add_error("scope", _("Single prompts are ticked below. Please choose one or the other."))
        return cleaned

    @property
    def chosen_lines(self) -> list[OrderLine]:
        if self.cleaned_data["scope"] == self.ALL:
            return list(self.refundable.values())
        return [self.refundable[key] for key in self.cleaned_data["lines"]]
