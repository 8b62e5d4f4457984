"""Clocks that never meet: found by arithmetic on periods, offsets, delays and the trial, and in what has run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortexsim import bookkeeping as d
from cortexsim.doctor_case import Case
from cortexsim.doctor_report import Finding
from cortexsim.plan import Plan
from cortexsim.plan_shapes import EdgePlan, RegionPlan

MEET = "clocks never meet"


def places(period: int, offset: int, length: int) -> list[int]:
    """The places of a trial of this length at which a clock is ever due, in one trial or another.

    Examples
    --------
    >>> places(4, 1, 6)
    [1, 3, 5]
    """
    step = gcd(period, length)
    return list(range(offset % step, length, step))


def age(writer: tuple[int, int], reader: tuple[int, int], delay: int) -> int:
    """How old, at least, a value is that a reader finds: 0 where it is sometimes written at the tick that is read.

    Parameters
    ----------
    writer, reader : (int, int)
        Period and offset.
    delay : int
        Of the edge.

    Examples
    --------
    >>> age((4, 0), (4, 1), 0), age((4, 0), (2, 0), 1), age((4, 0), (3, 0), 1)
    (1, 1, 0)
    """
    return (reader[1] - delay - writer[1]) % gcd(writer[0], reader[0])


def clock(region: RegionPlan) -> tuple[int, int]:
    """Period and offset."""
    return region.data["period"], region.data["offset"]


def check_clocks(case: Case) -> Iterator[Finding]:
    """Spans without a due tick, scores and learning at places that are none, targets that were known before."""
    trial = case.plan.trial
    for region in case.regions():
        if trial is not None:
            due = places(*clock(region), trial.length)
            yield from _spans(case, region, trial.spans, due)
            yield from _trial_places(case, region, due)
        for edge in region.edges["target"]:
            yield from _stale(case, region, edge)


def _spans(case: Case, region: RegionPlan, spans: Mapping[str, tuple[int, int]], due: list[int]) -> Iterator[Finding]:
    assert case.plan.trial is not None
    for role, edges in region.edges.items():
        for edge in edges:
            span = edge.data["span"]
            if span is None or any(spans[span][0] <= place < spans[span][1] for place in due):
                continue
            first, last = spans[span]
            if role == "target":
                case.told.add(region.name)
            yield Finding(
                "problem", MEET, f"edge {edge.name!r}",
                f"it delivers only in the span {span!r}, places {first} to {last - 1} of the trial, and "
                f"{region.name!r} (period {clock(region)[0]}, offset {clock(region)[1]}) is due only at the places "
                f"{_listed(due)}: nothing ever comes over it",
                f"{_offset_for(region, first, case.plan.trial.length)}, period = 1, or a span that holds one of these "
                "places", {"span": [first, last], "due": due[:64]})


def _offset_for(region: RegionPlan, place: int, length: int) -> str:
    """An offset with which a region is due at a place of the trial."""
    return f"offset = {place % gcd(region.data['period'], length)} of {region.name!r}"


def _trial_places(case: Case, region: RegionPlan, due: list[int]) -> Iterator[Finding]:
    trial, hyper = case.plan.trial, region.hyper
    assert trial is not None
    wanted = {}
    if trial.score_at >= 0 and region.shapes.n_target:
        wanted["scored"] = trial.score_at, "score_at"
    if hyper.get("learning") == "settled" and hyper.get("learn_at", 0) < trial.length:
        wanted["learns"] = trial.length - 1 if hyper.get("learn_at", -1) < 0 else hyper["learn_at"], "learn_at"
    for what, (place, name) in wanted.items():
        if place in due:
            continue
        case.told.add(region.name)
        verb = "it is scored" if what == "scored" else "it learns"
        yield Finding(
            "problem", MEET, f"region {region.name!r}",
            f"{verb} at place {place} of the trial, and (period {clock(region)[0]}, offset {clock(region)[1]}) is due "
            f"only at the places {_listed(due)}: {'it has no curve' if what == 'scored' else 'it never learns'}",
            f"{_offset_for(region, place, trial.length)}, period = 1, or {name} = {due[-1]}",
            {"place": place, "due": due[:64]})


def _stale(case: Case, region: RegionPlan, edge: EdgePlan) -> Iterator[Finding]:
    writer = case.plan.regions.get(edge.source)
    if writer is None or edge.data["span"] is not None:
        return
    old = age(clock(writer), clock(region), edge.delay)
    if not old:
        return
    period, offset = clock(region)
    step = gcd(period, clock(writer)[0])
    fitting = (clock(writer)[1] + edge.delay) % step
    yield Finding(
        "problem", MEET, f"edge {edge.name!r}",
        f"{edge.source!r} writes at ticks {clock(writer)[1]} + {clock(writer)[0]} n, and {region.name!r} compares at "
        f"ticks {offset} + {period} n: its outcome is never new, but at least {old} tick{'s' * (old > 1)} old, and "
        "known before it is predicted",
        f"offset = {fitting} of {region.name!r}, or period = 1 of {edge.source!r}",
        {"age": old, "writer": list(clock(writer)), "reader": list(clock(region))})


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:6]))
    return shown + (f", ... {numbers[-1]}" if len(numbers) > 6 else "")


# --- what has run ---

def check_due(case: Case) -> Iterator[Finding]:
    """Regions that were never due, or never scored."""
    if not case.tick:
        return
    for region in case.regions():
        name = region.name
        if name in case.told:
            continue
        period, offset = clock(region)
        learned, scored = case.total(name, "learned"), case.total(name, "ticks")
        due = _due(case, name) if case.sim is not None else learned + scored
        if due:
            yield from _unscored(case, region, scored)
            continue
        if case.sim is None and not region.edges["target"]:
            continue  # no curve tells of it
        case.told.add(name)
        if offset >= case.tick or period > case.tick:
            evidence = f"its first tick of period {period:,} is {offset:,}, and only {case.tick:,} ticks have run"
            remedy = f"run longer than {offset + period:,} ticks, or period = {max(1, case.tick // 100)}"
        elif region.edges["gate"]:
            gates = ", ".join(edge.signal for edge in region.edges["gate"])
            evidence = f"in {case.tick:,} ticks its gate ({gates}) was never open at a tick at which it was due"
            remedy = ("another gate or component, a delay of the gate's edge that brings it in at the right tick, or "
                      "period = 1")
        else:
            evidence = f"in {case.tick:,} ticks it never ran"
            remedy = "look at its clock and its edges with cortexsim show"
        yield Finding("problem", "never due", f"region {name!r}", evidence, remedy,
                      {"period": period, "offset": offset, "ticks": case.tick})


def _due(case: Case, name: str) -> int:
    return int(case.sim.memory.status[case.sim.memory.row[name], d.DUE])


def _unscored(case: Case, region: RegionPlan, scored: float) -> Iterator[Finding]:
    trial = case.plan.trial
    enough = 4 * region.data["period"] * (trial.length if trial else 1) + region.data["offset"]
    if scored or not region.edges["target"] or case.tick < enough:
        return
    case.told.add(region.name)
    cut = [edge.name for edge in region.edges["target"] if edge.data["lesioned"]]
    sources = ", ".join(dict.fromkeys(edge.source for edge in region.edges["target"]))
    why = f"its target is cut ({', '.join(cut)})" if cut else f"its target never came from {sources}"
    remedy = f"sim.restore({cut[0]!r})" if cut else f"look at what {sources} brings, and at the gates on the way"
    yield Finding("problem", "never scored", f"region {region.name!r}",
                  f"in {case.tick:,} ticks there was nothing to hold it against: {why}", remedy, {"ticks": case.tick})


# --- what the inputs say of gates ---

def check_gates(plan: Plan, rows: Mapping[str, NDArray[np.float32]], start: int) -> Iterator[Finding]:
    """Gates that open, but never at a tick at which their region is due.

    Parameters
    ----------
    plan : Plan
    rows : mapping of str to float32 array [ticks, size]
        What every source brings, tick by tick; NaN where it brings nothing.
    start : int
        The tick of the first row.
    """
    for name in sorted(plan.regions):
        region = plan.regions[name]
        for edge in region.edges["gate"]:
            if edge.source in rows and region.data["period"] > 1:
                yield from _gate(region, edge, (rows[edge.source][:, edge.units] > 0).any(axis=1), start)


def _gate(region: RegionPlan, edge: EdgePlan, opened: Any, start: int) -> Iterator[Finding]:
    period, offset = clock(region)
    ticks = start + np.flatnonzero(opened) + edge.delay  # at which it lets the region run
    # by chance so many would all miss it about once in e^8
    if len(ticks) < 8 * period or ((ticks - offset) % period == 0).any():
        return
    classes = np.bincount((ticks % period).astype(np.int64), minlength=period)
    best = int(classes.argmax())
    yield Finding(
        "problem", MEET, f"edge {edge.name!r}",
        f"the gate lets {region.name!r} run at {len(ticks):,} of {len(opened):,} ticks, but at none of its own, "
        f"{offset} + {period} n",
        f"offset = {best} of {region.name!r} (the gate is open at {classes[best]:,} such ticks), or period = 1",
        {"open": len(ticks), "ticks": len(opened), "period": period, "offset": offset})
