"""Tells which regions have diverged, at which tick and why, and starts regions anew.

What becomes of such a region is decided at that tick, in :mod:`cortexsim.guard`; here the user hears of it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim import guard
from cortexsim.changes import matching
from cortexsim.errors import RegionWarning
from cortexsim.kind import PORTS
from cortexsim.policies import keep
from cortexsim.tables import seed_of

SCORED = {guard.LOSS_LEFT: "loss", guard.ENERGY_LEFT: "free energy", guard.UPDATE_LEFT: "update of the weights"}
# what a region reads is the likelier cause where it is as large as this
LARGE_INPUT = 1e6


def look(sim: Any) -> None:
    """Tell of every divergence that was not told yet: an event at its tick, and a warning.

    Parameters
    ----------
    sim : Simulation
        Its ``_diverged`` counts by region what was told.

    Warns
    -----
    RegionWarning
        Names region, tick, what left the range, what was done, and what would help.
    """
    counts = sim.memory.diverged[:, 0]
    if not counts.any():
        return
    # whoever watches how regions settle has seen that this one diverged
    sim.memory.status[:, d.BAD] = -1
    entries = []
    for row in np.flatnonzero(counts):
        name = sim.plan.sequence[row]
        told = sim.memory.diverged[row, 1:].reshape(-1, guard.N_TOLD)
        for k in range(sim._diverged.get(name, 0), counts[row]):
            entries.append((int(told[k, guard.TOLD_TICK]), name, k, told[k]))
        sim._diverged[name] = int(counts[row])
    # by name, since the order of the rows hangs on how long a visit may be
    entries.sort(key=lambda found: found[:3])
    texts = [_note(sim, tick, name, k, entry) for tick, name, k, entry in entries]
    # all is noted before the first warning, which may be made an error
    for text in texts:
        warnings.warn(text, RegionWarning, stacklevel=_outside())


def _outside() -> int:
    """How many calls up the user's own code is, for the caller."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and f"{frame.f_globals.get('__name__', '')}.".startswith("cortexsim."):
        frame, level = frame.f_back, level + 1
    return level


def _note(sim: Any, tick: int, name: str, k: int, entry: np.ndarray) -> str:
    """Put one divergence on the curves; returns the text of its warning."""
    what, done = _what(int(entry[guard.TOLD_REASON])), _done(sim, name, k, int(entry[guard.TOLD_ACTION]))
    if entry[guard.TOLD_ACTION] == guard.FREEZE:
        sim.plan.regions[name].data["frozen"] = True
        if name in sim.graph:
            sim.graph.nodes[name]["frozen"] = True
    sim.curves.add_event(tick, "divergence", name, f"its {what}; {done}")
    then = f", then sim.restart({name!r})" if entry[guard.TOLD_ACTION] != guard.BEGIN_ANEW else ""
    return (f"region {name!r}: diverged at tick {tick}: its {what}; {done}; "
            f"{_remedy(sim.plan.regions[name].hyper, float(entry[guard.TOLD_INPUT]))}{then}")


def _what(reason: int) -> str:
    if reason in SCORED:
        return f"{SCORED[reason]} is not finite" if reason != guard.UPDATE_LEFT else f"{SCORED[reason]} exploded"
    if reason >= guard.TOO_LARGE:
        return f"{PORTS[reason - guard.TOO_LARGE]} exploded"
    return f"{PORTS[reason - guard.NOT_FINITE]} is not finite"


def _done(sim: Any, name: str, k: int, action: int) -> str:
    if action == guard.BEGIN_ANEW:
        return f"set back to its start, {k + 1} of {guard.RESETS} times"
    if action == guard.FREEZE:
        least = 1 << guard.IMAGES_EVERY
        return f"set back by {least} to {2 * least} of its ticks, at most to its start, and frozen"
    policy = sim.plan.regions[name].data["on_divergence"]
    why = "" if policy == "stop" else f" after {guard.RESETS} times" if k >= guard.RESETS else ", being frozen"
    return f"stopped{why}, and silent from here on"


def _remedy(hyper: dict[str, Any], given: float) -> str:
    """The next step: the likely cause is a large input, or else a rate."""
    if given > LARGE_INPUT:
        return f"what it reads is as large as {given:.2g}: scale that to about 1"
    rates = [key for key in hyper if "rate" in key and hyper[key]]
    ways = [f"lower its {key} ({hyper[key]})" for key in rates[:1]]
    if hyper.get("normalise", True) is False:
        ways.append("set normalise to True")
    return " or ".join(ways) or "look at its arrays: sim.parameters shows them"


def restart(sim: Any, patterns: Iterable[str]) -> list[str]:
    """Let regions begin anew: all arrays as at the start, learning, and no longer stopped.

    A region that was frozen since it diverged learns again; one that the user froze does not. Curves, baselines and
    clocks go on.

    Parameters
    ----------
    sim : Simulation
    patterns : iterable of str
        Names or wildcards; none: all regions.

    Returns
    -------
    list of str
        Their names.

    Raises
    ------
    InputError
        Where a pattern matches no region.
    """
    names = [name for name in matching(sim, patterns) if name in sim.memory.row]
    sim.engine.flush()
    for name in names:
        _restart(sim, name)
        sim.curves.add_event(sim.tick, "restarted", name)
    return names


def _restart(sim: Any, name: str) -> None:
    memory, region = sim.memory, sim.plan.regions[name]
    row = memory.row[name]
    fresh = region.kind.allocate(region.hyper, region.shapes, np.random.default_rng(seed_of(sim.seed, name)))
    for key, array in memory.arrays[name].items():
        array[...] = fresh[key]
    keep(memory, name)
    if "learning_rate" in region.hyper:
        memory.set_hyper(name, "learning_rate", region.hyper["learning_rate"])
    at, count = memory.policies[row, guard.TRACE : guard.TRACE_SIZE + 1]
    memory.gradients[at : at + count] = 0
    log = memory.diverged[row]
    actions = log[1:].reshape(-1, guard.N_TOLD)[: log[0], guard.TOLD_ACTION]
    if (actions == guard.FREEZE).any():
        memory.regions[row, d.FROZEN] = False
        region.data["frozen"] = False
        if name in sim.graph:
            sim.graph.nodes[name]["frozen"] = False
    log[:] = 0
    sim._diverged.pop(name, None)
    memory.status[row, d.HALTED] = 0
    memory.status[row, d.BAD] = -1
    memory.status[row, d.RESET] = 1
