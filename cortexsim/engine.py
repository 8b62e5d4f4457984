"""One running graph: its memory, its compiled kernels, and the calls into the driver. No checks of user input here."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from cortexsim import bookkeeping as d
from cortexsim import driver, fallback, native
from cortexsim.kind import KERNELS
from cortexsim.plan import Plan
from cortexsim.plan_shapes import Trial
from cortexsim.rows import list_active
from cortexsim.tables import Memory

# tables of the engine's own, which may be other arrays at every call
OWN_TABLES = ("curves", "probes", "records", "spans")
CLOCK = ("trial_length", "trial_start", "score_at", "energy_at", "init_mask")


@dataclass(frozen=True)
class Clock:
    """The trial clock as the driver reads it.

    `spans` holds the bits of the spans at each place, `init_mask` the bit of the span ``init``. Regions are scored at
    `score_at` (below 0: at every tick), and where a trial begins to settle, at `energy_at`, free energy is noted.
    """

    trial_length: int
    trial_start: int
    score_at: int
    energy_at: int
    init_mask: int
    spans: np.ndarray

    @classmethod
    def of(cls, trial: Trial | None) -> Clock:
        """The clock of a plan."""
        if trial is None:
            return cls(0, 0, 0, 0, 0, np.zeros(1, np.int64))
        init = trial.spans.get("init")
        # at place 0 predictions were made before the outcome came: nothing has settled there
        first = max(init[1] - 1 if init else 0, min(1, trial.length - 1))
        return cls(trial.length, 0, trial.score_at, first, trial.mask("init") if init else 0,
                   trial.masks())


class Uninterrupted:
    """Puts Ctrl-C off to the end of a ``with`` block, so that what is counted agrees with what has run."""

    def __enter__(self) -> None:
        self._former: Any = None
        self._caught: Any = None
        # only the main thread is interrupted, and only it may say by whom the signal is handled
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._former = signal.signal(signal.SIGINT, self._note)

    def _note(self, *given: Any) -> None:
        self._caught = given

    def __exit__(self, *error: Any) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
        if self._caught:
            self._former(*self._caught)


class Engine:
    """Drives the regions of a plan over ticks.

    Parameters
    ----------
    plan : Plan
    memory : Memory
    curves : ndarray, float64 [regions, bins, 15]
        In the order of the plan's sequence; the driver adds to it.
    threads : int
        Worker threads of the driver.
    """

    def __init__(self, plan: Plan, memory: Memory, curves: np.ndarray, threads: int) -> None:
        self.plan = plan
        self.memory = memory
        self.curves = curves
        self.threads = threads
        self.clock = Clock.of(plan.trial)
        self.learn = True
        self.scoring = True
        self.bin_start, self.bin_shift = 0, 0
        self.probes = np.zeros((0, 5), np.int64)
        self.records = np.zeros(1, np.float32)
        self.record_start = 0
        self.ready = False
        # kernels may have put off what they learned
        self.behind = False
        # copies of the activity, for questions
        self.lanes: list[Any] = []
        # somebody holds the live arrays
        self.watched = False
        self._words = np.zeros(d.TABLES.n_words, np.int64)
        self._written: tuple[Any, ...] = ()
        self._job = np.zeros(driver.JOB.n_words, np.int64)
        self._driver = (0, 0)
        self.why_fallback = ""
        self.names = plan.sequence

    def prepare(self) -> None:
        """Compile, or load from the cache, every kernel that the plan needs."""
        if self.ready:
            return
        self.why_fallback = native.self_test()
        for name, row in self.memory.row.items():
            kind, hyper = self.plan.regions[name].kind, self.plan.regions[name].hyper
            cells = self.memory.kernels[row]
            fused = name in self.plan.order.fused and kind.kernel("tick", hyper) is not None
            for column, step in enumerate(KERNELS):
                kernel = kind.kernel(step, hyper)
                # a fused region still predicts alone: before its outcome is known, and where that is absent
                unused = step in ("compare", "update") if fused else step == "tick"
                if kernel is None or unused:
                    cells[column] = 0
                elif self.why_fallback:
                    cells[column] = 1
                else:
                    cells[column] = native.address(kernel, self.memory.layouts[name])
        if not self.why_fallback:
            self._driver = driver.prepare()
            self._prepare_rates()
        self._fixed_tables()
        self.ready = True

    def _prepare_rates(self) -> None:
        """The code that changes learning rates, compiled where a region has one that changes."""
        memory = self.memory
        rows = np.flatnonzero(memory.regions[:, d.RATE_RULE])
        if not len(rows):
            return
        memory.kernels[rows, d.ADAPT] = driver.prepare_rates()
        place = memory.regions[rows, d.SCORE_AT] + d.RATE_JOB
        memory.words[place], memory.words[place + 1] = self._words.ctypes.data, rows

    def _fixed_tables(self) -> None:
        """Write the driver's tables, as far as they never change."""
        memory, words = self.memory, self._words
        for name in ("signals", "gathered", "words", "active"):
            words[d.TABLES.word[f"{name}_address"]] = getattr(memory, name).ctypes.data
        for name, _, _ in d.TABLE_ARRAYS:
            if name not in OWN_TABLES:
                d.TABLES.put(words, name, getattr(memory, name))

    def tables(self) -> int:
        """Write what may have changed in the driver's tables, and return their address."""
        words = self._words
        now = (self.learn, self.scoring, self.bin_start, self.bin_shift, self.record_start, self.curves, self.probes,
               self.records, self.clock)
        if all(a is b for a, b in zip(now, self._written, strict=False)) and self._written:
            return words.ctypes.data
        self._written = now
        for name in ("learn", "scoring", "bin_start", "bin_shift", "record_start"):
            words[d.TABLES.word[name]] = int(getattr(self, name))
        for name in CLOCK:
            words[d.TABLES.word[name]] = getattr(self.clock, name)
        d.TABLES.put(words, "spans", self.clock.spans)
        for name in ("curves", "probes", "records"):
            d.TABLES.put(words, name, getattr(self, name))
        return words.ctypes.data

    def run(self, start: int, end: int, block: int) -> None:
        """Run the ticks [start, end), at most `block` of them a visit; sources must be staged."""
        self.prepare()
        address = self.tables()
        self.behind = True
        if self.why_fallback:
            fallback.run(self, start, end, block)
        elif self.threads > 1 and len(self.plan.order.units) > 1:
            parts = self.memory.parts
            jobs = np.zeros((len(parts), driver.JOB.n_words), np.int64)
            jobs[:, 0], jobs[:, 1:3] = address, parts
            self._run_parallel(jobs, self.memory.level_start, start, end, block, block)
        else:
            self._work(address, start, end, block, only=0)

    def _work(self, address: int, start: int, end: int, block: int, only: int) -> None:
        self._job[:7] = address, 0, len(self.plan.order.units), start, end, block, only
        native.call_once(self._driver[0], self._job.ctypes.data)

    def run_lanes(self, lanes: list[Engine], start: int, end: int) -> None:
        """Run engines that share nothing but what is learned over the ticks [start, end), at once."""
        block = self.plan.block
        if self.threads == 1 or len(lanes) == 1 or lanes[0].why_fallback:
            for lane in lanes:
                lane.threads = 1
                lane.run(start, end, block)
            return
        jobs = np.zeros((len(lanes), driver.JOB.n_words), np.int64)
        jobs[:, 0], jobs[:, 2] = [lane.tables() for lane in lanes], len(self.plan.order.units)
        self._run_parallel(jobs, np.array([0, len(lanes)]), start, end, end - start, block)

    def _run_parallel(self, jobs: np.ndarray, levels: np.ndarray, start: int, end: int, block: int,
                      longest: int) -> None:
        former = numba.get_num_threads()
        try:
            numba.set_num_threads(min(self.threads, numba.config.NUMBA_NUM_THREADS))
            driver.run_parallel(self._driver[0], jobs, jobs.ctypes.data, levels, start, end, block, longest)
        finally:
            numba.set_num_threads(former)

    @contextmanager
    def flushing(self) -> Iterator[None]:
        """Flush at the end of a ``with`` block, whatever ends it, where somebody may look at the arrays unasked."""
        try:
            yield
        finally:
            if self.watched:
                self.flush()

    def flush(self) -> None:
        """Let the kernels do what they have put off, so that the arrays hold all that was learned."""
        if not self.behind:
            return
        address = self.tables()
        if self.why_fallback:
            fallback.flush(self)
        else:
            self._job[:3] = address, 0, len(self.names)
            native.call_once(self._driver[1], self._job.ctypes.data)
        self.behind = False

    def run_predict(self, tick: int) -> None:
        """Run only the predict steps of a tick."""
        self.prepare()
        address = self.tables()
        self.behind = True
        # what an edge holds outside its span must not come from a gate that a try alone has opened
        memory = self.memory
        spanned = memory.edges[memory.edges[:, d.E_SPAN] != 0]
        held = [(slice(e[d.E_TO], e[d.E_TO] + e[d.E_LENGTH]), e[d.E_PRESENT]) for e in spanned]
        values = [(memory.gathered[place].copy(), memory.present[cell]) for place, cell in held]
        if self.why_fallback:
            fallback.run_predict(self, tick)
        else:
            self._work(address, tick, tick + 1, 1, only=1)
        for (place, cell), (gathered, present) in zip(held, values, strict=True):
            memory.gathered[place], memory.present[cell] = gathered, present

    def namespace(self) -> Any:
        """The driver's tables for public numba, as the fallback needs them."""
        tables = d.TABLES.namespace(self._words)
        # addresses do not fit into int32, to which plain Python would keep
        return tables._replace(regions=tables.regions.astype(np.int64), edges=tables.edges.astype(np.int64))

    # ------------------------------------------------------------------ signals

    def slot(self, node: str, tick: int) -> int:
        """The slot that holds a node's value at a tick (-1: silent)."""
        at, slots = self.memory.count_rings[node]
        return int(self.memory.counts[at + (tick & (slots - 1))]) if tick >= 0 else -1

    def value(self, signal: str, tick: int) -> np.ndarray:
        """A signal's value at a recent tick, flat; zeros where its writer is silent."""
        at, size, slots = self.memory.rings[signal]
        slot = self.slot(signal.split(".")[0], tick)
        if slot < 0:
            return np.zeros(size, np.float32)
        start = at + (slot & (slots - 1)) * size
        return self.memory.signals[start : start + size].copy()

    def stage(self, name: str, tick: int, rows: np.ndarray | None, present: np.ndarray | None, repeat: int = 1,
              n_ticks: int = 1, number: int | None = None) -> None:
        """Put samples of a source in its ring, one row for every `repeat` ticks from `tick` on.

        `rows` None, or a row not present, leaves the source silent. With a `number` there is one row, for all ticks.
        """
        memory = self.memory
        count_at, slots = memory.count_rings[name]
        at, size, _ = memory.rings[f"{name}.value"]
        ticks = np.arange(tick, tick + n_ticks)
        numbers = ticks // repeat if number is None else np.full(n_ticks, number)
        counts = memory.counts[count_at : count_at + slots]
        if rows is None:
            counts[ticks & (slots - 1)] = -1
            return
        first = tick // repeat if number is None else number
        counts[ticks & (slots - 1)] = numbers if present is None else np.where(present[numbers - first], numbers, -1)
        ring = memory.signals[at : at + size * slots].reshape(slots, size)
        lists, list_at = None, memory.list_rings.get(f"{name}.value")
        if list_at is not None:
            lists = memory.active[list_at : list_at + slots * (size + 1)].reshape(slots, size + 1)
        # to the end of the ring, and on from its start
        place, left = first & (slots - 1), rows
        while len(left):
            stop = min(slots, place + len(left))
            ring[place:stop] = left[: stop - place]
            if lists is not None:
                list_active(ring[place:stop], lists[place:stop])
            left, place = left[stop - place :], 0

    def staged_limit(self) -> int:
        """How many samples may be staged at once without overwriting what delayed edges still read."""
        limits = [1 << 16]
        for name in self.plan.sources:
            _, slots = self.memory.count_rings[name]
            delay = max((e.delay for e in self.plan.edges.values() if e.source == name), default=0)
            limits.append(slots - delay - self.plan.block - 1)
        return max(1, min(limits))
