"""Checkpoints: a simulation as one file, from which it goes on with the same bits.

A checkpoint is a zip file that ``numpy.load`` opens, too: an uncompressed ``.npy`` member for every array, and
``manifest.json`` for the rest - the graph with its edits, the clock, curves and events, the place in the input, seed
and versions. It is written under a temporary name, brought to the disk, and then renamed. Nothing in it is executed
when it is read: no pickle, and no import of a kind that the caller has not allowed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from cortexsim import checkpoint_state as state
from cortexsim.errors import CortexsimError, FileError, InputError
from cortexsim.files import TEMPORARY, write_file
from cortexsim.graph import RegionGraph
from cortexsim.limits import bounded
from cortexsim.reading import Place
from cortexsim.safe_npz import Members
from cortexsim.trust import read_json

SCHEMA = "cortexsim checkpoint"
FORMAT = 1  #: Raised when what a checkpoint holds changes.
MANIFEST = "manifest.json"
EXTRA = state.EXTRA  #: Begins the names of the caller's arrays.
SUFFIX = ".ckpt"
LIBRARIES = ("numpy", "numba", "networkx", "scipy")
# bytes that making a simulation may take beyond twice what the file holds: compiled code, plans, numbers drawn
ROOM = 512 << 20


def save(sim: Any, path: str | os.PathLike[str], extra: Mapping[str, Any] | None = None,
         extra_arrays: Mapping[str, np.ndarray] | None = None) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    sim : Simulation
    path : path
        Of the file; one that is there is replaced.
    extra : mapping, optional
        Plain values of the caller's, kept for :func:`read_manifest`.
    extra_arrays : mapping, optional
        Arrays of the caller's by name, kept for :func:`read_array`.

    Raises
    ------
    FileError
        The file cannot be written; one that was there is whole.
    InputError
        What a region has learned holds NaN or infinity.
    """
    sim.engine.flush()
    state.check_finite(sim.memory)
    arrays = state.arrays_of(sim)
    arrays |= {f"{EXTRA}{name}": np.asarray(array) for name, array in (extra_arrays or {}).items()}
    words = {"schema": SCHEMA, "format": FORMAT, "versions": _versions(), **state.words_of(sim),
             "arrays": {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()},
             "extra": dict(extra or {})}

    def write(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as made:
            made.writestr(MANIFEST, json.dumps(words, ensure_ascii=False))
            for name, array in arrays.items():
                with made.open(f"{name}.npy", "w", force_zip64=array.nbytes >= zipfile.ZIP64_LIMIT >> 1) as member:
                    npy.write_array(member, array, allow_pickle=False)

    write_file(path, write)


def _versions() -> dict[str, str]:
    return {"cortexsim": metadata.version("cortexsim"), "python": platform.python_version(),
            **{name: metadata.version(name) for name in LIBRARIES}}


def load(make: Callable[..., Any], path: str | os.PathLike[str], threads: int | None = None,
         allow_kinds: Iterable[str] = ()) -> Any:
    """Read a checkpoint.

    Parameters
    ----------
    make : callable
        ``Simulation``.
    path : path
        A file, or a folder of checkpoints, of which the newest that is whole is taken.
    threads : int, optional
        Other than it was saved with.
    allow_kinds : iterable of str
        Kinds outside the package that may be imported.

    Returns
    -------
    Simulation

    Raises
    ------
    FileError
        There is none, it is damaged, or of a format that this version does not read.
    GraphError, KindError
        Its graph is not sound, or names a kind that may not be imported.
    """
    path = newest(path) if Path(path).is_dir() else Path(path)
    where = f"checkpoint {str(path)!r}"
    with Members(path, stored_only=True, where=where) as file:
        words = _checked(file, where)
        edited = _graph(words["graph"], where, allow_kinds)
        runs = edited if words["planned"] is None else _graph(words["planned"], where, allow_kinds)
        held = sum(_bytes(file.header(name)) for name in file.names)
        _check_size(runs, held, where)
        sim = _make(make, runs, words, threads, held, where)
        state.restore(sim, file)
    if words["planned"] is not None:
        sim.graph = edited
    _restore_words(sim, words, where)
    return sim


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The words of a checkpoint, those of the caller under ``"extra"``, without its arrays.

    Raises
    ------
    FileError
        As in :func:`load`.
    """
    where = f"checkpoint {os.fspath(path)!r}"
    with Members(path, stored_only=True, where=where) as file:
        return _checked(file, where)


def read_array(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """An array of the caller's, as it was given to :func:`save`.

    Raises
    ------
    FileError
        There is none of that name, or as in :func:`load`.
    """
    with Members(path, stored_only=True, where=f"checkpoint {os.fspath(path)!r}") as file:
        return file.read(f"{EXTRA}{name}")


# ---------------------------------------------------------------------- many checkpoints of one run

def save_in(sim: Any, folder: str | os.PathLike[str], keep: int = 3, extra: Mapping[str, Any] | None = None,
            extra_arrays: Mapping[str, np.ndarray] | None = None) -> Path:
    """Write the next checkpoint of a run into a folder, and then remove all but the newest.

    Parameters
    ----------
    sim : Simulation
    folder : path
        Made where it is missing.
    keep : int
        How many stay.
    extra, extra_arrays : mapping, optional
        As in :func:`save`.

    Returns
    -------
    pathlib.Path
        ``tick-000000012345.ckpt``.

    Raises
    ------
    FileError
        It cannot be written; those that were there stay.
    """
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
        raise InputError("checkpoints", "keep must be a whole number of at least 1", keep)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"folder {str(folder)!r}", f"cannot be made ({error.strerror or error})") from error
    path = folder / f"tick-{sim.tick:012d}{SUFFIX}"
    save(sim, path, extra, extra_arrays)
    old = [other for other in checkpoints(folder)[:-keep] if other != path]
    for other in [*old, *folder.glob(TEMPORARY)]:
        with contextlib.suppress(OSError):  # what cannot be removed takes room, and harms nobody
            other.unlink()
    return path


def checkpoints(folder: str | os.PathLike[str]) -> list[Path]:
    """The checkpoints in a folder, the oldest first."""
    found = [path for path in Path(folder).glob(f"tick-*{SUFFIX}") if re.fullmatch(r"tick-\d+", path.stem)]
    return sorted(found, key=lambda path: int(path.stem[5:]))


def newest(folder: str | os.PathLike[str], damaged: list[FileError] | None = None) -> Path:
    """The newest checkpoint in a folder that is whole.

    Parameters
    ----------
    folder : path
    damaged : list, optional
        Filled with the errors of newer ones.

    Raises
    ------
    FileError
        There is none.
    """
    damaged = [] if damaged is None else damaged
    for path in reversed(checkpoints(folder)):
        try:
            with Members(path, stored_only=True, where=f"checkpoint {str(path)!r}") as file:
                _checked(file, file.where)
                for _ in file.arrays():
                    pass  # reading compares the check sums
            return path
        except FileError as error:
            damaged.append(error)
    raise FileError(f"folder {os.fspath(folder)!r}", "holds no checkpoint that is whole" if damaged else
                    "holds no checkpoint", hint=str(damaged[0]) if damaged else "")


# ---------------------------------------------------------------------- reading

def _checked(file: Members, where: str) -> dict[str, Any]:
    """The manifest, of the right schema, format and types."""
    words = read_json(file.text(MANIFEST), f"{where}: {MANIFEST}")
    if not isinstance(words, dict) or words.get("schema") != SCHEMA:
        raise FileError(where, f"{MANIFEST} is not that of a checkpoint")
    if words.get("format") != FORMAT:
        made_by = words.get("versions", {})
        made_by = made_by.get("cortexsim") if isinstance(made_by, dict) else None
        raise FileError(where, f"has another format than this version reads, {FORMAT}", words.get("format"),
                        f"it was written by cortexsim {made_by}" if made_by else "")
    for key, kinds in TYPES.items():
        value = words.get(key, ...)
        if value is ... or not isinstance(value, kinds) or isinstance(value, bool) != (kinds is bool):
            raise FileError(where, f"{MANIFEST}: {key} is missing or of the wrong type", type(value).__name__)
    if words["tick"] < 0 or words["tick"] >= 1 << 62:
        raise FileError(where, f"{MANIFEST}: tick is out of range", words["tick"])
    # a seed may have more digits than a number in JSON
    if not re.fullmatch(r"\d{1,1000}", words["seed"]):
        raise FileError(where, f"{MANIFEST}: seed is not a whole number", words["seed"][:100])
    return words


TYPES: dict[str, Any] = {
    "versions": dict, "tick": int, "seed": str, "threads": int, "on_bad": str, "longest_block": (int, type(None)),
    "graph": dict, "planned": (dict, type(None)), "curves": dict, "skipped": dict, "told": list, "warned": list,
    "energies": (list, type(None)), "diverged": dict, "place": list, "extra": dict}


def _graph(data: dict[str, Any], where: str, allow_kinds: Iterable[str]) -> RegionGraph:
    try:
        return RegionGraph.from_node_link(data, allow_kinds=allow_kinds).check()
    except FileError as error:
        raise FileError(where, f"{error.where}: {error.what}") from error
    except CortexsimError as error:
        raise type(error)(f"{where}: {error.where}", error.what, hint=error.hint) from error


def _check_size(graph: RegionGraph, held: int, where: str) -> None:
    """A graph whose arrays cannot be in a file of this size is not planned."""
    for name, data in graph.nodes(data=True):
        size = 4 * math.prod(data["shape"] or (1,))
        if size > held:
            raise FileError(where, f"{data['type']} {name!r} alone needs {size:,} bytes, and the file holds {held:,}")
    delays = [data["delay"] for *_, data in graph.edges(data=True)]
    if 8 * max(delays, default=0) > held:
        raise FileError(where, f"a delay of {max(delays)} ticks needs more than the {held:,} bytes of the file")


def _bytes(header: Any) -> int:
    return math.prod(header.shape) * header.dtype.itemsize


def _make(make: Callable[..., Any], graph: RegionGraph, words: dict[str, Any], threads: int | None, held: int,
          where: str) -> Any:
    bins = words["curves"].get("bins")
    if not isinstance(bins, int) or 8 * bins > held:
        raise FileError(where, f"{MANIFEST}: curves have more bins than the file has room for", bins)
    try:
        with bounded(2 * held + ROOM):
            return make(graph, seed=int(words["seed"]), threads=words["threads"] if threads is None else threads,
                        on_bad=words["on_bad"], bins=bins, longest_block=words["longest_block"])
    except (CortexsimError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise FileError(where, f"holds no simulation that can be made: {error}") from error


def _restore_words(sim: Any, words: dict[str, Any], where: str) -> None:
    curves, given = sim.curves, words["curves"]
    try:
        sim.tick = words["tick"]
        if given["rows"] != [list(row) for row in state.rows_of(curves)]:
            raise ValueError("its curves are those of other regions")
        curves.start, curves.bin_width, curves.n_ticks = (int(given[key]) for key in ("start", "bin_width", "n_ticks"))
        if curves.bin_width < 1 or curves.bin_width & (curves.bin_width - 1) or curves.capacity_left() < 0 or (
                curves.n_ticks < 0) or (curves.start + curves.n_ticks != sim.tick):
            raise ValueError(f"{curves.n_ticks} ticks from {curves.start} in bins of {curves.bin_width}")
        curves.events = [{"tick": int(e["tick"]), "what": str(e["what"]), "where": str(e["where"]),
                          "detail": str(e["detail"]), "count": int(e["count"])} for e in given["events"]]
        sim.skipped = {str(name): int(count) for name, count in words["skipped"].items()}
        sim._notices._told = {(str(name), str(what)) for name, what in words["told"]}
        sim._watch._warned = {(str(name), rate) for name, rate in words["warned"]}
        sim._watch._seen = None if words["energies"] is None else np.array(words["energies"], np.float64)
        sim._diverged = {name: int(count) for name, count in words["diverged"].items()}
        if any(not 0 <= count <= sim.memory.diverged[sim.memory.row[name], 0] for name, count in sim._diverged.items()):
            raise ValueError(f"told of divergences {sim._diverged}")
        row, again = words["place"]
        sim._place = Place(None if row is None else int(row), bool(again))
        if row is not None and not 0 <= row < 1 << 62:
            raise ValueError(f"row {row} of the input")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError(where, f"{MANIFEST} does not hold what it should ({error!r})") from error
