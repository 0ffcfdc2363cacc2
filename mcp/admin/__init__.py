"""The registry of MCP servers in the admin."""

from mcp.admin import servers

__all__ = ["servers"]
