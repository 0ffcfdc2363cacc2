"""The registry in the admin: the queue of submissions, the list, and the page of one server.

`config` may hold credentials: they are written on a page of their own and shown nowhere.
"""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from marketplace.admin import SecretColumns
from marketplace.web_addresses import Blocked, split_url
from mcp.admin.acts import ServerActs, list_acts
from mcp.admin.forms import CredentialFormSet, McpServerForm, RequiredSettingsField
from mcp.credentials import (
    Credentials,
    CredentialsRefused,
    Standing,
    clear_credentials,
    inspect_credentials,
    store_credentials,
)
from mcp.foreign_text import clean_line
from mcp.models import Entry, McpServer
from mcp.registry.registration import change_endpoint, hold_server, make_entry, refresh_search_text, registry_name
from mcp.states import badge_of

CHECKS_SHOWN, NAME_SHOWN = 20, 40
PUBLISHED = {"name", "description", "website_url", "required_settings"}  # what the registry's API tells of a server
NOTHING = "–"


@admin.register(McpServer)
class McpServerAdmin(ServerActs, SecretColumns, admin.ModelAdmin):
    secret_columns = ("config", "metadata")
    form = McpServerForm
    list_display = ["short_name", "state", "health", "mode", "checked_on", "uptime", "host"]
    list_filter = ["entry__state", "entry__health", "entry__mode"]
    list_select_related = ["entry"]
    list_per_page = 50
    search_fields = ["name", "endpoint", "description", "=entry__slug"]
    search_help_text = _("Name, endpoint or description")
    date_hierarchy = "created_at"
    ordering = ["name", "pk"]
    fieldsets = [
        (None, {"fields": ["name", "description", "endpoint", "website_url", "required_settings", "note"]}),
        (_("In the registry"), {"fields": ["listed_as", "state", "submitted", "decided", "decline_reason"]}),
        (
            _("Health"),
            {"fields": ["health", "detail", "mode", "checked_at", "next_check", "uptime", "transport", "offers"]},
        ),
        (_("Row"), {"fields": ["status", "created_at", "updated_at", "id"], "classes": ["collapse"]}),
    ]
    readonly_fields = [
        *("listed_as", "state", "submitted", "decided", "decline_reason", "health", "detail", "mode", "checked_at"),
        *("next_check", "uptime", "transport", "offers", "status", "created_at", "updated_at", "id"),
    ]

    def get_queryset(self, request):
        rows = super().get_queryset(request).defer("config", "metadata")
        return rows.select_related("entry__submitted_by", "entry__decided_by")

    def get_fieldsets(self, request, obj=None):
        return super().get_fieldsets(request, obj) if obj else self.fieldsets[:1]

    def view_on_site(self, server):
        entry = find_entry(server)
        return entry and entry.get_absolute_url()

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        if obj:
            is_keeper = self.has_change_permission(request, obj)
            context |= {
                "acts": list_acts(find_entry(obj)) if is_keeper else [],
                "is_keeper": is_keeper,
                "credentials": describe_credentials(inspect_credentials(obj)),
                "checks": obj.checks.order_by("-checked_at", "-pk")[:CHECKS_SHOWN],
                "tools": obj.tools.offered().order_by("position", "pk"),
                "mails": obj.mails.order_by("-queued_at", "-pk"),
                "subtitle": obj.name,
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    # --- Saving

    def save_model(self, request, obj, form, change):
        """Columns that checks write are left alone: one may end while the form is open."""
        now = timezone.now()
        endpoint = obj.endpoint
        if change:
            hold_server(obj.pk)
            changed = [name for name in ("name", "description") if name in form.changed_data]
            if PUBLISHED & set(form.changed_data):
                obj.updated_at = now
                obj.save(update_fields=[*changed, "updated_at"])
        else:
            obj.created_at = obj.updated_at = now
            obj.save()
        entry = make_entry(server=obj, state=Entry.State.ACCEPTED, now=now)
        fields = {name: form.cleaned_data[name] for name in ("website_url", "required_settings", "note")}
        Entry.objects.filter(pk=entry.pk).update(**fields)
        refresh_search_text(obj)
        if change and "endpoint" in form.changed_data and change_endpoint(server=obj, endpoint=endpoint, now=now):
            text = gettext(
                "The stored credentials were for the old address, so they are gone. Enter them again if needed."
            )
            self.message_user(request, text, messages.WARNING)

    # --- Credentials

    def get_urls(self):
        view = self.admin_site.admin_view(never_cache(self.credentials_view))
        return [
            path("<uuid:server_id>/credentials/", view, name="mcp_mcpserver_credentials"),
            *super().get_urls(),
        ]

    @method_decorator(sensitive_post_parameters())
    def credentials_view(self, request, server_id):
        server = self.get_object(request, str(server_id))
        if server is None:
            raise Http404
        if not self.has_change_permission(request, server):
            raise PermissionDenied
        formset, refused = CredentialFormSet(request.POST if "replace" in request.POST else None), ""
        if request.method == "POST" and "clear" in request.POST:
            return self._clear(request, server)
        if formset.is_bound and formset.is_valid():
            if request.POST.get("endpoint") != server.endpoint:
                refused = gettext(
                    "The address changed meanwhile. Look at it again before you enter credentials for it."
                )
            else:
                try:
                    return self._replace(request, server, dict(formset.headers))
                except CredentialsRefused as error:
                    refused = str(error)
        has_problem = bool(refused or (formset.is_bound and not formset.is_valid()))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Credentials"),
            "subtitle": server.name,
            "server": server,
            "formset": formset,
            "refused": refused,
            "has_problem": has_problem,
            "credentials": describe_credentials(inspect_credentials(server)),
        }
        status = 422 if has_problem else 200
        return TemplateResponse(request, "admin/mcp/mcpserver/credentials.html", context, status=status)

    def _replace(self, request, server, headers):
        origin = store_credentials(server=server, headers=headers)
        names = ", ".join(headers)
        change = gettext("Entered credentials (%(names)s) for %(origin)s.") % {"names": names, "origin": origin}
        return self._finish(request, server, change)

    def _clear(self, request, server):
        if clear_credentials(server=server):
            return self._finish(request, server, gettext("Took the stored credentials away."))
        self.message_user(request, gettext("There were none."), messages.WARNING)
        return redirect("admin:mcp_mcpserver_change", server.pk)

    def _finish(self, request, server, change):
        self.log_change(request, server, change)
        self.message_user(request, change, messages.SUCCESS)
        return redirect("admin:mcp_mcpserver_change", server.pk)

    # --- Columns

    @admin.display(description=_("state"), ordering="entry__state")
    def state(self, server):
        return of_entry(server, lambda entry: entry.get_state_display())

    @admin.display(description=_("health"), ordering="entry__health")
    def health(self, server):
        return of_entry(server, lambda entry: describe_badge(server, entry))

    @admin.display(description=_("checks"), ordering="entry__mode")
    def mode(self, server):
        return of_entry(server, lambda entry: entry.get_mode_display())

    @admin.display(description=_("name"), ordering="name")
    def short_name(self, server):
        return clean_line(server.name, NAME_SHOWN) or NOTHING

    @admin.display(description=_("host"), ordering="endpoint")
    def host(self, server):
        try:
            return clean_line(split_url(server.endpoint).host, NAME_SHOWN)
        except Blocked:  # another program may have written anything
            return clean_line(server.endpoint, NAME_SHOWN)

    @admin.display(description=_("last checked"), ordering="last_health_check")
    def checked_on(self, server):
        moment = server.last_health_check
        return date_format(timezone.localtime(moment), "Y-m-d H:i") if moment else NOTHING

    @admin.display(description=_("last checked"))
    def checked_at(self, server):
        return show_moment(server.last_health_check) or NOTHING

    @admin.display(description=_("uptime, 30 days"), ordering="entry__uptime_30d_bp")
    def uptime(self, server):
        return of_entry(server, lambda entry: show_share(entry.uptime_30d_bp))

    # For who only looks, and so has no form.

    @admin.display(description=_("website"))
    def website_url(self, server):
        return of_entry(server, lambda entry: entry.website_url)

    @admin.display(description=_("settings it needs"))
    def required_settings(self, server):
        return of_entry(server, lambda entry: RequiredSettingsField().prepare_value(entry.required_settings))

    @admin.display(description=_("internal note"))
    def note(self, server):
        return of_entry(server, lambda entry: entry.note)

    @admin.display(description=_("name in the registry"))
    def listed_as(self, server):
        return of_entry(server, registry_name)

    @admin.display(description=_("submitted"))
    def submitted(self, server):
        return of_entry(server, lambda entry: show_moment(entry.submitted_at, entry.submitted_by))

    @admin.display(description=_("decided"))
    def decided(self, server):
        return of_entry(server, lambda entry: show_moment(entry.decided_at, entry.decided_by))

    @admin.display(description=_("reason"))
    def decline_reason(self, server):
        return of_entry(server, lambda entry: entry.decline_reason)

    @admin.display(description=_("detail"))
    def detail(self, server):
        return of_entry(server, lambda entry: entry.verdict_reason)

    @admin.display(description=_("next check"))
    def next_check(self, server):
        return of_entry(server, lambda entry: show_moment(entry.next_check_at) if is_checked(entry) else "")

    @admin.display(description=_("transport and revision"))
    def transport(self, server):
        return of_entry(server, lambda entry: " ".join(filter(None, [entry.transport, entry.protocol_version])))

    @admin.display(description=_("tools and prompts"))
    def offers(self, server):
        return of_entry(server, lambda entry: f"{show_count(entry.tool_count)} / {show_count(entry.prompt_count)}")


