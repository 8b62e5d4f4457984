"""What the numbers themselves tell of a simulation: its inputs, its arrays, and its units over some ticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.doctor_case import FEW_TICKS, Case, higher
from cortexsim.doctor_checks import dead_remedy, saturated_remedy, shows_target, sparse_code
from cortexsim.doctor_report import Finding
from cortexsim.errors import InputError
from cortexsim.plan import Plan
from cortexsim.plan_shapes import RegionPlan
from cortexsim.sources import SeekableStream
from cortexsim.sources.arrays import Inputs
from cortexsim.tables import seed_of
from cortexsim.weight_rates import HIGHEST, LOWEST, RULES

Rows = dict[str, NDArray[np.float32]]
WILD = 1e4  #: Beyond which an input is of no scale that a learning rate is made for.
FEW_ROWS = 32


# --- inputs ---

def read_rows(plan: Plan, inputs: Any, count: int, start: int) -> tuple[Rows, dict[str, list[int]]]:
    """The next rows of every source, NaN where it brings nothing, and which rows came in not finite; none is used up.

    Parameters
    ----------
    plan : Plan
    inputs : dict of arrays, list of dicts, or stream that can be rewound
        Its position is put back.
    count : int
        Rows wanted.
    start : int
        The number of the first.

    Raises
    ------
    InputError
        What can be read only once, or does not fit the sources.
    """
    _check_twice(inputs)
    position = inputs.position if isinstance(inputs, SeekableStream) else None
    try:
        data = Inputs(inputs, {name: source.shape for name, source in plan.sources.items()}, "doctor", start)
        return _read(data, plan, count)
    finally:
        if position is not None:
            inputs.seek(position)


def _read(data: Inputs, plan: Plan, count: int) -> tuple[Rows, dict[str, list[int]]]:
    parts: dict[str, list[NDArray[np.float32]]] = {
        name: [np.zeros((0, source.size), np.float32)] for name, source in plan.sources.items()}
    bad: dict[str, list[int]] = {name: [] for name in parts}
    done = 0
    while count > 0:
        block = data.read(count)
        if not block.rows:
            break
        for name, values in block.values.items():
            rows = np.array(values, np.float32)
            bad[name] += (done + np.flatnonzero(~np.isfinite(rows).all(axis=1))).tolist()
            if name in block.present:
                rows[~block.present[name]] = np.nan
            parts[name].append(rows)
        count, done = count - block.rows, done + block.rows
    return {name: np.concatenate(rows) for name, rows in parts.items()}, bad


def _check_twice(inputs: Any) -> None:
    def again(value: Any) -> bool:
        return hasattr(value, "__array__") or isinstance(value, Sequence) and not isinstance(value, (str, bytes))

    bad = None
    if isinstance(inputs, Mapping):
        bad = next((f"source {name!r}" for name, value in inputs.items() if not again(value)), None)
    elif not isinstance(inputs, SeekableStream) and not again(inputs):
        bad = "inputs"
    if bad:
        raise InputError("doctor", f"{bad}: needs what can be read twice", hint="arrays, a list of dicts, or a stream "
                         "with position and seek(tick)")


def check_inputs(plan: Plan, rows: Rows, bad: Mapping[str, list[int]]) -> Iterator[Finding]:
    """Sources that are constant, of wild scale, or not finite.

    Parameters
    ----------
    plan : Plan
    rows : dict of float32 array [rows, size]
    bad : mapping of str to list of int
        Rows of each source that are not finite and would stop a run.
    """
    for name in sorted(rows):
        good = rows[name][np.isfinite(rows[name]).all(axis=1)]
        where, readers = f"source {name!r}", [e for e in plan.edges.values() if e.source == name]
        if bad.get(name):
            yield Finding("problem", "input not finite", where, f"NaN or infinity, first in row {bad[name][0]:,} from "
                          "here", 'on_bad = "skip" leaves such samples out',
                          {"row": bad[name][0], "rows": len(bad[name])})
        if len(good) < FEW_ROWS:
            continue
        largest = float(np.abs(good).max(initial=0.0))
        if largest > WILD:
            yield Finding(
                "problem", "wild input", where, f"its values reach {largest:.3g}; their mean is {good.mean():.3g}, "
                f"their standard deviation {good.std():.3g}",
                f"take off the mean and divide by {good.std() or largest:.3g} before it comes in",
                {"largest": largest, "mean": float(good.mean()), "deviation": float(good.std())})
        if readers and all(edge.role in ("gate", "modulator") for edge in readers):
            continue  # those may well stay as they are
        if not np.ptp(good, axis=0).any():
            said = f"{good[0, 0]:g}" if good.shape[1] == 1 else "the same values"
            yield Finding("problem", "constant input", where, f"in {len(good):,} rows it brings nothing but {said}",
                          "look at where it comes from; a constant tells nobody anything", {"rows": len(good)})


# --- arrays ---

def check_arrays(case: Case) -> Iterator[Finding]:
    """Weights that are not finite, or have never changed; rates of weights at their bound; what kinds say."""
    for region in case.regions():
        arrays = case.sim.memory.arrays[region.name]
        bad = [key for key, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
        if bad and not any(event["what"] == "divergence" and event["where"] == region.name
                           for event in case.curves.events):
            case.told.add(region.name)
            count = sum(int((~np.isfinite(arrays[key])).sum()) for key in bad)
            yield Finding("problem", "not finite", f"region {region.name!r}",
                          f"{count:,} numbers of its arrays {', '.join(bad)} are NaN or infinite",
                          f"start it anew (sim.restart({region.name!r})) or go back to a checkpoint before; then a "
                          "smaller learning rate", {"arrays": bad, "count": count})
            continue
        yield from _unchanged(case, region, arrays)
        yield from _weight_rates(region, arrays)
        for what, text in region.kind.notices(region.hyper, arrays).items():
            yield Finding("note", what, f"region {region.name!r}", text.partition(";")[0],
                          text.partition(";")[2].strip() or "nothing, if that is as wanted", {})


def _unchanged(case: Case, region: RegionPlan, arrays: Mapping[str, NDArray[Any]]) -> Iterator[Finding]:
    name, kind = region.name, region.kind
    learned = case.total(name, "learned")
    # one that settles and is only predicted by others has no weights
    learns = region.edges["feedback"] or region.edges["target"] and (region.edges["context"] or not kind.settles)
    began_again = any(e["where"] == name and e["what"] in ("restarted", "divergence") for e in case.curves.events)
    if name in case.told or learned < FEW_TICKS or not learns or began_again:
        return
    fresh = kind.allocate(region.hyper, region.shapes, np.random.default_rng(seed_of(case.sim.seed, name)))
    floats = [key for key in kind.learned if arrays[key].size and arrays[key].dtype.kind == "f"]
    if not floats or any(not np.array_equal(arrays[key], fresh[key]) for key in floats):
        return
    case.told.add(name)
    cut = [edge.name for role in ("context", "feedback") for edge in region.edges[role] if edge.data["lesioned"]]
    rates = [key for key in region.hyper if key.split("_")[-1] == "rate" and region.hyper[key] == 0]
    if "learning_rate" in rates:
        remedy = higher(region) or f"learning_rate = {kind.hyper_fields()['learning_rate'].default:g}"
    elif cut:
        remedy = f"sim.restore({cut[0]!r}): what it learns from is cut"
    else:
        remedy = "look at what its edges bring: from zeros, or a target that it has at once, nothing is learned"
    yield Finding("problem", "not learning", f"region {name!r}", f"after {learned:,.0f} ticks of learning its "
                  f"{', '.join(floats)} are, to the bit, what they were at the start", remedy, {"learned": learned})


def _weight_rates(region: RegionPlan, arrays: Mapping[str, NDArray[Any]]) -> Iterator[Finding]:
    if region.hyper.get("step_size") not in RULES[3:]:
        return
    rates = np.concatenate([array.ravel() for key, array in arrays.items() if key.endswith("_rate")])
    if not len(rates):
        return
    low, high = float((rates <= LOWEST * 1.01).mean()), float((rates >= HIGHEST * 0.99).mean())
    if high > 0 or low > 0.5:
        yield Finding(
            "problem" if high else "note", "rate at its bound", f"region {region.name!r}",
            f"of the rates of its weights {high:.1%} are the highest that is allowed, {low:.1%} the lowest",
            f"meta_rate = {region.hyper['meta_rate'] / 4:g} (now {region.hyper['meta_rate']:g}), or step_size = "
            "\"autostep\", whose rates are bounded", {"low": low, "high": high})


# --- units ---

def check_units_seen(case: Case, seen: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], due: Mapping[str, int],
                     ticks: int) -> Iterator[Finding]:
    """Units that did nothing, or stood at an end of their range, at every tick of a trial run.

    Parameters
    ----------
    case : Case
    seen : mapping
        Signal -> lowest and highest value of every unit.
    due : mapping of str to int
        Region -> how often it was due.
    ticks : int
        Of the trial run.
    """
    length = case.plan.trial.length if case.plan.trial else 1
    for region in case.regions():
        name = region.name
        # with trials the same sample stays for all of one
        few = due.get(name, 0) * region.data["period"] < FEW_TICKS * length
        if name in case.told or few or getattr(region.kind.namespace, "LISTS", None) or shows_target(region):
            continue
        for port in ("state", "prediction"):
            if f"{name}.{port}" not in seen or region.kind.settles and port == "prediction":
                continue
            low, high = seen[f"{name}.{port}"]
            dead = (low == 0) & (high == 0)
            error = seen.get(f"{name}.error")
            wrong = None
            if port == "prediction" and error is not None and error[0].shape == low.shape:
                wrong = np.maximum(np.abs(error[0]), np.abs(error[1]))
                dead &= wrong > 0  # to say nothing where nothing comes is right
            yield from _dead(region, port, dead, due[name], ticks)
            if port == "prediction" and region.hyper.get("output") == "sigmoid" and wrong is not None:
                yield from _stuck(region, port, ((low > 0.999) | (high < 0.001)) & (wrong > 0.5), ticks)
            elif port == "state" and "radius" in region.hyper:
                yield from _stuck(region, port, np.minimum(np.abs(low), np.abs(high)) * (low * high > 0) > 0.99, ticks)


def _units(which: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(which).tolist()
    return ", ".join(map(str, places[:8])) + (", ..." if len(places) > 8 else "")


def _dead(region: RegionPlan, port: str, dead: NDArray[np.bool_], due: int, ticks: int) -> Iterator[Finding]:
    if dead.any():
        bad = dead.mean() > 0.5 and not sparse_code(region)
        yield Finding("problem" if bad else "note", "dead units", f"region {region.name!r}",
                      f"{dead.sum():,} of {dead.size:,} units of its {port} were exactly zero at all {due:,} ticks at "
                      f"which it was due, of {ticks:,}: {_units(dead)}", dead_remedy(region),
                      {"port": port, "count": int(dead.sum()), "units": np.flatnonzero(dead)[:64].tolist()})


def _stuck(region: RegionPlan, port: str, stuck: NDArray[np.bool_], ticks: int) -> Iterator[Finding]:
    if stuck.any():
        yield Finding("problem" if stuck.mean() > 0.1 else "note", "saturated units", f"region {region.name!r}",
                      f"{stuck.sum():,} of {stuck.size:,} units of its {port} stood at an end of their range at all "
                      f"{ticks:,} ticks: {_units(stuck)}", saturated_remedy(region),
                      {"port": port, "count": int(stuck.sum()), "units": np.flatnonzero(stuck)[:64].tolist()})
