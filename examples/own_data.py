"""Forecast the columns of a CSV file, each from its own past and from the past of all columns.

Without --data it writes a file first: two noisy oscillators, of which "left" drives "right".

    python own_data.py --data my.csv --out /tmp/own
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import cortexsim as cs
from cortexsim.plot import plot_forecast
from cortexsim.sources.csvfile import Stream

LAGS = range(1, 9)


def write_oscillators(path: Path, rows: int = 6000, seed: int = 0) -> None:
    """Two damped oscillators kept going by noise; the force on the second is what the first was 3 ticks ago."""
    noise = np.random.default_rng(seed).normal(size=(rows, 2))
    x = np.zeros((rows, 2))
    for t in range(3, rows):
        left = 1.80 * x[t - 1, 0] - 0.90 * x[t - 2, 0] + noise[t, 0]
        right = 1.60 * x[t - 1, 1] - 0.85 * x[t - 2, 1] + noise[t, 1] + 0.6 * x[t - 3, 0]
        x[t] = left, right
    np.savetxt(path, x, fmt="%.5f", delimiter=",", header="left,right", comments="")


def build(columns: list[str]) -> cs.RegionGraph:
    """Two regions a column: one that sees its own past, one that sees everybody's."""
    graph = cs.RegionGraph(name="own data")
    for column in columns:
        graph.add_source(column, size=1)
    for column in columns:
        own = [f"{column}@{lag}" for lag in LAGS]
        everybody = [f"{name}@{lag}" for name in columns for lag in LAGS]
        graph.add_region(f"{column}-own", predicts=column, context=own, learning_rate=0.02)
        graph.add_region(f"{column}-all", predicts=column, context=everybody, learning_rate=0.02)
    return graph


def main() -> None:
    """Forecast, print skills beside the baselines, and draw the last forecasts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a CSV file; rows are ticks")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.data is None:
        options.data = options.out / "oscillators.csv"
        write_oscillators(options.data)

    stream = Stream(options.data, scale="running", blanks="skip")  # each value scaled by what came before it
    columns = list(stream.columns)
    sim = cs.Simulation(build(columns), seed=0)
    probes = {name: sim.record(name) for column in columns for name in (column, f"{column}-all.prediction")}
    curves = sim.run(stream)

    print("region      skill   skill of the last value")  # 1 is perfect, 0 is the running mean
    for column in columns:
        for region in (f"{column}-own", f"{column}-all"):
            end = curves.final(region, fraction=0.5)
            print(f"{region:10} {end['skill']:6.3f} {end['baseline_skill']:9.3f}")
    curves.plot().savefig(options.out / "own_curves.png", dpi=120)
    truth, forecast = (np.hstack([probes[name].values[-200:] for name in names]) for names in (
        columns, [f"{column}-all.prediction" for column in columns]))
    ticks = probes[columns[0]].ticks[-200:]
    plot_forecast(ticks, truth, forecast, columns).savefig(options.out / "own_forecast.png", dpi=120)


if __name__ == "__main__":
    main()
