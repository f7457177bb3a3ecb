"""What can go wrong, each with a stable code.

Every error a user can cause is a `PolysemaError`: its message is one line that says what is wrong, what was given, what
is allowed and what to do. The exit status and the HTTP status are looked up from `code`, at the edge.
"""

from collections.abc import Iterable


class PolysemaError(ValueError):
    """A user's mistake, described in one line: the base of our errors, and a `ValueError`.

    `code` is a stable name for its kind, the same in Python and over HTTP.

    Example:
        >>> from polysema import load_model
        >>> try:
        ...     load_model("minilm-l6", engine="abacus")
        ... except PolysemaError as error:
        ...     print(error.code)
        invalid
    """

    code = "invalid"


UserError = PolysemaError  # its earlier name


def check_list(values: object, what: str) -> None:
    """Refuse one string where a list of strings is meant: it would be read letter by letter.

    Args:
        values: What was given.
        what: What it is called in the message.

    Raises:
        TypeError: It is one string, or no list at all.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{what} are a list; got the one string {values!r:.60}: write [{values!r:.60}]")


def list_of(values: Iterable[str], what: str) -> list[str]:
    """The values as a list.

    Args:
        values: Strings.
        what: What they are called in the message.

    Returns:
        The same strings.

    Raises:
        TypeError: One string was given, or no list at all (see `check_list`).
    """
    check_list(values, what)
    return list(values)


class UnknownWordError(PolysemaError, KeyError):
    """A word that the space doesn't hold.

    Args:
        message: One line.
        word: The word.
        suggestions: The nearest spellings that the space holds, best first.

    Example:
        >>> from polysema import Space
        >>> try:
        ...     Space.from_vectors(["river"], [[1.0]])["rivr"]
        ... except KeyError as error:
        ...     print(error.word, error.suggestions)
        rivr ('river',)
    """

    code = "unknown_word"

    def __init__(self, message: str, word: str = "", suggestions: tuple[str, ...] = ()):
        super().__init__(message)
        self.word = word
        self.suggestions = suggestions

    def __str__(self) -> str:  # a KeyError shows its message in quotes
        return str(self.args[0])


class NotFoundError(UserError):
    """A file, a folder, a model or a space that isn't there."""

    code = "not_found"


class UnreadableError(UserError):
    """A file that is there but can't be read as what it should be."""

    code = "unreadable"


class IncompatibleError(UserError):
    """Two things that don't belong together: another width, another model, layer or pooling."""

    code = "incompatible"


class UnavailableError(UserError):
    """Something that isn't installed or can't be brought here; the message names the step that brings it."""

    code = "unavailable"


class ConflictError(UserError):
    """The place is taken: a folder that holds something else, a port in use."""

    code = "conflict"


class CorruptError(UserError):
    """Bytes on the disk that are not the ones that were written; the message names the file."""

    code = "corrupt"


class BusyError(UserError):
    """Another process holds what this one needs; trying again later helps."""

    code = "busy"


class BeyondMemoryError(UserError):
    """A model, or several together, that take more memory than this machine has free; the message says how much."""

    code = "beyond_memory"


class DiskFullError(UserError):
    """No room is left where something was to be written; what was acknowledged before is whole."""

    code = "disk_full"


class StorageError(UserError):
    """A disk or folder that can't be read or written: no permission, a device that fails."""

    code = "storage"
