"""Forecast half-hourly counts one and five steps ahead, by the ready-made graph of daily and weekly rhythms.

Without --data, counts are drawn that have a rhythm of the day and the week, and busy and quiet spells of some hours.
The taxi counts of the Numenta Anomaly Benchmark fit as they are:

    python forecast_taxi.py --data nyc_taxi.csv --out /tmp/taxi
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

import cortexsim as cs

DAY = 48


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


def main() -> None:
    """Run once over the counts, print the errors of the second half beside simple methods, draw the last week."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a CSV file: times half an hour apart, and counts")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    options = parser.parse_args()
    counts = draw_counts()
    times = np.datetime64("2024-01-01T00:00") + np.arange(len(counts)) * np.timedelta64(30, "m")
    if options.data:
        rows = list(csv.reader(options.data.read_text().splitlines()[1:]))
        times, counts = np.array([row[0] for row in rows], "datetime64[s]"), np.array([float(row[1]) for row in rows])

    # every forecast is made with what was known by then, and kept
    forecaster = cs.Forecaster("forecast_seasonal", horizon=[1, 5], seed=0).fit(counts, times=times)
    print("mean error, as a share of the mean count")
    for score in forecaster.history.scores():
        print(f"{score['horizon']} ahead: {score['mape']:.3f}, last value {score['mape_last']:.3f}, "
              f"a week ago {score['mape_seasonal']:.3f}, RLS-AR {score['mape_rls']:.3f}")
    print("the next, with quantiles:", forecaster.predict(horizon=1, quantiles=[0.1, 0.5, 0.9]).round(-1).ravel())
    options.out.mkdir(parents=True, exist_ok=True)
    forecaster.history.plot().savefig(options.out / "forecast_taxi.png", dpi=120)


if __name__ == "__main__":
    main()
