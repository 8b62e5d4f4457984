"""Where the data from outside lies that examples and experiments use: a folder of the user's, or the cache.

``$CORTEXSIM_DATA`` names a folder that holds sets already, each in a folder of its name; it is looked in first. What
``cortexsim data get`` downloads goes to the cache, which is laid out in the same way.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from cortexsim.dataset_list import SETS, DataFile, DataSet
from cortexsim.errors import FileError, InputError, nearest

FOLDER = "CORTEXSIM_DATA"


def list_datasets() -> tuple[DataSet, ...]:
    """All data sets, by name.

    Returns
    -------
    tuple of DataSet

    Examples
    --------
    >>> [data.name for data in list_datasets() if not data.by_hand]
    ['nab', 'series', 'text']
    """
    return tuple(sorted(SETS, key=lambda data: data.name))


def find_dataset(name: str) -> DataSet:
    """A data set by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    DataSet

    Raises
    ------
    InputError
        There is none of that name; it suggests the nearest.
    """
    for data in SETS:
        if data.name == name:
            return data
    raise InputError(f"data set {name!r}", "is not known", hint=nearest(name, [data.name for data in SETS]))


def cache_folder() -> Path:
    """Where downloads are kept: a folder of cortexsim in the user's cache, which need not be there.

    Returns
    -------
    pathlib.Path
        Below ``$XDG_CACHE_HOME`` or ``~/.cache``, on macOS ``~/Library/Caches``, on Windows ``%LOCALAPPDATA%``.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cortexsim" / "data"


def roots() -> dict[str, Path]:
    """The folders that are looked in, in that order, by what they are called.

    Returns
    -------
    dict of pathlib.Path
        ``"$CORTEXSIM_DATA"`` where it is set, and ``"cache"``.

    Raises
    ------
    FileError
        ``$CORTEXSIM_DATA`` is set, but there is no such folder.
    """
    given = os.environ.get(FOLDER)
    if not given:
        return {"cache": cache_folder()}
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise FileError(f"${FOLDER}", "names no folder that is there", got=given, hint="correct it, or unset it")
    return {f"${FOLDER}": folder, "cache": cache_folder()}


def locate(name: str) -> Path:
    """Where a data set, or a file or folder of it, lies on this machine.

    Parameters
    ----------
    name : str
        ``"text"`` or ``"text/alice29.txt"``.

    Returns
    -------
    pathlib.Path
        In the first of the folders of :func:`roots` that holds all of what is named. Files of the cache were checked
        when they came; others are taken as they are.

    Raises
    ------
    InputError
        No set, or no file of that set, has this name.
    FileError
        It is not here; the error says how to get it.
    """
    title, _, rest = str(name).strip("/").partition("/")
    data = find_dataset(title)
    paths = [file.path for file in data.files]
    wanted = [path for path in paths if not rest or path == rest or path.startswith(f"{rest}/")]
    if not wanted:
        raise InputError(f"data set {title!r}", "has no such file", got=rest, hint=nearest(rest, paths))
    searched = roots()
    for folder in searched.values():
        if all((folder / title / path).is_file() for path in wanted):
            return folder / title / rest if rest else folder / title
    places = " nor ".join(f"in {label} ({folder})" if label != "cache" else f"in {folder}"
                          for label, folder in searched.items())
    raise FileError(f"data set {title!r}", f"{rest or 'it'} is {'neither' if len(searched) > 1 else 'not'} {places}",
                    hint=how_to_get(data))


def how_to_get(data: DataSet) -> str:
    """What to do to have a data set.

    Parameters
    ----------
    data : DataSet

    Returns
    -------
    str
        The command, or that it must be brought by hand.

    Examples
    --------
    >>> how_to_get(find_dataset("text"))
    'cortexsim data get text'
    """
    if not data.by_hand:
        return f"cortexsim data get {data.name}"
    return f"it cannot be downloaded: set {FOLDER} to a folder that holds {data.name}/ (cortexsim data {data.name})"


def state(data: DataSet, file: DataFile) -> tuple[str, Path | None]:
    """Whether a file of a set is here, and sound.

    Parameters
    ----------
    data : DataSet
    file : DataFile

    Returns
    -------
    str
        ``"here"``, ``"changed"`` where its checksum is not the known one, or ``"missing"``.
    pathlib.Path or None
        Of the first folder that holds it.
    """
    for folder in roots().values():
        path = folder / data.name / file.path
        if path.is_file():
            return ("here" if is_sound(path, file) else "changed"), path
    return "missing", None


def is_sound(path: Path, file: DataFile) -> bool:
    """Whether a file on this machine is the one of the list, by its checksum.

    Parameters
    ----------
    path : pathlib.Path
    file : DataFile

    Returns
    -------
    bool
        False where it cannot be read, too.
    """
    try:
        return path.stat().st_size == file.size and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    except OSError:
        return False


def checksum(data: DataSet) -> str:
    """One checksum of a whole set.

    Parameters
    ----------
    data : DataSet

    Returns
    -------
    str
        The SHA-256 of what ``sha256sum`` prints for its files, named by their paths in the set and sorted by them.
    """
    lines = [f"{file.sha256}  {file.path}\n" for file in sorted(data.files, key=lambda file: file.path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
