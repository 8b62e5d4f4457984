"""A photograph through a moving eye: do the regions forecast, and is it the saccade signals that let them?

The graph ``regions/glimpses.toml`` runs at its default length, once as it is, and once with the saccade and the motor
command shuffled in time together, which leaves their values and breaks what they tell of the outcome. A figure is
taken over the last tenth of the run.
"""

from __future__ import annotations

import cortexsim as cs
from benchmarks.measures import Goal, Result
from cortexsim.sources import Shuffled, open_stream

SEEDS = 5
GAIN = 0.9  # at least 10 % below what it is compared with
GOALS = {
    "fovea_mse": Goal("10 % below the best of its baselines", "lower",
                      "error of the fovea's next patch"),
    "lowest_skill": Goal(0.0, "higher", "skill over the running mean, of the forecasting region that has the lowest"),
}


def simulate(seed: int, ticks: int | None = None, shuffled: bool = False,
             lesions: tuple[str, ...] = ()) -> cs.Curves:
    """Run the graph.

    Parameters
    ----------
    seed : int
        Of the walk and of all initial values.
    ticks : int, optional
        By default what the graph's file says.
    shuffled : bool
        Shuffle the saccade signals in time.
    lesions : tuple of str
        Edges to cut before the first tick.

    Returns
    -------
    Curves
    """
    graph = cs.load("glimpses")
    table = dict(graph.graph["stream"])
    default = table.pop("ticks")
    for pattern in lesions:
        graph.lesion(pattern)
    stream = open_stream(table, seed)
    if shuffled:
        stream = Shuffled(stream, ["saccade", "motor"], seed=seed)
    return cs.Simulation(graph, seed=seed).run(stream, ticks=ticks or default)


def run(seed: int, ticks: int | None = None) -> dict[str, Result]:
    """One seed; `ticks` other than the default are for tests."""
    curves = simulate(seed, ticks)
    fovea = curves.final("fovea-next")
    control = simulate(seed, ticks, shuffled=True).final("fovea-next")
    baselines = {"last value": fovea["loss_last"], "running mean": fovea["loss_mean"],
                 "saccades shuffled": control["loss"]}
    skills = {row["region"]: row["skill"] for row in curves.table() if row["scores"] == "forecast"}
    return {"fovea_mse": Result(fovea["loss"], baselines, GAIN * min(baselines.values())),
            "lowest_skill": Result(min(skills.values()), {"running mean": 0.0})}
