"""Numbers that come round again, and the time of day, week and year."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cortexsim.encoders._base import Encoder, Rows, Values, column, number, one_of
from cortexsim.encoders.bins import positive, runs
from cortexsim.encoders.population import peak, unit_length
from cortexsim.errors import InputError, nearest
from cortexsim.sources import whole_number
from cortexsim.timestamps import as_times, phases

CODES = ("bins", "population", "sin_cos")
_FINE = 16  # values tried from one centre to the next
_RING = "a ring has no lowest value"


@dataclass(frozen=True)
class Periodic(Encoder):
    """A number of which only the place in its period matters.

    Parameters
    ----------
    period : float
        ``x`` and ``x + period`` have the same code.
    code : {"bins", "population", "sin_cos"}
        Overlapping bins (`Scalar`) or tuning curves (`Population`) on a ring; or sine and cosine of the phase, of as
        many harmonics as there are pairs of units.
    size : int
        Units; 0: 24 bins, 12 tuning curves, or 2.
    active : int
        Of bins, ones in a code; 0: a fifth of them. Other codes have none.
    width : float
        Standard deviation of a tuning curve; 0: the distance of two centres. Other codes have none.

    Raises
    ------
    InputError
        A parameter is out of range.

    Examples
    --------
    >>> hours = Periodic(24, size=8, active=3)
    >>> hours.encode([0, 21, 24]).astype(int).tolist()
    [[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0, 0, 0]]
    >>> pair = Periodic(24, code="sin_cos")
    >>> pair.encode([6, 30]).round(3).tolist(), pair.decode([[1, 0]]).tolist()
    ([[1.0, 0.0], [1.0, 0.0]], [6.0])
    """

    period: float
    code: str = "bins"
    size: int = 0
    active: int = 0
    width: float = 0.0

    def __post_init__(self) -> None:
        number(self._where, "period", self.period, 0, above=True)
        one_of(self._where, "code", self.code, CODES)
        if self.size == 0:
            object.__setattr__(self, "size", {"bins": 24, "population": 12, "sin_cos": 2}[self.code])
        whole_number(self._where, "size", self.size, 2)
        for name, code in (("active", "bins"), ("width", "population")):
            if getattr(self, name) and self.code != code:
                raise InputError(self._where, f"{name} is an option of code {code!r}", getattr(self, name))
        if self.code == "bins":
            if self.active == 0:
                object.__setattr__(self, "active", max(1, self.size // 5))
            if whole_number(self._where, "active", self.active, 1) >= self.size:
                raise InputError(self._where, f"active must be below size ({self.size})", self.active)
        elif self.code == "population":
            if self.width == 0:
                object.__setattr__(self, "width", self.period / self.size)
            number(self._where, "width", self.width, self.period / self.size / 3)
        elif self.size % 2:
            raise InputError(self._where, "size must be even: pairs of sine and cosine", self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (self.size,)

    def encode(self, values: Any) -> Rows:
        """Give the code of each number; see `Encoder.encode`.

        Parameters
        ----------
        values : float array [n]

        Returns
        -------
        float32 array [n, size]
        """
        phase = np.mod(column(self._where, values), self.period) / self.period
        if self.code == "bins":
            return runs(phase * self.size, self.size, self.active)
        return (self._bumps(phase) if self.code == "population" else self._pairs(phase)).astype(np.float32)

    def _bumps(self, phase: Values) -> Values:
        away = np.abs(phase[:, None] - np.arange(self.size) / self.size)
        away = np.minimum(away, 1 - away) * self.period / self.width
        return np.exp(-(away**2) / 2)

    def _pairs(self, phase: Values) -> Values:
        turns = 2 * math.pi * phase[:, None] * np.arange(1, self.size // 2 + 1)
        return np.stack([np.sin(turns), np.cos(turns)], axis=2).reshape(len(phase), self.size)

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> Values:
        """Give the place in the period whose code is most like each row.

        Parameters
        ----------
        rows : array [n, size]
            Weights of the units; of bins and tuning curves, what is below 0 counts as 0.
        quantiles : None
            A ring has no lowest value.

        Returns
        -------
        float64 array [n]
            At least 0, below the period; NaN where a row has no weight.
        """
        self._no_quantiles(quantiles, _RING)
        array = self._rows(rows)
        if self.code == "bins":
            weights, active = positive(array), self.active
            around = np.cumsum(np.pad(weights, ((0, 0), (0, active - 1)), mode="wrap"), axis=1)
            around = np.pad(around, ((0, 0), (1, 0)))
            phase = (around[:, active:] - around[:, :-active]).argmax(axis=1) / self.size
        else:
            weights = positive(array) if self.code == "population" else np.asarray(array, np.float64)
            tried = np.arange(_FINE * self.size) / (_FINE * self.size)
            codes = self._bumps(tried) if self.code == "population" else self._pairs(tried)
            phase = peak(unit_length(np.nan_to_num(weights)) @ unit_length(codes).T, ring=True) / len(tried)
        some = (weights != 0).any(axis=1) & np.isfinite(weights).all(axis=1)
        phase = np.mod(np.mod(phase, 1), 1)  # twice: once makes 1 of what is a little below 0
        return np.where(some, phase * self.period, np.nan)


@dataclass(frozen=True)
class Calendar(Encoder):
    """What a timestamp says of day, week and year; known before the outcome of its tick.

    Parameters
    ----------
    what : {"time_of_day", "day_of_week", "weekend", "time_of_year"}
        `weekend` is one unit: 1 on Saturday and Sunday.
    code : {"bins", "population", "sin_cos", "one_hot"}
        See `Periodic`; of `day_of_week` also one unit for each day, from Monday.
    size : int
        Units; 0: 24, 21 or 24 bins of day, week or year, and see `Periodic`. One for each day, and of `weekend`, are
        as many as they are.
    active : int
        See `Periodic`.

    Raises
    ------
    InputError
        A parameter is out of range.

    Examples
    --------
    >>> Calendar("day_of_week", code="one_hot").encode(["2014-07-01 00:30:00"]).astype(int).tolist()  # a Tuesday
    [[0, 1, 0, 0, 0, 0, 0]]
    >>> day = Calendar("time_of_day", size=48, active=9)
    >>> day.decode(day.encode(["2014-07-01 00:30:00", "2014-07-01 18:00"])).tolist()  # hours
    [0.5, 18.0]
    """

    what: str = "time_of_day"
    code: str = "bins"
    size: int = 0
    active: int = 0

    takes = "times"
    #: What: its cycle, how long that is in the units of `decode`, bins by default.
    CYCLES: ClassVar[dict[str, tuple[str, float, int]]] = {
        "time_of_day": ("day", 24.0, 24), "day_of_week": ("week", 7.0, 21), "weekend": ("week", 7.0, 1),
        "time_of_year": ("year", 1.0, 24)}

    def __post_init__(self) -> None:
        if self.what not in self.CYCLES:
            raise InputError(self._where, "what must be one of " + ", ".join(map(repr, self.CYCLES)), self.what,
                             nearest(str(self.what), self.CYCLES))
        one_of(self._where, "code", self.code, (*CODES, "one_hot"))
        if self.code == "one_hot" and self.what != "day_of_week":
            raise InputError(self._where, "code 'one_hot' is one of day_of_week", self.what)
        if self.what == "weekend" or self.code == "one_hot":
            size = 1 if self.what == "weekend" else 7
            if self.active or self.size not in (0, size):
                raise InputError(self._where, f"size must be {size} here, and active 0", (self.size, self.active))
            object.__setattr__(self, "size", size)
            return
        size = self.CYCLES[self.what][2] if self.size == 0 and self.code == "bins" else self.size
        ring = Periodic(self.CYCLES[self.what][1], self.code, size, self.active)
        object.__setattr__(self, "size", ring.size)
        object.__setattr__(self, "active", ring.active)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one code."""
        return (self.size,)

    @property
    def _ring(self) -> Periodic:
        return Periodic(self.CYCLES[self.what][1], self.code, self.size, self.active)

    def encode(self, values: Any) -> Rows:
        """Give the code of each timestamp.

        Parameters
        ----------
        values : datetime64 array [n], or sequence of datetime or str
            Texts as ISO 8601 writes them.

        Returns
        -------
        float32 array [n, size]

        Raises
        ------
        InputError
            One is no timestamp: the message names row and value.
        """
        cycle, length, _ = self.CYCLES[self.what]
        place = phases(as_times(values, self._where), cycle) * length
        if self.what == "weekend":
            return (place >= 5).astype(np.float32)[:, None]
        if self.code == "one_hot":
            return np.eye(7, dtype=np.float32)[place.astype(np.intp)]
        return self._ring.encode(place)

    def decode(self, rows: Any, quantiles: Iterable[float] | None = None) -> Any:
        """Give the hour of the day, the day of the week (0 is the beginning of Monday) or the part of the year.

        Parameters
        ----------
        rows : array [n, size]
            See `Periodic.decode`.
        quantiles : None
            A ring has no lowest value.

        Returns
        -------
        float64 array [n]
            Of `weekend` bool: whether the unit is above a half.
        """
        self._no_quantiles(quantiles, _RING)
        array = self._rows(rows)
        if self.what == "weekend":
            return array[:, 0] > 0.5
        return array.argmax(axis=1).astype(np.float64) if self.code == "one_hot" else self._ring.decode(array)
