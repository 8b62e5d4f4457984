"""What a process does from its start to its first tick, and at a second graph: run by ``startup.py``.

Usage: ``python -m benchmarks.speed._first_tick STARTED THREADS``; prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time

CLOCKS = {"wall": time.time, "processor": time.process_time}
begun = {name: clock() for name, clock in CLOCKS.items()}

import cortexsim as cs  # noqa: E402

imported = {name: clock() for name, clock in CLOCKS.items()}


def graph(size: int, window: bool) -> cs.RegionGraph:
    """A code, its next state, and a region above; sizes and fields differ from graph to graph."""
    made = cs.RegionGraph()
    made.add_source("retina", shape=(size, size))
    made.add_source("move", size=2, known="before")
    field = {"field": "window(3)"} if window else {}
    made.add_region("V1", kind="subspace", predicts="retina", size=8)
    made.add_region("V1-next", kind="delta", predicts="V1.state", context=["V1.state@1", "move", "V2.state@2"])
    made.add_region("V2", kind="subspace", predicts="V1.state", size=4, period=2)
    made.add_region("pixels", kind="delta", predicts="retina", context=[{"from": "retina@1", **field}])
    return made


def first_tick(size: int, window: bool, threads: int) -> None:
    """Build, plan, compile or load, and run a tick."""
    import numpy as np

    sim = cs.Simulation(graph(size, window), seed=0, threads=threads)
    sim.run({"retina": np.ones((1, size * size), np.float32), "move": np.ones((1, 2), np.float32)}, ticks=1)


def main(started: float, threads: int) -> None:
    """Measure and tell."""
    from numba.core import event

    with event.install_recorder("numba:compile") as recorder:
        first_tick(4, False, threads)
        ready = {name: clock() for name, clock in CLOCKS.items()}
        first = _compiles(recorder)
        first_tick(9, True, threads)
        done = {name: clock() for name, clock in CLOCKS.items()}
        compiled = _compiles(recorder) - first
    steps = {name: {"interpreter": begun[name] - (started if name == "wall" else 0.0),
                    "import": imported[name] - begun[name], "first": ready[name] - imported[name],
                    "second": done[name] - ready[name]} for name in CLOCKS}
    print(json.dumps({**steps, "compiled": first, "second_compiled": compiled}))


def _compiles(recorder) -> int:
    """Functions that numba compiled so far; those that it found in its cache do not count."""
    return sum(1 for _, found in recorder.buffer if found.is_start)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
