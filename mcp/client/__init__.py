"""Speaking MCP as a client: what one look at a server of somebody else's sees."""
