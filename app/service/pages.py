"""HTML that the service itself answers with."""

SHUT_IN = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"
}
"""Headers of generated pages: they load nothing and run nothing."""
