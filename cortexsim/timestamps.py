"""Timestamps of a time series: read from text, checked for gaps and duplicates, continued, and their place in a cycle.

Times are ``datetime64[us]``, without a time zone: an offset that a text brings is taken into account (what comes is
UTC), and one series has it everywhere or nowhere. The *step* of a series is the most frequent difference of its times;
days of 28 to 31 and of 365 or 366 count as months and years.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortexsim.errors import InputError, nearest

Times = NDArray[np.datetime64]
GAPS = ("error", "keep", "fill")
DAY = 86_400_000_000  #: In microseconds.
UNITS = (("day", DAY), ("hour", DAY // 24), ("minute", DAY // 1440))
#: Cycle -> the source that tells the place in it.
CYCLES = {"day": "time_of_day", "week": "day_of_week", "year": "time_of_year"}
MOST_FILLED = 10  # a filled series may be so many times as long as what was given


class Step(NamedTuple):
    """The time from one tick to the next.

    Attributes
    ----------
    unit : {"us", "M"}
        Microseconds, or months.
    size : int
        How many.
    """

    unit: str
    size: int

    def after(self, time: np.datetime64, ticks: NDArray[np.int64] | int) -> Any:
        """The time of so many ticks later.

        Examples
        --------
        >>> str(Step("M", 1).after(np.datetime64("2024-11-30T12:00", "us"), 3))
        '2025-02-28T12:00:00.000000'
        """
        ahead = np.asarray(ticks) * self.size
        if self.unit == "us":
            return time + ahead.astype("timedelta64[us]")
        month = time.astype("datetime64[M]")
        since, target = time - month.astype("datetime64[us]"), month + ahead.astype("timedelta64[M]")
        # a month that is too short for the day ends with its last one
        start, end = (m.astype("datetime64[us]") for m in (target, target + np.timedelta64(1, "M")))
        days = np.minimum(since // np.timedelta64(DAY, "us"), (end - start) // np.timedelta64(DAY, "us") - 1)
        return start + days * np.timedelta64(DAY, "us") + since % np.timedelta64(DAY, "us")

    def text(self) -> str:
        """In words.

        Examples
        --------
        >>> [Step("us", size).text() for size in (1_800_000_000, 7 * DAY, 1500)], Step("M", 12).text()
        (['30 minutes', '7 days', '0.0015 seconds'], '12 months')
        """
        if self.unit == "M":
            name, size = "month", 1
        else:
            name, size = next(((name, size) for name, size in UNITS if self.size % size == 0), ("second", 1_000_000))
        number = self.size / size
        return f"{number:g} {name}{'s' * (number != 1)}"


class Grid(NamedTuple):
    """Where the rows of a series lie on a regular grid of times.

    Attributes
    ----------
    times : datetime64 array [ticks]
        Of every tick, those included that no row belongs to.
    step : Step
    tick : int64 array [rows kept]
        Of each row that is kept.
    kept : int64 array [rows kept]
        The places of these rows in what was given.
    """

    times: Times
    step: Step
    tick: NDArray[np.int64]
    kept: NDArray[np.int64]


def read_times(texts: Sequence[str], lines: Sequence[int], where: str) -> Times:
    """Read a column of timestamps.

    Parameters
    ----------
    texts : sequence of str
        As ISO 8601 writes them: ``2014-07-01 00:30:00``, ``2014-07-01T00:30+02:00``, ``2014-07-01``, ``2014-07``.
    lines : sequence of int
        The line of each, for messages.
    where : str
        The file, or whatever holds them, for messages.

    Returns
    -------
    datetime64[us] array

    Raises
    ------
    InputError
        One cannot be read, or some have an offset from UTC and some have none: the message names line and value.

    Examples
    --------
    >>> read_times(["2014-07-01 00:30:00", "2014-07-01T01:00"], [2, 3], "file").astype(str).tolist()
    ['2014-07-01T00:30:00.000000', '2014-07-01T01:00:00.000000']
    """
    times, aware = [], None
    for text, line in zip(texts, lines, strict=True):
        time = _read_one(text)
        if time is None:
            raise InputError(where, f"line {line} must hold a timestamp as ISO 8601 writes it", text,
                             "for example 2014-07-01 00:30:00 or 2014-07-01")
        if aware is not None and aware != (time.tzinfo is not None):
            raise InputError(where, f"line {line}: timestamps must all have an offset from UTC, or none", text)
        aware = time.tzinfo is not None
        times.append(time.astimezone(datetime.UTC).replace(tzinfo=None) if aware else time)
    return np.array(times, "datetime64[us]")


def _read_one(text: str) -> datetime.datetime | None:
    text = text.strip()
    try:
        # a month alone is ISO 8601, too, but not to Python; a plain number is no timestamp, whatever Python says
        return None if text.isdigit() else datetime.datetime.fromisoformat(f"{text}-01" if len(text) == 7 else text)
    except ValueError:
        return None


def as_times(times: Any, where: str) -> Times:
    """Timestamps as a script has them: a datetime64 array, a pandas index, datetimes, or texts.

    Parameters
    ----------
    times : array or sequence [n]
    where : str
        For messages.

    Returns
    -------
    datetime64[us] array [n]

    Raises
    ------
    InputError
        They are no timestamps, or one is missing.

    Examples
    --------
    >>> as_times(["2024-01-01", "2024-01-02"], "times").astype("datetime64[D]").astype(str).tolist()
    ['2024-01-01', '2024-01-02']
    """
    array = np.asarray(times)
    if array.ndim != 1:
        raise InputError(where, "must be one timestamp for each value", f"shape {array.shape}")
    if array.dtype.kind in "UO":
        texts = [value if isinstance(value, str) else getattr(value, "isoformat", lambda: "?")() for value in array]
        return read_times(texts, range(len(texts)), where.replace("line", "row"))
    if array.dtype.kind != "M":
        raise InputError(where, "must be timestamps: datetime64, datetimes, or texts as ISO 8601 writes them",
                         f"numbers of type {array.dtype}" if array.dtype.kind in "iuf" else str(array.dtype))
    if np.isnat(array).any():
        raise InputError(where, f"row {int(np.isnat(array).argmax())} has no timestamp", "NaT")
    return array.astype("datetime64[us]")


def find_step(times: Times) -> Step | None:
    """The step of a series; None where there are no two times that differ.

    Examples
    --------
    >>> find_step(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[us]"))
    Step(unit='M', size=1)
    """
    steps = np.diff(times).astype(np.int64)
    steps = steps[steps > 0]
    if not len(steps):
        return None
    found, counts = np.unique(steps, return_counts=True)
    # nearly always the same, as 28 days are, is no month; a year is one even so
    varied = counts.max() <= 0.9 * counts.sum()
    for low, high, months in ((28, 31, 1), (89, 92, 3), (365, 366, 12)):
        within = (steps >= low * DAY) & (steps <= high * DAY)
        if within.mean() > 0.5 and (varied or months == 12):
            return Step("M", months)
    return Step("us", int(found[counts.argmax()]))


def place(times: Times, gaps: str, where: str, lines: Sequence[int], step: Step | None = None) -> Grid:
    """Check that times follow each other regularly, and give each row its tick.

    Parameters
    ----------
    times : datetime64[us] array [rows]
    gaps : {"error", "keep", "fill"}
        Of times that are left out or come twice: raise; take the rows as they come, one tick each; or put a tick
        without a value where a time is left out, and keep the first of those that come twice.
    where : str
        The file, for messages.
    lines : sequence of int
        The line of each row, for messages.
    step : Step, optional
        Where it is known already.

    Returns
    -------
    Grid

    Raises
    ------
    InputError
        A gap or a duplicate that is not asked for, times that go back, times between those of the grid, or fewer than
        two of them: the message names line and value.
    """
    if gaps not in GAPS:
        raise InputError(where, "gaps must be one of " + ", ".join(map(repr, GAPS)), gaps, nearest(str(gaps), GAPS))
    back = np.flatnonzero(np.diff(times).astype(np.int64) < 0)
    if len(back):
        k = int(back[0]) + 1
        raise InputError(where, f"line {lines[k]}: timestamps must not go back, the one before is "
                         f"{shown(times[k - 1])}", shown(times[k]), "sort the rows by time")
    found = step or find_step(times)
    if found is None:
        raise InputError(where, "needs two timestamps that differ, to know the time from one tick to the next",
                         str(times[0]) if len(times) else "none")
    rows = np.arange(len(times))
    if gaps == "keep":
        return Grid(times, found, rows, rows)
    ticks = _ticks(times, found, gaps, where, lines)
    kept = np.flatnonzero(np.diff(ticks, prepend=-1) > 0)
    length = int(ticks[-1]) + 1
    if length > MOST_FILLED * len(times) + 1000:
        raise InputError(where, f"would become {length:,} ticks of {found.text()} where there are {len(times):,} rows",
                         hint="'keep' takes the rows as they come")
    return Grid(found.after(times[0], np.arange(length)), found, ticks[kept], kept)


def _ticks(times: Times, step: Step, gaps: str, where: str, lines: Sequence[int]) -> NDArray[np.int64]:
    """The tick of each row; an error names the first that has none."""
    if step.unit == "M":
        months = times.astype("datetime64[M]").astype(np.int64)
        ticks, rest = np.divmod(months - months[0], step.size)
    else:
        ticks, rest = np.divmod((times - times[0]).astype(np.int64), step.size)
    moved = np.diff(ticks)
    bad = np.flatnonzero((moved != 1) if gaps == "error" else np.zeros(len(moved), bool))
    off = np.flatnonzero(rest)
    if len(off) and (not len(bad) or off[0] <= bad[0] + 1):
        k = int(off[0])
        raise InputError(where, f"line {lines[k]}: the timestamp lies between two ticks, which are {step.text()} apart",
                         shown(times[k]), "gaps 'keep' takes the rows as they come")
    if len(bad):
        k = int(bad[0]) + 1
        left_out = moved[k - 1] - 1
        what = "comes twice" if left_out < 0 else (
            f"leaves out {left_out:,} tick{'s' * bool(left_out > 1)} of {step.text()}: the one before is "
            f"{shown(times[k - 1])}")
        raise InputError(where, f"line {lines[k]}: the timestamp {what}", shown(times[k]), "gaps 'fill' " + (
            "keeps the first" if left_out < 0 else "puts ticks without a value there")
            + ", 'keep' takes the rows as they come")
    return ticks


def shown(time: np.datetime64) -> str:
    """A time as people write it: no more digits than it needs.

    Examples
    --------
    >>> shown(np.datetime64("2014-07-01T00:30", "us")), shown(np.datetime64("2014-07-01", "us"))
    ('2014-07-01 00:30:00', '2014-07-01')
    """
    text = str(time.astype("datetime64[us]")).replace("T", " ").removesuffix(".000000")
    return text.removesuffix(" 00:00:00")


def shown_all(times: Times) -> list[str]:
    """Times as people write them, all in one way: dates alone where no time of day is told.

    Examples
    --------
    >>> shown_all(np.array(["2014-07-01", "2014-07-01T12:00"], "datetime64[us]"))
    ['2014-07-01 00:00:00', '2014-07-01 12:00:00']
    """
    texts = [str(time).replace("T", " ") for time in times.astype("datetime64[us]")]
    for end in (".000000", " 00:00:00"):
        if all(text.endswith(end) for text in texts):
            texts = [text.removesuffix(end) for text in texts]
    return texts


def phases(times: Times, cycle: str) -> NDArray[np.float64]:
    """How far each time has gone through its day, week (from Monday) or year, from 0 to below 1.

    Examples
    --------
    >>> phases(np.array(["2024-01-01T06:00", "2024-01-03T12:00"], "datetime64[us]"), "day").tolist()
    [0.25, 0.5]
    """
    since = times.astype("datetime64[us]").astype(np.int64)
    if cycle == "day":
        return (since % DAY) / DAY
    if cycle == "week":  # time 0 was a Thursday
        return ((since + 3 * DAY) % (7 * DAY)) / (7 * DAY)
    if cycle == "year":
        year = times.astype("datetime64[Y]")
        first, end = (y.astype("datetime64[us]").astype(np.int64) for y in (year, year + np.timedelta64(1, "Y")))
        return (since - first) / (end - first)
    raise InputError("calendar", f"must be of {', '.join(CYCLES)}", cycle, nearest(cycle, CYCLES))


def seasons(step: Step) -> list[tuple[str, int]]:
    """The seasons that a step has whole numbers of ticks in, the longest first: name and ticks.

    Examples
    --------
    >>> seasons(Step("us", DAY // 48)), seasons(Step("M", 1)), seasons(Step("us", 7 * DAY))
    ([('week', 336), ('day', 48)], [('year', 12)], [('year', 52)])
    """
    if step.unit == "M":
        return [("year", 12 // step.size)] if 12 % step.size == 0 and step.size < 12 else []
    found = [(name, int(size // step.size)) for name, size in (("week", 7 * DAY), ("day", DAY))
             if size % step.size == 0 and size > step.size]
    return found or ([("year", 52)] if step.size == 7 * DAY else [])
