"""A place for a run: a folder of its own, locked, which from its first moment holds all that a reader needs.

Only one run at a time may write to a folder: it holds a lock on the file ``.lock`` there, which the system lets go
whenever the process ends, however it does.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from cortexsim.errors import FileError
from cortexsim.files import TEMPORARY
from cortexsim.runfolder import CHECKPOINTS, FILES

LOCK = ".lock"


def claim(out: str | os.PathLike[str] | None, name: str, force: bool = False) -> Path:
    """Make the folder of a run; that it can be written to shows in `begin`, before time is spent on the run.

    Parameters
    ----------
    out : path, optional
        The folder; by default ``runs/NAME-N`` with the first N that is free.
    name : str
        What was run.
    force : bool
        Take a folder that holds something already.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileError
        It is not empty, is no folder, or cannot be made.
    """
    if out is None:
        return _first_free(Path("runs"), re.sub(r"[^A-Za-z0-9_+-]+", "-", name).strip("-") or "graph")
    folder = Path(out)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise _not_empty(folder)
    _make(folder, exist_ok=True)
    return folder


def _not_empty(folder: Path) -> FileError:
    return FileError(f"folder {str(folder)!r}", "is not empty",
                     hint="name another, or add --force to replace a run's files there")


def _first_free(parent: Path, name: str) -> Path:
    number = 1
    while True:
        folder = parent / f"{name}-{number}"
        # made here and now: of two runs that start at once, each gets a folder of its own
        if not folder.exists() and _make(folder, exist_ok=False):
            return folder
        number += 1


def _make(folder: Path, exist_ok: bool) -> bool:
    """Make a folder; False where it is there already."""
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if exist_ok:
            raise FileError(f"folder {str(folder)!r}", "is a file") from None
        return False
    except OSError as error:
        raise FileError(f"folder {str(folder)!r}", f"cannot be made ({error.strerror or error})",
                        hint="name another with --out") from error
    return True


def leave(folder: Path) -> None:
    """Remove a folder in which nothing was written."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def discard(folder: Path) -> None:
    """Remove what a run wrote that never came to its first tick, and the folder where nothing else is in it."""
    _clear(folder)
    leave(folder)


def _clear(folder: Path) -> None:
    """Remove the files of an earlier run, its checkpoints first, so that none is ever taken for those of another."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    for path in [*(folder / name for name in FILES), *folder.glob(TEMPORARY)]:
        with contextlib.suppress(OSError):
            path.unlink()


# --- from its first moment ---

def begin(folder: Path, write: Callable[[Path], Any], new: bool) -> Lock:
    """Lock the folder of a run, and let it hold what a reader needs: all of it at once, where the folder is new.

    Parameters
    ----------
    folder : pathlib.Path
        As made by `claim`.
    write : callable
        Writes the first files to the folder that it is given.
    new : bool
        Whether `claim` made it: one that somebody else made is not replaced by another of the same name.

    Returns
    -------
    Lock
        To be released when the run has ended.

    Raises
    ------
    FileError
        Another run is in the folder, or it cannot be written to.
    """
    whole = folder.absolute()
    aside = whole.with_name(f".{whole.name}.{os.getpid()}.tmp") if new else folder
    with contextlib.suppress(OSError):
        aside.mkdir()
    if not aside.is_dir():  # the folder may be the only place where this user may write
        aside = folder
    lock = Lock(aside)
    try:
        _clear(aside)
        write(aside)
        if aside is not folder:
            _move(aside, folder)
    except BaseException:
        lock.release()
        discard(aside)
        raise
    lock.path = folder / LOCK
    return lock


def _move(aside: Path, folder: Path) -> None:
    """Let a folder take the place of another, an empty one: by one rename, where the system can."""
    try:
        os.rename(aside, folder)
    except OSError:
        if any(folder.iterdir()):
            raise _not_empty(folder) from None
        for path in sorted(aside.iterdir()):
            shutil.move(path, folder / path.name)
        aside.rmdir()


# --- one run at a time ---

def _locked(file: IO[str]) -> bool:
    """Lock an open file; False where another process holds it. Not on Windows, where nothing is locked."""
    if sys.platform == "win32":
        return True
    import fcntl
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Lock:
    """Holds a folder for this process, until it is released or the process ends.

    Parameters
    ----------
    folder : pathlib.Path

    Attributes
    ----------
    path : pathlib.Path
        The file that is locked; it holds the number of the process.

    Raises
    ------
    FileError
        Another process holds it, or the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        where = f"folder {str(folder)!r}"
        try:
            while True:
                self._file = open(self.path, "a+")
                if not _locked(self._file):
                    self._file.seek(0)
                    process = self._file.read(20).strip()
                    self._file.close()
                    break
                if self._is_there():
                    self._file.seek(0)
                    self._file.truncate()
                    self._file.write(f"{os.getpid()}\n")
                    self._file.flush()
                    return
                # whoever held it has removed it in the meantime
                self._file.close()
        except OSError as error:
            raise FileError(where, f"cannot be written to ({error.strerror or error})") from error
        raise FileError(where, f"another run is writing to it{', process ' * bool(process)}{process}",
                        hint="wait for its end, or stop it")

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let others in."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._file.close()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.release()
