"""The exceptions whose text is written for the user."""


class UserError(Exception):
    """Something the user can put right.

    The text names the file or argument, what was found there, and what to do; the command line
    prints it without a traceback.
    """


class UsageError(UserError):
    """An argument or a setting is wrong, and nothing was begun; commands end with status 2."""


class DataRejectedError(UserError):
    """The data was read, and what was found in it stops the run by the user's own rule."""
