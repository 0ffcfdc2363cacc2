"""What sellers type: the listing, why they withdraw it, their page, and who they are in law."""

import re
import unicodedata

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.profiles import has_invisible
from catalog.checklist import PRICE_RULE, is_allowed_price
from catalog.editing import LISTING_COLUMNS, MAX_TAGS, MAX_TEXT_LENGTH, MAX_TITLE_LENGTH, PROMPT_COLUMNS
from catalog.facts import ANY_MODEL, LANGUAGES, name_model
from catalog.markdown import MAX_LENGTH as MAX_DESCRIPTION_LENGTH
from catalog.models import Listing, Prompt
from catalog.tags import MAX_TAG_LENGTH, normalize_tag, normalize_tags
from catalog.uploads import describe_kinds
from mcp.tools.needs import check_names, read_names
from sellers.application_forms import LinkField, LongTypedField
from sellers.business import format_registration_number
from sellers.models import Seller, SellerBusiness
from sellers.profiles import ProfileRefused, clean_seller_name, clean_seller_slug

MAX_NOTE_LENGTH = 500
MAX_BIO_LENGTH = 1_000


class LongText(forms.CharField):
    """Kept to the last blank; line breaks as one character, however the browser sends them."""

    def __init__(self, *, rows: int, **kwargs):
        super().__init__(strip=False, widget=forms.Textarea(attrs={"rows": rows}), **kwargs)

    def to_python(self, value):
        return unify_lines(super().to_python(value))


def unify_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


