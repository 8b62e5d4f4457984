"""Carry a symbol over a stretch of any length, and find the region that carries it.

The embedded Reber grammar: after B comes T or P, then a sequence of another grammar, then the same T or P again. For
every symbol and lag a gated region holds what came that long after it; readers, one a symbol, learn which to heed. Then
the memory that the reader of E heeds most is cut out of one copy, and all out of another.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs

SYMBOLS, TICKS = "BTSXPVE", 30_000
INNER = {0: ["B1"], 1: ["T2", "P3"], 2: ["S2", "X4"], 3: ["T3", "V5"], 4: ["S6", "X3"], 5: ["V6", "P4"], 6: ["E7"]}


def walk(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Symbols one-hot [ticks, 7], and the ticks at which the carried symbol comes again."""
    text, again = "", []
    while len(text) < TICKS:
        carried, state = rng.choice(["T", "P"]), 0
        text += "B" + carried
        while state != 7:
            step = rng.choice(INNER[state])
            text, state = text + step[0], int(step[1])
        again.append(len(text))
        text += carried + "E"
    return np.eye(7, dtype=np.float32)[[SYMBOLS.index(s) for s in text[:TICKS]]], np.array(again[:-1])


def build() -> cs.RegionGraph:
    """Memories "E+2" and so on, readers "after-E" and so on, and "next", which puts the readers together."""
    graph = cs.RegionGraph(name="long_range")
    graph.add_source("symbol", size=7)
    for k, lag in np.ndindex(7, 3):
        # a region that is clamped to its target, and that nobody predicts, is its target; the gate makes it a memory
        graph.add_region(f"{SYMBOLS[k]}+{lag + 1}", kind="predictive_coding", predicts="symbol",
                         gate=f"symbol[{k}]@{lag + 1}", when_closed="hold")
    seen = ["symbol@2", "symbol@3", *(f"{memory}.state@1" for memory in graph.regions)]
    for k, s in enumerate(SYMBOLS):
        graph.add_region(f"after-{s}", predicts="symbol", context=seen, gate=f"symbol[{k}]@1", output="softmax",
                         sparse=True, learning_rate=0.3)
    readers = [f"after-{s}.prediction@0" for s in SYMBOLS]
    graph.add_region("next", predicts="symbol", context=readers, output="softmax", sparse=True, learning_rate=0.3)
    return graph


def main() -> None:
    """Learn; find the largest weights from a held symbol to the same symbol; go on with copies that lack memories."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    (out := parser.parse_args().out).mkdir(parents=True, exist_ok=True)
    symbols, again = walk(np.random.default_rng(0))
    intact = cs.Simulation(build(), seed=0)
    before = intact.record("next.prediction")
    intact.run({"symbol": symbols[:TICKS // 2]})
    held = [edge for edge in intact.plan.regions["after-E"].shapes.context if "+" in edge.source]
    memory = max(held, key=lambda edge: intact.get("after-E.Wt")[edge.start:edge.stop].trace()).source
    print("edges that are cut   share of the carried symbols foretold, last tenth")
    for cut in ("nothing", f"{memory}->*", "?+?.*->*"):
        sim = intact.copy()
        if cut != "nothing":
            sim.lesion(cut)
        later = sim.record("next.prediction")
        sim.run({"symbol": symbols[TICKS // 2:]})
        right = (np.vstack([before.values, later.values]).argmax(axis=1) == symbols.argmax(axis=1))[again]
        print(f"{cut:20} {right[-len(right) // 10:].mean():.2f}")
        plt.plot(again[49:], np.convolve(right, np.ones(50) / 50, "valid"), label=cut)
    plt.legend(title="edges that are cut").axes.set(xlabel="tick", ylabel="carried symbols foretold, of the last 50")
    plt.savefig(out / "long_range.png", dpi=120)


if __name__ == "__main__":
    main()
