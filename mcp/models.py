"""The registry of MCP servers (`mcp_servers`): how each is listed, what checks saw of it, what prompts need of it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.fields import DatabaseCascadeForeignKey, DatabaseCascadeOneToOneField, SharedJSONField
from marketplace.mail_queue import QueuedMail
from marketplace.querysets import DatedQuerySet
from mcp.verdicts import Verdict


class McpServer(models.Model):
    """A server that speaks the Model Context Protocol. Source: schema document, table `mcp_servers`.

    `config` may hold credentials and never leaves the server.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        INACTIVE = "inactive", _("inactive")
        ERROR = "error", _("error")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)
    name = models.TextField(_("name"))
    description = models.TextField(_("description"), null=True, blank=True)
    endpoint = models.TextField(_("endpoint"))
    status = models.TextField(_("status"), choices=Status, default=Status.INACTIVE, db_default=Status.INACTIVE.value)
    last_health_check = models.DateTimeField(_("last checked"), null=True, blank=True)
    config = SharedJSONField(default=dict, null=True, blank=True)
    metadata = SharedJSONField(default=dict, null=True, blank=True)

    objects = DatedQuerySet.as_manager()

    class Meta:
        db_table = "mcp_servers"
        verbose_name = _("MCP server")
        verbose_name_plural = _("MCP servers")
        indexes = [models.Index(fields=["status"], name="idx_mcp_servers_status")]
        constraints = [
            models.CheckConstraint(
                name="mcp_servers_status_is_known",
                condition=models.Q(status__in=["active", "inactive", "error"]),
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.pk})"


class EntryQuerySet(DatedQuerySet):
    def public(self):
        """What visitors may see: accepted by staff, whatever its health; what is switched off stays visible as such."""
        return self.filter(state=Entry.State.ACCEPTED)

    def for_rows(self):
        """With the server, and without its `config` and `metadata`."""
        return self.select_related("server").defer("server__config", "server__metadata")


class ToolQuerySet(models.QuerySet):
    def offered(self):
        return self.filter(removed_at__isnull=True)


class Entry(models.Model):
    """How the registry lists a server: one row per row of `mcp_servers`, which has the columns of the schema document.

    What the last check said stands here once more, beside `metadata.health`, so that lists filter and sort in SQL.
    A row of `mcp_servers` that another program wrote gets its entry from `registration.py`.
    """

    class State(models.TextChoices):
        SUBMITTED = "submitted", _("waiting for staff")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")

    class Mode(models.TextChoices):
        CHECKED = "checked", _("checked regularly")
        PAUSED = "paused", _("checks paused")
        OFF = "off", _("switched off")

    class Health(models.TextChoices):
        """What the last check that told anything showed; `states.py` makes the badge of it."""

        UNCHECKED = "unchecked", _("not checked yet")
        WORKING = "working", _("working")
        SLOW = "slow", _("slow")
        DOWN = "down", _("down")
        SIGN_IN = "sign_in", _("needs sign-in")
        CONFIGURATION = "configuration", _("needs configuration")

    server = DatabaseCascadeOneToOneField(McpServer, models.CASCADE, primary_key=True, related_name="entry")
    slug = models.SlugField(_("last part of the address"), max_length=100, unique=True)  # ASCII; never changes
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.SUBMITTED)
    mode = models.CharField(_("checks"), max_length=16, choices=Mode, default=Mode.CHECKED)
    website_url = models.URLField(_("website"), max_length=500, blank=True)
    # What a client must set before it connects: [{"name", "description", "isRequired", "isSecret"}], never a value.
    required_settings = models.JSONField(_("settings it needs"), default=list, blank=True)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("submitted by"),
    )
    submitted_at = models.DateTimeField(_("submitted at"), default=timezone.now)
    language = models.CharField(max_length=8, default="ko", editable=False)  # of who submitted it, for the mail
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decline_reason = models.TextField(_("reason"), blank=True, help_text=_("Written for whoever submitted it."))
    note = models.TextField(_("internal note"), blank=True)
    # When it last became listed as active, or stopped to be, in the registry's API; null while that never changed.
    status_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    search_text = models.TextField(blank=True, editable=False)  # name, description and tool names, folded

    health = models.CharField(_("health"), max_length=16, choices=Health, default=Health.UNCHECKED)
    health_since = models.DateTimeField(_("since"), null=True, blank=True)
    verdict = models.CharField(_("verdict"), max_length=32, choices=Verdict, blank=True)  # of the very last check
    verdict_reason = models.CharField(_("detail"), max_length=300, blank=True)
    latency_ms = models.IntegerField(_("latency (ms)"), null=True, blank=True)
    miss_count = models.IntegerField(_("misses in a row"), default=0)
    # Since when it answers nothing but "come back later": the state is of before that.
    limited_since = models.DateTimeField(null=True, blank=True, editable=False)
    transport = models.CharField(_("transport"), max_length=16, blank=True)
    protocol_version = models.CharField(_("revision"), max_length=32, blank=True)
    tool_count = models.IntegerField(_("tools"), null=True, blank=True)
    prompt_count = models.IntegerField(_("prompts"), null=True, blank=True)
    uptime_30d_bp = models.IntegerField(_("uptime, 30 days (basis points)"), null=True, blank=True)

    next_check_at = models.DateTimeField(_("next check"), default=timezone.now)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)  # a run is at work on it until then

    objects = EntryQuerySet.as_manager()

    class Meta:
        db_table = "mcp_entries"
        verbose_name = _("registry entry")
        verbose_name_plural = _("registry entries")
        indexes = [
            models.Index(fields=["next_check_at"], name="idx_mcp_entries_next_check"),
            models.Index(fields=["state", "health"], name="idx_mcp_entries_state_health"),
        ]
        constraints = [
            models.CheckConstraint(
                name="mcp_entries_state_is_known", condition=Q(state__in=["submitted", "accepted", "declined"])
            ),
            models.CheckConstraint(
                name="mcp_entries_mode_is_known", condition=Q(mode__in=["checked", "paused", "off"])
            ),
        ]

    def __str__(self):
        return self.slug

    def get_absolute_url(self):
        return reverse("mcp:server_detail", args=[self.slug])


