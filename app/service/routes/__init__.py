"""The routes, one module a thing."""