class ListingForm(forms.Form):
    """The editor. What was not touched is neither judged nor written again: rows of other programs stay as they are.

    A title is enough to save; `catalog.checklist` says what publishing asks for.
    prompt: whose listing it is; None for a new one. tags: popular ones, offered as boxes beside the field.
    """

    mark_required = True

    seen = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)
    token = forms.UUIDField(required=False, widget=forms.HiddenInput)
    title = forms.CharField(
        label=_("Title"),
        help_text=_("At most 120 characters: what somebody gets done with it."),
        error_messages={"required": _("Type a title. It is all that a draft needs.")},
    )
    price = forms.CharField(
        label=_("Price in won"),
        help_text=_("0 is free; otherwise 100 to 10,000,000, VAT included. Left empty, a draft counts as free."),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    description = LongText(
        label=_("Description"),
        help_text=_("Markdown: # heading, **bold**, - list, [link](https://…). Pictures have a page of their own."),
        required=False,
        rows=10,
    )
    prompt_text = LongText(
        label=_("The prompt itself"),
        help_text=_("What buyers pay for. Write what they fill in as {{variable}}. Others see its beginning only."),
        required=False,
        rows=14,
    )
    tag_boxes = forms.MultipleChoiceField(label=_("Popular tags"), required=False, widget=forms.CheckboxSelectMultiple)
    tags = forms.CharField(
        label=_("Other tags"),
        help_text=_("Separated by commas. At most 8 tags in all."),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    model = forms.CharField(
        label=_("Model"),
        help_text=_("The one you wrote it for, such as GPT-5, or “any model”."),
        required=False,
        widget=forms.TextInput(attrs={"list": "models", "autocomplete": "off"}),
    )
    output_kind = forms.ChoiceField(label=_("What comes out of it"), choices=Listing.OutputKind.choices)
    language = forms.ChoiceField(label=_("Language of the prompt"))
    seen_tools = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)
    tools = LongText(
        label=_("Tools of MCP servers that it needs"),
        help_text=_("One a line, written server/tool. Leave it empty if the prompt needs none."),
        required=False,
        rows=3,
    )
    note = LongTypedField(
        label=_("What changed"),
        help_text=_("One or two sentences for your buyers, shown beside the new version."),
        required=False,
        rows=2,
        max_length=MAX_NOTE_LENGTH,
    )

    def __init__(self, data=None, *, prompt: Prompt | None, tags: list[str], look_path: str, initial: dict):
        self.prompt = prompt
        self.offered_tags = tags
        super().__init__(data, initial={**show_listing(prompt, tags), **initial})
        self.fields["tag_boxes"].choices = [(tag, tag) for tag in tags]
        languages = dict(LANGUAGES)
        if prompt:
            languages.setdefault(prompt.listing.language, prompt.listing.language)
        self.fields["language"].choices = list(languages.items())
        if not (prompt and prompt.listing.published_at):
            del self.fields["note"]  # nobody has an earlier version to compare with
        self.fields["tools"].widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}
        looks = (("description", "description-look"), ("prompt_text", "text-facts"), ("tools", "tool-facts"))
        for name, target in looks:
            self.fields[name].widget.attrs |= {
                "hx-post": look_path,
                "hx-trigger": "input changed delay:500ms",
                "hx-target": f"#{target}",
                "hx-swap": "outerHTML",
                "hx-params": f"{name},look",
                "hx-vals": '{"look": "1"}',
                "hx-sync": "this:replace",
            }

    def is_touched(self, name: str) -> bool:
        """Whether the field holds something else than the page was drawn with."""
        typed, shown = self.data.get(name) or "", str(self.initial.get(name) or "")
        if name in ("description", "prompt_text"):
            return unify_lines(typed) != unify_lines(shown)
        return " ".join(typed.split()) != " ".join(shown.split())

    def clean_title(self):
        if not self.is_touched("title"):
            return None
        title = unicodedata.normalize("NFC", " ".join(self.cleaned_data["title"].split()))
        if has_invisible(title):
            raise forms.ValidationError(_("The title holds a character that cannot be seen. Type it again by hand."))
        refuse_longer(title, MAX_TITLE_LENGTH)
        return title

    def clean_price(self):
        if not self.is_touched("price"):
            return None
        typed = unicodedata.normalize("NFKC", self.cleaned_data["price"])
        digits = re.sub(r"[\s,₩]|원$", "", typed)
        if not digits and not (self.prompt and self.prompt.is_published):
            return 0
        if not (digits.isascii() and digits.isdigit() and len(digits) < 12 and is_allowed_price(int(digits))):
            raise forms.ValidationError(PRICE_RULE)
        return int(digits)

    def clean_description(self):
        if not self.is_touched("description"):
            return None
        return refuse_longer(self.cleaned_data["description"], MAX_DESCRIPTION_LENGTH)

    def clean_prompt_text(self):
        if not self.is_touched("prompt_text"):
            return None
        return refuse_longer(self.cleaned_data["prompt_text"], MAX_TEXT_LENGTH)

    def clean_model(self):
        if not self.is_touched("model"):
            return None
        model = " ".join(self.cleaned_data["model"].split())
        if model.casefold() in (ANY_MODEL, name_model(ANY_MODEL).casefold()):
            return ANY_MODEL
        return refuse_longer(model, 60)

    def clean_tools(self):
        """None where they are the same."""
        if not self.is_touched("tools"):
            return None
        names = read_names(self.cleaned_data["tools"])
        if problems := check_names(names, known=read_names(self.initial.get("tools", ""))):
            raise forms.ValidationError(problems)
        return names

    def clean(self):
        """Boxes and field together are the tags; what stood there stays in its order and spelling."""
        if "tags" in self.cleaned_data and "tag_boxes" in self.cleaned_data:
            try:
                self.cleaned_data["tags"] = self._read_tags()
            except forms.ValidationError as error:
                self.add_error("tags", error)
        return self.cleaned_data

    def _read_tags(self) -> list | None:
        typed = [part for part in re.split(r"[,\n、，#]", self.cleaned_data["tags"]) if normalize_tag(part)]
        for part in typed:
            if len(" ".join(part.split())) > MAX_TAG_LENGTH:
                raise forms.ValidationError(
                    _("“%(tag)s” is longer than 40 characters. Shorten it."), params={"tag": part.strip()}
                )
        wanted = dict.fromkeys(map(normalize_tag, [*self.cleaned_data["tag_boxes"], *typed]))
        stored = self.prompt.tags if self.prompt and isinstance(self.prompt.tags, list) else []
        there = normalize_tags(stored)
        if set(wanted) == set(there):
            return None
        if len(wanted) > MAX_TAGS:
            raise forms.ValidationError(
                _("These are %(count)d tags, and a prompt has at most 8. Take some out."), params={"count": len(wanted)}
            )
        kept = [tag for tag in stored if normalize_tag(tag) in wanted or not normalize_tag(tag)]
        return kept + [tag for tag in wanted if tag not in there]

    def prompt_fields(self) -> dict:
        """Of a valid form: the columns of `prompts` that were touched."""
        return {name: value for name in PROMPT_COLUMNS if (value := self.cleaned_data[name]) is not None}

    def listing_fields(self) -> dict:
        """Of a valid form: the columns of `listings` that were touched, or all of a new one."""
        touched = [name for name in LISTING_COLUMNS if self.prompt is None or self.is_touched(name)]
        return {name: value for name in touched if (value := self.cleaned_data[name]) is not None}


