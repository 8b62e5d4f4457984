"""Watches free energy as regions settle, and warns of those that do not, with the remedy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim.errors import SettlingWarning, users_call

# a rise of the free energy by this share of its size is rounding
ROUNDING = 1e-3


def has_risen(start: Any, end: Any) -> Any:
    """Whether a free energy ended higher than it started, beyond rounding."""
    return end > start + ROUNDING * np.maximum(1.0, np.abs(start))


def warn(region: str, hyper: dict[str, Any], what: str) -> None:
    """Warn of a region that does not settle."""
    rate = hyper.get("rate")
    remedy = "" if rate is None else f"; lower its rate ({rate:g}), for example to {rate / 2:g}"
    warnings.warn(f"region {region!r}: {what}{remedy}", SettlingWarning, stacklevel=users_call())


def watches(plan: Any) -> bool:
    """Whether regions of a plan settle over trials."""
    return plan.trial is not None and any(region.kind.settles for region in plan.regions.values())


class Watch:
    """Holds the free energy at the end of trials against that at their start, as a simulation runs."""

    def __init__(self) -> None:
        self._seen: Any = None
        # of which regions and rates there are events, and of which the user was warned
        self._warned: set[tuple[str, Any]] = set()
        self._said: set[tuple[str, Any]] = set()

    def look(self, sim: Any, whole: bool) -> None:
        """Look at the trials since the last whole look; warn once of each region and rate.

        Only at the end of a `whole` stretch is there an event, and the next one begins: these lie at the same ticks
        however a run is cut.
        """
        if not watches(sim.plan):
            return
        sums = sim.curves.acc[..., [d.ENERGY_START, d.ENERGY, d.ENERGY_TICKS, d.MOVED]].sum(axis=1)
        # curves of an edited graph begin anew, or have other rows
        same = self._seen is not None and self._seen.shape == sums.shape and (self._seen[:, 2] <= sums[:, 2]).all()
        start, end, trials, moved = (sums - self._seen if same else sums).T
        self._seen = sums if whole else self._seen
        if (sim.memory.status[:, d.BAD] >= 0).any():
            # it has diverged, which is an error that says more
            return
        count = trials.max(initial=0.0)
        if not count or not has_risen(start.sum() / count, end.sum() / count):
            return
        # what still moves most has not found its place
        name = sim.plan.sequence[int(np.argmax(moved))]
        hyper = sim.plan.regions[name].hyper
        found = name, hyper.get("rate")
        if whole and found not in self._warned:
            self._warned.add(found)
            sim.curves.add_event(sim.tick, "energy rose", name)
        if found not in self._said:
            self._said.add(found)
            warn(name, hyper, f"free energy rose while settling, from {start.sum() / count:.4g} to "
                 f"{end.sum() / count:.4g} in a trial")
