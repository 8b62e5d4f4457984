"""Columns of a text file, or the sources of another stream, as codes that regions can predict.

A table of a graph's file names for each source its column and its encoder (`cortexsim.encoders`)::

    [stream]
    name = "encoded"
    path = "taxi.csv"
    time = "timestamp"

    [stream.sources.value]
    column = "value"
    encoder = "scalar"
    low = 0
    high = 40000

    [stream.sources.time_of_day]
    encoder = "calendar"
    what = "time_of_day"

`Encoded` does the same with the sources of any stream in a script. Where a value is absent its code is NaN; a
simulation takes that as not delivered with ``on_bad="skip"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.encoders import Encoder, find_encoder
from cortexsim.encoders._base import RowError
from cortexsim.errors import InputError, nearest
from cortexsim.sources import SeekableStream, StreamLike, resolve, whole_number
from cortexsim.sources.csvfile import BLANKS, read_cells, read_csv
from cortexsim.timestamps import GAPS, Times, find_step, place, read_times, shown
from cortexsim.trust import check_import

_WHERE = "stream 'encoded'"
DUPLICATES = ("error", "first", "last", "mean", "keep")
_PIECE = 1024  # ticks encoded at once where the codes are not kept

Pairs = dict[str, tuple[str, Encoder | None]]  # source -> what it reads, and its encoder


class _Coded:
    """A stream of codes: the coders, and how to go back where a code depends on the past."""

    position: int

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        memories = [encoder.memory for _, encoder in pairs.values() if encoder]
        self._memory = None if None in memories else max((m for m in memories if m is not None), default=0)
        self._coders: dict[str, Any] = {}
        self._begin()

    @property
    def encoders(self) -> dict[str, Encoder | None]:
        """Source -> its encoder; None where it delivers what it reads."""
        return {name: encoder for name, (_, encoder) in self._pairs.items()}

    def _begin(self) -> None:
        self._coders = {name: encoder.start() for name, (_, encoder) in self._pairs.items() if encoder}

    def _go(self, tick: int) -> None:
        """Go to a tick; what is encoded there does not depend on those before."""
        raise NotImplementedError

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, size]."""
        raise NotImplementedError

    def _seek(self, tick: int) -> None:
        """Go to a tick; where all of the past matters, forwards from here."""
        if self._memory is None and tick >= self.position:
            self._read_to(tick)
        else:
            self._catch_up(tick)

    def _catch_up(self, tick: int) -> None:
        """Go to a tick, reading again what its codes depend on."""
        self._begin()
        self._go(0 if self._memory is None else max(0, tick - self._memory))
        self._read_to(tick)

    def _read_to(self, tick: int) -> None:
        while self.position < tick and len(next(iter(self.read(min(_PIECE, tick - self.position)).values()), ())):
            pass


