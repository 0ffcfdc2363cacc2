"""The registry of MCP servers (`mcp_servers`)."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.querysets import DatedQuerySet


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
    config = models.JSONField(default=dict, null=True, blank=True)
    metadata = models.JSONField(default=dict, null=True, blank=True)

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
