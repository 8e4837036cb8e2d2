"""Errors a user can cause. The message is the whole story: one sentence that names the place and the mend."""


class SwirlError(Exception):
    """Something the user can mend; the command line prints the message and exits with 1."""


class UsageError(SwirlError):
    """A wrong argument or setting; the command line prints the message and exits with 2."""
