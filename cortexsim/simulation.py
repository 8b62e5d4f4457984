"""The simulation: holds every value of a running graph, and runs, predicts, observes, freezes, lesions and imagines."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from cortexsim import carry, divergence, intake
from cortexsim.changing import Changing
from cortexsim.curves import Curves
from cortexsim.engine import Engine, Uninterrupted
from cortexsim.errors import InputError
from cortexsim.graph import RegionGraph
from cortexsim.inference import Inference, infer
from cortexsim.lasting import Lasting
from cortexsim.limits import check_room
from cortexsim.looking import Looking
from cortexsim.notices import Notices
from cortexsim.plan import Plan, make_plan
from cortexsim.probe import Recorder
from cortexsim.reading import Place, place_after
from cortexsim.settling import Watch
from cortexsim.sources.arrays import Inputs
from cortexsim.tables import Memory

# a call into the driver should come back this often, so that Ctrl-C and the progress bar are answered
CALL_SECONDS = 0.05
# ticks between two looks at what regions say of themselves
LOOK_EVERY = 1024


class Simulation(Looking, Changing, Lasting):
    """A region graph, running.

    Parameters
    ----------
    graph : RegionGraph or networkx graph with the same attributes
        Copied: later edits of it take effect with :meth:`replan`.
    seed : int
        Of all initial values and random streams.
    threads : int
        Worker threads; the results do not depend on it.
    on_bad : {"stop", "skip"}
        What to do with a sample that holds NaN or infinity: stop before its tick, or treat it as not delivered.
    bins : int
        Bins of a learning curve.
    longest_block : int, optional
        Upper bound of the ticks a region runs in one visit; the results do not depend on it.

    Attributes
    ----------
    graph : RegionGraph
    plan : Plan
    curves : Curves
    tick : int
        The next tick to run.

    Raises
    ------
    GraphError, KindError
        Where the graph is not sound.

    Examples
    --------
    >>> import numpy as np, cortexsim as cs
    >>> graph = cs.RegionGraph()
    >>> _ = graph.add_source("x", size=1)
    >>> _ = graph.add_region("next", kind="delta", predicts="x", context=["x@1", "x@2"], learning_rate=0.5)
    >>> sim = cs.Simulation(graph, seed=0)
    >>> curves = sim.run({"x": np.sin(np.arange(2000) / 5)}, ticks=2000)
    >>> bool(curves.final("next")["skill"] > 0.99)
    True
    """

    def __init__(self, graph: Any, seed: int = 0, threads: int = 1, on_bad: str = "stop", bins: int = 512,
                 longest_block: int | None = None) -> None:
        intake.check_options(seed, threads, on_bad, longest_block)
        self.seed, self.threads, self.on_bad = int(seed), int(threads), on_bad
        self._longest_block = longest_block
        graph = graph if isinstance(graph, RegionGraph) else RegionGraph.from_networkx(graph)
        self.graph = graph.copy()
        self.plan = self._make_plan()
        check_room(self.plan)
        self.memory = Memory(self.plan, self.seed)
        self.curves = Curves(*carry.curve_rows(self.plan), bins=bins)
        self.engine = Engine(self.plan, self.memory, self.curves.acc, self.threads)
        self.recorder = Recorder()
        self.tick = 0
        self.skipped: dict[str, int] = {}
        self._watch, self._notices, self._place = Watch(), Notices(), Place()
        # entries of each region's log of divergence that have been told
        self._diverged: dict[str, int] = {}
        self._seconds_per_tick = 1e-3

    def _make_plan(self) -> Plan:
        extra = {} if self._longest_block is None else {"longest_block": self._longest_block}
        return make_plan(self.graph, self.threads, **extra)

    def __repr__(self) -> str:
        return (f"Simulation({self.graph.graph.get('name') or 'graph'!r}: {len(self.plan.regions)} regions, "
                f"tick {self.tick}, seed {self.seed})")

    # ------------------------------------------------------------------ running

    def run(self, inputs: Any = None, ticks: int | None = None, *, trials: int | None = None,
            progress: bool = False) -> Curves:
        """Run the graph on data, learning as it goes.

        Parameters
        ----------
        inputs : dict, stream, or sequence of dicts
            Samples for every source; see :class:`cortexsim.sources.arrays.Inputs`. The first row belongs to the
            present tick (with trials: to the present trial).
        ticks : int, optional
            How many ticks; by default to the end of the data.
        trials : int, optional
            The same in trials, for a graph that has them.
        progress : bool
            Show a progress bar with ticks per second.

        Returns
        -------
        Curves
            The curves so far, the same object every time.

        Raises
        ------
        InputError
            For data that does not fit the sources, ends too soon, or holds NaN or infinity (with `on_bad` "stop"):
            everything up to that tick has run and is kept.
        """
        repeat = self._repeat()
        total = intake.run_length(self, ticks, trials, repeat)
        shapes = {name: source.shape for name, source in self.plan.sources.items()}
        data = Inputs(inputs, shapes, start=self.tick // repeat)
        if total is None:
            if data.length is None:
                raise InputError("run", "needs ticks=, since the data does not say how long it is")
            total = data.length * repeat
        with self.engine.flushing(), self.recorder.bar(total if progress else 0) as bar:
            try:
                self._run(data, self.tick + total, repeat, ticks is not None or trials is not None, bar)
            finally:
                self._look(whole=False)
        return self.curves

    def _run(self, data: Inputs, end: int, repeat: int, exact: bool, bar: Any) -> None:
        block = 1 if data.needs_single_tick else self.plan.block
        staged, begun = self.engine.staged_limit(), self.tick
        self._place = place_after(data, 0)
        while self.tick < end:
            n = min(end - self.tick, self._call_length(), staged)
            rows = 1 if data.needs_single_tick else max(1, n // repeat)
            count, values, present = data.read(rows)
            if count == 0:
                if exact:
                    raise InputError("run", f"the data ended at tick {self.tick}, {end - self.tick} ticks too soon",
                                     hint="all ticks before it have run")
                return
            good, problem = intake.check_finite(self, values, present, count)
            for name in self.plan.sources:
                self.engine.stage(name, self.tick, values[name][:good], present.get(name), repeat, good * repeat)
            try:
                self._advance(good * repeat, block)
            finally:
                self._place = place_after(data, (self.tick - begun) // repeat)
            bar.update(good * repeat)
            if problem:
                raise problem

    def _advance(self, n: int, block: int) -> None:
        """Run `n` staged ticks, in calls that end where curves merge and probes are full."""
        self.engine.prepare()
        with Uninterrupted():
            self._advance_to(self.tick + n, block)

    def _advance_to(self, end: int, block: int) -> None:
        while self.tick < end:
            if self.curves.capacity_left() == 0:
                self.curves.merge()
            stop = min(end, self.tick + self.curves.capacity_left())
            # what is looked at only now and then is looked at in the same ticks however the run is cut
            looks = self._notices.listens(self)
            stop = min(stop, self.tick - self.tick % LOOK_EVERY + LOOK_EVERY) if looks else stop
            engine = self.engine
            engine.bin_start, engine.bin_shift = self.curves.start, int(self.curves.bin_width).bit_length() - 1
            self.recorder.open(engine, self.tick, stop - self.tick)
            started = time.perf_counter()
            engine.run(self.tick, stop, block)
            self._seconds_per_tick = max(1e-7, (time.perf_counter() - started) / (stop - self.tick))
            self.recorder.collect(engine, self.tick, stop)
            self.tick = stop
            self.curves.n_ticks = stop - self.curves.start
            if looks and self.tick % LOOK_EVERY == 0:
                self._look(whole=True)
            divergence.look(self)

    def _look(self, whole: bool) -> None:
        """Look for what regions have to say, at the end of a stretch of so many ticks or of a run."""
        self._watch.look(self, whole)
        self._notices.look(self, max(0, self.tick - 1) // LOOK_EVERY * LOOK_EVERY)

    def _call_length(self) -> int:
        return int(np.clip(CALL_SECONDS / self._seconds_per_tick, self.plan.block, 1 << 16))

    def _repeat(self) -> int:
        return self.plan.trial.length if self.plan.trial else 1

    # ------------------------------------------------------------------ one tick at a time

    def step(self, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        """Predict, then observe: one tick (or trial) online.

        Parameters
        ----------
        inputs : dict
            One sample for every source.

        Returns
        -------
        dict
            Region -> the prediction that was made before the outcome.
        """
        known = {name: inputs[name] for name, source in self.plan.sources.items()
                 if source.known == "before" and name in inputs}
        predictions = self.predict(known)
        self.observe(inputs)
        return predictions

    def predict(self, known: dict[str, Any] | None = None, ahead: int = 1) -> dict[str, np.ndarray]:
        """What every region predicts for the coming tick, before its outcome is known.

        Parameters
        ----------
        known : dict, optional
            Samples of the sources that are known before the outcome; what is left out is silent. For `ahead` > 1 one
            row a tick, or one sample for all of them.
        ahead : int
            How many ticks ahead; the ticks between are imagined on a copy.

        Returns
        -------
        dict
            Region -> prediction, in the shape of its target. Nothing that was learned or counted changes, so trying
            two actions is safe.
        """
        if ahead != 1:
            return carry.predict_ahead(self, known or {}, ahead)
        repeat = self._repeat()
        given = intake.known_samples(self, known or {})
        for name in self.plan.sources:
            self.engine.stage(name, self.tick, given.get(name), None, repeat, repeat)
        self.engine.run_predict(self.tick)
        return self._predictions()

    def _predictions(self) -> dict[str, np.ndarray]:
        return {name: self.engine.value(f"{name}.prediction", self.tick).reshape(region.ports["prediction"])
                for name, region in self.plan.regions.items() if "prediction" in region.ports}

    def observe(self, inputs: dict[str, Any]) -> None:
        """Bring in the outcome of a tick (or trial): compare, update, score.

        Parameters
        ----------
        inputs : dict
            One sample for every source, those known before included. None means: not delivered.
        """
        repeat = self._repeat()
        values = intake.samples(self, inputs, "observe", needed=tuple(self.plan.sources))
        present: dict[str, Any] = {}
        rows = {name: np.zeros((1, self.plan.sources[name].size), np.float32) if row is None else row
                for name, row in values.items()}
        _, problem = intake.check_finite(self, rows, present, 1)
        if problem:
            raise problem
        for name, row in values.items():
            self.engine.stage(name, self.tick, None if row is None else rows[name], present.get(name), repeat, repeat)
        with self.engine.flushing():
            self._advance(repeat, 1)

    # ------------------------------------------------------------------ changing it

    def reset(self) -> None:
        """Clear all activity - signals in flight, states, traces - and keep all that was learned, and the curves."""
        carry.reset_activity(self)
        self.curves.add_event(self.tick, "reset", "graph")

    def replan(self, graph: Any = None) -> Plan:
        """Plan again after an edit of ``sim.graph`` (or of a graph given here), carrying state over by name.

        Weights, statistics, signals in flight and curves of what is still there are kept; where an edge was added or
        removed, the weights of the other edges stay. A region whose arrays no longer fit starts anew, and an event says
        so.

        Returns
        -------
        Plan
            The new plan.
        """
        carry.replan(self, graph)
        return self.plan

    def infer(self, clamp: dict[str, Any] | None = None, steps: int | None = None, free: Any = None, *,
              restarts: int = 1, spread: float = 0.5, seed: int = 0, progress: bool = False) -> Inference:
        """Answer a question with the weights frozen: clamp what is known, let the rest settle, read what you want.

        The regions relax over one trial that starts now, on copies of their activity: weights, statistics, states and
        clock of the simulation stay as they are. Kinds that only predict do so at each step, as their context settles.

        Parameters
        ----------
        clamp : dict
            Source or region -> its value or state throughout. A masked array (``numpy.ma``) holds the units that are
            not masked and leaves the others free. With one more axis in front: so many independent questions.
        steps : int, optional
            Relaxation steps; by default the length of a trial, or 100. Where given, it stands for the regions' own
            ``steps``, too.
        free : list of str or dict, optional
            A list: only these settle, all other states stay as they are. A dict: source or region -> the pattern that
            it starts from; all that is not clamped settles. By default it does so from its usual start.
        restarts : int
            How often each question is asked, all but the first time from random states.
        spread : float
            Standard deviation of these.
        seed : int
            Of these.
        progress : bool
            Show a progress bar in questions.

        Returns
        -------
        Inference
            Settled signals, free energy over the steps, and each region's surprise. Many questions run on all threads
            at once, and give the same bits as one by one.

        Raises
        ------
        InputError
            For a name, shape or value that does not fit, or a graph in which nothing relaxes.

        Warns
        -----
        SettlingWarning
            Where a region diverged, or free energy rose: it names the region, and the remedy.
        """
        return infer(self, clamp, steps, free, restarts, spread, seed, progress)

    def copy(self) -> Simulation:
        """An independent simulation in the same state."""
        return carry.copy_simulation(self)

    def imagine(self, ticks: int, known: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Run on the graph's own predictions, on a copy, without learning or curves.

        Parameters
        ----------
        ticks : int
        known : dict, optional
            Samples [ticks, size] of sources that are given (a plan of motor commands, say). Every other source needs
            ``imagined_by``, the region whose prediction stands for it.

        Returns
        -------
        dict
            ``"source.value"`` and ``"region.prediction"`` -> array [ticks, size].
        """
        return carry.imagine(self, ticks, known or {})
