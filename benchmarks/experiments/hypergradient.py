"""Do learning rates that learn find what a search would? The graph ``regions/glimpses.toml``, all 18 regions at once.

Each region has a rate of its own, from .005 to .5. With ``step_size = "hypergradient"`` they all begin ten times too
small, then ten times too large, as far as their range goes. Beside them the same graph runs with fixed rates, all of
them the file's times one factor: what a region reaches under the best of the factors stands for its best fixed rate.

Errors are those of the last tenth of a run, mean of five seeds, since a code that turns out otherwise makes all that
forecasts it easier or harder: single seeds differ by 10 %. The figure is the worst of the 18 ratios.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

import cortexsim as cs
from benchmarks.measures import Goal, Result
from cortexsim.sources import open_stream

SEEDS = 1  # a run is five
EACH = 5
FACTORS = (0.1, 0.35, 0.6, 1.0, 1.7, 3.0, 5.0, 10.0)
START = 10.0
META_RATE = 0.02  # found on seeds 100 to 104
HIGHEST = 2.0  # the end of the range of both kinds' learning_rate
GOALS = {
    "ratio_small": Goal(1.1, "lower", "error by that of the best fixed rate, mean of 5 seeds, worst of 18 regions; "
                        "rates begin ten times too small"),
    "ratio_large": Goal(1.1, "lower", "the same; rates begin ten times too large"),
    "mean_ratio": Goal(1.0, "lower", "the same ratio, mean of all regions and of both starts"),
}


def errors(seed: int, factor: float, step_size: str, ticks: int | None = None) -> dict[str, float]:
    """Error of each region over the last tenth of a run, infinite where one of them diverges."""
    graph = cs.load("glimpses")
    table = dict(graph.graph["stream"])
    default = table.pop("ticks")
    known = cs.make_plan(graph).regions
    for name, region in known.items():
        rate = min(HIGHEST, factor * region.hyper["learning_rate"])
        graph.nodes[name]["hyper"].update(learning_rate=rate, step_size=step_size, meta_rate=META_RATE)
    try:
        curves = cs.Simulation(graph, seed=seed).run(open_stream(table, seed), ticks=ticks or default)
    except cs.InputError:
        return dict.fromkeys(known, math.inf)
    return {row["region"]: row["loss"] for row in curves.table()}


def mean_errors(seeds: Sequence[int], factor: float, step_size: str, ticks: int | None = None) -> dict[str, float]:
    """The same, mean of seeds."""
    found = [errors(seed, factor, step_size, ticks) for seed in seeds]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def run(seed: int, ticks: int | None = None, each: int = EACH,
        factors: Sequence[float] = FACTORS) -> dict[str, Result]:
    """Seeds from `each` times `seed` on; shorter runs than the default are for tests."""
    seeds = range(each * seed, each * seed + each)
    fixed = {factor: mean_errors(seeds, factor, "fixed", ticks) for factor in factors}
    best = {name: min(found[name] for found in fixed.values()) for name in fixed[factors[0]]}

    def ratios(found: Mapping[str, float]) -> list[float]:
        return [found[name] / best[name] for name in best]

    small, large = (ratios(mean_errors(seeds, start, "hypergradient", ticks)) for start in (1 / START, START))
    stay = {factor: max(ratios(found)) for factor, found in fixed.items()}
    return {
        "ratio_small": Result(max(small), {"the rates stay there": stay[1 / START], "the file's rates": stay[1.0]}),
        "ratio_large": Result(max(large), {"the rates stay there": stay[START], "the file's rates": stay[1.0]}),
        "mean_ratio": Result(float(np.mean(small + large)), {"the file's rates": float(np.mean(ratios(fixed[1.0])))}),
    }
