"""Prompts in the admin. The text of a prompt opens on a page of its own, and who opens it is logged.

Reviews and reports are in `review_admin.py`.
"""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from catalog import review_admin  # noqa: F401  (registers itself)
from catalog.attachments import forget_files
from catalog.listings import ListingRefused, publish_prompt, refresh_listing, remove_prompt, withdraw_prompt
from catalog.models import Listing, Prompt, PromptVersion
from catalog.pictures import forget_pictures
from catalog.ratings import lock_prompts
from catalog.reports import uphold_reports_of
from catalog.search import remove_from_index
from marketplace.admin import SecretColumns


class ReasonActionForm(ActionForm):
    reason = forms.CharField(label=_("Reason, for the seller:"), required=False, max_length=500)


class PromptForm(forms.ModelForm):
    class Meta:
        model = Prompt
        fields = ["title", "description", "price", "tags", "image_urls"]
        widgets = {
            "title": AdminTextInputWidget(),
            "description": AdminTextareaWidget(attrs={"rows": 8}),
            "tags": AdminTextareaWidget(attrs={"rows": 2, "spellcheck": "false"}),
            "image_urls": AdminTextareaWidget(attrs={"rows": 2, "spellcheck": "false"}),
        }
        help_texts = {"tags": _("A JSON list of texts."), "image_urls": _("A JSON list of addresses.")}


class ListingForm(forms.ModelForm):
    class Meta:
        model = Listing
        fields = ["slug", "seller", "model", "output_kind", "language"]


class ListingInline(admin.StackedInline):
    """States move by the actions of the list, which know what else moves with them."""

    model = Listing
    form = ListingForm
    can_delete = False
    autocomplete_fields = ["seller"]
    fields = [
        ("slug", "seller"),
        ("state", "state_reason"),
        ("model", "output_kind", "language"),
        ("text_length", "line_count", "variable_count", "sales_count"),
        ("published_at", "updated_at"),
    ]
    readonly_fields = [
        *("state", "state_reason", "text_length", "line_count", "variable_count", "sales_count"),
        *("published_at", "updated_at"),
    ]

    def get_readonly_fields(self, request, obj=None):
        """Whose a listing is decides who reads its text and who is paid for it: nothing that a role of staff moves."""
        return self.readonly_fields if request.user.is_superuser else [*self.readonly_fields, "seller"]

    def has_add_permission(self, request, obj=None):
        return False

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("seller__user", "prompt")


class VersionInline(admin.TabularInline):
    model = PromptVersion
    fields = readonly_fields = ["version_number", "version_title", "change_note", "saved_at"]
    ordering = ["-number"]
    extra = 0
    can_delete = False

    @admin.display(description=_("number"))
    def version_number(self, version):
        return version.number

    @admin.display(description=_("title"))
    def version_title(self, version):
        return version.title

    @admin.display(description=_("what changed"))
    def change_note(self, version):
        return version.note

    @admin.display(description=_("saved at"))
    def saved_at(self, version):
        return date_format(timezone.localtime(version.created_at), "DATETIME_FORMAT")

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def get_queryset(self, request):
        return super().get_queryset(request).defer("prompt_text", "file_url")


