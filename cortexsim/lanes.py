"""Lanes: copies of a running graph's activity that share its weights, so that many questions are asked at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim.carry import copy_values
from cortexsim.engine import Clock, Engine
from cortexsim.errors import InputError
from cortexsim.plan_shapes import Trial
from cortexsim.queries import Given
from cortexsim.tables import Memory

# lanes for each thread: a call into the driver then costs little beside what it does
LANES_PER_THREAD = 8
# what a question changes of a memory, beside the signals of regions
CHANGED = ("gathered", "counts", "active", "status", "baselines", "present", "words", "store")
# in the array that says what of a state is held: held, or only started from
HOLDS, STARTS = 1, 2


def stretched(trial: Trial | None, steps: int) -> tuple[np.ndarray, int, int]:
    """The bits of the spans for a trial of another length.

    The longest run of places with the same spans takes what is added or left out; all others keep their length, a
    feedforward start or a plus phase at the end among them.

    Parameters
    ----------
    trial : Trial or None
    steps : int
        Ticks wanted.

    Returns
    -------
    spans : int64 array [steps]
    energy_at : int
        The place where settling begins.
    init : int
        The bit of the span ``init``.

    Raises
    ------
    InputError
        Where the other spans alone are longer.
    """
    if trial is None:
        return np.zeros(steps, np.int64), 0, 0
    masks, init = trial.masks(), trial.mask("init") if "init" in trial.spans else 0
    edges = np.flatnonzero(np.diff(masks)) + 1
    runs = list(zip([0, *edges], [*edges, len(masks)], strict=True))
    first, last = max(runs, key=lambda run: (masks[run[0]] & init == 0, run[1] - run[0]))
    length = last - first + steps - trial.length
    if length < 1:
        raise InputError("infer", f"steps must be at least {trial.length - (last - first) + 1}, for all spans of the "
                         "trial to have their place", steps)
    spans = np.concatenate([masks[:first], np.full(length, masks[first]), masks[last:]])
    begun = np.flatnonzero(spans & init)
    return spans, int(begun[-1]) if len(begun) else 0, init


class Lane:
    """One copy of the activity of a simulation, ready to answer one question after the other."""

    def __init__(self, sim: Any) -> None:
        self.memory = Memory(sim.plan, sim.seed, sim.memory.arrays, shared=True)
        self.engine = Engine(sim.plan, self.memory, np.zeros((len(sim.plan.regions), 1, d.N_CURVE)), 1)
        self.engine.learn = False
        # what the questions start from: activity, and the signals of regions
        self.first: dict[str, np.ndarray] = {}
        self.first_signals = np.zeros(0, np.float32)
        self.sources: dict[str, np.ndarray | None] = {}

    def take(self, sim: Any, clock: Clock, relax_all: bool) -> None:
        """Take over the present activity of the simulation, to start from in every question."""
        memory = self.memory
        copy_values(sim.memory, memory, self._kept(sim))
        for name, arrays in memory.arrays.items():
            learned = sim.plan.regions[name].kind.learned
            for key, array in arrays.items():
                if key not in learned:
                    array[...] = sim.memory.arrays[name][key]
        # the baselines of curves need nothing here, and what is seen first is scored, too
        memory.status[:, d.SEEN] = 1
        memory.status[:, d.BAD] = -1
        if relax_all:
            for name, region in sim.plan.regions.items():
                if region.kind.clamp is not None and region.hyper.get("steps"):
                    memory.words[memory.view_at[name] + memory.layouts[name].word["steps"]] = 0
        self.engine.curves = np.zeros((len(sim.plan.regions), clock.trial_length, d.N_CURVE))
        self.engine.clock = clock
        self.engine.bin_start = clock.trial_start
        self.first = {name: getattr(memory, name).copy() for name in CHANGED}
        self.first_signals = memory.signals[self._regions_at(sim) :].copy()

    def _regions_at(self, sim: Any) -> int:
        """Where the signals of regions begin: those of sources lie before them."""
        return min(self.memory.rings[f"{name}.{port}"][0] for name, region in sim.plan.regions.items()
                   for port in region.ports)

    def _kept(self, sim: Any) -> int:
        """Where the signals begin that a question can still read: of sources, only what a delay reaches back to."""
        delayed = any(edge.source in sim.plan.sources and edge.delay for edge in sim.plan.edges.values())
        return 0 if delayed else self._regions_at(sim)

    def start(self, sources: dict[str, np.ndarray | None], states: dict[str, tuple[np.ndarray, np.ndarray]],
              starts: dict[str, tuple[np.ndarray, np.ndarray]], still: set[str]) -> None:
        """Begin a question: everything as it was at first, but what the question says."""
        for name, values in self.first.items():
            getattr(self.memory, name)[...] = values
        self.memory.signals[len(self.memory.signals) - len(self.first_signals) :] = self.first_signals
        self.engine.curves[...] = 0.0
        self.sources = sources
        for regions, how in ((starts, STARTS), (states, HOLDS)):
            for region, (values, known) in regions.items():
                value, held = self.set_arrays(region)
                value[known] = values[known]
                held[known] = how
        for region in still:
            value, held = self.set_arrays(region)
            held[held == 0] = HOLDS

    def set_arrays(self, region: str) -> tuple[np.ndarray, np.ndarray]:
        """The flat arrays of a region's state values, and of which of them are held."""
        value, held = self.engine.plan.regions[region].kind.clamp or ("", "")
        arrays = self.memory.arrays[region]
        return arrays[value].reshape(-1), arrays[held].reshape(-1)

    def stage(self, tick: int, n_ticks: int, number: int) -> None:
        """Let every source speak as the question says, for some ticks."""
        for name, row in self.sources.items():
            self.engine.stage(name, tick, None if row is None else row[None], None, n_ticks=n_ticks, number=number)

    def energies(self) -> np.ndarray:
        """Free energy of each region at each tick, float64 [regions, ticks]; NaN where there is none."""
        curves = self.engine.curves
        return np.where(curves[..., d.ENERGY_TICKS] > 0, curves[..., d.ENERGY], np.nan)

    def moved(self) -> np.ndarray:
        """How far the state of each region still moved at the last tick."""
        return self.engine.curves[:, -1, d.MOVED].copy()

    def diverged(self) -> str | None:
        """The first region whose loss left the finite range."""
        bad = self.memory.status[:, d.BAD]
        return None if (bad < 0).all() else self.engine.names[int(np.argmin(np.where(bad < 0, np.inf, bad)))]


def lanes_for(sim: Any, count: int, clock: Clock, relax_all: bool) -> list[Lane]:
    """Lanes for so many questions, as many at once as serve, made ready."""
    wanted = min(count, LANES_PER_THREAD * sim.threads)
    lanes = sim.engine.lanes
    while len(lanes) < wanted:
        lanes.append(Lane(sim))
    for lane in lanes[:wanted]:
        lane.take(sim, clock, relax_all)
        lane.engine.prepare()
    return lanes[:wanted]


def clock_of(sim: Any, steps: int) -> Clock:
    """A clock for one trial of so many steps from now, in which every tick is scored."""
    spans, energy_at, init = stretched(sim.plan.trial, steps)
    return replace(sim.engine.clock, trial_length=steps, trial_start=sim.tick, score_at=-1, energy_at=energy_at,
                   init_mask=init, spans=spans)


def known_rows(given: dict[str, Given], query: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values and masks of one question."""
    return {name: value.row(query) for name, value in given.items()}
