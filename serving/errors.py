"""The error whose text is meant for the person at the terminal."""


class UserError(Exception):
    """Something the user can put right: the message says what was found and what to do.

    The command line prints the message alone, without a traceback.
    """


class UsageError(UserError):
    """An argument or a setting is wrong, and nothing was begun; commands end with status 2."""
