"""The one exception that a user may see, and how any exception is told in one line."""


class WedgefillError(ValueError):
    """Input that cannot be used, told in one sentence.

    The message names the file or setting, says what was found and what to do about it.
    The command line prints it on one line; napari shows it as a notification.
    """


def write_in_one_line(error: Exception) -> str:
    """Tell an error in one line: ours as it is, an unforeseen one with its kind."""
    text = " ".join(str(error).split())
    if isinstance(error, WedgefillError):
        return text
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    if isinstance(error, MemoryError):
        return (
            "out of memory; allow less at once (--max-memory), or try fewer slices (--slices A:B) "
            "or binned images (--bin 2)."
        )
    return f"unexpected {type(error).__name__}: {text} (run again with --debug and report it)"