class SubmissionMail(QueuedMail):
    """What staff decided about a submission, on its way to whoever sent it. `reason`: as it was when they did."""

    class Kind(models.TextChoices):
        ACCEPTED = "accepted", _("submission accepted")
        DECLINED = "declined", _("submission declined")

    kind = models.CharField(_("mail"), max_length=16, choices=Kind)
    server = DatabaseCascadeForeignKey(McpServer, models.CASCADE, related_name="mails")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    reason = models.TextField(blank=True, editable=False)

    class Meta:
        db_table = "mcp_submission_mails"
        verbose_name = _("mail about a submission")
        verbose_name_plural = _("mails about submissions")
        indexes = [models.Index(fields=["status", "queued_at"], name="idx_mcp_mails_status")]
        constraints = [
            models.CheckConstraint(
                name="mcp_submission_mails_status_is_known",
                condition=Q(status__in=["queued", "sending", "sent", "failed"]),
            ),
        ]


class HealthCheck(models.Model):
    """One check and what it saw. Pruned by `clean_up` after 35 days; `ServerDay` and `Incident` stay."""

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", _("schedule")
        STAFF = "staff", _("staff")
        PERSON = "person", _("somebody on the page")

    server = DatabaseCascadeForeignKey(McpServer, models.CASCADE, related_name="checks")
    checked_at = models.DateTimeField(_("checked at"), default=timezone.now)
    trigger = models.CharField(_("asked by"), max_length=16, choices=Trigger, default=Trigger.SCHEDULE)
    verdict = models.CharField(_("verdict"), max_length=32, choices=Verdict)
    health = models.CharField(_("health"), max_length=16, choices=Entry.Health)
    reason = models.CharField(_("detail"), max_length=300, blank=True)
    http_status = models.IntegerField(_("HTTP status"), null=True, blank=True)
    latency_ms = models.IntegerField(_("latency (ms)"), null=True, blank=True)
    era = models.CharField(_("era"), max_length=16, blank=True)
    transport = models.CharField(_("transport"), max_length=16, blank=True)
    protocol_version = models.CharField(_("revision"), max_length=32, blank=True)
    tool_count = models.IntegerField(_("tools"), null=True, blank=True)
    prompt_count = models.IntegerField(_("prompts"), null=True, blank=True)

    class Meta:
        db_table = "mcp_health_checks"
        verbose_name = _("check")
        verbose_name_plural = _("checks")
        indexes = [
            models.Index(fields=["server", "-checked_at"], name="idx_mcp_health_checks_latest"),
            models.Index(fields=["checked_at"], name="idx_mcp_health_checks_age"),
        ]

    def __str__(self):
        return f"{self.checked_at:%Y-%m-%d %H:%M} {self.verdict}"


