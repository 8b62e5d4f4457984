"""Forecast half-hourly counts five steps ahead: a reservoir, the calendar, and the same time a day and a week ago.

Without --data, counts are drawn that have a rhythm of the day and the week, and busy and quiet spells of some hours.
The taxi counts of the Numenta Anomaly Benchmark fit as they are:

    python forecast_taxi.py --data nyc_taxi.csv --out /tmp/taxi
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs

HORIZON, DAY, WEEK = 5, 48, 336


def draw_counts(rows: int = 6000, seed: int = 0) -> np.ndarray:
    """Counts of a city: commuters on five days, late nights on the others, and spells that fade over hours."""
    rng = np.random.default_rng(seed)
    hour, day = np.arange(rows) % DAY / 2, np.arange(rows) // DAY % 7
    work = np.exp(-((hour - 8.5) / 1.5) ** 2) + 1.3 * np.exp(-((hour - 18.5) / 2.5) ** 2)
    free = 0.8 * np.exp(-((hour - 13) / 4) ** 2) + np.exp(-(((hour - 23 + 12) % 24 - 12) / 2.5) ** 2)
    spell, noise = np.zeros(rows), rng.normal(size=(2, rows))
    for t in range(1, rows):
        spell[t] = 0.97 * spell[t - 1] + 0.05 * noise[0, t]
    return (3000 + 15_000 * np.where(day < 5, work, free)) * np.exp(spell + 0.02 * noise[1])


def build() -> cs.RegionGraph:
    """Nothing that reaches the forecast is younger than the horizon, but the calendar, which is known."""
    graph = cs.RegionGraph(name="counts")
    graph.add_source("count", size=1)
    graph.add_source("clock", size=12 + 7, known="before")
    graph.add_region("echo", kind="reservoir", context=[f"count@{HORIZON - 1}", "clock"], size=200, leak=0.3,
                     input_scale=0.5)
    lags = [*range(HORIZON, HORIZON + 12), *range(DAY - 6, DAY + 6), *range(WEEK - 6, WEEK + 6)]
    graph.add_region("forecast", kind="rls", predicts="count", horizon=HORIZON, forgetting=0.9999, ridge=1.0,
                     context=[*(f"count@{lag}" for lag in lags), "echo.state@1", "clock"])
    return graph


def main() -> None:
    """Run once over the counts, print the errors of the second half, draw a week."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a CSV file: times half an hour apart, from a midnight on; counts")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    options = parser.parse_args()
    rows = csv.reader(options.data.read_text().splitlines()[1:]) if options.data else ()
    counts = np.array([float(row[1]) for row in rows]) if options.data else draw_counts()
    ticks = np.arange(len(counts))
    away = (ticks[:, None] / DAY - np.arange(12) / 12 + 0.5) % 1 - 0.5  # from each of twelve times of the day
    clock = np.hstack([np.exp(-0.5 * (12 * away) ** 2), np.eye(7)[ticks // DAY % 7]])
    roots = np.sqrt(counts)  # busy hours would weigh too much otherwise
    middle, spread = roots[:1000].mean(), roots[:1000].std()
    sim = cs.Simulation(build(), seed=0)
    probe = sim.record("forecast.prediction")
    sim.run({"count": (roots - middle) / spread, "clock": clock})
    told = np.maximum(probe.values[:, 0] * spread + middle, 0) ** 2
    half = slice(len(counts) // 2, None)
    for name, guess in {"forecast": told, "last value": np.roll(counts, HORIZON),
                        "a week ago": np.roll(counts, WEEK)}.items():
        print(f"{name:11} mean error {np.abs(guess - counts)[half].mean() / counts[half].mean():.3f} of the mean")

    figure, axis = plt.subplots(figsize=(10, 4), layout="constrained")
    axis.plot(counts[-WEEK:] / 1000, color="0.7", lw=4, label="counts")
    axis.plot(told[-WEEK:] / 1000, lw=1, label=f"said {HORIZON / 2:g} hours before")
    axis.legend(loc="upper left").axes.set(xlabel="half-hours of the last week", ylabel="thousands", ylim=(0, None))
    options.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out / "forecast_taxi.png", dpi=120)


if __name__ == "__main__":
    main()
