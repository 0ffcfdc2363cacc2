"""What staff fill in about applications, and sentences to begin with."""

import uuid

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

READY_REASONS = {
    "samples": (
        _("No samples"),
        _(
            "We could not see from your application how well your prompts work. Write to us with samples or a link to "
            "your work, and we look at it again."
        ),
    ),
    "link": (
        _("Link does not open"),
        _("The link in your application did not open for us, and without it we could not judge your work."),
    ),
    "rights": (
        _("Origin unclear"),
        _("We list only what its seller may sell, and we could not tell that this is your own work."),
    ),
    "scope": (_("Does not fit"), _("What you want to sell does not fit our shop for now.")),
}
READY_QUESTIONS = {
    "samples": (
        _("Samples"),
        _("Could you show us two or three of your prompts with the results they give?"),
    ),
    "link": (
        _("Link does not open"),
        _("The link in your application does not open for us. Could you send us another one?"),
    ),
    "rights": (
        _("Origin"),
        _("Are the prompts and pictures that you want to sell your own work? Please tell us where they come from."),
    ),
}


class ActForm(forms.Form):
    """Without a text: accepting, starting a review, opening again."""


class ReasonForm(ActForm):
    text = forms.CharField(
        label=_("Reason"),
        help_text=_("The applicant reads it, in the mail and on their page."),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField"}),
        error_messages={"required": _("Please write why: the applicant reads it.")},
    )


class QuestionForm(ActForm):
    text = forms.CharField(
        label=_("Question"),
        help_text=_("The applicant reads it, in the mail and on their page, and answers there."),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField"}),
        error_messages={"required": _("Please write what you want to know.")},
    )


class NoteForm(forms.Form):
    text = forms.CharField(
        label=_("Note for staff"),
        help_text=_("The applicant never sees it."),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        error_messages={"required": _("The note is empty.")},
    )


class ChosenField(forms.CharField):
    """Keys of rows in one hidden field: a request may hold a thousand fields, and a queue more rows."""

    widget = forms.HiddenInput

    def clean(self, value):
        text = super().clean(value)
        try:
            return [uuid.UUID(key) for key in text.split(",")]
        except ValueError:
            raise ValidationError(_("Please choose the applications in the list again.")) from None


class ChosenForm(forms.Form):
    """Which rows, and how the list stood (a query) that they were chosen in."""

    chosen = ChosenField()
    shown = forms.CharField(required=False, widget=forms.HiddenInput)
