"""Inputs as a user hands them to a run: arrays, iterators, callables, streams, in blocks of float32 rows.

`Inputs` checks names and shapes once and then deals out blocks; `first_bad` finds the first row of a block
that holds NaN or infinity; `Stream` makes a seekable stream of arrays or of an ``.npz`` file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cortexsim.errors import FileError, InputError, nearest
from cortexsim.safe_npz import read_npz
from cortexsim.sources import StreamLike, resolve, whole_number
from cortexsim.sources._port import Port, Shape, check_names, common_length


class Block(NamedTuple):
    """What `Inputs.read` returns.

    Attributes
    ----------
    rows : int
        Ticks delivered: fewer than asked for where the data ends.
    values : dict
        Source name -> float32 array [rows, size], only to be read: it may be a view of the user's own array.
        Undelivered rows are zero.
    present : dict
        Source name -> bool array [rows], False where the source delivered nothing. Only sources with such
        ticks in this block are in it.
    """

    rows: int
    values: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def first_bad(block: np.ndarray) -> int | None:
    """Find the first row that holds NaN or infinity.

    Parameters
    ----------
    block : float32 array [n, size]

    Returns
    -------
    int or None
        None: all are finite.

    Examples
    --------
    >>> first_bad(np.float32([[1, 2], [3, np.nan], [np.inf, 0]]))
    1
    >>> first_bad(np.zeros((3, 2), np.float32)) is None
    True
    """
    finite = np.isfinite(block)  # measured: faster than a sum or a minimum, which NaN survives too
    return None if finite.all() else int(finite.all(axis=1).argmin())


class Inputs:
    """Whatever a user passes as inputs of a run, checked, as blocks of rows.

    Parameters
    ----------
    inputs : mapping, stream, sequence, iterator or callable
        One of:

        - a dict, source name -> array [ticks, *shape], an iterator of one sample per tick, or a callable
          from the tick to a sample;
        - a stream (``cortexsim.sources``), which may have more sources than the graph;
        - dicts, source name -> sample, one per tick: a list, an iterator, or a callable from the tick to a
          dict.

        A sample of None: the source delivers nothing at that tick. Samples may come flattened in C order,
        and those of a source of size 1 as plain numbers. Data ends with the first array, iterator or stream
        that does; a callable ends it by raising StopIteration. Iterators are read ahead by whole blocks, so
        what depends on the simulation must be a callable.
    sources : dict
        Source name -> shape, of every source to deliver.
    where : str
        The caller, for error messages.
    start : int
        The tick that the first row belongs to, as callables are told.

    Attributes
    ----------
    length : int or None
        Ticks from `start` to the end, where an array, list or stream tells; an iterator may still end before.
    needs_single_tick : bool
        Whether there is a callable. It may read the simulation, so only one tick may be read at a time.
    position : int
        The tick of the next row.
    first_row : int or None
        Where in the data its first row lies: the position of a stream, 0 of arrays; None where nobody can go back
        there, as with an iterator.

    Raises
    ------
    InputError
        A misspelt or missing source, a wrong shape, values that are not numbers, arrays of different lengths.

    Examples
    --------
    >>> data = Inputs({"x": [1, 2, 3], "y": lambda tick: [tick, -tick]}, {"x": (1,), "y": (2,)})
    >>> data.length, data.needs_single_tick
    (3, True)
    >>> rows, values, present = data.read(2)
    >>> values["y"].tolist()
    [[0.0, 0.0], [1.0, -1.0]]
    """

    def __init__(self, inputs: Any, sources: Mapping[str, Shape], where: str = "run", start: int = 0) -> None:
        self.position = start
        ports = {name: Port(where, name, shape) for name, shape in sources.items()}
        self._reader = _open({} if inputs is None and not ports else inputs, ports, where, start)
        self.length: int | None = self._reader.length
        self.needs_single_tick: bool = self._reader.needs_single_tick
        self.first_row: int | None = self._reader.first_row

    def read(self, n: int) -> Block:
        """Give the next ticks.

        Parameters
        ----------
        n : int
            Ticks wanted.

        Returns
        -------
        Block
            ``rows, values, present``.

        Raises
        ------
        InputError
            A sample or a block of a stream has a wrong shape, or a tick's dict a wrong name.
        """
        block = self._reader.read(n, self.position)
        self.position += block.rows
        return block


class Stream:
    """Arrays as a stream.

    Parameters
    ----------
    data : mapping or path
        Source name -> array [ticks, *shape], or an ``.npz`` file of such arrays. Where the arrays of a compressed file
        have more than 64 MiB and a hundred times its size, read it with ``cortexsim.safe_npz.read_npz(path,
        ratio=None)``.
    base_dir : path, optional
        Where a relative path starts.

    Attributes
    ----------
    length : int
        Ticks in all.
    position : int
        The tick that the next row belongs to.

    Raises
    ------
    FileError
        The file is missing or is not an ``.npz`` file of plain arrays.
    InputError
        Not numbers, or different lengths.
    """

    def __init__(self, data: Mapping[str, Any] | str | Path, base_dir: str | Path | None = None) -> None:
        where = "stream 'arrays'"
        if isinstance(data, (str, Path)):
            path = resolve(where, data, base_dir)
            where = f"file {str(path)!r}"
            if not path.exists():
                raise FileError(where, "no such file")
            data = read_npz(path)
        self._shapes = {name: np.shape(values)[1:] or (1,) for name, values in data.items()}
        ports = {name: Port(where, name, shape) for name, shape in self._shapes.items()}
        self._rows = {name: ports[name].rows(values) for name, values in data.items()}
        self.length = common_length({name: len(rows) for name, rows in self._rows.items()}, where) or 0
        self.position = 0

    def shapes(self) -> dict[str, Shape]:
        """Give the shape of one sample of each source."""
        return dict(self._shapes)

    def seek(self, tick: int) -> None:
        """Go to `tick`, or to the end where the data is shorter."""
        self.position = min(whole_number("stream 'arrays'", "tick", tick, 0), self.length)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, size]."""
        start, self.position = self.position, min(self.position + n, self.length)
        return {name: rows[start:self.position] for name, rows in self._rows.items()}


