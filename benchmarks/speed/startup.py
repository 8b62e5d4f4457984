"""The time from the start of the interpreter to the first tick, with compiled code in the cache and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.clock import spread

ROOT = Path(__file__).parents[2]
STEPS = ("interpreter", "import", "first", "second")


def measure(limits: dict[tuple[str, int], float], threads: int, quick: bool) -> Iterator[dict[str, Any]]:
    """Two rows for each number of threads: the cache of compiled code empty, and filled.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    threads : int
        The most threads.
    quick : bool

    Yields
    ------
    dict
        Seconds of the steps, by the clock on the wall and of the processor (which other programs do not count into);
        how many functions were compiled for the first graph, and for a second one.
    """
    for k in range(1, (1 if quick else threads) + 1):
        cold = []
        for _ in range(1 if quick else 2):
            with tempfile.TemporaryDirectory(prefix="cortexsim-benchmark-") as cache:
                cold.append(one(cache, k))
                warm = [one(cache, k) for _ in range(3 if quick else 5)]
        for state, found in (("cold", cold), ("warm", warm)):
            wall, own = ({step: spread([times[clock][step] for times in found]) for step in STEPS}
                         for clock in ("wall", "processor"))
            yield {"section": "startup", "case": {"cache": state, "threads": k}, "wall": wall, "processor": own,
                   "compiled": max(times["compiled"] for times in found),
                   "second_compiled": max(times["second_compiled"] for times in found),
                   "ratio": 1e9 / (own["first"]["median"] * limits["L1", 1])}


def one(cache: str, threads: int) -> dict[str, Any]:
    """One new process."""
    env = {**os.environ, "NUMBA_CACHE_DIR": cache,
           "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run([sys.executable, "-m", "benchmarks.speed._first_tick", repr(time.time()), str(threads)],
                          env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the first tick failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)
