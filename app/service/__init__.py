"""The service: what people and their programs reach over HTTP, CDS Hooks and MCP."""
