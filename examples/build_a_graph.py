"""Build a region graph in a script, run it on a photograph seen by a moving eye, and plot its learning curves.

V1 codes what the fovea sees, and V2 codes V1 at half the pace. Four regions forecast V1's next code, each gated by one
move of the eye, so that each learns what its own move does; V1-next puts their forecasts together.

    python build_a_graph.py --out /tmp/eye
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cortexsim as cs
from cortexsim.plot import plot_graph
from cortexsim.sources import open_stream

STREAM = {"name": "glimpses", "fovea": 8, "surround": 8, "surround_span": 24, "directions": ["E", "N", "W", "S"],
          "lengths": [2]}
MOVES = ("east", "north", "west", "south")


def build() -> cs.RegionGraph:
    """The graph; nothing runs before a simulation is made of it."""
    graph = cs.RegionGraph(name="eye", stream=STREAM)
    graph.add_source("fovea", shape=(8, 8))
    graph.add_source("surround", shape=(8, 8))
    graph.add_source("motor", size=5, known="before")  # a one-hot command: four moves, and a jump

    graph.add_region("V1", kind="subspace", predicts="fovea", size=16)
    graph.add_region("V2", kind="subspace", predicts="V1.state", size=8, period=2)
    for k, move in enumerate(MOVES):
        graph.add_region(f"V1-{move}", kind="delta", predicts="V1.state", context=["V1.state@1", "surround@1"],
                         gate=f"motor[{k}]", learning_rate=0.2)
    # a gated region that is closed says zero, so one weight a unit is enough to hand its forecast on
    forecasts = [(f"V1-{move}.prediction@0", "one_to_one") for move in MOVES]
    graph.add_region("V1-next", kind="delta", predicts="V1.state", context=[*forecasts, "V2.state@1"],
                     learning_rate=0.02)
    return graph


def main() -> None:
    """Run it and write what it learned."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figures")
    parser.add_argument("--ticks", type=int, default=20_000)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    graph = build()
    sim = cs.Simulation(graph, seed=0)
    curves = sim.run(open_stream(STREAM, seed=0), ticks=options.ticks)

    print(graph)
    print(curves.table_text())
    curves.plot().savefig(options.out / "eye_curves.png", dpi=120)
    plot_graph(graph, curves=curves).savefig(options.out / "eye_graph.png", dpi=120)


if __name__ == "__main__":
    main()
