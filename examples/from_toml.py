"""The graph of build_a_graph.py from a TOML file: the same numbers, and the file can be changed without code.

    python from_toml.py --out /tmp/eye
    python from_toml.py --graph my_eye.toml
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cortexsim as cs
from cortexsim.catalogue import load_toml, save_toml
from cortexsim.sources import open_stream

EYE = Path(__file__).with_name("eye.toml")


def main() -> None:
    """Load, run, and write the graph beside its curves, so that the folder says how they came about."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graph", type=Path, default=EYE, help="a TOML file with a [stream] table")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure and the graph")
    parser.add_argument("--ticks", type=int, default=20_000)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    graph = load_toml(options.graph)
    stream = open_stream(graph.graph["stream"], seed=0, base_dir=options.graph.parent)
    sim = cs.Simulation(graph, seed=0)
    curves = sim.run(stream, ticks=options.ticks)

    print(graph)
    print(curves.table_text())
    curves.plot().savefig(options.out / "toml_curves.png", dpi=120)

    # what was changed during a run is in sim.graph, so this file reproduces the run
    copy = options.out / "as_run.toml"
    save_toml(sim.graph, copy)
    print(f"{copy.name} holds the same graph: {load_toml(copy).same(graph)}")


if __name__ == "__main__":
    main()
