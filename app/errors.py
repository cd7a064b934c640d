"""Errors a user can act on."""


class UserError(Exception):
    """Something the user can mend; its text is one Chinese sentence: what, where, what to do.

    The command line prints the sentence to stderr and exits with status 2; the service answers 4xx.
    """


class Denied(UserError):  # noqa: N818  # named for what the client is told
    """The account may not do this (the service answers 403)."""


class NotFound(UserError):  # noqa: N818  # named for what the client is told
    """What was asked for is not there, or not there for this account (404)."""


class Conflict(UserError):  # noqa: N818  # named for what the client is told
    """Somebody else was quicker, or the present state forbids it (409)."""