def find_entry(server: McpServer) -> Entry | None:
    """None for a row that another program wrote a moment ago. No query with `entry` loaded."""
    return getattr(server, "entry", None)


def of_entry(server: McpServer, show) -> str:
    entry = find_entry(server)
    return (show(entry) if entry else "") or NOTHING


def is_checked(entry: Entry) -> bool:
    return entry.state == Entry.State.ACCEPTED and entry.mode == Entry.Mode.CHECKED


def describe_badge(server: McpServer, entry: Entry) -> str:
    entry.server = server  # it is there already; the relation would ask for it
    badge = badge_of(entry, now=timezone.now())
    return gettext("%(word)s (old information)") % {"word": badge.word} if badge.is_stale else badge.word


def show_moment(moment, person=None) -> str:
    if moment is None:
        return ""
    text = date_format(timezone.localtime(moment), "DATETIME_FORMAT")
    return f"{text} · {person.email}" if person else text


def show_share(basis_points: int | None) -> str:
    return "" if basis_points is None else f"{basis_points / 100:.2f} %"


def show_count(number: int | None) -> str:
    return NOTHING if number is None else str(number)


def describe_credentials(credentials: Credentials) -> dict:
    """`text` for staff and whether something `is_stored`. Names of headers at the most, never a value."""
    match credentials.standing:
        case Standing.NONE:
            text = gettext("None are stored.")
        case Standing.STORED:
            text = gettext("%(names)s for %(origin)s. The values are not shown.") % {
                "names": ", ".join(credentials.headers),
                "origin": credentials.origin,
            }
        case Standing.ELSEWHERE:
            text = gettext(
                "Entered for %(origin)s and not for this address, so they are not sent. Enter them again."
            ) % {"origin": credentials.origin}
        case Standing.UNREADABLE:
            text = gettext("They cannot be opened with our key, so they are not sent. Enter them again.")
        case Standing.FOREIGN:
            text = gettext("Another program stored something, which is neither sent nor shown. Enter it again here.")
    return {"text": text, "is_stored": credentials.standing != Standing.NONE}
