"""What people type to apply, to answer a question about it, and to get their link again."""

import re
import unicodedata
from urllib.parse import urlsplit

from django import forms
from django.core.validators import EmailValidator, URLValidator
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sellers.addresses import email_key
from sellers.categories import CATEGORIES
from sellers.consents import APPLICATION

NAME_LENGTH = 80  # characters, as of a seller's name
EMAIL_LENGTH = 254
LINK_LENGTH = 300
MESSAGE_LENGTH = 2_000
ANSWER_LENGTH = 2_000

_BLANK_LETTERS = set("\u115f\u1160\u3164\uffa0")  # Hangul fillers: letters by their class, and nothing to see
_TURNS_LINES_AROUND = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # text that reads as another one


class TypedField(forms.CharField):
    """Text as it is stored: NFC, one kind of line break, and no character that a keyboard does not write."""

    is_one_line = True

    def to_python(self, value):
        text = unicodedata.normalize("NFC", str(value or "").replace("\r\n", "\n").replace("\r", "\n"))
        if self.is_one_line:
            text = re.sub(r"[ \u00a0\u3000]+", " ", text)
        return super().to_python(text)

    def validate(self, value):
        super().validate(value)
        allowed = "" if self.is_one_line else "\n\t"
        if any(
            (unicodedata.category(char) in ("Cc", "Cs") and char not in allowed) or char in _TURNS_LINES_AROUND
            for char in value
        ):
            raise forms.ValidationError(_("This holds a character that cannot be seen. Type it again by hand."))


class LongTypedField(TypedField):
    """Several lines, with a counter under them: `static/js/count.js`."""

    is_one_line = False

    def __init__(self, *, max_length: int, rows: int = 6, **kwargs):
        counter = {
            "data-count": max_length,
            "data-count-left": _("{n} characters left"),
            "data-count-over": _("{n} characters too many"),
        }
        super().__init__(max_length=max_length, widget=forms.Textarea(attrs={"rows": rows, **counter}), **kwargs)

    def widget_attrs(self, widget):
        """Without `maxlength`: a browser would cut pasted text off without a word."""
        return {name: value for name, value in super().widget_attrs(widget).items() if name != "maxlength"}


class LinkField(TypedField):
    """An address of a page, http or https only; without a scheme it is https. It is shown to staff and never opened."""

    widget = forms.TextInput(attrs={"inputmode": "url", "autocomplete": "url", "autocapitalize": "none"})
    default_validators = [
        URLValidator(schemes=["http", "https"], message=_("Type a web address, such as https://example.com/work."))
    ]

    def to_python(self, value):
        link = super().to_python(value)
        return f"https://{link}" if link and "://" not in link else link

    def validate(self, value):
        super().validate(value)
        if not value:
            return
        try:
            has_somebody_in_front = "@" in urlsplit(value).netloc
        except ValueError:
            return  # the validator says what is wrong
        if has_somebody_in_front:  # https://known.example@other.example leads to the other one
            raise forms.ValidationError(_("Leave out the part with the @ in front of the site’s name."))


class ApplicationForm(forms.Form):
    """What staff need to decide, and one field that no person sees."""

    mark_required = True

    name = TypedField(
        label=_("Name"),
        help_text=_("Yours, or the one you want to sell under. It can be changed later."),
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=_("E-mail address"),
        help_text=_("Our answer goes here, and your seller page will belong to this address."),
        max_length=EMAIL_LENGTH,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    portfolio_url = LinkField(
        label=_("A link to your work"),
        help_text=_("A site, a blog, a profile: anything that shows what you can do."),
        max_length=LINK_LENGTH,
        required=False,
    )
    categories = forms.MultipleChoiceField(
        label=_("What you want to sell"),
        help_text=_("Tick all that fit."),
        choices=CATEGORIES.items,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick at least one.")},
    )
    message = LongTypedField(
        label=_("What do your prompts do, and for whom?"),
        help_text=_("Two or three sentences are enough, up to 2,000 characters."),
        max_length=MESSAGE_LENGTH,
    )
    consent = forms.BooleanField(
        label=APPLICATION.text,
        error_messages={"required": _("Please tick this; without it we may not read your application.")},
    )
    subject = forms.CharField(  # filled in by programs alone
        label=pgettext_lazy("a field that nobody should fill in", "Leave this empty"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["consent"].help_text = format_html(
            '{} <a href="{}" target="_blank" rel="noopener">{}</a>',
            _("You may refuse; then we cannot take the application."),
            reverse(APPLICATION.url_name),
            APPLICATION.link_text,
        )

    @property
    def is_from_a_program(self) -> bool:
        return bool(self.cleaned_data["subject"])

    def clean_name(self):
        name = self.cleaned_data["name"]
        if not any(unicodedata.category(char)[0] in "LN" and char not in _BLANK_LETTERS for char in name):
            raise forms.ValidationError(_("Type a name with at least one letter."))
        return name

    def clean_email(self):
        email = unicodedata.normalize("NFC", self.cleaned_data["email"])
        if len(email_key(email)) > EMAIL_LENGTH:  # one letter may stand for many: no address, and no column for it
            raise forms.ValidationError(EmailValidator.message)
        return email


class AnswerForm(forms.Form):
    mark_required = True

    text = LongTypedField(label=_("Your answer"), max_length=ANSWER_LENGTH)


class LinkForm(forms.Form):
    mark_required = True

    email = forms.EmailField(
        label=_("E-mail address"),
        help_text=_("The one that you applied with."),
        max_length=EMAIL_LENGTH,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