class Encoded(_Coded):
    """A stream with some of its sources encoded, for scripts.

    Parameters
    ----------
    stream : StreamLike
        Read it through the wrapper only, from its first tick on.
    encoders : mapping
        Source -> an encoder of what the source of this name delivers, which takes its place; or ``(source, encoder)``:
        a further source, of what another one delivers. What is encoded must be one number a tick. All other sources are
        delivered as they are.

    Raises
    ------
    InputError
        The stream has no such source, or it delivers something else.

    Notes
    -----
    Where an encoder depends on all of the past, going back reads again from tick 0.

    Examples
    --------
    >>> from cortexsim.encoders import Difference, Scalar
    >>> from cortexsim.sources.arrays import Stream
    >>> stream = Encoded(Stream({"x": [1, 3, 2]}), {"x": Scalar(0, 4, size=6, active=2), "step": ("x", Difference())})
    >>> stream.shapes()
    {'x': (6,), 'step': (1,)}
    >>> {name: rows.astype(int).tolist() for name, rows in stream.read(2).items()}
    {'x': [[0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0]], 'step': [[0], [2]]}
    """

    def __init__(self, stream: StreamLike, encoders: Mapping[str, Encoder | tuple[str, Encoder]]) -> None:
        self.stream = stream
        shapes = stream.shapes()
        pairs: Pairs = {name: (name, None) for name in shapes if name not in encoders}
        for name, given in encoders.items():
            source, encoder = given if isinstance(given, tuple) else (name, given)
            if source not in shapes:
                raise InputError("Encoded", f"the stream has no source {source!r}", hint=nearest(source, shapes))
            if not isinstance(encoder, Encoder):
                raise InputError("Encoded", f"source {name!r} needs an encoder", type(encoder).__name__)
            if np.prod(shapes[source]) != 1 or encoder.takes != "numbers":
                raise InputError("Encoded", f"source {name!r} needs one number a tick, and an encoder of numbers",
                                 (shapes[source], encoder.takes))
            pairs[name] = source, encoder
        super().__init__({name: pairs[name] for name in [*(n for n in shapes if n in pairs),
                                                         *(n for n in pairs if n not in shapes)]})
        self._shapes = {name: encoder.shape if encoder else tuple(shapes[source])
                        for name, (source, encoder) in self._pairs.items()}
        self.position = getattr(stream, "position", 0)
        if self.position and self._memory != 0 and isinstance(stream, SeekableStream):
            self._catch_up(self.position)

    @property
    def length(self) -> int | None:
        """Ticks in all, where the wrapped stream knows them."""
        return getattr(self.stream, "length", None)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return dict(self._shapes)

    def _go(self, tick: int) -> None:
        self.stream.seek(tick)  # type: ignore[attr-defined]  # checked by seek
        self.position = self.stream.position  # type: ignore[attr-defined]

    def seek(self, tick: int) -> None:
        """Go to `tick`; only where the wrapped stream is seekable."""
        if not isinstance(self.stream, SeekableStream):
            raise InputError("Encoded", "the wrapped stream cannot seek", type(self.stream).__name__)
        self._seek(whole_number("Encoded", "tick", tick, 0))

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, size]."""
        rows = self.stream.read(n)
        made = {}
        for name, (source, _) in self._pairs.items():
            try:
                made[name] = self._coders[name].encode(rows[source]) if name in self._coders else rows[source]
            except RowError as error:
                raise InputError(f"Encoded: source {name!r}, tick {self.position + error.row}", error.problem,
                                 error.got, error.hint) from None
        self.position += len(next(iter(rows.values()), ()))
        return made


class Stream(_Coded):
    """Encoded columns of a text file; the text of this module shows a table.

    Parameters
    ----------
    path : path
        See `cortexsim.sources.csvfile.read_csv`.
    sources : mapping
        Source -> a table of ``column`` (by default the source's name; of timestamps, `time`), ``encoder`` (its name;
        without one the source delivers the number itself) and the encoder's options.
    time : str, optional
        The column of timestamps, as ISO 8601 writes them.
    gaps : {"error", "keep", "fill"}
        Of timestamps that are left out: raise; take the rows as they come, one tick each; or put ticks there at which
        every value is absent.
    duplicates : {"error", "first", "last", "mean", "keep"}
        Of rows with the same timestamp: raise; take one of them; take the mean of their numbers (of names the first);
        or, where `gaps` is "keep", take them as they come.
    blanks : {"error", "skip", "keep"}
        Of a row with a blank cell where a number is needed: raise, leave the row out, or take it as absent.
    base_dir : path, optional
        Where a relative `path` starts.

    Attributes
    ----------
    values : dict
        Source -> what is encoded [length]: float64 with NaN where it is absent, names with None there, or timestamps.
    times : datetime64 array [length] or None
        Of every tick.
    encoders : dict
        Source -> its encoder, or None.
    absent : bool
        Whether a value is absent at some tick; a simulation then needs ``on_bad="skip"``.
    length, position : int
        Ticks in all, and the tick that the next row belongs to.

    Raises
    ------
    FileError, InputError
        See `read_csv` and `cortexsim.timestamps.place`; a value that its encoder does not take (the message names file,
        line, column and value); an unknown encoder, option or column.
    """

    def __init__(self, path: str | Path, sources: Mapping[str, Mapping[str, Any]], time: str | None = None,
                 gaps: str = "error", duplicates: str = "error", blanks: str = "error",
                 base_dir: str | Path | None = None) -> None:
        for name, value, known in (("gaps", gaps, GAPS), ("duplicates", duplicates, DUPLICATES),
                                   ("blanks", blanks, BLANKS)):
            if value not in known:
                raise InputError(_WHERE, f"{name} must be one of " + ", ".join(map(repr, known)), value,
                                 nearest(str(value), known))
        path = resolve(_WHERE, path, base_dir)
        super().__init__(_pairs(sources, time))
        columns, self.times, lines = _read(path, self._pairs, time, gaps, duplicates, blanks)
        self.values: dict[str, Any] = {name: columns[column] for name, (column, _) in self._pairs.items()}
        self.absent = any(_blank(values).any() for values in columns.values())
        self.length, self.position = len(lines), 0
        self._places = [(f"file {str(path)!r}, line {line}" if line else f"file {str(path)!r}, tick {tick}")
                        for tick, line in enumerate(lines)]
        # an error should come now, and not in the middle of a run
        for name, (_, encoder) in self._pairs.items():
            coder = encoder.start() if encoder else None
            for first in range(0, self.length if coder else 0, _PIECE):
                self._encode(name, coder, first, first + _PIECE)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return {name: encoder.shape if encoder else (1,) for name, (_, encoder) in self._pairs.items()}

    def _go(self, tick: int) -> None:
        self.position = tick

    def seek(self, tick: int) -> None:
        """Go to `tick`, or to the end where the data is shorter."""
        self._seek(min(whole_number(_WHERE, "tick", tick, 0), self.length))

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks of each source, float32 [n, size]."""
        start, self.position = self.position, min(self.position + n, self.length)
        return {name: self._encode(name, self._coders.get(name), start, self.position) for name in self._pairs}

    def _encode(self, name: str, coder: Any, start: int, stop: int) -> NDArray[np.float32]:
        values = self.values[name][start:stop]
        if coder is None:
            return values.astype(np.float32)[:, None]
        try:
            return coder.encode(values)
        except RowError as error:
            where = f"{self._places[start + error.row]}, column {self._pairs[name][0]!r}"
            raise InputError(where, error.problem, error.got, error.hint) from None


