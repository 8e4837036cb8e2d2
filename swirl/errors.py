"""Errors that the user can fix. Each message is one sentence that says where, what is wrong and how to fix it."""


class SwirlError(Exception):
    """A problem that the user can fix; the command line prints the message and exits with 1."""


class UsageError(SwirlError):
    """A wrong argument or setting; the command line prints the message and exits with 2."""
