"""What the curves, the plan and the present rates of a simulation tell of its regions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from cortexsim.doctor_case import FEW_TICKS, Case, Skill, higher, lower, target_words, uses_rate
from cortexsim.doctor_report import Finding, bytes_text
from cortexsim.hyperparameter import HyperField
from cortexsim.plan_shapes import RegionPlan
from cortexsim.step_sizes import limits

#: Above which share of exact zeros or of units at their limit a region is told of, and is a problem.
SOME, MOST = 0.25, 0.75
TOO_MUCH = 0.5  #: Share of time or memory that is much for one region.
LARGE = 64 * 2**20  #: Bytes below which nobody minds.


# --- what has happened ---

def check_events(case: Case) -> Iterator[Finding]:
    """Regions that diverged, and regions that are frozen."""
    events = case.curves.events
    for region in case.regions():
        name = region.name
        mine = [event for event in events if event["what"] == "divergence" and event["where"] == name]
        restarted = max((e["tick"] for e in events if e["what"] == "restarted" and e["where"] == name), default=-1)
        now = [event for event in mine if event["tick"] >= restarted]
        if now:
            case.told.add(name)
            policy = str(region.data.get("on_divergence", "stop"))
            detail = f" ({now[-1]['detail']})" if now[-1]["detail"] else ""
            count = sum(event["count"] for event in now)
            yield Finding(
                "problem", "diverged", f"region {name!r}",
                f"at tick {now[-1]['tick']:,}{detail}" + (f", {count} times in all" if count > 1 else "")
                + f"; its policy is on_divergence = {policy!r}", _calmer(region) + _again(case, name),
                {"tick": now[-1]["tick"], "count": count})
        elif name in case.frozen:
            case.told.add(name)
            yield Finding("note", "frozen", f"region {name!r}", f"it learned at {case.total(name, 'learned'):,.0f} "
                          "ticks, and does so no more", f"sim.unfreeze({name!r}), if it is to go on learning", {})


def _again(case: Case, name: str) -> str:
    return f"; then sim.restart({name!r})" if hasattr(case.sim, "restart") else "; then run it again"


def _calmer(region: RegionPlan) -> str:
    """What to set so that a region does not explode."""
    hyper, told = region.hyper, []
    if region.kind.settles and "rate" in hyper:
        told.append(f"rate = {hyper['rate'] / 4:g} (now {hyper['rate']:g}), the step of its state")
    if lower(region):
        told.append(lower(region))
    if hyper.get("normalise") is False:
        told.append("normalise = true")
    if hyper.get("forgetting", 1.0) < 1.0:
        told.append(f"forgetting = 1 (now {hyper['forgetting']:g})")
    if hyper.get("radius", 0.0) > 1.0:
        told.append(f"radius = 0.95 (now {hyper['radius']:g})")
    return "; or ".join(told) or "scale its inputs to about 1"


# --- skill ---

def check_skill(case: Case) -> Iterator[Finding]:
    """Regions that are no better than the running mean, or worse than the last value."""
    for region in case.regions():
        if region.name in case.told:
            continue
        skill = case.skill(region.name)
        if math.isnan(skill.value) or skill.ticks < FEW_TICKS:
            continue
        numbers = {"skill": skill.value, "noise": skill.noise, "ticks": skill.ticks}
        if not skill.beats():
            yield Finding(
                "problem", "no better than the running mean", f"region {region.name!r}",
                f"skill {skill.value:+.4f} +- {skill.noise:.4f} over its last {skill.ticks:,} scored ticks",
                _skill_remedy(case, region, skill), numbers)
            continue
        last = case.skill(region.name, "loss_last")
        if case.curves.scores[case.curves.regions.index(region.name)] == "forecast" and (
                last.value < -max(2 * last.noise, 0.01)):
            yield Finding(
                "note", "worse than the last value", f"region {region.name!r}",
                f"its error is {1 - last.value:.3g} times that of saying again what came last (+- {last.noise:.2g}); "
                f"its skill over the running mean is {skill.value:.3f}", _last_remedy(region),
                {"skill_last": last.value, "noise": last.noise})


def few_ticks(case: Case) -> Iterator[str]:
    """The regions of which the end of the curve says too little."""
    few = {region.name: ticks for region in case.regions() if region.name not in case.told and region.shapes.n_target
           and 0 < (ticks := case.skill(region.name).ticks) < FEW_TICKS}
    if few:
        names = ", ".join(list(few)[:6]) + (f" and {len(few) - 6} more" if len(few) > 6 else "")
        yield (f"skill of {names}: fewer than {FEW_TICKS} scored ticks in the last tenth of the run; run about "
               f"{-(-FEW_TICKS // min(few.values()))} times as long")


def _skill_remedy(case: Case, region: RegionPlan, skill: Skill) -> str:
    former = max((case.skill(region.name, part=(k / 5, (k + 1) / 5)) for k in range(4)), key=_floor)
    slower = lower(region)
    if _floor(former) > max(0.0, skill.value + 2 * skill.noise) + 0.02:
        return (f"it was better before (skill {former.value:.2f}): what it predicts has changed, or its steps are too "
                f"large" + (f": {slower}, or step_size = \"hypergradient\"" if slower else ""))
    if skill.value < -max(0.02, 2 * skill.noise):
        return "it is worse than a constant: its steps are too large" + (f": {slower}" if slower else (
            "; a larger ridge or forgetting nearer to 1"))
    if not region.edges["context"] and not region.kind.settles and "context" in region.kind.roles:
        return f"it has no context: connect what may tell of {target_words(region)}"
    if region.kind.settles or not region.edges["context"]:
        return "a larger size, " + (higher(region) or "more context") + ", or a longer run"
    read = ", ".join(dict.fromkeys(f"{edge.signal}@{edge.delay}" for edge in region.edges["context"]))
    faster = f"; if it has only begun to learn, {higher(region)}" if uses_rate(region) else ""
    return (f"what it reads ({_short(read)}) does not tell it {target_words(region)}: other context, more delays, or "
            f"a kind that is not linear{faster}")


def _floor(skill: Skill) -> float:
    """What a skill is at least."""
    value = skill.value - 2 * skill.noise
    return value if skill.ticks >= FEW_TICKS and math.isfinite(value) else -math.inf


def _short(text: str) -> str:
    return text if len(text) < 80 else text[:77] + "..."


def _last_remedy(region: RegionPlan) -> str:
    read = {edge.signal for edge in region.edges["context"]}
    missing = [edge for edge in region.edges["target"] if edge.signal not in read]
    if missing:
        edge, late = missing[0], missing[0].delay + max(1, region.data["period"])
        field = ', field "one_to_one"' if edge.length > 64 else ""
        return f"tell it what came last: context {edge.signal}@{late}{field}"
    faster = f"{higher(region)}, or more ticks" if higher(region) else "more ticks, or a smaller ridge"
    return f"it reads the last value and makes too little of it: {faster}"


# --- units ---

def sparse_code(region: RegionPlan) -> bool:
    """Whether zeros are what a region's code is made of."""
    hyper = region.hyper
    return getattr(region.kind.namespace, "LISTS", None) is not None or bool(hyper.get("positive")) or (
        hyper.get("state_prior", "none") not in ("none", "gaussian"))


