"""Inference with the weights frozen: clamp what is known, let the rest settle, read what you want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim.errors import InputError, nearest
from cortexsim.lanes import Lane, clock_of, known_rows, lanes_for
from cortexsim.queries import Given, Questions, ask, readers, spread_over
from cortexsim.settling import has_risen, warn
from cortexsim.sources import whole_number

# steps of a graph without a trial clock, where nobody says how many
STEPS = 100


class Answer(NamedTuple):
    """What one lane ended with: signals and energies of one question, asked from one start."""

    rank: float
    restart: int
    signals: dict[str, np.ndarray]
    energies: np.ndarray
    moved: np.ndarray
    diverged: str | None


@dataclass(frozen=True)
class Inference:
    """What a graph answered. With many questions every array begins with an axis of questions.

    Attributes
    ----------
    signals : dict of str to float32 array
        ``"V1.state"`` -> its value at the last step, in its own shape; of a source that was not clamped as a whole,
        ``"source.value"`` is what the region it is the target of settled at.
    energy : float64 array [steps]
        Free energy of the whole graph; each step is that of the states before they move.
    energies : dict of str to float64 array [steps]
        The same by region; NaN for kinds that have none.
    surprise : dict of str to float64
        Free energy of each region at the last step: how badly it is explained.
    restart : int array
        Which of the restarts is shown: the one with the least free energy at its end.
    diverged : list of str
        Regions whose states left the finite range.
    """

    signals: dict[str, np.ndarray]
    energy: np.ndarray
    energies: dict[str, np.ndarray]
    surprise: dict[str, Any]
    restart: Any
    diverged: list[str]

    def __getitem__(self, signal: str) -> np.ndarray:
        """A settled signal; ``"V1"`` is short for its state, ``"retina"`` for the value of a source."""
        for name in (signal, f"{signal}.state", f"{signal}.value"):
            if name in self.signals:
                return self.signals[name]
        raise InputError("inference", f"there is no signal {signal!r}", hint=nearest(signal, self.signals))

    def __repr__(self) -> str:
        many = "" if self.energy.ndim == 1 else f"{len(self.energy)} questions, "
        return (f"Inference: {many}{self.energy.shape[-1]} steps, free energy {np.mean(self.energy[..., 0]):.4g} -> "
                f"{np.mean(self.energy[..., -1]):.4g}")


def infer(sim: Any, clamp: Mapping[str, Any] | None, steps: int | None, free: Any, restarts: int, spread: float,
          seed: int, progress: bool = False) -> Inference:
    """See :meth:`cortexsim.Simulation.infer`."""
    questions = ask(sim.plan, clamp, free)
    default = sim.plan.trial.length if sim.plan.trial else STEPS
    _check_numbers(steps, restarts, spread, seed)
    if sim.tick % sim._repeat():
        raise InputError("infer", f"a trial is under way at tick {sim.tick}", hint="run it to its end first")
    sim.engine.flush()
    sim.engine.prepare()
    clock = clock_of(sim, steps or default)
    n = questions.n or 1
    jobs = [(query, restart) for query in range(n) for restart in range(restarts)]
    lanes = lanes_for(sim, len(jobs), clock, relax_all=steps is not None)
    held = _held(sim, questions)
    answers: list[Any] = [None] * n
    places, last = _places(sim), clock.trial_start + clock.trial_length - 1
    with sim.recorder.bar(n if progress else 0, "question") as bar:
        for first in range(0, len(jobs), len(lanes)):
            group = list(zip(lanes, jobs[first : first + len(lanes)], strict=False))
            for lane, (query, restart) in group:
                _begin(sim, lane, questions, held, query, restart, spread, seed)
            _run(sim, [lane for lane, _ in group], clock.trial_length)
            for lane, (query, restart) in group:
                energies, diverged = lane.energies(), lane.diverged()
                rank = np.inf if diverged else float(np.nansum(energies[:, -1]))
                if answers[query] is None or rank < answers[query].rank:
                    answers[query] = Answer(rank, restart, _signals(places, lane, last), energies, lane.moved(),
                                            diverged)
            bar.update(len(group) / restarts)
    made = _together(sim, questions, answers)
    _warn(sim, made, answers, clock.energy_at)
    return made


def _check_numbers(steps: Any, restarts: Any, spread: Any, seed: Any) -> None:
    for name, value, least in (("steps", 1 if steps is None else steps, 1), ("restarts", restarts, 1),
                               ("seed", seed, 0)):
        whole_number("infer", name, value, least)
    if not (np.isreal(spread) and np.isfinite(spread) and spread >= 0):
        raise InputError("infer", "spread must be a number of at least 0", spread)


def _held(sim: Any, questions: Questions) -> dict[str, Given]:
    """What is held of each region's state: clamped itself, or by way of a source that is its target."""
    held: dict[str, Given] = {}
    for source, given in questions.sources.items():
        for edge in readers(sim.plan, source):
            if not sim.memory.edges[sim.memory.edge_row[edge.name], d.E_CUT]:
                spread_over(sim.plan, held, edge, given)
    return held | questions.states


