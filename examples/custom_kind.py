"""A learning rule of your own in 40 lines: it follows the median, so that outliers do not move it.

The delta rule's step grows with the error, so one wild sample throws its weights off; a lower rate than the one below
learns later, a higher one follows the outliers more. The sign rule settles where errors are as often above as below 0.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import cortexsim as cs
from cortexsim.plot import plot_forecast


class Median:
    """W <- W + learning_rate sign(e) x^T. Source: A. Gersho (1984), doi:10.1109/TIT.1984.1056890."""

    NEEDS = ("context", "target")
    LEARNED = ("W",)

    @dataclass(frozen=True)
    class Hyper:
        learning_rate: float = cs.hyper(0.005, "step of each weight", low=0.0, high=1.0, scale="log", unit="1/tick")

    def ports(hyper, shapes):
        """Prediction and error, both in the shape of the target."""
        return {"prediction": shapes.target_shape, "error": shapes.target_shape}

    def allocate(hyper, shapes, rng):
        """One weight from every context unit to every target unit, zero at first."""
        return {"W": np.zeros((shapes.n_target, shapes.n_context), np.float32)}

    def predict(r):
        """p = W x."""
        for i in range(r.prediction.shape[0]):
            r.prediction[i] = np.sum(r.W[i] * r.context)

    def update(r):
        """The driver has written e = target - p: score it, then learn."""
        r.score[0] = np.mean(r.error * r.error)
        if r.learn == 1:
            for i in range(r.error.shape[0]):
                r.W[i] += r.learning_rate * np.sign(r.error[i]) * r.context


def main() -> None:
    """Learn an effect of which one sample in 20 is wild, and compare with the effect itself."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    (out := parser.parse_args().out).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(20_000, 8))
    clean = cause @ rng.normal(size=(8, 1))
    wild = 30 * rng.normal(size=clean.shape) * (rng.random(clean.shape) < 0.05)

    graph = cs.RegionGraph(name="outliers")
    graph.add_source("cause", size=8, known="before")
    graph.add_source("effect", size=1)
    kinds = {"median": Median, "median-by-path": "custom_kind:Median", "delta": "delta"}  # object, path, name
    for name, kind in kinds.items():
        graph.add_region(name, kind=kind, predicts="effect", context="cause", learning_rate=0.005)
    sim = cs.Simulation(graph, seed=0)
    probes = {name: sim.record(f"{name}.prediction") for name in kinds}
    sim.run({"cause": cause, "effect": clean + wild})
    print("error from the effect itself (rms)    ticks 1,000-2,000   second half")
    for name, probe in probes.items():
        squares = (probe.values - clean) ** 2
        print(f"{name:37} {squares[1000:2000].mean() ** 0.5:17.3f} {squares[10_000:].mean() ** 0.5:13.3f}")
    shown, ticks = ["median", "delta"], np.arange(1000, 1060)
    forecasts = np.hstack([probes[name].values[ticks] for name in shown])
    plot_forecast(ticks, clean[ticks][:, [0, 0]], forecasts, shown).savefig(out / "median_forecasts.png", dpi=120)


if __name__ == "__main__":
    main()
