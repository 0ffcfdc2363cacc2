"""What people fill in about prompts and reviews."""

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.models import Report


class ReportForm(forms.Form):
    """Why something breaks the rules. "Something else" says nothing without a note."""

    mark_required = True

    reason = forms.ChoiceField(
        label=_("What is wrong?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what fits best.")},
    )
    note = forms.CharField(
        label=_("What should we look at?"),
        help_text=_("Only our staff read this. Up to 1,000 characters."),
        required=False,
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, *args, reasons: list[str], **kwargs):
        super().__init__(*args, **kwargs)
        names = dict(Report.Reason.choices)
        self.fields["reason"].choices = [(reason, names[reason]) for reason in reasons]

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("reason") == Report.Reason.OTHER and not cleaned.get("note", "").strip():
            self.add_error("note", _("Tell us in a few words what is wrong."))
        return cleaned
