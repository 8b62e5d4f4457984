"""Streams: what brings data into a region graph, tick by tick.

A *stream* is any object with

- ``shapes()``: a dict, source name -> shape of one sample;
- ``read(n)``: the next `n` ticks, a dict, source name -> float32 array [n, size], every sample
  flattened in C order. It may return fewer rows where the data ends; 0 rows: there is no more.
  How the reads are cut never changes a value. The arrays are only to be read.

A stream that can be rewound also has

- ``position``: the tick that the next row belongs to;
- ``seek(tick)``: go there, with the same bits as on the first pass.

One that knows where it ends says so in ``length`` (ticks in all). Each module of this folder holds one class
``Stream``, whose keyword options are what the ``[stream]`` table of a region graph's TOML may say.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cortexsim.errors import InputError, nearest
from cortexsim.trust import check_import, importing_only

__all__ = ["SeekableStream", "Shuffled", "StreamLike", "block_rng", "find_stream", "list_streams",
           "open_stream", "resolve", "whole_number"]


@runtime_checkable
class StreamLike(Protocol):
    """What every stream can do; see the text of this module."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, size]."""


@runtime_checkable
class SeekableStream(StreamLike, Protocol):
    """A stream that can be rewound."""

    @property
    def position(self) -> int:
        """The tick that the next row belongs to."""

    def seek(self, tick: int) -> None:
        """Go to `tick`."""


def list_streams() -> list[str]:
    """List the streams that come with cortexsim: the modules of this folder.

    Examples
    --------
    >>> list_streams()
    ['arrays', 'changes', 'chaos', 'csvfile', 'encoded', 'glimpses', 'patches', 'series', 'symbols', 'text']
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find_stream(name: str) -> type:
    """Find the class of a stream by name.

    Parameters
    ----------
    name : str
        A module of this folder (``"glimpses"``), or from outside ``"package.module:Class"``; without a class,
        ``Stream`` is meant.

    Returns
    -------
    type
        The class; calling it with keyword options opens the stream.

    Raises
    ------
    InputError
        There is no such module or class, the module cannot be imported, or a file that is being read may not import it.
    """
    where = f"stream {name!r}"
    check_import(name, "stream", InputError)
    module_name, _, class_name = name.partition(":")
    if "." not in name and ":" not in name:
        if name not in list_streams():
            raise InputError(where, "no stream has this name", hint=nearest(name, list_streams()))
        module_name = f"{__name__}.{name}"
    class_name = class_name or "Stream"
    try:
        module = importlib.import_module(module_name)
    except (ImportError, TypeError, ValueError) as error:  # the last two: "..x" and ":x" are no modules
        raise InputError(where, f"module {module_name!r} cannot be imported: {error}") from error
    try:
        return getattr(module, class_name)
    except AttributeError:
        classes = [key for key, value in vars(module).items() if inspect.isclass(value)]
        raise InputError(where, f"module {module_name!r} has no class {class_name!r}",
                         hint=nearest(class_name, classes)) from None


def open_stream(spec: Mapping[str, Any], seed: int = 0, base_dir: str | Path | None = None,
                allow_streams: Iterable[str] = ()) -> StreamLike:
    """Open the stream that a ``[stream]`` table describes.

    Parameters
    ----------
    spec : mapping
        ``name`` (see `find_stream`) and the options of that stream.
    seed : int
        Given to streams that take a ``seed``, unless the table fixes one.
    base_dir : path, optional
        Where relative paths in the table start; by default the current folder.
    allow_streams : iterable of str
        Streams and encoders outside the package that the table may name, ``"mylab.data:Stream"``; wildcards are
        allowed. They are imported and called, so name only what you trust.

    Returns
    -------
    StreamLike
        At tick 0.

    Raises
    ------
    InputError
        Unknown name or option (the nearest known one is suggested), a needed option is missing, or a name outside the
        package that is not allowed.

    Examples
    --------
    >>> stream = open_stream({"name": "glimpses", "fovea": 8}, seed=3)
    >>> stream.read(2)["fovea"].shape
    (2, 64)
    """
    with importing_only(allow_streams):
        return _open_stream(dict(spec), seed, base_dir)


def _open_stream(options: dict[str, Any], seed: int, base_dir: str | Path | None) -> StreamLike:
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise InputError("[stream] table", "needs name = \"...\", the stream's name", got=name,
                         hint="known: " + ", ".join(list_streams()))
    opener = find_stream(name)
    known = inspect.signature(opener).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    public = [key for key in known if key != "base_dir"]
    for key in options:
        if key not in public and not takes_any:
            raise InputError(f"stream {name!r}", f"unknown option {key!r}", hint=nearest(key, public))
    for key, value in (("seed", seed), ("base_dir", base_dir)):
        if key in known:
            options.setdefault(key, value)
    for key, parameter in known.items():
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if named and parameter.default is parameter.empty and key not in options:
            raise InputError(f"stream {name!r}", f"needs the option {key!r}")
    return opener(**options)


def whole_number(where: str, name: str, value: Any, low: int) -> int:
    """Check an option that must be a whole number of at least `low`; return it as int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise InputError(where, f"{name} must be a whole number of at least {low}", got=value)
    return int(value)


