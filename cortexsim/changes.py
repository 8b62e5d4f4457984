"""Changes to a running simulation: freezing, lesions and hyperparameters, each an event on the curves."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any

from cortexsim import bookkeeping as d
from cortexsim.errors import GraphError, InputError, nearest


def matching(sim: Any, patterns: Iterable[str]) -> list[str]:
    """Names of the regions that match any of the patterns; all regions where there is no pattern."""
    names: list[str] = []
    for pattern in patterns:
        found = [name for name in sim.graph.regions if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise InputError("simulation", f"there is no region {pattern!r}", hint=nearest(pattern, sim.graph.regions))
        names += [name for name in found if name not in names]
    return names or list(sim.graph.regions)


def set_frozen(sim: Any, patterns: Iterable[str], frozen: bool) -> list[str]:
    """Stop or allow learning in the regions that match; returns their names."""
    names = matching(sim, patterns)
    for name in names:
        sim.graph.nodes[name]["frozen"] = frozen
        sim.memory.regions[sim.memory.row[name], d.FROZEN] = frozen
        sim.curves.add_event(sim.tick, "freeze" if frozen else "unfreeze", name)
    return names


def set_cut(sim: Any, names: list[str], what: str) -> list[str]:
    """Cut or restore edges, whose graph attribute is already set; returns their names."""
    for name in names:
        sim.memory.edges[sim.memory.edge_row[name], d.E_CUT] = what == "lesion"
        sim.plan.edges[name].data["lesioned"] = what == "lesion"
        sim.curves.add_event(sim.tick, what, name)
    return names


def set_hyper(sim: Any, region: str, values: dict[str, Any]) -> None:
    """Write checked hyperparameters where the kernels read them, for every region that matches; all or none."""
    names = matching(sim, [region])
    checked = {}
    for name in names:
        plan = sim.plan.regions[name]
        checked[name] = plan.kind.check_hyper(name, {**plan.hyper, **values})
        for key in values:
            if plan.kind.hyper_fields()[key].structural and checked[name][key] != plan.hyper[key]:
                raise GraphError(f"region {name!r}", f"{key} cannot change during a run",
                                 hint="edit sim.graph and call sim.replan()")
    for name in names:
        for key in values:
            value = checked[name][key]
            sim.plan.regions[name].hyper[key] = value
            sim.graph.nodes[name]["hyper"][key] = value
            sim.memory.set_hyper(name, key, value)
            sim.curves.add_event(sim.tick, "set", name, f"{key} = {value}")
