"""Numbers as codes, and predictions as quantiles: counts of every half hour, with holes and rows that come twice.

Each unit of "value" stands for a stretch of the range; a softmax region gives each a probability, from the count
before, the time of day and that of the week. They add up to quantiles, whose spread follows the hour.

    python encode_a_series.py --out /tmp/series
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs
from cortexsim.sources import open_stream

STREAM = {"name": "encoded", "path": "counts.csv", "time": "when", "gaps": "fill", "duplicates": "mean", "sources": {
    "value": {"column": "riders", "encoder": "scalar", "low": 0, "high": 600, "size": 61, "active": 1},
    "hour": {"encoder": "calendar", "what": "time_of_day", "size": 48, "active": 3},
    "week": {"encoder": "calendar", "what": "day_of_week", "size": 336, "active": 6}}}


def write_counts(path: Path, days: int = 400) -> None:
    """Riders of every half hour: two rushes on working days, one hump on others, noise where there is much to count."""
    rng, ticks = np.random.default_rng(0), np.arange(48 * days)
    when, hour = np.datetime64("2024-01-01T00:00") + ticks * np.timedelta64(30, "m"), ticks / 2 % 24
    morning, evening, walk = (np.exp(-(((hour - at) / w) ** 2)) for at, w in ((8, 1.5), (17.5, 2), (14, 4)))
    mean = np.where(ticks // 48 % 7 >= 5, 150 * walk, 220 * morning + 260 * evening) + 15
    riders = mean * np.maximum(0, 1 + 0.2 * rng.normal(size=len(ticks)))
    times = rng.choice([0, 1, 2], len(ticks), p=[0.01, 0.98, 0.01])  # a row is left out, or comes twice
    path.write_text("when,riders\n" + "".join(f"{when[k]},{riders[k]:.0f}\n" * times[k] for k in ticks))


def build(shapes: dict[str, tuple[int, ...]]) -> cs.RegionGraph:
    """A region that predicts the code of the next count; of its sources the calendar is known before."""
    graph = cs.RegionGraph()
    for name, shape in shapes.items():
        graph.add_source(name, shape=shape, known="after" if name == "value" else "before")
    graph.add_region("next", predicts="value", context=["value@1", "hour", "week"], learning_rate=0.5,
                     output="softmax", sparse=True)
    return graph


def main() -> None:
    """Run once through the file, decode what was predicted, and compare it with what came."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the file and the figure")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    write_counts(out / "counts.csv")
    stream = open_stream(STREAM, base_dir=out)
    sim = cs.Simulation(build(stream.shapes()), seed=0, on_bad="skip")  # a hole is a tick without an outcome
    probe = sim.record("next.prediction")
    sim.run(stream)
    told = stream.encoders["value"].decode(probe.values, quantiles=(0.1, 0.5, 0.9))
    truth, ticks = stream.values["value"], np.arange(stream.length)
    last = np.roll(truth, 1)
    late = (ticks > stream.length // 2) & np.isfinite(truth + last)
    print(f"{stream.length} ticks, {np.isnan(truth).sum()} of them holes; in hundreds of riders:")
    errors = [np.abs(guess - truth)[late].mean() / 100 for guess in (told[:, 1], last)]
    widths = [np.ptp(told[late & (ticks % 48 == 2 * hour)], axis=1).mean() / 100 for hour in (4, 8, 18)]
    print("mean error of median and last value: {:.2f} {:.2f}".format(*errors))
    print("width of the band at 4, 8 and 18 h: {:.2f} {:.2f} {:.2f}".format(*widths))
    print("share below the quantiles:", *((truth < q)[late].mean().round(2) for q in told.T))
    _, axes = plt.subplots(figsize=(10, 3.5), layout="constrained")
    when, low, middle, high = stream.times[-336:], *told[-336:].T
    axes.fill_between(when, low, high, alpha=0.25, lw=0, label="80 % of what is expected")
    axes.plot(when, middle, lw=1.5, label="median")
    axes.plot(when, truth[-336:], "k.", ms=3, label="what came")
    axes.set_ylabel("riders in half an hour")
    axes.legend()
    axes.figure.savefig(out / "encoded_series.png", dpi=120)


if __name__ == "__main__":
    main()