def shows_target(region: RegionPlan) -> bool:
    """Whether the state of a region is its target."""
    return region.kind.settles and bool(region.edges["target"])


def check_units(case: Case) -> Iterator[Finding]:
    """Shares of dead and saturated units on the curves."""
    for region in case.regions():
        if region.name in case.told or case.total(region.name, "ticks") < FEW_TICKS:
            continue
        end = case.end(region.name)
        dead, saturated = end["dead"], end["saturated"]
        # what settles to its target shows the zeros of that
        if not sparse_code(region) and not shows_target(region) and dead >= SOME:
            yield Finding("problem" if dead >= MOST else "note", "dead units", f"region {region.name!r}",
                          f"{dead:.0%} of its units are exactly zero at the end of the run",
                          dead_remedy(region), {"dead": dead})
        if _is_saturated(case, region, saturated):
            full = "cells_per_column" in region.hyper
            yield Finding("problem" if saturated >= MOST and not full else "note",
                          "memory full" if full else "saturated units", f"region {region.name!r}",
                          f"{saturated:.0%} of its " + ("segments are in use: what was useful longest ago is "
                                                        "forgotten" if full else "units are at the end of their range"),
                          saturated_remedy(region), {"saturated": saturated})


def _is_saturated(case: Case, region: RegionPlan, saturated: float) -> bool:
    if "cells_per_column" in region.hyper:
        return saturated > 0.999
    if "output" in region.hyper:
        # to say 0 or 1 is right where that comes
        return saturated >= SOME and not case.skill(region.name).beats()
    return saturated >= SOME