class _Rows:
    """Reads row by row. What a row raises is put off to the next call where rows before it can still be delivered."""

    def __init__(self) -> None:
        self._raised: BaseException | None = None

    def read(self, n: int, one: Callable[[int], None]) -> int:
        """Call `one` with each row up to n; returns how many there were."""
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        for row in range(n):
            try:
                one(row)
            except StopIteration:
                return row
            except BaseException as error:  # Ctrl-C in the middle of an iterator, too
                if row == 0:
                    raise
                self._raised = error
                return row
        return n


class _ColumnReader:
    """A dict, source name -> array, iterator or callable."""

    def __init__(self, inputs: Mapping[str, Any], ports: dict[str, Port], where: str, start: int) -> None:
        check_names(inputs, ports, where)
        self.ports = ports
        self.needs_single_tick = False
        self.first_row: int | None = 0
        self._arrays: dict[str, np.ndarray] = {}
        self._masks: dict[str, np.ndarray] = {}
        self._samplers: dict[str, Callable[[int], Any]] = {}  # in the user's order: one may rely on another
        for name, value in inputs.items():
            self._add(name, value, ports[name], start)
        self.length = common_length({name: len(rows) for name, rows in self._arrays.items()}, where)
        self._used = 0
        self._rows = _Rows()

    def _add(self, name: str, value: Any, port: Port, start: int) -> None:
        listed = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        if listed and any(sample is None for sample in value):
            self._masks[name] = np.array([sample is not None for sample in value], bool)
            self._arrays[name] = np.zeros((len(value), port.size), np.float32)
            for row in np.flatnonzero(self._masks[name]).tolist():
                self._arrays[name][row] = port.sample(value[row], start + row)
        elif listed or hasattr(value, "__array__"):
            self._arrays[name] = port.rows(value)
        elif callable(value):
            self._samplers[name] = value
            self.needs_single_tick = True
        elif hasattr(value, "__iter__") and not isinstance(value, (str, bytes, Mapping, Set)):
            self._samplers[name] = _pull(iter(value))
            self.first_row = None
        else:
            raise InputError(port.label, "needs an array, an iterator of samples or a callable from the tick "
                             "to a sample", got=type(value).__name__)

    def read(self, n: int, tick: int) -> Block:
        rows = n if self.length is None else min(n, self.length - self._used)
        values = {name: np.zeros((rows, self.ports[name].size), np.float32) for name in self._samplers}
        masks = {name: np.ones(rows, bool) for name in self._samplers}
        if self._samplers:
            rows = self._sample(rows, tick, values, masks)
        taken = slice(self._used, self._used + rows)
        self._used += rows
        masks.update({name: mask[taken] for name, mask in self._masks.items()})
        values.update({name: array[taken] for name, array in self._arrays.items()})
        return _block(rows, values, masks)

    def _sample(self, rows: int, tick: int, values: dict[str, np.ndarray],
                masks: dict[str, np.ndarray]) -> int:
        def one(row: int) -> None:
            for name, sampler in self._samplers.items():
                sample = sampler(tick + row)
                if sample is None:
                    masks[name][row] = False
                else:
                    values[name][row] = self.ports[name].sample(sample, tick + row)

        return self._rows.read(rows, one)


