"""The one exception that a user may see."""


class WedgefillError(ValueError):
    """Input that cannot be used, told in one sentence.

    The message names the file or setting, says what was found and what to do about it.
    The command line prints it on one line; napari shows it as a notification.
    """