def show_listing(prompt: Prompt | None, tags: list[str]) -> dict[str, str | list[str]]:
    """What the editor's fields hold of a listing."""
    if prompt is None:
        return {"price": "", "output_kind": Listing.OutputKind.TEXT, "language": "ko"}
    listing = prompt.listing
    own_tags = normalize_tags(prompt.tags)
    return {
        "title": prompt.title,
        "price": str(prompt.price),
        "description": prompt.description or "",
        "prompt_text": prompt.prompt_text,
        "tag_boxes": [tag for tag in own_tags if tag in tags],
        "tags": ", ".join(tag for tag in own_tags if tag not in tags),
        "model": name_model(listing.model) if listing.model else "",
        "output_kind": listing.output_kind,
        "language": listing.language,
    }


def refuse_longer(text: str, length: int) -> str:
    if len(text) > length:
        raise forms.ValidationError(
            _("This has %(count)d characters, and at most %(limit)d are possible."),
            params={"count": len(text), "limit": length},
        )
    return text


class SeveralFiles(forms.FileInput):
    allow_multiple_selected = True


class PicturesField(forms.FileField):
    """A list of uploads: browsers send several under one name."""

    widget = SeveralFiles

    def clean(self, data, initial=None):
        uploads = data if isinstance(data, list | tuple) else [data]
        return [super(PicturesField, self).clean(upload, initial) for upload in uploads or [None]]


