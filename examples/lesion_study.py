"""What is the saccade signal worth? Cut it in the middle of a run, and compare with a twin that keeps it.

Four regions forecast the fovea's next patch, each after one move of the eye; "next" puts them together. Without the
motor command their gates stay closed, and "next" has the present patch alone.

    python lesion_study.py --out /tmp/lesion
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cortexsim as cs
from cortexsim.sources import open_stream

STREAM = {"name": "glimpses", "fovea": 8, "surround": 8, "surround_span": 24, "directions": ["E", "N", "W", "S"],
          "lengths": [2]}
MOVES = ("east", "north", "west", "south")


def build() -> cs.RegionGraph:
    """One gated region a move, and one that reads them all."""
    graph = cs.RegionGraph(name="saccade")
    graph.add_source("fovea", shape=(8, 8))
    graph.add_source("surround", shape=(8, 8))
    graph.add_source("motor", size=5, known="before")
    for k, move in enumerate(MOVES):
        graph.add_region(move, predicts="fovea", context=["fovea@1", "surround@1"], gate=f"motor[{k}]",
                         learning_rate=0.2)
    forecasts = [(f"{move}.prediction@0", "one_to_one") for move in MOVES]
    graph.add_region("next", predicts="fovea", context=[*forecasts, ("fovea@1", "one_to_one"), "motor"])
    return graph


def main() -> None:
    """Learn, copy, cut the copy's saccade signal, and go on with both on the same data."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figures")
    parser.add_argument("--ticks", type=int, default=30_000)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    half = options.ticks // 2

    eye = open_stream(STREAM, seed=0)
    intact = cs.Simulation(build(), seed=0)
    before = intact.run(eye, ticks=half).final("next")
    lesioned = intact.copy()
    cut = lesioned.lesion("motor->*")
    intact.run(eye, ticks=half)
    eye.seek(half)  # the copy sees the same second half
    lesioned.run(eye, ticks=half)

    print(f"cut at tick {half}: {', '.join(cut)}")
    print("error of next (MSE), last tenth of a run   next  last value  running mean")
    rows = {"before": before, "later, intact": intact.curves.final("next"),
            "later, lesioned": lesioned.curves.final("next")}
    for name, end in rows.items():
        print(f"{name:40} {end['loss']:6.3f} {end['loss_last']:11.3f} {end['loss_mean']:13.3f}")
    for name, sim in (("intact", intact), ("lesioned", lesioned)):
        figure = sim.curves.plot(["next", *MOVES], columns=3)
        figure.savefig(options.out / f"saccade_{name}.png", dpi=120)


if __name__ == "__main__":
    main()
