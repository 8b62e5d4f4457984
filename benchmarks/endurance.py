"""Does memory stay constant over long runs? Twelve regions of every kind, ten million ticks, memory throughout.

Two ways, each in a process of its own: ``run``, one call of ``Simulation.run``, and ``program``, ``cortexsim run`` with
checkpoints. Memory is read as the stream is, every so many ticks. What it is after the first ticks is the mark that all
later readings are held against: the exit status is 1 if one lies more than the limit above it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import psutil

import cortexsim as cs
from cortexsim import catalogue, cli
from cortexsim.sources.glimpses import Stream as Glimpses
from cortexsim.sources.symbols import Stream as Symbols

TICKS, MARK, LIMIT = 10_000_000, 100_000, 5.0  # ticks, ticks, MB
WAYS = ("run", "program")
TABLE = {"name": "benchmarks.endurance:Endless"}


class Endless:
    """Glimpses and symbols, for ever; whoever reads it is measured.

    Parameters
    ----------
    seed : int

    Attributes
    ----------
    readings : list of (int, float, float)
        Tick, resident memory in MB and seconds since the start, one every `every` ticks; of all streams together.
    every : int
    """

    readings: ClassVar[list[tuple[int, float, float]]] = []
    every: ClassVar[int] = 20_000
    length = None

    def __init__(self, seed: int = 0) -> None:
        self._parts = (Glimpses(fovea=4, surround=2, surround_span=8, seed=seed),
                       Symbols("embedded_reber", "sparse", columns=64, active=6, seed=seed))
        self._started, self._process = time.perf_counter(), psutil.Process()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return {name: shape for part in self._parts for name, shape in part.shapes().items()}

    @property
    def position(self) -> int:
        """The tick that comes next."""
        return self._parts[0].position

    def seek(self, tick: int) -> None:
        """Go to `tick`."""
        for part in self._parts:
            part.seek(tick)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next `n` ticks of each source."""
        if self.position >= len(self.readings) * self.every:
            self.note()
        return {name: rows for part in self._parts for name, rows in part.read(n).items()}

    def note(self) -> None:
        """Read the memory of this process."""
        self.readings.append((self.position, self._process.memory_info().rss / 1e6,
                              time.perf_counter() - self._started))


def graph() -> cs.RegionGraph:
    """Twelve regions of every kind, with delays, clocks, gates, a modulator and a field.

    Returns
    -------
    RegionGraph
    """
    made = cs.RegionGraph(name="endurance")
    made.add_source("fovea", shape=(4, 4))
    made.add_source("surround", shape=(2, 2))
    made.add_source("saccade", size=2, known="before")
    made.add_source("motor", size=9, known="before")
    made.add_source("symbol", size=64)
    add = made.add_region
    add("V1", kind="subspace", predicts="fovea", size=6, decay_updates=2000)
    add("V2", kind="subspace", predicts="V1.state", size=3, period=2)
    add("V1-next", predicts="V1.state", context=["V1.state@1", "saccade", "V2.state@2"], learning_rate=0.05)
    add("move-E2", predicts="fovea", context=[{"from": "fovea@1", "field": cs.window(3)}, "surround@1"],
        gate="motor[0]", learning_rate=0.2)
    add("move-W5", predicts="fovea", context=["fovea@1", "surround@2"], gate="motor[5]", when_closed="hold")
    add("idbd", predicts="fovea[0:4]", context=["fovea@1", "saccade"], step_size="idbd", period=4)
    add("surprised", predicts="surround", context=["surround@1", "V2.state@3"], learning_rate=0.05, period=4, offset=1)
    add("squares", kind="rls", predicts="V2.state", context=["V2.state@3", "V1.state@7"], period=8)
    add("echo", kind="reservoir", predicts="surround", context=["surround@1"], size=20, period=16)
    add("memory", kind="temporal_memory", predicts="symbol", context=["memory.state@1"], cells_per_column=4,
        activation_threshold=3, min_threshold=2, new_synapses=6, max_synapses=8, max_segments=256, period=32)
    add("explained", kind="predictive_coding", predicts="surround", size=6, period=16, offset=3)
    add("explains", kind="predictive_coding", predicts="explained.state", size=3, period=16, offset=3)
    made.connect("V1-next.error[0]", "surprised", "modulator", delay=1, hyper="learning_rate", mode="scale")
    made.graph["stream"] = dict(TABLE)
    return made.check()


