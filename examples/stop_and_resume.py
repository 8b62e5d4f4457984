"""A run that is stopped, loses its process, and goes on: it ends with the bits of one that was never stopped.

An eye learns what it will see next. A child process runs the first part, writes checkpoints, and is killed in the
middle; this process loads the newest one and goes on, with two threads. Everything is then compared, bit for bit.

    python stop_and_resume.py --out /tmp/resume
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import cortexsim as cs
from cortexsim import checkpoint
from cortexsim.sources import open_stream

STREAM = {"name": "glimpses", "fovea": 8, "surround": 4, "surround_span": 24}


def build() -> cs.RegionGraph:
    """A code of the fovea, and what it will be after the next saccade."""
    graph = cs.RegionGraph(name="eye")
    graph.add_source("fovea", shape=(8, 8))
    graph.add_source("saccade", size=2, known="before")
    graph.add_region("code", kind="subspace", predicts="fovea", size=12)
    graph.add_region("next", predicts="code.state", context=["code.state@1", "code.state@2", "saccade"])
    graph.add_region("slow", predicts="code.state", context=["code.state@4", "next.prediction@1"], period=4)
    return graph


def part(folder: Path, ticks: int) -> None:
    """Run in pieces, with a checkpoint after each, and die without a word at three fifths of the way."""
    sim, eye = cs.Simulation(build(), seed=0), open_stream(STREAM, seed=0)
    for _ in range(3):
        sim.run(eye, ticks=ticks // 5)
        checkpoint.save_in(sim, folder, keep=2)
    sim.run(eye, ticks=ticks // 10)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run once undisturbed and once with a death in the middle, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figures")
    parser.add_argument("--ticks", type=int, default=20_000)
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.out / "checkpoints"
    if options.part:
        return part(folder, options.ticks)

    died = subprocess.run([sys.executable, __file__, "--part", "--out", options.out, "--ticks", str(options.ticks)])
    print(f"the child was killed: {died.returncode == -signal.SIGKILL}")
    print(f"it left {', '.join(path.name for path in checkpoint.checkpoints(folder))}")

    sim = cs.Simulation.load(folder, threads=2)
    print(f"on from tick {sim.tick:,}, row {sim.position:,} of the stream")
    sim.run(sim.seek(open_stream(STREAM, seed=0)), ticks=options.ticks - sim.tick)

    whole = cs.Simulation(build(), seed=0)
    whole.run(open_stream(STREAM, seed=0), ticks=options.ticks)
    same = [name for name in ("code.W", "next.W", "slow.W") if (sim.get(name) == whole.get(name)).all()]
    print(f"the same bits: {', '.join(same)}; curves {(sim.curves.acc == whole.curves.acc).all()}")
    print(sim.curves.table_text())
    sim.curves.plot().savefig(options.out / "resumed_curves.png", dpi=120)


if __name__ == "__main__":
    main()
