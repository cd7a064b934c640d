"""Errors a user can act on."""


class UserError(Exception):
    """Something the user can mend; its text is one Chinese sentence: what, where, what to do.

    The command line prints the sentence to stderr and exits with status 2; the service answers 4xx.
    """