def _begin(sim: Any, lane: Lane, questions: Questions, held: dict[str, Given], query: int, restart: int,
           spread: float, seed: int) -> None:
    sources: dict[str, np.ndarray | None] = {
        name: questions.sources[name].row(query)[0] if questions.whole(name) else None for name in sim.plan.sources}
    starts = known_rows(questions.starts, query)
    if restart:
        rng = np.random.default_rng([seed, restart])
        for name in sim.plan.sequence:
            if sim.plan.regions[name].kind.clamp is not None and name not in starts:
                size = int(np.prod(sim.plan.regions[name].ports["state"]))
                starts[name] = (spread * rng.standard_normal(size)).astype(np.float32), np.ones(size, bool)
    lane.start(sources, known_rows(held, query), starts, questions.still)


def _run(sim: Any, lanes: list[Lane], steps: int) -> None:
    tick, end, limit = sim.tick, sim.tick + steps, sim.engine.staged_limit()
    while tick < end:
        stop = min(end, tick + limit)
        for lane in lanes:
            lane.stage(tick, stop - tick, sim.tick // sim._repeat())
        sim.engine.run_lanes([lane.engine for lane in lanes], tick, stop)
        tick = stop


def _places(sim: Any) -> list[tuple[str, str, int, int, int]]:
    """Of each signal: its node, and where its ring lies, of how many numbers and slots."""
    return [(signal, signal.split(".")[0], *sim.memory.rings[signal]) for signal in sim.plan.signals]


def _signals(places: list[tuple[str, str, int, int, int]], lane: Lane, last: int) -> dict[str, np.ndarray]:
    """Every signal at a tick; zeros where its writer is silent."""
    found, slots, memory = {}, {}, lane.memory
    for signal, node, at, size, count in places:
        if node not in slots:
            slots[node] = lane.engine.slot(node, last)
        start = at + (slots[node] & (count - 1)) * size
        found[signal] = memory.signals[start : start + size].copy() if slots[node] >= 0 else np.zeros(size, np.float32)
    return found


def _together(sim: Any, questions: Questions, answers: list[Answer]) -> Inference:
    """One result from the answers of all questions."""
    many = questions.n is not None
    signals = {}
    for signal, shape in sim.plan.signals.items():
        rows = np.stack([answer.signals[signal] for answer in answers]).reshape(len(answers), *shape)
        node = signal.split(".")[0]
        if node in sim.plan.sources and not questions.whole(node):
            rows = _settled_source(sim, answers, node, rows)
        signals[signal] = rows if many else rows[0]
    energies = np.stack([answer.energies for answer in answers])
    names = sim.plan.sequence
    # a kind that has no energy adds nothing, nor does a region that its gate keeps closed
    total = np.nansum(energies, axis=1)
    for k, answer in enumerate(answers):
        if answer.diverged:
            total[k, np.isnan(energies[k, names.index(answer.diverged)])] = np.inf
    if not many:
        energies, total = energies[0], total[0]
    by_name = {name: energies[..., row, :] for row, name in enumerate(names)}
    surprise = {name: values[..., -1] if many else float(values[-1]) for name, values in by_name.items()}
    restart = np.array([answer.restart for answer in answers])
    return Inference(signals, total, by_name, surprise, restart if many else int(restart[0]),
                     sorted({answer.diverged for answer in answers if answer.diverged}))


def _settled_source(sim: Any, answers: list[Answer], source: str, rows: np.ndarray) -> np.ndarray:
    """What regions that relax settled at, for a source that is their target."""
    flat = rows.reshape(len(answers), -1).copy()
    for edge in readers(sim.plan, source):
        states = np.stack([answer.signals[f"{edge.target}.state"] for answer in answers])
        flat[:, edge.units] = states[:, edge.offset : edge.offset + edge.length]
    return flat.reshape(rows.shape)


def _warn(sim: Any, made: Inference, answers: list[Answer], start: int) -> None:
    """Warn where settling has diverged, or ended higher than it began."""
    if made.diverged:
        name = made.diverged[0]
        warn(name, sim.plan.regions[name].hyper, "diverged while settling")
        return
    energy = np.atleast_2d(made.energy)
    first, last = energy[:, start], energy[:, -1]
    risen = has_risen(first, last)
    if risen.any():
        # what still moves most has not found its place
        moved = np.sum([answer.moved for answer, up in zip(answers, risen, strict=True) if up], axis=0)
        worst = sim.plan.sequence[int(np.argmax(moved))]
        warn(worst, sim.plan.regions[worst].hyper, f"free energy rose while settling, in {int(risen.sum())} of "
             f"{len(risen)} questions (from {first[risen].mean():.4g} to {last[risen].mean():.4g})")