@admin.register(Prompt)
class PromptAdmin(SecretColumns, admin.ModelAdmin):
    secret_columns = ("prompt_text", "file_url")
    form = PromptForm
    list_display = [
        *("title", "seller", "price", "state", "rating", "review_count", "sales_count", "view_count", "created_at"),
    ]
    list_select_related = ["listing__seller"]
    list_filter = ["is_published", "listing__state", "listing__output_kind", "listing__language"]
    search_fields = ["=id", "title", "=listing__slug", "listing__seller__name"]
    search_help_text = _("Title, seller, id or the last part of the address")
    date_hierarchy = "created_at"
    ordering = ["-created_at", "pk"]
    list_per_page = 50
    show_full_result_count = False
    actions = ["publish", "withdraw", "remove"]
    action_form = ReasonActionForm
    inlines = [ListingInline, VersionInline]
    fieldsets = [
        (None, {"fields": ["title", "description", "price", "tags", "image_urls", "text_page"]}),
        (
            _("Counters"),
            {
                "fields": [
                    ("rating", "review_count"),
                    ("view_count", "download_count"),
                    "is_published",
                    "created_at",
                    "id",
                ]
            },
        ),
    ]
    readonly_fields = [
        *("text_page", "rating", "review_count", "view_count", "download_count", "is_published", "created_at", "id"),
    ]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("prompt_text", "file_url")

    def has_text_permission(self, request, obj=None) -> bool:
        return request.user.has_perm("catalog.read_prompt_text") and self.has_view_permission(request, obj)

    def get_fieldsets(self, request, obj=None):
        """The way to the text is there for those who may go it."""
        if self.has_text_permission(request, obj):
            return self.fieldsets
        (name, options), *others = self.fieldsets
        fields = [field for field in options["fields"] if field != "text_page"]
        return [(name, options | {"fields": fields}), *others]

    @admin.display(description=_("seller"), ordering="listing__seller__name")
    def seller(self, prompt):
        return prompt.listing.seller.name if hasattr(prompt, "listing") and prompt.listing.seller else None

    @admin.display(description=_("state"), ordering="listing__state")
    def state(self, prompt):
        return prompt.listing.get_state_display() if hasattr(prompt, "listing") else None

    @admin.display(description=_("sold"), ordering="listing__sales_count")
    def sales_count(self, prompt):
        return prompt.listing.sales_count if hasattr(prompt, "listing") else None

    @admin.display(description=_("prompt text"))
    def text_page(self, prompt):
        address = reverse("admin:catalog_prompt_text", args=[prompt.pk])
        return format_html('<a href="{}">{}</a>', address, gettext("Show the text (it is logged)"))

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        """What somebody bought stays: the purchase would go with it."""
        is_bought = obj is not None and (obj.purchases.exists() or obj.order_lines.exists())
        return not is_bought and super().has_delete_permission(request, obj)

    def delete_model(self, request, obj):
        with transaction.atomic():
            remove_from_index(obj)
            forget_pictures(prompt=obj)
            forget_files(prompt=obj)
            super().delete_model(request, obj)

    def get_actions(self, request):
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # one by one, after a look
        return actions

    def save_model(self, request, obj, form, change):
        """Only what was typed: counters, pictures and states move while somebody has the page open."""
        lock_prompts([obj.pk])
        obj.save(update_fields=form.changed_data)

    def save_formset(self, request, form, formset, change):
        formset.save(commit=False)
        for row, names in formset.changed_objects:
            row.save(update_fields=names)

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        prompt = Prompt.objects.select_related("listing").get(pk=form.instance.pk)
        if hasattr(prompt, "listing"):  # another program's new row has none until `recount_prompts` takes it in
            refresh_listing(prompt=prompt, now=timezone.now())

    @admin.action(description=_("Put on sale"), permissions=["change"])
    def publish(self, request, queryset):
        self._move(
            request, queryset, lambda prompt, now: publish_prompt(prompt=prompt, now=now, is_staff_decision=True)
        )

    @admin.action(description=_("Withdraw at the seller's wish"), permissions=["change"])
    def withdraw(self, request, queryset):
        reason = request.POST.get("reason", "").strip()
        self._move(request, queryset, lambda prompt, now: withdraw_prompt(prompt=prompt, reason=reason, now=now))

    @admin.action(description=_("Remove from sale, with a reason"), permissions=["change"])
    def remove(self, request, queryset):
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, gettext("Nothing was removed: the seller needs a reason."), messages.ERROR)
            return

        def remove_reported(prompt, now):
            with transaction.atomic():
                is_removed = remove_prompt(prompt=prompt, reason=reason, now=now)
                uphold_reports_of(thing=prompt, staff=request.user, now=now)
            return is_removed

        self._move(request, queryset, remove_reported)

    def _move(self, request, queryset, move):
        moved = 0
        for prompt in queryset.filter(listing__isnull=False).defer(None):
            try:
                if move(prompt, timezone.now()):
                    moved += 1
                    self.log_change(request, prompt, [{"changed": {"fields": ["state"]}}])
            except ListingRefused as refused:
                self.message_user(request, f"{prompt.title}: {refused}", messages.WARNING)
        text = ngettext("%(count)d prompt was changed.", "%(count)d prompts were changed.", moved) % {"count": moved}
        self.message_user(request, text, messages.SUCCESS if moved else messages.WARNING)

    def get_urls(self):
        page = path("<uuid:prompt_id>/text/", self.admin_site.admin_view(self.show_text), name="catalog_prompt_text")
        return [page, *super().get_urls()]

    def show_text(self, request, prompt_id):
        """GET asks, POST writes down who looks and then shows."""
        if not self.has_text_permission(request):
            raise PermissionDenied
        prompt = get_object_or_404(Prompt, pk=prompt_id)
        is_shown = request.method == "POST"
        if is_shown:
            self.log_change(request, prompt, gettext("Looked at the text."))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": prompt.title,
            "prompt": prompt if is_shown else None,
            "back": reverse("admin:catalog_prompt_change", args=[prompt.pk]),
        }
        return TemplateResponse(request, "admin/catalog/prompt/text.html", context)