class PicturesForm(forms.Form):
    pictures = PicturesField(
        label=_("New pictures"),
        help_text=_(
            "JPEG, PNG, WebP, GIF or AVIF, up to 10 MB each, several at once. We turn them upright, remove all "
            "metadata, and store them in three sizes."
        ),
        allow_empty_file=True,  # refused by name with the others
        widget=SeveralFiles(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif,image/avif"}),
        error_messages={"required": _("Choose a picture first.")},
    )


class FileForm(forms.Form):
    file = forms.FileField(
        label=_("File for buyers"),
        allow_empty_file=True,
        error_messages={"required": _("Choose a file first.")},
    )
    note = LongTypedField(
        label=_("What changed"),
        help_text=_("One or two sentences for your buyers, shown beside the new version."),
        required=False,
        rows=2,
        max_length=MAX_NOTE_LENGTH,
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = _("One file, up to 50 MB: %(kinds)s.") % {"kinds": describe_kinds()}


class WithdrawForm(forms.Form):
    reason = LongTypedField(
        label=_("Reason"),
        help_text=_("For yourself; our staff can read it too, and nobody else."),
        required=False,
        rows=2,
        max_length=MAX_NOTE_LENGTH,
    )


class ProfileForm(forms.Form):
    """How the seller appears. slug: absent where the address is fixed."""

    name = forms.CharField(
        label=_("Name"),
        help_text=_("2 to 80 characters. It stands beside each of your prompts."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    slug = forms.CharField(
        label=_("Last part of the address"),
        help_text=_(
            "Letters, digits and hyphens. If you change it, links to the old address stop working; "
            "once a prompt of yours has been on sale it stays as it is."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    bio = LongTypedField(
        label=_("About you"),
        help_text=_("At most 1,000 characters."),
        required=False,
        rows=5,
        max_length=MAX_BIO_LENGTH,
    )
    website_url = LinkField(
        label=_("Website"),
        help_text=_("It begins with https:// or http://."),
        required=False,
        max_length=200,
    )
    language = forms.ChoiceField(label=_("Language of the mails to you"), choices=settings.LANGUAGES)

    def __init__(self, data=None, *, seller: Seller, is_address_fixed: bool):
        initial = {name: getattr(seller, name) for name in ("name", "slug", "bio", "website_url", "language")}
        super().__init__(data, initial=initial)
        if is_address_fixed:
            del self.fields["slug"]

    def clean_name(self):
        return self._clean_by(clean_seller_name, "name")

    def clean_slug(self):
        return self._clean_by(clean_seller_slug, "slug")

    def _clean_by(self, clean, name: str) -> str:
        try:
            return clean(self.cleaned_data[name])
        except ProfileRefused as refused:
            raise forms.ValidationError(str(refused)) from None


class FactField(forms.CharField):
    """One line as it is printed: NFC, single spaces, nothing that cannot be seen. What is too long is refused and not
    cut off by the browser."""

    def to_python(self, value):
        return unicodedata.normalize("NFC", " ".join(super().to_python(value).split()))

    def validate(self, value):
        super().validate(value)
        if has_invisible(value):
            raise forms.ValidationError(_("There is a character in it that cannot be seen. Type it again by hand."))

    def widget_attrs(self, widget):
        return {name: value for name, value in super().widget_attrs(widget).items() if name != "maxlength"}


class BusinessForm(forms.Form):
    """Who the seller is in law. The report has a number, or it is not needed for one of the reasons of the notice."""

    mark_required = True
    HAS_NUMBER = "number"

    trade_name = FactField(
        label=_("Business name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    representative = FactField(
        label=_("Representative"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    registration_number = FactField(
        label=_("Business registration number"),
        help_text=_("10 digits, as on the certificate of the tax office."),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    report = forms.ChoiceField(
        label=_("Mail-order report"),
        choices=[
            (HAS_NUMBER, _("I have reported, and this is the number")),
            (SellerBusiness.Exemption.FEW_SALES, _("No report needed: fewer than 50 sales in the previous year")),
            (SellerBusiness.Exemption.SIMPLIFIED, _("No report needed: simplified taxpayer under the VAT Act")),
        ],
        widget=forms.RadioSelect,
    )
    report_number = FactField(
        label=_("Mail-order report number"),
        help_text=_("As your city or district gave it, such as 제2026-서울종로-0001호."),
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    address = FactField(
        label=_("Business address"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "street-address"})
    )
    phone = FactField(
        label=_("Phone"),
        help_text=_("Where buyers reach you."),
        max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "tel"}),
    )
    email = forms.EmailField(
        label=pgettext_lazy("of a business", "E-mail"),
        help_text=_("It need not be the address you sign in with."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def __init__(self, data=None, *, business: SellerBusiness | None):
        initial = {}
        if business:
            initial = {name: getattr(business, name) for name in self.base_fields if name != "report"}
            initial["report"] = business.report_exemption or self.HAS_NUMBER
        super().__init__(data, initial=initial)

    def clean_registration_number(self):
        number = format_registration_number(self.cleaned_data["registration_number"])
        if number is None:
            raise forms.ValidationError(
                _("This is no business registration number: it has 10 digits, and the last one proves the others.")
            )
        return number

    def clean_report_number(self):
        number = self.cleaned_data["report_number"]
        if number and not re.search(r"\d{2}", number):
            raise forms.ValidationError(
                _("A report number holds the year and a number. If you need none, say so above.")
            )
        return number

    def clean_phone(self):
        phone = unicodedata.normalize("NFKC", self.cleaned_data["phone"])
        if not re.fullmatch(r"\+?[\d\-(). ]+", phone, re.ASCII) or len(re.sub(r"\D", "", phone)) < 7:
            raise forms.ValidationError(_("Type a phone number of at least 7 digits."))
        return phone

    def clean(self):
        report, number = self.cleaned_data.get("report"), self.cleaned_data.get("report_number")
        if report == self.HAS_NUMBER and number == "":
            self.add_error("report_number", _("Type the number, or choose why you need none."))
        elif report and report != self.HAS_NUMBER and number:
            self.add_error(
                "report_number", _("You chose that no report is needed. Empty this field, or choose the number.")
            )
        return self.cleaned_data

    def facts(self) -> dict[str, str]:
        """Of a valid form, as `sellers.business.save_business` takes them."""
        facts = {name: value for name, value in self.cleaned_data.items() if name != "report"}
        report = self.cleaned_data["report"]
        return facts | {"report_exemption": "" if report == self.HAS_NUMBER else report}
