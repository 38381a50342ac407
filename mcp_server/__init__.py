"""The toolkit as an MCP server, on stdio or HTTP."""
