"""The check-up of a simulation: what is wrong in it, where, how that shows, and the remedy.

:func:`examine` looks at a simulation, :func:`examine_run` at what is left of one in the folder of a run. Nothing in the
simulation changes: whatever has to be tried is tried on a copy that does not learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cortexsim import bookkeeping as d
from cortexsim import carry
from cortexsim.curves import Curves
from cortexsim.doctor_case import Case
from cortexsim.doctor_checks import (
    check_costs,
    check_events,
    check_rates,
    check_skill,
    check_units,
    costs_of,
    few_ticks,
)
from cortexsim.doctor_clocks import check_clocks, check_due, check_gates
from cortexsim.doctor_report import Finding, Report
from cortexsim.doctor_trial import MANY_EDGES, SILENCED, Twin, check_edges, timed, try_edges
from cortexsim.doctor_values import FEW_ROWS, check_arrays, check_inputs, check_units_seen, read_rows
from cortexsim.errors import InputError
from cortexsim.graph import RegionGraph
from cortexsim.plan import Plan, make_plan

SHORTEST, LONGEST = 512, 20_000  #: Ticks for which edges are silenced, unless told.


def examine(sim: Any, inputs: Any = None, ticks: int | None = None, progress: bool | None = None) -> Report:
    """Look for what is wrong in a simulation.

    Parameters
    ----------
    sim : Simulation
        Stays as it is, to the bit.
    inputs : dict of arrays, list of dicts, or stream that can be rewound, optional
        What comes next, as for :meth:`cortexsim.Simulation.run`; its position is put back. Without it, edges, units
        and inputs are not looked at.
    ticks : int, optional
        For how long edges are silenced; by default 512, more where delays, periods or trials are long.
    progress : bool, optional
        Show a progress bar; by default where it takes long.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        For inputs that do not fit, or can be read only once.
    """
    repeat = sim._repeat()
    if ticks is not None and (isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 1 or ticks % repeat):
        multiple = f", a multiple of the trial's {repeat}" if repeat > 1 else ""
        raise InputError("doctor", f"ticks must be a whole number of at least 1{multiple}", ticks)
    sim.engine.flush()
    frozen = {name for name, row in sim.memory.row.items() if sim.memory.regions[row, d.FROZEN]}
    case = Case(sim.plan, sim.curves, carry.time_shares(sim), carry.learning_rates(sim), frozen, sim)
    findings: list[Finding] = []
    unchecked: list[str] = []
    _roots(case, findings)
    findings += check_arrays(case)
    edges: list[dict[str, Any]] = []
    given = {} if inputs is None else inputs
    if inputs is None and sim.plan.sources:
        unchecked.append("edges that nobody uses, units that never do anything, inputs, gates: no inputs were given; "
                         "sim.doctor(inputs) tries them on a copy")
    else:
        edges = _try(case, given, ticks or default_ticks(sim.plan), findings, unchecked, progress)
    return _report(case, findings, edges, unchecked)


def examine_run(graph: RegionGraph, curves: Curves, summary: Mapping[str, Any]) -> Report:
    """Look for what is wrong in a run of which only graph, curves and summary are left.

    Parameters
    ----------
    graph : RegionGraph
    curves : Curves
    summary : mapping
        As in summary.json; may be empty.

    Returns
    -------
    Report
    """
    plan = make_plan(graph)
    told = summary.get("regions")
    told = told if isinstance(told, Mapping) else {}
    rows = {name: row for name, row in told.items() if isinstance(row, Mapping)}

    def numbers(key: str) -> dict[str, float]:
        return {name: float(row[key]) for name, row in rows.items() if isinstance(row.get(key), (int, float))}

    frozen = {name for name in graph.regions if graph.nodes[name]["frozen"]}
    case = Case(plan, _curves_of(plan, curves), numbers("share"), numbers("rate"), frozen)
    findings: list[Finding] = []
    _roots(case, findings)
    return _report(case, findings, [], [
        "weights, units and edges that nobody uses: the run has no checkpoint, so its weights are gone; run it with "
        "--checkpoint-every N to keep them"])


def _curves_of(plan: Plan, curves: Curves) -> Curves:
    """Curves with a row for every region of the plan."""
    missing = set(plan.regions) - set(curves.regions)
    return curves.carry(*carry.curve_rows(plan)) if missing else curves


def _roots(case: Case, findings: list[Finding]) -> None:
    """What may be the cause of other things comes first: those are not told as well."""
    for check in (check_events, check_clocks, check_due):
        findings += check(case)


def default_ticks(plan: Plan) -> int:
    """How long edges are silenced: long enough that what they bring, and what follows from it, is seen.

    Parameters
    ----------
    plan : Plan
    """
    trial = plan.trial.length if plan.trial else 1
    periods = [region.data["period"] for region in plan.regions.values()]
    wanted = max(SHORTEST, 4 * max(plan.delays.values(), default=0), 64 * max(periods, default=1), 64 * trial)
    return max(trial, min(LONGEST, wanted) // trial * trial)


def _try(case: Case, inputs: Any, ticks: int, findings: list[Finding], unchecked: list[str],
         progress: bool | None) -> list[dict[str, Any]]:
    """Everything that needs inputs; returns the rows of the edges."""
    sim, repeat = case.sim, case.sim._repeat()
    rows, bad = read_rows(case.plan, inputs, ticks // repeat, sim.tick // repeat)
    findings += check_inputs(case.plan, rows, {} if sim.on_bad == "skip" else bad)
    count = min((len(values) for values in rows.values()), default=ticks // repeat)
    spoken = {name: values.repeat(repeat, axis=0) for name, values in rows.items()}
    findings += check_gates(case.plan, spoken, sim.tick)
    if count * repeat < FEW_ROWS:
        unchecked.append(f"edges that nobody uses, units that never do anything: the inputs hold only {count} more "
                         f"rows; give at least {-(-FEW_ROWS // repeat)}")
        return []
    twin = Twin(sim, rows, count * repeat)
    (seen, due), seconds = timed(twin.watched)
    base = twin.sums()
    findings += check_units_seen(case, seen, due, twin.ticks)
    edges = try_edges(case, twin, base, due, seconds, progress)
    findings += check_edges(edges, twin.ticks)
    left = sum(len(region.edges[role]) for region in case.plan.regions.values() for role in SILENCED) - len(edges)
    if len(edges) == MANY_EDGES and left:
        unchecked.append(f"{left:,} more edges: only the {MANY_EDGES} with the smallest weights were silenced")
    for verdict, why in (("unclear", "the change of the error is within its noise; more ticks tell"),
                         ("silent", "nothing came over them in these ticks"),
                         ("too early", "their readers have hardly learned yet"),
                         ("not scored", "no region that they reach was scored")):
        names = [row["edge"] for row in edges if row["verdict"] == verdict]
        if names:
            unchecked.append(f"whether {_names(names)} {'is' if len(names) == 1 else 'are'} used: {why}")
    return edges


def _names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _report(case: Case, findings: list[Finding], edges: list[dict[str, Any]], unchecked: list[str]) -> Report:
    sizes = costs_of(case)
    seen = {(finding.what, finding.where) for finding in findings}
    for more in (check_skill(case), check_units(case), check_rates(case), check_costs(case, sizes)):
        # what was seen unit by unit is told once
        findings += [finding for finding in more if (finding.what, finding.where) not in seen]
    unchecked += few_ticks(case)
    if not case.tick:
        unchecked.append("skill, units and learning: no tick has run yet")
    return Report(case.plan.name, case.tick, _sorted(findings), _table(case, sizes), edges, unchecked)


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: finding.severity != "problem")


def _table(case: Case, sizes: Mapping[str, tuple[int, int]]) -> list[dict[str, Any]]:
    rows = []
    for region in case.regions():
        name = region.name
        skill, end = case.skill(name), case.end(name)
        rows.append({
            "region": name, "kind": region.kind.name, "learned": int(case.total(name, "learned")),
            "scored": int(case.total(name, "ticks")), "skill": skill.value, "noise": skill.noise,
            "dead": end["dead"], "saturated": end["saturated"], "rate": case.rates.get(name),
            "bytes": sizes[name][0], "ring_bytes": sizes[name][1],
            "flops": case.plan.costs[name][0] / region.data["period"], "share": case.shares.get(name)})
    return rows
