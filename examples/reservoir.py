"""Two reservoirs forecast a chaotic series as it comes; then one of them goes on by itself, on what it forecasts.

    python reservoir.py --out /tmp/reservoir
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs
from cortexsim.sources.chaos import Stream

TICKS, SCORED, AHEAD, DREAM = 12_000, 2_000, 84, 1_500


def error(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Root of the mean square error, in standard deviations of the truth."""
    return float(np.sqrt(np.mean((forecast - truth) ** 2)) / truth.std())


def main() -> None:
    """Learn in one pass, print the errors beside those of the last value, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    x = Stream(seed=0).read(TICKS + DREAM)["x"]
    sim = cs.Simulation(cs.load("reservoir"), seed=0)  # next: one tick ahead, far: 84 ticks ahead
    probes = {1: sim.record("next.prediction"), AHEAD: sim.record("far.prediction")}
    sim.run({"x": x[:TICKS]})
    for ahead, probe in probes.items():
        truth, last = x[TICKS - SCORED:TICKS], x[TICKS - SCORED - ahead:TICKS - ahead]
        ours, lasts = error(probe.values[-SCORED:], truth), error(last, truth)
        # in a chaotic series the last bit of a processor decides what comes later, so no more digits than hold anywhere
        print(f"{ahead:2} ahead: error {ours:.2f}, less than a fiftieth of the last value's: {ours < lasts / 50}")

    dream, truth = sim.imagine(DREAM)["x.value"][:, 0], x[TICKS:, 0]
    off = np.abs(dream - truth) > 0.4 * truth.std()
    print("on its own, it is within 0.4 standard deviations for more than 400 ticks:", bool(off.argmax() > 400))

    figure, (top, bottom) = plt.subplots(2, figsize=(10, 6), layout="constrained")
    shown = slice(TICKS - 400, TICKS)
    top.plot(np.arange(TICKS)[shown], x[shown], color="0.7", lw=4, label="the series")
    top.plot(np.arange(TICKS)[shown], probes[AHEAD].values[shown], color="C0", lw=1, label=f"said {AHEAD} ticks before")
    bottom.plot(truth, color="0.7", lw=4, label="the series")
    bottom.plot(dream, color="C1", lw=1, label="the graph on its own forecasts")
    bottom.set_xlabel("ticks since it was last told the series")
    for axis in (top, bottom):
        axis.legend(loc="upper right", ncols=2)
        axis.set_ylim(-0.65, 0.65)
    figure.savefig(out / "reservoir.png", dpi=120)


if __name__ == "__main__":
    main()
