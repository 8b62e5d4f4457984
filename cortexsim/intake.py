"""What comes into a simulation: lengths, samples and options, checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cortexsim.errors import InputError, nearest
from cortexsim.sources.arrays import Inputs, first_bad


def run_length(sim: Any, ticks: int | None, trials: int | None, repeat: int) -> int | None:
    """The length of a run in ticks, from what the user gave; None where the data must tell."""
    if trials is not None:
        if sim.plan.trial is None:
            raise InputError("run", "the graph has no trials", trials, "use ticks=, or graph.set_trial(length)")
        if ticks is not None:
            raise InputError("run", "takes ticks= or trials=, not both", (ticks, trials))
        ticks = trials * repeat
    if ticks is None:
        return None
    if isinstance(ticks, bool) or int(ticks) != ticks or ticks < 0:
        raise InputError("run", "ticks must be a whole number of at least 0", ticks)
    if ticks % repeat:
        raise InputError("run", f"ticks must be a multiple of the trial's {repeat}", ticks, "use trials=")
    return int(ticks)


def check_finite(sim: Any, values: dict[str, np.ndarray], present: dict[str, Any], count: int) -> tuple[int, Any]:
    """Find NaN and infinity: how many rows may run, and the error to raise after them; or skip the bad rows."""
    good, problem = count, None
    for name, block in list(values.items()):
        at = first_bad(block[:good])
        if at is None:
            continue
        if sim.on_bad == "skip":
            finite = np.isfinite(block).all(axis=1)
            present[name] = finite if present.get(name) is None else present[name] & finite
            sim.skipped[name] = sim.skipped.get(name, 0) + int((~finite).sum())
            # once for each gap, wherever a read begins
            before = sim.tick > 0 and sim.engine.slot(name, sim.tick - 1) < 0
            silent = np.concatenate([[before], ~present[name][:-1]])
            for row in np.flatnonzero(~finite & ~silent).tolist():
                sim.curves.add_event(sim.tick + row * sim._repeat(), "skipped", name, "not a finite number")
            values[name] = np.where(finite[:, None], block, np.float32(0))
            continue
        unit = int(np.flatnonzero(~np.isfinite(block[at]))[0])
        readers = sorted({e.target for e in sim.plan.edges.values() if e.source == name})
        tick = sim.tick + at * sim._repeat()
        problem = InputError(f"source {name!r}, port 'value'", f"is not finite at tick {tick}, component {unit} "
                             f"(read by {', '.join(readers) or 'nobody'})", float(block[at, unit]),
                             "all ticks before it have run; on_bad='skip' leaves such samples out")
        good = at
    return good, problem


def samples(sim: Any, inputs: dict[str, Any], where: str, needed: Iterable[str]) -> dict[str, Any]:
    """One checked sample for each source, as a row; None for a source that delivers nothing."""
    shapes = {name: source.shape for name, source in sim.plan.sources.items()}
    for name in inputs:
        if name not in shapes:
            raise InputError(where, f"there is no source {name!r}", hint=nearest(name, shapes))
    missing = [name for name in needed if name not in inputs]
    if missing:
        raise InputError(where, f"needs a sample for source {missing[0]!r}", hint="None if it delivers nothing")
    wanted = {name: shapes[name] for name in inputs if inputs[name] is not None}
    values: dict[str, np.ndarray] = {}
    if wanted:
        start = sim.tick // sim._repeat()
        _, values, _ = Inputs([{name: inputs[name] for name in wanted}], wanted, where, start).read(1)
    return {name: np.array(values[name][:1]) if name in wanted else None for name in inputs}


def known_samples(sim: Any, known: dict[str, Any]) -> dict[str, Any]:
    """One checked sample for each source that is known before the outcome, as far as they are given."""
    given = samples(sim, known, "predict", needed=())
    for name, row in given.items():
        if sim.plan.sources[name].known != "before":
            raise InputError(f"source {name!r}", "is not known before the outcome", hint="leave it out of predict")
        if row is not None and not np.isfinite(row).all():
            if sim.on_bad == "stop":
                raise InputError(f"source {name!r}, port 'value'", f"is not finite at tick {sim.tick}")
            given[name] = None
    return given


def check_options(seed: Any, threads: Any, on_bad: Any, longest_block: Any = None) -> None:
    """Check what a simulation is made with."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError("Simulation", "seed must be a whole number of at least 0", seed)
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise InputError("Simulation", "threads must be a whole number of at least 1", threads)
    block = 1 if longest_block is None else longest_block
    if isinstance(block, bool) or not isinstance(block, (int, np.integer)) or block < 1:
        raise InputError("Simulation", "longest_block must be a whole number of at least 1", block)
    if on_bad not in ("stop", "skip"):
        raise InputError("Simulation", "on_bad must be 'stop' or 'skip'", on_bad)