def resolve(where: str, path: str | Path, base_dir: str | Path | None) -> Path:
    """Give the place of a file that a table names relative to `base_dir`; ``~`` is the home folder."""
    if not isinstance(path, (str, Path)) or not str(path):
        raise InputError(where, "needs the path of a file", got=path)
    if "\0" in str(path):
        raise InputError(where, "the path of a file holds no NUL", got=path)
    try:
        return Path(base_dir or ".") / Path(path).expanduser()
    except RuntimeError as error:  # "~somebody", whom the system does not know
        raise InputError(where, f"names a home folder that is not there ({error})", got=path) from None


def block_rng(label: str, seed: int, index: int) -> np.random.Generator:
    """Give the random numbers of one block of ticks of one stream.

    The label keeps two streams of one seed independent; the index makes any block reachable without drawing
    those before it.
    """
    return np.random.default_rng([zlib.crc32(label.encode()), seed, index])


class Shuffled:
    """A stream with some of its sources shuffled in time: the control that breaks what they tell.

    Ticks are permuted within blocks, by the same order for all the named sources, so that each keeps its
    values and what it says of the other named ones; the sources not named are untouched. The last block may
    be shorter.

    Parameters
    ----------
    stream : StreamLike
        The stream to wrap; read it through the wrapper only.
    sources : iterable of str
        The names to shuffle.
    seed : int
        Of the permutations.
    block : int
        Ticks in a block.

    Raises
    ------
    InputError
        The stream has no such source.

    Examples
    --------
    >>> from cortexsim.sources.arrays import Stream
    >>> control = Shuffled(Stream({"x": range(8), "y": range(8)}), ["y"], seed=1)
    >>> {name: rows[:, 0].astype(int).tolist() for name, rows in control.read(8).items()}
    {'x': [0, 1, 2, 3, 4, 5, 6, 7], 'y': [6, 0, 3, 4, 5, 7, 2, 1]}
    """

    def __init__(self, stream: StreamLike, sources: Iterable[str], seed: int = 0, block: int = 4096) -> None:
        self.stream = stream
        self.sources = [sources] if isinstance(sources, str) else list(sources)
        for name in self.sources:
            if name not in stream.shapes():
                raise InputError("Shuffled", f"the stream has no source {name!r}",
                                 hint=nearest(name, stream.shapes()))
        self.seed = whole_number("Shuffled", "seed", seed, 0)
        self.block = whole_number("Shuffled", "block", block, 2)
        self._index = 0
        self._used = 0
        self._rows: dict[str, np.ndarray] | None = None
        if isinstance(stream, SeekableStream) and stream.position:
            self.seek(stream.position)

    @property
    def position(self) -> int:
        """The tick that the next row belongs to."""
        return self._index * self.block + self._used

    @property
    def length(self) -> int | None:
        """Ticks in all, where the wrapped stream knows them."""
        return getattr(self.stream, "length", None)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return self.stream.shapes()

    def seek(self, tick: int) -> None:
        """Go to `tick`; only where the wrapped stream is seekable."""
        if not isinstance(self.stream, SeekableStream):
            raise InputError("Shuffled", "the wrapped stream cannot seek", got=type(self.stream).__name__)
        self._index, self._used = divmod(whole_number("Shuffled", "tick", tick, 0), self.block)
        self.stream.seek(self._index * self.block)
        self._rows = None

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, size]."""
        pieces: list[dict[str, np.ndarray]] = []
        while n > 0:
            if self._used == self.block:
                self._index, self._used, self._rows = self._index + 1, 0, None
            if self._rows is None:
                self._rows = self._next_block()
            piece = {name: rows[self._used:self._used + n] for name, rows in self._rows.items()}
            taken = _count(piece)
            if taken == 0:
                break
            pieces.append(piece)
            self._used += taken
            n -= taken
        if not pieces:
            shapes = self.shapes()
            return {name: np.empty((0, math.prod(shape)), np.float32) for name, shape in shapes.items()}
        return pieces[0] if len(pieces) == 1 else _join(pieces)

    def _next_block(self) -> dict[str, np.ndarray]:
        pieces = [self.stream.read(self.block)]
        missing = self.block - _count(pieces[0])
        while missing and _count(pieces[-1]):
            pieces.append(self.stream.read(missing))
            missing -= _count(pieces[-1])
        rows = _join(pieces)
        order = block_rng("Shuffled", self.seed, self._index).permutation(_count(rows))
        return {name: values[order] if name in self.sources else values for name, values in rows.items()}


def _count(rows: dict[str, np.ndarray]) -> int:
    return len(next(iter(rows.values()), ()))


def _join(pieces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
