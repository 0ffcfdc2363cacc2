"""Which days a seller looks at: chosen by a word, or from one day to another."""

from datetime import date, timedelta

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

MAX_DAYS = 366
FIRST_DAY = date(2020, 1, 1)  # nothing here is older
DEFAULT = "30"

PERIODS = {
    "7": pgettext_lazy("period", "7 days"),
    "30": pgettext_lazy("period", "30 days"),
    "90": pgettext_lazy("period", "90 days"),
    "month": pgettext_lazy("period", "This month"),
    "last-month": pgettext_lazy("period", "Last month"),
}


def find_period(name: str, *, today: date) -> tuple[date, date]:
    """First and last day of one of PERIODS; today is the last of those that are counted in days."""
    if name == "month":
        return today.replace(day=1), today
    if name == "last-month":
        last = today.replace(day=1) - timedelta(days=1)
        return last.replace(day=1), last
    return today - timedelta(days=int(name) - 1), today


class DayField(forms.DateField):
    """A day as browsers send it, neither before the shop began nor after today."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    input_formats = ["%Y-%m-%d"]
    default_error_messages = {
        "required": _("Choose a day."),
        "invalid": _("Write the day like 2026-11-22."),
    }


class DaysForm(forms.Form):
    """From one day to another, both included. today: no day after it can be chosen."""

    since = DayField(label=pgettext_lazy("first day", "From"))
    until = DayField(label=pgettext_lazy("last day", "To"))

    def __init__(self, *args, today: date, **kwargs):
        super().__init__(*args, **kwargs)
        self.today = today
        for field in self.fields.values():
            field.widget.attrs |= {"min": FIRST_DAY.isoformat(), "max": today.isoformat()}

    def clean_since(self) -> date:
        return self._check(self.cleaned_data["since"])

    def clean_until(self) -> date:
        return self._check(self.cleaned_data["until"])

    def clean(self):
        cleaned = super().clean()
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", _("The last day is before the first."))
        elif since and until and (until - since).days >= MAX_DAYS:
            self.add_error("until", _("At most a year fits here: 366 days."))
        return cleaned

    def _check(self, day: date) -> date:
        if day > self.today:
            raise forms.ValidationError(_("That day is still to come."))
        if day < FIRST_DAY:
            raise forms.ValidationError(_("There is nothing before 2020."))
        return day
