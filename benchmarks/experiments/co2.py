"""Weekly atmospheric CO2 at Mauna Loa, 1958-2001, one week ahead; blank weeks are skipped."""

from __future__ import annotations

from benchmarks.experiments._series import forecast
from benchmarks.measures import Goal, Result

SEEDS = 1  # the delta rule starts at zero and draws nothing
GOALS = {"nrmse": Goal(0.049, "lower", "one-step error over the standard deviation, second half")}


def run(seed: int) -> dict[str, Result]:
    """The forecast; it is the same for every seed."""
    return {"nrmse": forecast("co2.csv", "co2")}
