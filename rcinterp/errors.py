"""The one exception for input that cannot be used."""


class InputError(ValueError):
    """What was given, what was expected, and how to fix it, in one line.

    Raised once, at the public boundary; the command line prints it and exits with status 2.
    """
