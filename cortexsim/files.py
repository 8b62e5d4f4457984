"""Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from cortexsim.errors import FileError


def write_file(path: str | os.PathLike[str], write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file under a temporary name, then rename it: a kill or a full disk leaves what was there.

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
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
        os.replace(temporary, target)
    except OSError as error:
        what = f"cannot write {target.name!r} ({error.strerror or error})"
        raise FileError(f"folder {str(target.parent)!r}", what,
                        hint="name a folder that exists and can be written to") from error
    finally:
        with contextlib.suppress(OSError):  # gone already where all went well
            temporary.unlink()
