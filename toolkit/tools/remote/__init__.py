"""Tools that are done elsewhere: HTTP calls, other MCP servers, installed packages."""
