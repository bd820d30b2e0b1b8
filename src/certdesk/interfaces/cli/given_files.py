"""Files that somebody names on the command line: what cannot be read is said in a sentence."""

from pathlib import Path

from certdesk.foundation.common.errors import BadParameter


def content(path: Path) -> bytes:
    """The whole file.

    Raises:
        BadParameter: it is not there, or may not be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def text(path: Path, encoding: str = "utf-8") -> str:
    """The whole file, its line ends as `\\n`.

    Raises:
        BadParameter: it is not there, may not be read, or is no text of that encoding.
    """
    try:
        return path.read_text(encoding=encoding)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> BadParameter:
    return BadParameter(f"The file {path} cannot be read: {error}.")