def _pairs(sources: Mapping[str, Mapping[str, Any]], time: str | None) -> Pairs:
    """The column and the encoder of each source, as a table says them."""
    if not isinstance(sources, Mapping) or not sources:
        raise InputError(_WHERE, "needs a table of sources: [stream.sources.NAME] with column and encoder", sources)
    pairs: Pairs = {}
    for name, table in sources.items():
        where = f"{_WHERE}, source {name!r}"
        if not isinstance(table, Mapping):
            raise InputError(where, "needs a table of column, encoder and its options", table)
        options = dict(table)
        check_encoders(table)
        column, kind = options.pop("column", None), options.pop("encoder", None)
        if kind is None and options:
            key = next(iter(options))
            raise InputError(where, f"has an option {key!r} but no encoder", hint=nearest(key, ("column", "encoder")))
        try:
            encoder = None if kind is None else find_encoder(kind, **options)
        except InputError as error:
            raise InputError(where, str(error)) from None
        if encoder is not None and encoder.takes == "text":
            raise InputError(where, f"encoder {kind!r} is for a text as a whole", hint="stream 'text' reads one")
        if encoder is not None and encoder.takes == "times":
            column = time if column is None else column
            if column is None or column != time:
                raise InputError(where, f"encoder {kind!r} needs timestamps: name their column in the [stream] table, "
                                 "time = \"...\"", column)
        pairs[name] = name if column is None else column, encoder
    return pairs


def check_encoders(table: Mapping[str, Any]) -> None:
    """Refuse an encoder outside the package, in a table or a table in it, that a file may not import."""
    if isinstance(table.get("encoder"), str):
        check_import(table["encoder"], "encoder", InputError)
    for value in table.values():
        if isinstance(value, Mapping):
            check_encoders(value)