class _StreamReader:
    """A stream, of whose sources the graph's are taken."""

    needs_single_tick = False

    def __init__(self, stream: StreamLike, ports: dict[str, Port], where: str) -> None:
        shapes = stream.shapes()
        for name, port in ports.items():
            if name not in shapes:
                raise InputError(where, f"the stream has no source {name!r}", hint=nearest(name, shapes))
            if not port.takes(shapes[name]):
                raise InputError(port.label, f"the stream must deliver samples of shape {port.wanted()}",
                                 got=tuple(shapes[name]))
        self.stream, self.ports, self.where = stream, ports, where
        length = getattr(stream, "length", None)
        self.length: int | None = None if length is None else length - getattr(stream, "position", 0)
        self.first_row: int | None = getattr(stream, "position", None) if hasattr(stream, "seek") else None

    def read(self, n: int, tick: int) -> Block:
        delivered = self.stream.read(n)
        values = {}
        for name, port in self.ports.items():
            rows = np.asarray(delivered[name])
            if rows.ndim == 0 or not port.takes(rows.shape[1:]):
                raise InputError(port.label, f"tick {tick}: the stream must deliver rows of shape "
                                 f"{port.wanted('ticks')}", got=rows.shape)
            values[name] = port.rows(rows)
        counts = {name: len(rows) for name, rows in values.items()}
        rows_each = set(counts.values()) or {n}
        if len(rows_each) > 1 or max(rows_each) > n:
            raise InputError(self.where, f"tick {tick}: the stream must deliver the same number of ticks of "
                             f"every source, at most {n}", got=counts)
        return Block(rows_each.pop(), values, {})


class _DictReader:
    """One dict per tick."""

    def __init__(self, inputs: Any, ports: dict[str, Port], where: str) -> None:
        self.ports, self.where = ports, where
        self.length: int | None = len(inputs) if isinstance(inputs, Sequence) else None
        self.needs_single_tick = callable(inputs)
        self.first_row: int | None = 0 if self.length is not None or callable(inputs) else None
        self._next: Callable[[int], Any] = inputs if callable(inputs) else _pull(iter(inputs))
        self._rows = _Rows()

    def read(self, n: int, tick: int) -> Block:
        values = {name: np.zeros((n, port.size), np.float32) for name, port in self.ports.items()}
        masks = {name: np.ones(n, bool) for name in self.ports}

        def one(row: int) -> None:
            samples = self._next(tick + row)
            if not isinstance(samples, Mapping):
                raise InputError(self.where, f"tick {tick + row} needs a dict of source name -> sample",
                                 got=type(samples).__name__)
            if samples.keys() != self.ports.keys():
                check_names(samples, self.ports, f"{self.where}: tick {tick + row}")
            for name, sample in samples.items():
                if sample is None:
                    masks[name][row] = False
                else:
                    values[name][row] = self.ports[name].sample(sample, tick + row)

        return _block(self._rows.read(n, one), values, masks)


def _open(inputs: Any, ports: dict[str, Port], where: str,
          start: int) -> _ColumnReader | _StreamReader | _DictReader:
    if isinstance(inputs, Mapping):
        return _ColumnReader(inputs, ports, where, start)
    if isinstance(inputs, StreamLike):
        return _StreamReader(inputs, ports, where)
    array = hasattr(inputs, "__array__")
    if not (array or isinstance(inputs, (str, bytes))) and (callable(inputs) or hasattr(inputs, "__iter__")):
        return _DictReader(inputs, ports, where)
    raise InputError(where, "inputs must be a dict of source name -> array, iterator or callable; a stream; "
                     "or one dict per tick, as a list, an iterator or a callable", got=type(inputs).__name__,
                     hint=f"write {{{min(ports)!r}: ...}}" if array and ports else "")


def _block(rows: int, values: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> Block:
    return Block(rows, {name: array[:rows] for name, array in values.items()},
                 {name: mask[:rows] for name, mask in masks.items() if not mask[:rows].all()})


def _pull(iterator: Iterator[Any]) -> Callable[[int], Any]:
    return lambda tick: next(iterator)
