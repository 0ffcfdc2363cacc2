"""The registry of MCP servers in the admin. `config` may hold credentials: it is written here and never shown."""

from django import forms
from django.contrib import admin
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.admin import SecretColumns
from mcp.models import Entry, McpServer
from mcp.registration import make_entry, refresh_search_text


class NewConfigField(forms.JSONField):
    """Empty to begin with; the stored value is never its initial one."""

    def prepare_value(self, value):
        return "" if value is None else super().prepare_value(value)


class McpServerForm(forms.ModelForm):
    new_config = NewConfigField(
        label=_("new configuration"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("A JSON object that replaces what is stored. Empty keeps it; {} takes it away."),
    )

    class Meta:
        model = McpServer
        fields = ["name", "description", "endpoint", "status"]
        widgets = {
            "name": forms.TextInput(attrs={"class": "vTextField"}),
            "endpoint": forms.URLInput(attrs={"class": "vTextField"}),
            "description": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        }

    def clean_new_config(self):
        config = self.cleaned_data["new_config"]
        if config is not None and not isinstance(config, dict):
            raise forms.ValidationError(_('Please enter a JSON object, such as {"token": "…"}.'))
        return config


@admin.register(McpServer)
class McpServerAdmin(SecretColumns, admin.ModelAdmin):
    secret_columns = ("config", "metadata")
    form = McpServerForm
    list_display = ["name", "endpoint", "status", "last_health_check", "updated_at"]
    list_filter = ["entry__state", "entry__mode", "entry__health", "status"]
    search_fields = ["name", "endpoint", "description"]
    date_hierarchy = "created_at"
    ordering = ["name", "pk"]
    fieldsets = [
        (None, {"fields": ["name", "description", "endpoint", "status"]}),
        (_("Configuration"), {"fields": ["config_state", "new_config"]}),
        (_("Health"), {"fields": ["last_health_check", "created_at", "updated_at", "id"]}),
    ]
    readonly_fields = ["config_state", "last_health_check", "created_at", "updated_at", "id"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("config", "metadata")

    @admin.display(description=_("stored configuration"))
    def config_state(self, server):
        """Whether there is one, and nothing of what it says."""
        stored = McpServer.objects.filter(pk=server.pk).values_list(Cast("config", TextField()), flat=True).first()
        return gettext("none") if stored in (None, "", "null", "{}") else gettext("set; it is not shown")

    def save_model(self, request, obj, form, change):
        obj.updated_at = timezone.now()
        if form.cleaned_data.get("new_config") is not None:
            obj.config = form.cleaned_data["new_config"]
        super().save_model(request, obj, form, change)
        make_entry(server=obj, state=Entry.State.ACCEPTED, now=obj.updated_at)
        refresh_search_text(obj)