def measure(way: str, ticks: int, checkpoint_every: int) -> list[tuple[int, float, float]]:
    """Run in this process and read its memory.

    Parameters
    ----------
    way : {"run", "program"}
    ticks : int
    checkpoint_every : int
        Of the program.

    Returns
    -------
    list of (int, float, float)
        Tick, resident memory in MB, seconds.
    """
    Endless.readings.clear()
    if way == "run":
        stream = Endless()
        cs.Simulation(graph(), seed=0).run(stream, ticks=ticks)
        stream.note()
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "endurance.toml"
            catalogue.save_toml(graph(), path)
            code = cli.main(["run", str(path), "--ticks", str(ticks), "--quiet", "--out", str(Path(folder) / "run"),
                             "--checkpoint-every", str(checkpoint_every), "--allow-kind", TABLE["name"]])
            if code:
                raise SystemExit(code)
    return list(Endless.readings)


def rise(readings: Sequence[tuple[int, float, float]], mark: int) -> float:
    """How far memory rose above what it was at the first reading from a tick on, in MB.

    Examples
    --------
    >>> rise([(0, 90.0, 0.0), (100, 120.0, 1.0), (200, 121.5, 2.0), (300, 119.0, 3.0)], mark=100)
    1.5
    """
    later = [size for tick, size, _ in readings if tick >= mark]
    return max(later) - later[0]


def lines(readings: Sequence[tuple[int, float, float]], mark: int, step: int) -> list[str]:
    """A table: memory at the mark, at each step after it, and the most that it rose.

    Parameters
    ----------
    readings : list of (int, float, float)
    mark, step : int
        In ticks.

    Returns
    -------
    list of str
    """
    made, next_tick = [f"{'ticks':>12}  {'MB':>8}  {'seconds':>8}"], 0
    for tick, size, seconds in readings:
        if tick >= next_tick:
            made.append(f"{tick:>12,}  {size:>8.2f}  {seconds:>8.1f}")
            next_tick = mark if tick < mark else (tick // step + 1) * step
    last = readings[-1]
    return [*made, f"after {last[0]:,} ticks {last[1]:.2f} MB; it rose by at most {rise(readings, mark):.2f} MB after "
            f"tick {mark:,}"]


def main(arguments: Sequence[str]) -> int:
    """Measure both ways, and print what came out; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=TICKS, help="how long (default %(default)s)")
    parser.add_argument("--mark", type=int, default=MARK, help="ticks after which memory is to be constant")
    parser.add_argument("--limit", type=float, default=LIMIT, help="by how many MB it may rise (default %(default)s)")
    parser.add_argument("--checkpoint-every", type=int, default=1_000_000, help="ticks, of the program")
    parser.add_argument("--way", choices=WAYS, help="only this one, in this process")
    options = parser.parse_args(arguments)
    if options.way is None:
        command = [sys.executable, "-m", "benchmarks.endurance", *arguments, "--way"]
        here = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
        # every way is run, whatever the one before it came to
        return max([subprocess.run([*command, way], env={**os.environ, "PYTHONPATH": here}).returncode
                    for way in WAYS])
    Endless.every = min(Endless.every, options.mark)
    # found under this name by the program, too: its readings are those of the class
    sys.modules.setdefault("benchmarks.endurance", sys.modules[__name__])
    readings = measure(options.way, options.ticks, options.checkpoint_every)
    print(f"{options.way}: {graph()}", *lines(readings, options.mark, 1_000_000), sep="\n", flush=True)
    return int(rise(readings, options.mark) > options.limit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
