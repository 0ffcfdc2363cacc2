"""Addresses of the registry and of what speaks MCP."""

app_name = "mcp"
urlpatterns = []
