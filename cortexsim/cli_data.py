"""``cortexsim data``: the data from outside that examples and experiments use, what is here, and the download of it."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cortexsim import datasets, downloads
from cortexsim.dataset_list import DataSet
from cortexsim.errors import InputError, nearest

GET, ALL = "get", "all"
DIGITS = 12  # of a checksum in the table


def data(options: Namespace) -> int:
    """List data sets, tell more of some, or download them.

    Parameters
    ----------
    options : argparse.Namespace
        With ``words``: nothing, names, or ``get`` and names; ``to``, ``json`` and ``quiet``.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    InputError
        A name is not known, or an option does not go with the words.
    FileError
        A file cannot be downloaded or written.
    """
    words = list(options.words)
    if words[:1] == [GET]:
        if options.json:
            raise InputError("option --json", "goes with the list only, not with 'cortexsim data get'")
        return _get(words[1:], Path(options.to).expanduser() if options.to else None, options.quiet)
    for name in ("to", "quiet"):
        if getattr(options, name):
            raise InputError(f"option --{name}", "goes with 'cortexsim data get' only")
    if words:
        known = [entry.name for entry in datasets.list_datasets()]
        if words[0] not in known:
            raise InputError(f"data set {words[0]!r}", "is not known", hint=nearest(words[0], [*known, GET]))
    chosen = _named(words) if words else list(datasets.list_datasets())
    if options.json:
        print(json.dumps(as_json(chosen), indent=1))
    elif words:
        print("\n\n".join(map(_details, chosen)))
    else:
        _print_table(chosen)
    return 0


def _named(names: Sequence[str]) -> list[DataSet]:
    return [datasets.find_dataset(name) for name in dict.fromkeys(names)]


# --- what there is ---

def as_json(sets: Sequence[DataSet]) -> dict[str, Any]:
    """All that is known of data sets, for other programs.

    Parameters
    ----------
    sets : sequence of DataSet

    Returns
    -------
    dict
        ``folders``: where it is looked for, in that order. ``sets``: by name, each with its files.
    """
    return {"folders": {label: str(folder) for label, folder in datasets.roots().items()},
            "sets": {entry.name: _set_as_json(entry) for entry in sets}}


def _set_as_json(entry: DataSet) -> dict[str, Any]:
    files = []
    for file in entry.files:
        state, path = datasets.state(entry, file)
        files.append({"path": file.path, "bytes": file.size, "sha256": file.sha256, "licence": file.licence,
                      "citation": file.citation, "urls": downloads.addresses(file),
                      "converted": bool(file.convert), "state": state, "at": None if path is None else str(path)})
    return {"what": entry.what, "use": entry.use, "origin": entry.origin, "licence": entry.licence,
            "bytes": entry.size, "sha256": datasets.checksum(entry), "get": not entry.by_hand,
            "by_hand": entry.by_hand, "files": files}


def _print_table(sets: Sequence[DataSet]) -> None:
    header = ("set", "get", "here", "size", "SHA-256", "licence", "origin")
    rows = [(entry.name, "by hand" if entry.by_hand else "yes", _here(entry), amount(entry.size),
             datasets.checksum(entry)[:DIGITS], entry.licence, entry.origin) for entry in sets]
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    for row in (header, *rows):
        print("  ".join(text.rjust(width) if name == "size" else text.ljust(width)
                        for name, text, width in zip(header, row, widths)).rstrip())
    print()
    for label, folder in datasets.roots().items():
        print(f"{label}: {folder}")
    print("cortexsim data NAME tells more of a set; cortexsim data get NAME downloads one whose get is yes")


def _here(entry: DataSet) -> str:
    """Where the files of a set are, in a few words."""
    found = [datasets.state(entry, file) for file in entry.files]
    there = [path for _, path in found if path is not None]
    if not there:
        return "-"
    labels = [label for label, folder in datasets.roots().items() if any(folder in path.parents for path in there)]
    text = " and ".join(labels)
    if len(there) < len(found):
        text = f"{len(there)} of {len(found)} files, {text}"
    changed = sum(state == "changed" for state, _ in found)
    return f"{text} ({changed} changed)" if changed else text


def _details(entry: DataSet) -> str:
    lines = [f"{entry.name}: {entry.what}", f"  for      {entry.use}", f"  origin   {entry.origin}",
             f"  SHA-256  {datasets.checksum(entry)} of the list of its files, {amount(entry.size)}",
             f"  get      {'by hand: ' + entry.by_hand if entry.by_hand else datasets.how_to_get(entry)}"]
    for file in entry.files:
        state, path = datasets.state(entry, file)
        where = {"here": f"here: {path}", "changed": f"changed, its SHA-256 is another: {path}"}.get(state, "not here")
        lines += [f"  {file.path}, {file.size:,} bytes, {file.licence}; {where}",
                  f"    {file.sha256}", f"    {file.citation}"]
        lines += [f"    {url}{' (converted)' if file.convert else ''}" for url in downloads.addresses(file)]
    return "\n".join(lines)


def amount(size: int) -> str:
    """A number of bytes for a reader.

    Parameters
    ----------
    size : int

    Returns
    -------
    str

    Examples
    --------
    >>> amount(404), amount(38_538), amount(1_263_875)
    ('404 B', '38.5 kB', '1.3 MB')
    """
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


# --- download ---

def _get(names: Sequence[str], to: Path | None, quiet: bool) -> int:
    if not names:
        raise InputError("cortexsim data get", "needs the names of data sets, or all",
                         hint="cortexsim data lists them")
    if ALL in names:
        chosen = [entry for entry in datasets.list_datasets() if not entry.by_hand]
    else:
        chosen = _named(names)
    for entry in chosen:  # before the first download
        if not _complete(entry, to):
            downloads.refuse_by_hand(entry)
    try:
        for entry in chosen:
            _get_one(entry, to, quiet)
    except KeyboardInterrupt:
        print("cortexsim: interrupted; the files that were complete are kept", file=sys.stderr)
        return 130
    if to is not None and not quiet:
        print(f"set {datasets.FOLDER}={to} to use what is there")
    return 0


def _get_one(entry: DataSet, to: Path | None, quiet: bool) -> None:
    root = datasets.cache_folder() if to is None else to
    say = (lambda text: None) if quiet else print
    if _complete(entry, to):
        say(f"{entry.name}: already here, in {root / entry.name if to else datasets.locate(entry.name)}")
        return
    bar = _bar(entry, root, quiet)
    try:
        came = downloads.get(entry, root, bar.update)
    finally:
        bar.close()
    say(f"{entry.name}: {len(came)} files, {amount(sum(file.size for file in came))}, in {root / entry.name}")
    for file in entry.files if to is None else ():
        state, path = datasets.state(entry, file)
        if state == "changed":
            print(f"cortexsim: {path} is not the file of the list, and is found before the one in the cache",
                  file=sys.stderr)


def _complete(entry: DataSet, to: Path | None) -> bool:
    """Whether all files of a set are here and sound, in one folder."""
    folders = datasets.roots().values() if to is None else (to,)
    return any(all(datasets.is_sound(folder / entry.name / file.path, file) for file in entry.files)
               for folder in folders)


def _bar(entry: DataSet, root: Path, quiet: bool) -> tqdm:
    """A progress bar where somebody watches."""
    total = sum(file.size for file in entry.files if not datasets.is_sound(root / entry.name / file.path, file))
    return tqdm(total=total, desc=entry.name, unit="B", unit_scale=True, file=sys.stderr, leave=False,
                disable=quiet or not sys.stderr.isatty(), ncols=min(110, shutil.get_terminal_size().columns))
