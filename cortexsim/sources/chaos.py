"""The Mackey-Glass series: a delay equation that is chaotic for a delay of 17, the usual test of reservoirs.

Source ``x``, one value a tick: ``tanh(v - 1)``, where v follows ``dv/dt = 0.2 v(t - tau) / (1 + v(t - tau)^10) -
0.1 v(t)``, sampled once in a unit of time. It is found by the Runge-Kutta method of fourth order in steps of `dt`; what
lies between two steps of the delayed term is interpolated linearly. The first `skip` units of time are left out. Each
seed starts from another history, so that it gives another stretch of the same attractor.

Nearby paths move apart by a factor e in about 170 ticks, so no forecast sees much further. Cost: about 4 microseconds a
tick. The state is kept every 32,768 ticks, so memory hardly grows, and going back costs at most an eighth of a second.

Source: M. C. Mackey and L. Glass, Science 197 (1977) 287-289, doi:10.1126/science.267326; as a test of reservoirs:
H. Jaeger and H. Haas, Science 304 (2004) 78-80, doi:10.1126/science.1091277.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

import numpy as np
from scipy.signal import lfilter

from cortexsim.errors import InputError
from cortexsim.sources import block_rng, whole_number

_WHERE = "stream 'chaos'"
GROWTH, LOSS, POWER = 0.2, 0.1, 10
_MARK = 1 << 15  # ticks between two states that are kept


def _step(v: float, first: float, middle: float, last: float, dt: float) -> float:
    """One Runge-Kutta step of dv/dt = f - LOSS v, with f known at the beginning, the middle and the end of it."""
    a = first - LOSS * v
    b = middle - LOSS * (v + dt / 2 * a)
    c = middle - LOSS * (v + dt / 2 * b)
    d = last - LOSS * (v + dt * c)
    return v + dt / 6 * (a + 2 * b + 2 * c + d)


class Stream:
    """The Mackey-Glass series; the text of this module says what it is.

    Parameters
    ----------
    tau : float
        The delay, in ticks. Above about 16.8 the series is chaotic.
    dt : float
        Step of the integration, in ticks; it must divide both 1 and `tau`.
    squash : bool
        Whether to give ``tanh(v - 1)``, which lies around 0, or v itself.
    skip : int
        Ticks that are left out before tick 0.
    seed : int
        Of the history before that.

    Attributes
    ----------
    position : int
        The tick that comes next.

    Raises
    ------
    InputError
        An option is out of range.

    Examples
    --------
    >>> series = Stream(seed=1)
    >>> first = series.read(100)["x"]
    >>> first.shape, bool(np.abs(first).max() < 0.6)
    ((100, 1), True)
    >>> series.seek(50)
    >>> bool((series.read(50)["x"] == first[50:]).all())
    True
    """

    length = None  # it goes on for ever

    def __init__(self, tau: float = 17.0, dt: float = 0.1, squash: bool = True, skip: int = 1000,
                 seed: int = 0) -> None:
        self.tau, self.dt = _number("tau", tau, 1000.0), _number("dt", dt, 1.0)
        self._delay, self._every = round(self.tau / self.dt), round(1 / self.dt)
        if not (math.isclose(self._delay * self.dt, self.tau) and math.isclose(self._every * self.dt, 1)):
            raise InputError(_WHERE, "dt must divide both 1 and tau", dt, f"tau is {self.tau:g}")
        self.squash = squash
        self.skip = whole_number(_WHERE, "skip", skip, 0)
        self.seed = whole_number(_WHERE, "seed", seed, 0)
        # v is linear in what it decays from and in the delayed term, so a whole delay is one recursive filter
        self._keep, *self._weights = (_step(a, b, c, d, self.dt) for a, b, c, d in np.eye(4).tolist())
        drawn = block_rng("chaos", self.seed, 0).uniform(-0.1, 0.1, self._delay + 1)
        self._recent = 1.2 + drawn
        self._reached, self._phase = 0, 0  # ticks that are integrated, and where in the next one it goes on
        self._marks = [(0, 0, self._recent)]  # the same, and the history, every _MARK ticks
        self._held, self._first = np.zeros(0), 0  # ticks that were integrated and not yet read, and the first of them
        self.position = 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return {"x": (1,)}

    def seek(self, tick: int) -> None:
        """Go to `tick`; what lies before it is computed when it is read."""
        self.position = whole_number(_WHERE, "tick", tick, 0)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next `n` ticks, float32 [n, 1]; they never end."""
        first = self.skip + self.position
        values = self._values(first, first + n)
        self.position += n
        return {"x": (np.tanh(values - 1) if self.squash else values).astype(np.float32)[:, None]}

    def _values(self, first: int, stop: int) -> np.ndarray:
        """Give the ticks from `first` to before `stop`, integrating a delay at a time."""
        if not self._first <= first <= self._reached:
            self._approach(first)
        parts = [self._held[first - self._first:]]
        while self._reached < stop:
            new = self._go_on()
            if self._reached > first:
                parts.append(new[-(self._reached - first):])
        values = np.concatenate(parts)
        self._held, self._first = values[stop - first:].copy(), stop
        return values[:stop - first]

    def _approach(self, tick: int) -> None:
        """Go to the nearest state at or before a tick: the present one, or one that was kept."""
        mark = self._marks[bisect_right(self._marks, tick, key=lambda kept: kept[0]) - 1]
        if not mark[0] <= self._reached <= tick:
            self._reached, self._phase, self._recent = mark
        self._held, self._first = np.zeros(0), self._reached

    def _go_on(self) -> np.ndarray:
        """Integrate over one delay; gives the ticks that lie in it."""
        if self._reached >= len(self._marks) * _MARK:
            self._marks.append((self._reached, self._phase, self._recent))
        past = self._recent
        pull = GROWTH * past / (1 + past**POWER)
        halfway = (past[:-1] + past[1:]) / 2
        middle = GROWTH * halfway / (1 + halfway**POWER)
        a, b, c = self._weights
        force = a * pull[:-1] + b * middle + c * pull[1:]
        new, _ = lfilter([1.0], [1.0, -self._keep], force, zi=[self._keep * past[-1]])
        found = new[self._phase::self._every]
        self._phase = (self._phase - len(new)) % self._every
        self._recent = np.concatenate([past[-1:], new])
        self._reached += len(found)
        return found


def _number(name: str, value: Any, high: float) -> float:
    if isinstance(value, (bool, str)) or not np.isscalar(value) or not 0 < float(value) <= high:  # type: ignore[arg-type]
        raise InputError(_WHERE, f"{name} must be a number above 0, at most {high:g}", value)
    return float(value)  # type: ignore[arg-type]
