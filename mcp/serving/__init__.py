"""Speaking MCP as a server: the protocol, and what the shop offers its buyers over it."""
