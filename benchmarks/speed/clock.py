"""Times of several jobs, measured in turn, with their spread.

Jobs that are compared run one after the other in every round, so that whatever else the machine does falls on all of
them alike; ratios are taken round by round. Jobs on one thread are timed by the processor time of that thread (or of
its process), which other programs do not count into; they still take their share of the caches and of the memory. Jobs
on several threads are timed by the clock on the wall, and each round is the best of a few short pieces: whoever else
needs a core stops them all, so a long sample would measure the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Job = Callable[[int], Any]
PIECES = 6  # of a sample of several threads
MOST = 1 << 30  # times in one call
# where the processor's clocks are too coarse for a sample (Windows), the wall's must do
FINE = time.get_clock_info("thread_time").resolution < 1e-5


def clock(threads: int, elsewhere: bool = False) -> Callable[[], float]:
    """The clock for a job on so many threads, in seconds; `elsewhere`: its one thread may not be the one that calls."""
    if threads > 1 or not FINE:
        return time.perf_counter
    return time.process_time if elsewhere else time.thread_time


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles, best (largest) and number of values."""
    low, median, high = np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high), "best": float(max(values)),
            "n": len(values)}


def repeats(job: Job, seconds: float, now: Callable[[], float] = time.perf_counter) -> int:
    """How often a job must run, as ``job(n)``, to take about so many seconds; compiles and warms it on the way."""
    job(1)
    n = 1
    while True:
        took = min(_time(job, n, now) for _ in range(2))
        if took > seconds / 4 or n >= MOST:
            return int(np.clip(n * seconds / max(took, 1e-9), 1, MOST))
        n *= int(np.clip(seconds / 2 / max(took, 1e-6), 2, 100))


def _time(job: Job, n: int, now: Callable[[], float]) -> float:
    started = now()
    job(n)
    return now() - started


class Turn:
    """One job among those that are measured in turn.

    Parameters
    ----------
    job : callable
        ``job(n)`` does the work `n` times.
    work : float
        What one time counts for: rates are in this unit per second.
    threads : int
        That it runs on.
    step : int
        The job is only run a multiple of this many times.
    n : int, optional
        Times a sample; found by trying where it is left out.
    elsewhere : bool
        The job may do its work on a thread of its own.
    """

    def __init__(self, job: Job, work: float, threads: int = 1, step: int = 1, n: int | None = None,
                 elsewhere: bool = False) -> None:
        self.job, self.work, self.threads, self.step, self.n = job, work, threads, step, n
        self.clock = clock(threads, elsewhere)

    def prepare(self, seconds: float) -> None:
        """Find how often to run the job for samples of about so many seconds."""
        if self.n is None:
            n = repeats(self.job, seconds, self.clock) // (1 if self.threads == 1 else PIECES)
            self.n = max(1, n // self.step) * self.step

    def rate(self) -> float:
        """One sample."""
        n, now = self.n or 1, self.clock
        best = 0.0
        for _ in range(1 if self.threads == 1 else PIECES):
            started = now()
            self.job(n)
            best = max(best, self.work * n / max(now() - started, 1e-9))
        return best


def in_turn(turns: Mapping[str, Turn], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Measure jobs in turn.

    Parameters
    ----------
    turns : mapping of str to Turn
    rounds : int
        Samples of each.
    seconds : float
        About how long a sample takes.

    Returns
    -------
    dict
        Name -> rates, one a round, in units of work per second.
    """
    for turn in turns.values():
        turn.prepare(seconds)
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            rates[name].append(turn.rate())
    return rates


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Ratios round by round."""
    return [a / b for a, b in zip(above, below, strict=True)]