class ServerDay(models.Model):
    """The checks of one server on one day in Seoul. Uptime = up / (up + down); other checks say nothing of it."""

    server = DatabaseCascadeForeignKey(McpServer, models.CASCADE, related_name="days")
    day = models.DateField()
    check_count = models.IntegerField(default=0)
    up_count = models.IntegerField(default=0)
    slow_count = models.IntegerField(default=0)  # of those that were up
    down_count = models.IntegerField(default=0)

    class Meta:
        db_table = "mcp_server_days"
        constraints = [
            models.UniqueConstraint(fields=["server", "day"], name="mcp_server_days_one_per_server_and_day"),
            models.CheckConstraint(
                name="mcp_server_days_counts_fit",
                condition=Q(
                    up_count__gte=0,
                    down_count__gte=0,
                    slow_count__gte=0,
                    slow_count__lte=models.F("up_count"),
                    check_count__gte=models.F("up_count") + models.F("down_count"),
                ),
            ),
        ]

    def __str__(self):
        return f"{self.server_id} {self.day}"


class Incident(models.Model):
    """When a server was down, from the first miss to the first good answer; `ended_at` is null until then."""

    server = DatabaseCascadeForeignKey(McpServer, models.CASCADE, related_name="incidents")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=32, choices=Verdict)  # the first one
    reason = models.CharField(max_length=300, blank=True)
    check_count = models.IntegerField(default=1)

    class Meta:
        db_table = "mcp_incidents"
        indexes = [models.Index(fields=["server", "-started_at"], name="idx_mcp_incidents_latest")]
        constraints = [
            models.UniqueConstraint(
                fields=["server"], condition=Q(ended_at__isnull=True), name="mcp_incidents_one_open_per_server"
            ),
        ]

    def __str__(self):
        return f"{self.server_id} {self.started_at:%Y-%m-%d %H:%M}"


class Tool(models.Model):
    """A tool that a server offers, or offered until `removed_at`. Texts are somebody else's."""

    server = DatabaseCascadeForeignKey(McpServer, models.CASCADE, related_name="tools")
    name = models.CharField(max_length=128)
    title = models.CharField(max_length=100, blank=True)
    description = models.TextField(blank=True)
    input_schema = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    position = models.IntegerField(default=0)
    first_seen_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = ToolQuerySet.as_manager()

    class Meta:
        db_table = "mcp_tools"
        verbose_name = _("tool")
        verbose_name_plural = _("tools")
        constraints = [
            models.UniqueConstraint(fields=["server", "name"], name="mcp_tools_name_is_unique_per_server"),
        ]

    def __str__(self):
        return self.name


class ToolChange(models.Model):
    """What changed between two checks. Silent: a text or schema changed although the server's own version did not."""

    class Kind(models.TextChoices):
        ADDED = "added", _("added")
        REMOVED = "removed", _("removed")
        DESCRIPTION = "description", _("description changed")
        SCHEMA = "schema", _("parameters changed")
        HINTS = "hints", _("hints changed")

    server = DatabaseCascadeForeignKey(McpServer, models.CASCADE, related_name="tool_changes")
    tool_name = models.CharField(max_length=128)
    kind = models.CharField(max_length=16, choices=Kind)
    before = models.TextField(blank=True)  # the description, or the schema as JSON
    after = models.TextField(blank=True)
    server_version = models.CharField(max_length=100, blank=True)
    is_silent = models.BooleanField(default=False)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "mcp_tool_changes"
        indexes = [models.Index(fields=["server", "-seen_at"], name="idx_mcp_tool_changes_latest")]

    def __str__(self):
        return f"{self.tool_name}: {self.kind}"


class ToolNeed(models.Model):
    """A tool that a prompt needs, as its seller named it. It outlives the server's row and the tool."""

    class State(models.TextChoices):
        WORKING = "working", _("works")
        UNKNOWN = "unknown", _("not known")  # not checked yet, or one must sign in to see the tools
        DOWN = "down", _("its server is down")
        MISSING = "missing", _("no longer offered")
        CHANGED = "changed", _("its parameters changed")

    prompt = DatabaseCascadeForeignKey("catalog.Prompt", models.CASCADE, related_name="tool_needs")
    server = models.ForeignKey(
        McpServer, models.SET_NULL, null=True, blank=True, related_name="needs", db_constraint=False
    )
    server_slug = models.CharField(max_length=100)
    tool_name = models.CharField(max_length=128)
    # As they were when the seller named the tool, or were first seen after that; `{}` until then.
    input_schema = models.JSONField(default=dict)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.UNKNOWN)
    state_since = models.DateTimeField(default=timezone.now)
    breaks = models.JSONField(default=list)  # of a changed one: `schema_breaks.Break` as values
    is_described_anew = models.BooleanField(default=False)
    told = models.JSONField(default=dict)  # what of it its seller was told, and when: {fingerprint: ISO 8601}
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "mcp_tool_needs"
        indexes = [models.Index(fields=["server", "tool_name"], name="idx_mcp_tool_needs_tool")]
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "server_slug", "tool_name"], name="mcp_tool_needs_named_once_per_prompt"
            ),
        ]

    def __str__(self):
        return f"{self.server_slug}/{self.tool_name}"
