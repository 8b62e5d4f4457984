"""Passengers of taxis in New York, five half-hours ahead.

A reservoir hears the counts and the calendar. A linear region forecasts from its state, the last counts, those around
the same time a day and a week ago, and the calendar, by recursive least squares. A forecast is made with the weights
and the counts of five ticks before its outcome (``horizon=5``).

The published rows, and the figures that the goals come from, are of a series of 17,520 half-hours scored after 10,000.
Where the folder of outside data holds it, as ``series/nyc_taxi.csv``, it is used by that protocol, with goals of 0.0619
and 0.216. The Numenta Anomaly Benchmark has its first 10,320 half-hours only, of which the last 320 hold a snow storm:
these are scored after 5,000, and as the figures do not compare, the goals are those of the long series in proportion,
0.0619 / 0.0675 and 0.216 / 0.235 of what plain least squares reaches on the same lags. NRMSE divides by the standard
deviation of the whole series, as the published figures do. The constants were chosen on ticks 2,000 to 5,000.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

import cortexsim as cs
from benchmarks.experiments._chaos import Floats, lagged, online_rls
from benchmarks.experiments._series import data_file
from benchmarks.measures import Goal, Result

SEEDS = 5
HORIZON, DAY, WEEK = 5, 48, 336
LAGS = [*range(HORIZON, HORIZON + 12), *range(DAY - 6, DAY + 6), *range(WEEK - 6, WEEK + 6)]
LONG = 17_520
PROPORTION = {"mape": 0.0619 / 0.0675, "nrmse": 0.216 / 0.235}
REACHED = {"mape": 0.0619, "nrmse": 0.216}
PUBLISHED = {"mape": {"HTM (published, long series)": 0.078, "LSTM-6000 (published, long series)": 0.082},
             "nrmse": {"HTM (published, long series)": 0.287, "LSTM-6000 (published, long series)": 0.274}}
WORDS = "what least squares on the same lags reaches, in proportion to the long series"
GOALS = {"mape": Goal(f"0.917 of {WORDS}", "lower", "mean absolute error over the mean count"),
         "nrmse": Goal(f"0.919 of {WORDS}", "lower", "root mean square error over the standard deviation")}
ECHO: dict[str, Any] = {"size": 300, "leak": 0.3, "radius": 0.9, "input_scale": 0.5, "bias_scale": 0.2}


@dataclass(frozen=True)
class Counts:
    """The series, its calendar, and the first tick that is scored."""

    values: Floats
    day: Floats
    week: Floats
    scored: int


def read() -> Counts:
    """The long series where it is there, else that of the anomaly benchmark."""
    short = data_file("nab", "data", "realKnownCause", "nyc_taxi.csv")
    long = short.parents[3] / "series" / "nyc_taxi.csv"
    times, values = _columns(long if long.exists() else short)
    slot = np.array([(time.hour * 60 + time.minute) // 30 for time in times])
    # twelve bumps around the clock, and one unit for each day of the week
    apart = (slot[:, None] / DAY - np.arange(12) / 12 + 0.5) % 1 - 0.5
    week = np.eye(7)[[time.weekday() for time in times]]
    return Counts(values, np.exp(-0.5 * (12 * apart) ** 2), week, 10_000 if len(values) >= LONG else 5_000)


def _columns(path: Path) -> tuple[list[datetime], Floats]:
    """Times and counts of a file whose first two columns they are; rows that begin otherwise are headers."""
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[0][:1].isdigit()]
    return [datetime.fromisoformat(row[0]) for row in rows], np.array([float(row[1]) for row in rows])


def build() -> cs.RegionGraph:
    """The graph: what is known five ticks before an outcome, and the calendar of the outcome itself."""
    graph = cs.RegionGraph(name="taxi")
    graph.add_source("count", size=1)
    graph.add_source("day", size=12, known="before")
    graph.add_source("week", size=7, known="before")
    # its state is read a tick later, so a count reaches the forecast after five ticks
    graph.add_region("echo", kind="reservoir", context=[f"count@{HORIZON - 1}", "day", "week"], **ECHO)
    graph.add_region("forecast", kind="rls", predicts="count", horizon=HORIZON, forgetting=0.9999, ridge=1.0,
                     context=[*(f"count@{lag}" for lag in LAGS), "echo.state@1", "day", "week"])
    return graph


def forecast(counts: Counts, seed: int) -> Floats:
    """The forecasts of the graph. It sees the square roots of the counts, in units of the first 2,000."""
    roots = np.sqrt(counts.values)
    middle, spread = roots[:2000].mean(), roots[:2000].std()
    sim = cs.Simulation(build(), seed=seed)
    probe = sim.record("forecast.prediction")
    sim.run({"count": (roots - middle) / spread, "day": counts.day, "week": counts.week})
    return np.maximum(probe.values[:, 0] * spread + middle, 0) ** 2


def errors(told: Floats, counts: Counts) -> dict[str, float]:
    """Both measures of a forecast."""
    truth, off = counts.values[counts.scored:], (told - counts.values)[counts.scored:]
    return {"mape": float(np.abs(off).mean() / np.abs(truth).mean()),
            "nrmse": float(np.sqrt((off**2).mean()) / counts.values.std())}


def run(seed: int) -> dict[str, Result]:
    """One pass, beside plain forecasts of the same series."""
    counts = read()
    y, scale = counts.values, counts.values[:2000].std()
    lags = lagged((y - y[:2000].mean()) / scale, LAGS)
    calendar = np.hstack([lags, counts.day, counts.week])
    plain = {"last value": np.roll(y, HORIZON), "same time last week": np.roll(y, WEEK),
             "RLS, 36 lags": scale * online_rls(lags, y / scale, HORIZON),
             "RLS, lags and calendar": scale * online_rls(calendar, y / scale, HORIZON, forgetting=0.9998)}
    found = {name: errors(told, counts) for name, told in plain.items()}
    ours = errors(forecast(counts, seed), counts)
    return {measure: Result(ours[measure], {name: of[measure] for name, of in found.items()} | PUBLISHED[measure],
                            REACHED[measure] if counts.scored == 10_000 else
                            PROPORTION[measure] * found["RLS, 36 lags"][measure]) for measure in GOALS}