def dead_remedy(region: RegionPlan) -> str:
    """What may bring dead units to life."""
    hyper, told = region.hyper, []
    if sparse_code(region) and hyper.get("prior_weight", 0) > 0:
        told.append(f"prior_weight = {hyper['prior_weight'] / 4:g} (now {hyper['prior_weight']:g})")
    if hyper.get("activation") == "relu":
        told.append('activation = "tanh", which is not flat below zero')
    if "spread" in hyper:
        told.append(f"spread = {2 * hyper['spread'] or 1:g} (now {hyper['spread']:g}), larger first weights")
    if region.edges["context"] and not region.kind.settles:
        told.append("look whether its context brings anything but zeros")
    if higher(region):
        told.append(higher(region))
    if region.shapes.size and region.kind.port_names and "reconstruction" in region.kind.port_names:
        told.append(f"fewer units: size = {max(1, region.shapes.size // 2)} (now {region.shapes.size})")
    return "; or ".join(told) or "look whether anything reaches it"


def saturated_remedy(region: RegionPlan) -> str:
    """What may bring saturated units back."""
    hyper = region.hyper
    if "cells_per_column" in hyper:
        return "a larger max_segments, or fewer distractors: nothing, if what it forgets is noise"
    told = []
    for name in ("input_scale", "bias_scale"):
        if hyper.get(name, 0) > 0 and (name == "input_scale" or hyper[name] > 1):
            told.append(f"{name} = {hyper[name] / 4:g} (now {hyper[name]:g})")
    if hyper.get("radius", 0) > 1:
        told.append(f"radius = 0.95 (now {hyper['radius']:g})")
    if lower(region) and "radius" not in hyper:
        told.append(lower(region))
    return "; or ".join([*told, "scale what it reads to about 1"])


# --- rates ---

def check_rates(case: Case) -> Iterator[Finding]:
    """Learning rates, set or found, at the ends of their range."""
    for region in case.regions():
        fields, rate = region.kind.hyper_fields(), case.rates.get(region.name)
        if region.name in case.frozen:
            continue
        for name, field in fields.items():
            yield from _set_at_bound(region, name, field)
        if "learning_rate" not in fields or not uses_rate(region) or rate is None:
            continue
        rule = region.hyper.get("step_size", "fixed")
        low, high = limits(fields["learning_rate"])
        if rule not in ("hypergradient", "decayed") or low * 1.01 < rate < high * 0.99:
            continue
        top = rate >= high * 0.99
        remedy = ("normalise or scale what it reads; the steps it asks for are larger than any allowed"
                  if top and rule == "hypergradient" else
                  f"learning_rate = {high / 10:g}" if top else
                  f"nothing it reads tells of {target_words(region)}: other context" if rule == "hypergradient" else
                  f"a longer decay_time (now {region.hyper['decay_time']:g}) than the run has ticks")
        yield Finding("problem" if rule == "hypergradient" else "note", "rate at its bound", f"region {region.name!r}",
                      f"its {rule} rate has come to {rate:.3g}, the {'highest' if top else 'lowest'} that is allowed",
                      remedy, {"rate": rate, "low": low, "high": high})