def _read(path: Path, pairs: Pairs, time: str | None, gaps: str, duplicates: str,
          blanks: str) -> tuple[dict[str, Any], Times | None, list[int]]:
    """The columns [ticks], the time of each tick, and the line it comes from (0: none)."""
    kinds = {column: encoder.takes if encoder else "numbers" for column, encoder in pairs.values()}
    numbers = [column for column, kind in kinds.items() if kind == "numbers"]
    texts = [column for column, kind in kinds.items() if kind == "names"]
    cells = read_cells(path, [*texts, *([time] if time and time not in texts else [])] or numbers)
    columns: dict[str, Any] = {name: np.array([text or None for text in found], object)
                               for name, found in zip(texts, cells.texts)}
    if numbers:
        table = read_csv(path, numbers, "keep" if blanks != "error" else "error")
        columns.update(zip(table.names, table.values.T))
    kept = _kept(columns, cells.lines, blanks, f"file {str(path)!r}")
    columns, lines = {name: values[kept] for name, values in columns.items()}, np.array(cells.lines)[kept]
    if time is None:
        return columns, None, lines.tolist()
    where = f"file {str(path)!r}, column {time!r}"
    at = dict(zip(cells.lines, cells.texts[texts.index(time) if time in texts else len(texts)]))
    times = read_times([at[line] for line in lines.tolist()], lines.tolist(), where)
    columns, times, lines = _merge(columns, times, lines, duplicates, where)
    if duplicates == "keep" and gaps != "keep" and (np.diff(times).astype(np.int64) == 0).any():
        raise InputError(_WHERE, "duplicates 'keep' needs gaps 'keep': on a regular grid a time has one tick", gaps)
    grid = place(times, gaps, where, lines.tolist(), find_step(times))
    columns = {name: _on_grid(values, grid.tick, grid.kept, len(grid.times)) for name, values in columns.items()}
    if time in kinds and kinds[time] == "times":
        columns[time] = grid.times
    return columns, grid.times, _on_grid(lines, grid.tick, grid.kept, len(grid.times)).tolist()


def _kept(columns: dict[str, Any], lines: list[int], blanks: str, where: str) -> NDArray[np.bool_]:
    """Which rows are kept, bool [rows]: all, or those without a blank cell."""
    blank = {name: _blank(values) for name, values in columns.items()}
    for name, found in blank.items():
        if blanks == "error" and found.any():
            raise InputError(where, f"line {lines[int(found.argmax())]}, column {name!r} is blank",
                             hint="blanks 'skip' leaves such rows out, 'keep' takes the value as absent")
    kept = np.ones(len(lines), bool)
    for found in blank.values() if blanks == "skip" else ():
        kept &= ~found
    if not kept.any():
        raise InputError(where, "every row has a blank cell in these columns", list(columns))
    return kept


def _blank(values: Any) -> NDArray[np.bool_]:
    """Which values are absent, bool [n]."""
    if values.dtype == object:
        return np.array([value is None for value in values], bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


def _merge(columns: dict[str, Any], times: Times, lines: NDArray[np.int64], duplicates: str,
           where: str) -> tuple[dict[str, Any], Times, NDArray[np.int64]]:
    """Rows with the same timestamp made one."""
    again = np.flatnonzero(np.diff(times).astype(np.int64) == 0) + 1
    if not len(again) or duplicates == "keep":
        return columns, times, lines
    if duplicates == "error":
        k = int(again[0])
        raise InputError(where, f"line {lines[k]}: the timestamp is that of the line before it", shown(times[k]),
                         "duplicates 'first', 'last' or 'mean' makes such rows one")
    starts = np.setdiff1d(np.arange(len(times)), again)
    ends = np.append(starts[1:], len(times))
    kept = ends - 1 if duplicates == "last" else starts
    made = {name: values[kept] for name, values in columns.items()}
    if duplicates == "mean":
        for name, values in columns.items():
            if values.dtype.kind == "f":
                count = np.add.reduceat(np.isfinite(values).astype(float), starts)
                total = np.add.reduceat(np.nan_to_num(values), starts)
                made[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return made, times[kept], lines[kept]


def _on_grid(values: Any, ticks: NDArray[np.int64], kept: NDArray[np.int64], length: int) -> Any:
    """Values at their ticks; elsewhere NaN, None, or 0 of whole numbers."""
    empty = {"f": np.nan, "O": None}.get(values.dtype.kind, 0)
    made = np.full(length, empty, values.dtype)
    made[ticks] = values[kept]
    return made
