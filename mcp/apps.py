from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class McpConfig(AppConfig):
    name = "mcp"
    verbose_name = _("MCP servers")

    def ready(self):
        from mcp import checks  # noqa: F401 (registers itself)