def _set_at_bound(region: RegionPlan, name: str, field: HyperField) -> Iterator[Finding]:
    value: Any = region.hyper[name]
    if field.integer or value == field.default or isinstance(value, str) or name == "learning_rate" and not uses_rate(
            region):
        return
    rate = "rate" in name.split("_")
    off = value == 0 and name != "learning_rate"  # 0 stands for: without it
    if off or value not in (field.low, field.high) or not (rate or field.scale == "log"):
        return
    top = value == field.high
    if value == 0:
        remedy = f"{name} = {field.default:g}, or freeze the region if it is not to learn"
    else:
        remedy = f"{name} = {field.default:g}, the default, and from there in steps of 2"
    yield Finding("problem" if rate else "note", "rate at its bound" if rate else "constant at its bound",
                  f"region {region.name!r}",
                  f"{name} = {value:g} is the {'highest' if top else 'lowest'} that is allowed", remedy,
                  {"hyper": name, "value": value})


# --- what it costs ---

def check_costs(case: Case, sizes: dict[str, tuple[int, int]]) -> Iterator[Finding]:
    """Regions that take most of the time, or much memory, and bring little; delays that hold much.

    Parameters
    ----------
    case : Case
    sizes : dict
        Region -> bytes of its arrays and of its signals.
    """
    whole = sum(a + b for a, b in sizes.values())
    costs = {name: size / case.plan.regions[name].data["period"] for name, (_, size) in case.plan.costs.items()}
    for region in case.regions():
        name = region.name
        skill, share, (arrays, rings) = case.skill(name), case.shares.get(name, 0.0), sizes[name]
        judged = math.isfinite(skill.value) and skill.ticks >= FEW_TICKS and name not in case.told
        poor = judged and not (skill.value > 0.05)
        # few visits are timed, and another program may have come between: the estimate must agree
        if len(sizes) > 2 and share > TOO_MUCH and costs[name] > TOO_MUCH / 2 * sum(costs.values()) and poor:
            yield Finding("note", "time", f"region {name!r}", f"it takes {share:.0%} of the time, and its skill is "
                          f"{skill.value:.3f}", f"{_smaller(region)}, or period = {2 * region.data['period']}",
                          {"share": share})
        if len(sizes) > 2 and arrays > LARGE and arrays > TOO_MUCH * whole and poor:
            yield Finding("note", "memory", f"region {name!r}", f"it holds {bytes_text(arrays)} of the "
                          f"{bytes_text(whole)} of all regions, and its skill is {skill.value:.3f}", _smaller(region),
                          {"bytes": arrays})
        if rings > LARGE and rings > 4 * arrays:
            longest = max((e for e in case.plan.edges.values() if e.source == name), key=lambda e: e.delay)
            yield Finding("note", "memory", f"region {name!r}", f"its signals hold {bytes_text(rings)}, since edge "
                          f"{longest.name!r} reads them {longest.delay:,} ticks later", "a shorter delay, or a smaller "
                          "code of the signal to read it from", {"ring_bytes": rings})


def _smaller(region: RegionPlan) -> str:
    fields = {type(edge.field).__name__.lower() for edge in region.edges["context"]}
    if "size" in region.data and region.shapes.size and region.kind.port_names != ("prediction", "error"):
        return f"a smaller size (now {region.shapes.size})"
    return "a window or sparse field on its edges instead of dense ones" if fields == {"dense"} else "a smaller field"


def costs_of(case: Case) -> dict[str, tuple[int, int]]:
    """Bytes of the arrays and of the signals of every region; estimated where no simulation is left."""
    plan, found = case.plan, {}
    for name, region in plan.regions.items():
        rings = sum(4 * int(np.prod(shape)) * plan.slots(f"{name}.{port}") for port, shape in region.ports.items())
        arrays = int(plan.costs[name][1] / 2) if case.sim is None else sum(
            array.nbytes for array in case.sim.memory.arrays[name].values())
        found[name] = arrays, rings
    return found
