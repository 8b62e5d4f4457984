"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from cortexsim.errors import FileError

#: The errors of a full disk, a used up quota and a limit of the size of files.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TEMPORARY = ".*.tmp"  #: The files that a kill in the middle of writing leaves behind match this.


def write_file(path: str | os.PathLike[str], write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file under a temporary name, bring it to the disk, then rename it.

    A kill, a full disk or a power cut leaves what was there.

    Parameters
    ----------
    path : path
        The file; one that is there is replaced.
    write : callable
        Gets the open binary file.

    Raises
    ------
    FileError
        Where the folder cannot be written to, or the disk is full; it names the folder.
    """
    target = Path(path)
    where = f"folder {str(target.parent)!r}"
    if "\0" in str(target):
        raise FileError(where, "a name cannot hold the character NUL", target.name)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            # a name must never lead to a file whose content is still on its way
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _bring_to_disk(target.parent)
    except OSError as error:
        what = f"cannot write {target.name!r} ({error.strerror or error})"
        raise FileError(where, what, hint="make room there" if error.errno in FULL else
                        "name a folder that exists and can be written to") from error
    finally:
        with contextlib.suppress(OSError):  # gone already where all went well
            temporary.unlink()


def _bring_to_disk(folder: Path) -> None:
    """The new name itself, where the system can be asked for that."""
    with contextlib.suppress(OSError):
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
