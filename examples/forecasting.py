"""Forecast the load of the coming day, hour by hour, and go on learning as each day comes in.

A made-up load of 20 weeks: a rhythm of the day, quieter weekends, and heating when it is cold. What the temperature
will be is known beforehand, as from a weather forecast.

    python forecasting.py --out /tmp/load
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import cortexsim as cs

DAY, WEEKS, LEARNED = 24, 20, 16 * 7 * 24  # hours of a day, weeks of data, hours that are learned from at first


def make_load(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hours, temperature in degrees, load in megawatts."""
    rng = np.random.default_rng(seed)
    t = np.arange(WEEKS * 7 * DAY)
    weather = np.zeros(len(t))
    for k in range(1, len(t)):
        weather[k] = 0.98 * weather[k - 1] + 0.6 * rng.normal()
    temperature = 12 + weather + 4 * np.sin(2 * np.pi * (t % DAY - 9) / DAY)
    weekend = t // DAY % 7 >= 5
    work = np.clip(np.sin(2 * np.pi * (t % DAY - 6) / DAY), 0, None) * np.where(weekend, 3.0, 10.0)
    load = 40 + work + 0.8 * np.clip(18 - temperature, 0, None) + 0.6 * rng.normal(size=len(t))
    hours = np.datetime64("2024-01-01T00:00") + t * np.timedelta64(1, "h")
    return hours, temperature, load


def build() -> cs.RegionGraph:
    """A linear region that sees the last hours, those of a day and a week ago, the calendar, and the temperature X."""
    graph = cs.RegionGraph(name="load")
    graph.add_source("value", size=1)
    graph.add_source("time_of_day", size=12, known="before")
    graph.add_source("day_of_week", size=14, known="before")
    graph.add_source("X", size=2, known="before", why="temperature, and how far below 18 degrees it is")
    lags = [*range(1, 4), *range(23, 26), *range(167, 170)]
    graph.add_region("forecast", kind="rls", predicts="value",
                     context=["time_of_day", "day_of_week", "X", *(f"value@{lag}" for lag in lags)])
    return graph


def main() -> None:
    """Learn, forecast four weeks day by day, and say how good the forecasts were."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    hours, temperature, load = make_load()
    X = np.stack([temperature / 10, np.clip(18 - temperature, 0, None) / 10], axis=1)

    forecaster = cs.Forecaster(build(), horizon=range(1, DAY + 1), seed=0)
    forecaster.fit(load[:LEARNED], X[:LEARNED], hours[:LEARNED])
    errors, inside = [], []
    for now in range(LEARNED, len(load) - DAY, DAY):
        day = slice(now, now + DAY)
        told, band = forecaster.predict(X=X[day]), forecaster.predict(X=X[day], quantiles=[0.1, 0.9])
        errors.append(np.abs(load[day] - told).mean())
        inside.append(((load[day] >= band[:, 0]) & (load[day] <= band[:, 1])).mean())
        forecaster.partial_fit(load[day], X[day], hours[day])
    print(f"{len(errors)} days forecast at midnight: mean error {np.mean(errors):.2f} MW, "
          f"{np.mean(inside):.0%} of the hours within the 80 % band")
    for score in forecaster.history.scores()[::11]:
        print(f"{score['horizon']:2} hours ahead: NRMSE {score['nrmse']:.3f}, last value {score['nrmse_last']:.3f}, "
              f"a week ago {score['nrmse_seasonal']:.3f}, RLS-AR {score['nrmse_rls']:.3f}")
    forecaster.predict(X=X[now + DAY:now + 2 * DAY])  # the picture shows this day, too
    forecaster.history.plot().savefig(options.out / "load_forecast.png", dpi=120)


if __name__ == "__main__":
    main()
