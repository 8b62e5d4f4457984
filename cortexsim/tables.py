"""From a plan to memory: every array of a running graph, and the tables of numbers that the driver reads."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim import views
from cortexsim.arena import Arena
from cortexsim.errors import GraphError, KindError
from cortexsim.fields import as_sheet
from cortexsim.kind import PORTS, Kind
from cortexsim.plan import EdgePlan, Plan, RegionPlan, ring_length
from cortexsim.policies import make_policies, watched
from cortexsim.step_sizes import STEP_SIZES, limits, signs, trace_size

ROLE_COLUMN = {"context": d.CONTEXT, "target": d.TARGET, "prior": d.PRIOR, "feedback": d.FEEDBACK, "gate": d.GATE,
               "modulator": d.MODULATOR}
VIEWED = ("context", "target", "prior", "feedback")
STAGED_VALUES = 1 << 18  # values of a source that are brought in at once, at most


def seed_of(seed: int, name: str) -> list[int]:
    """A seed for one region, from its name: adding a region never shifts its neighbours."""
    return [seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")]


def check_names(kind: Kind, arrays: dict[str, Any]) -> None:
    """Raise a KindError where a view could not tell two things apart: both would be read under one name."""
    fields = kind.hyper_fields()
    for name in fields:
        if name in views.HEADER.word:
            raise KindError(f"kind {kind.name!r}", f"Hyper.{name} has a name that every view uses", hint="rename it")
    for name in arrays:
        if name in views.HEADER.word or name in fields:
            owner = "every view" if name in views.HEADER.word else "its Hyper"
            raise KindError(f"kind {kind.name!r}", f"array {name!r} has a name that {owner} uses", hint="rename it")


class Memory:
    """All values of a simulation.

    Parameters
    ----------
    plan : Plan
    seed : int
        For the initial values; every region draws from a stream of its own name.
    values : dict of dict, optional
        Region -> name -> array, to copy instead of drawing.
    shared : bool
        Take those of `values` that learning changes as they are instead of copying them: nothing here may learn.

    Attributes
    ----------
    arrays : dict of dict
        Region -> name -> numpy array, views of one block of memory.
    tables : dict
        Name -> array, as in :data:`cortexsim.driver.TABLE_ARRAYS`.
    """

    def __init__(self, plan: Plan, seed: int, values: dict[str, dict[str, np.ndarray]] | None = None,
                 shared: bool = False) -> None:
        self.plan = plan
        self._shared = shared
        self._given = values or {}
        self.seed = seed
        self.row = {name: r for r, name in enumerate(plan.sequence)}
        self.edge_row: dict[str, int] = {}
        self.layouts: dict[str, views.Layout] = {}
        self.arrays: dict[str, dict[str, np.ndarray]] = {}
        self.rings: dict[str, tuple[int, int, int]] = {}
        self.count_rings: dict[str, tuple[int, int]] = {}
        self.list_rings: dict[str, int] = {}
        self.gathered_at: dict[tuple[str, str], int] = {}
        self.stored_at: dict[str, tuple[int, int]] = {}
        self._allocate()
        self._place_signals()
        self._place_gathered()
        self._make_tables()

    # ------------------------------------------------------------------ values of the kinds

    def _allocate(self) -> None:
        drawn: dict[str, dict[str, np.ndarray]] = {}
        places, store = {}, Arena(np.uint8)
        for name in self.plan.sequence:
            region = self.plan.regions[name]
            rng = np.random.default_rng(seed_of(self.seed, name))
            drawn[name] = self._given.get(name) or region.kind.allocate(region.hyper, region.shapes, rng)
            check_names(region.kind, drawn[name])
            start = store.place(0)
            places[name] = {key: store.place(array.nbytes) for key, array in drawn[name].items()
                            if not (self._shared and key in region.kind.learned)}
            self.stored_at[name] = start, store.place(0)
        self.store = store.make()
        for name, arrays in drawn.items():
            self.arrays[name] = {}
            for key, array in arrays.items():
                if key not in places[name]:
                    self.arrays[name][key] = array
                    continue
                at = places[name][key]
                view = self.store[at : at + array.nbytes].view(array.dtype).reshape(array.shape)
                view[...] = array
                self.arrays[name][key] = view
            kind = self.plan.regions[name].kind
            hypers = [(key, "int" if f.integer else "float") for key, f in kind.hyper_fields().items()]
            self.layouts[name] = views.region_layout(
                hypers, [(key, a.dtype.name, a.ndim) for key, a in self.arrays[name].items()])

    # ------------------------------------------------------------------ signals

    def _place_signals(self) -> None:
        signals, counts, active = Arena(np.float32), Arena(np.int64), Arena(np.int32)
        longest: dict[str, int] = {}
        for signal, delay in self.plan.delays.items():
            node = signal.split(".")[0]
            longest[node] = max(longest.get(node, 0), delay)
        for name, source in self.plan.sources.items():
            delay = longest.get(name, 0)
            staged = max(2 * self.plan.block, min(1024, STAGED_VALUES // max(1, source.size)))
            staged = max(staged, self.plan.trial.length if self.plan.trial else 0) + self.plan.block
            slots = ring_length(delay, staged)
            self._ring(f"{name}.value", source.size, slots, signals)
            self.count_rings[name] = (counts.place(slots), slots)
            if source.sparse:
                self.list_rings[f"{name}.value"] = active.place(slots * (source.size + 1))
        for name in self.plan.sequence:
            region = self.plan.regions[name]
            for port in PORTS:
                if port in region.ports:
                    signal = f"{name}.{port}"
                    slots = self.plan.slots(signal)
                    size = int(np.prod(region.ports[port]))
                    self._ring(signal, size, slots, signals)
                    if _lists(region.kind) == port:
                        self.list_rings[signal] = active.place(slots * (size + 1))
            slots = ring_length(longest.get(name, 0), self.plan.block)
            self.count_rings[name] = (counts.place(slots), slots)
        self.active_at = {name: active.place(region.shapes.n_context)
                          for name, region in self.plan.regions.items() if _wants_list(region)}
        for arena in (signals, counts, active):
            arena.check("signals in flight")
        self.signals, self.counts, self.active = signals.make(), counts.make(), active.make()
        self.counts[:] = -1

    def _ring(self, signal: str, size: int, slots: int, arena: Arena) -> None:
        self.rings[signal] = (arena.place(size * slots), size, slots)

    def _place_gathered(self) -> None:
        arena, indices = Arena(np.float32), Arena(np.int32)
        self.index_at: dict[str, int] = {}
        self.scored_at: dict[str, int] = {}
        for name in self.plan.sequence:
            region = self.plan.regions[name]
            for role in VIEWED:
                self.gathered_at[name, role] = arena.place(region.shapes.total(role))
            spans = [edge.data["span"] for edge in region.edges["target"]]
            if self.plan.trial and any(spans) and "prediction" in region.ports and not region.kind.settles:
                self.scored_at[name] = arena.place(region.shapes.n_target)
        for edge in self.plan.edges.values():
            if edge.indices is not None:
                self.index_at[edge.name] = indices.place(len(edge.indices), aligned=False)
        arena.check("what regions read")
        self.gathered, self.indices = arena.make(), indices.make()
        for edge in self.plan.edges.values():
            if edge.indices is not None:
                at = self.index_at[edge.name]
                self.indices[at : at + len(edge.indices)] = edge.indices

    # ------------------------------------------------------------------ tables

    def _make_tables(self) -> None:
        n = len(self.row)
        words, present, baselines = Arena(np.int64), Arena(np.int64), Arena(np.float32)
        self.view_at = {name: words.place(self.layouts[name].n_words + d.N_REALS) for name in self.row}
        self.roles_at = {(name, role): present.place(6 * len(self.plan.regions[name].edges[role]), aligned=False)
                         for name in self.row for role in VIEWED}
        nobody = present.place(1)
        self.units_at = {name: present.place(3, aligned=False) for name in self.row}
        self.baseline_at = {name: baselines.place(2 * self.plan.regions[name].shapes.n_target + 2) for name in self.row}
        gradients = Arena(np.float32)
        self.gradient_at = {name: gradients.place(trace_size(_gradient_sizes(region)))
                            for name, region in self.plan.regions.items()}
        self.words, self.present, self.baselines = words.make(), present.make(), baselines.make()
        self.gradients = gradients.make()
        self.reals = self.words.view(np.float64)
        self.defaults = np.zeros_like(self.reals)
        self.status = np.zeros((n, d.N_STATUS), np.int64)
        self.status[:, d.RESET] = 1
        self.status[:, d.BAD] = -1
        # int32: the tables of a large graph compete with its weights for the caches
        self.regions = np.zeros((n, d.N_REGION), np.int32)
        self.edges = np.zeros((max(1, len(self.plan.edges)), d.N_EDGE), np.int32)
        self.kernels = np.zeros((n, d.ADAPT + 1), np.int64)
        self.limits = np.zeros((len(self.edges), 2), np.float64)
        row = 0
        for name in self.row:
            for role, column in ROLE_COLUMN.items():
                first = row
                for k, edge in enumerate(self.plan.regions[name].edges[role]):
                    self.edge_row[edge.name] = row
                    cell = self.roles_at[name, role] + 6 * k + 5 if role in VIEWED else nobody
                    self._fill_edge(row, edge, cell)
                    row += 1
                self.regions[self.row[name], column : column + 2] = first, row
        for name in self.row:
            self._fill_region(self.regions[self.row[name]], name)
            self._fill_view(name)
        sizes = {name: _gradient_sizes(region) for name, region in self.plan.regions.items()}
        self.policies, self.images, self.diverged, self.store_words = make_policies(self, sizes, self._shared)
        self._fill_order()

    def _fill_edge(self, row: int, edge: EdgePlan, present: int) -> None:
        cells = self.edges[row]
        at, size, slots = self.rings[edge.signal]
        count_at, count_slots = self.count_rings[edge.source]
        trial = self.plan.trial
        cells[d.E_COUNT], cells[d.E_COUNT_MASK] = count_at, count_slots - 1
        cells[d.E_SIGNAL], cells[d.E_SIZE], cells[d.E_MASK] = at, size, slots - 1
        cells[d.E_DELAY], cells[d.E_START], cells[d.E_LENGTH] = edge.delay, edge.start, edge.length
        cells[d.E_INDEX] = self.index_at.get(edge.name, -1)
        cells[d.E_CUT] = edge.data["lesioned"]
        cells[d.E_SPAN] = trial.mask(edge.data["span"]) if trial else 0
        cells[d.E_SILENT] = edge.data["outside"] == "silent"
        cells[d.E_PRESENT] = present
        cells[d.E_LIST] = -1
        whole = edge.indices is None and edge.length == size
        if whole and edge.signal in self.list_rings:
            cells[d.E_LIST] = self.list_rings[edge.signal]
        if edge.role in VIEWED:
            region = self.plan.regions[edge.target]
            cells[d.E_TO] = self.gathered_at[edge.target, edge.role] + edge.offset
            cells[d.E_WORD] = self.view_at[edge.target] + self.layouts[edge.target].word[edge.role]
            alone = len(region.edges[edge.role]) == 1 and edge.indices is None and not cells[d.E_SPAN]
            cells[d.E_DIRECT] = alone and not (edge.role == "context" and _wants_list(region) and cells[d.E_LIST] < 0)
            if cells[d.E_SPAN] and edge.role == "context" and _wants_list(region):
                raise GraphError(f"edge {edge.name!r}", "a sparse context cannot be limited to a span",
                                 edge.data["span"])
        if edge.role == "modulator":
            self._fill_modulator(row, edge)

    def _fill_modulator(self, row: int, edge: EdgePlan) -> None:
        where = f"edge {edge.name!r}"
        field = self.plan.regions[edge.target].kind.hyper_fields()[edge.data["hyper"]]
        if field.integer:
            raise GraphError(where, "a modulator drives a hyperparameter that is a number", field.name)
        if edge.length != 1 or edge.indices is not None:
            raise GraphError(where, "a modulator must have one component", edge.length,
                             f"select one, as in {edge.source}.{edge.port}[0]")
        self.edges[row, d.E_WORD] = self.view_at[edge.target] + self.layouts[edge.target].word[field.name]
        self.edges[row, d.E_SET] = edge.data["mode"] == "set"
        self.limits[row] = (-np.inf if field.low is None else field.low, np.inf if field.high is None else field.high)

    def _fill_region(self, cells: np.ndarray, name: str) -> None:
        region = self.plan.regions[name]
        kind, data = region.kind, region.data
        layout = self.layouts[name]
        cells[d.VIEW], cells[d.PERIOD], cells[d.OFFSET] = self.view_at[name], data["period"], data["offset"]
        cells[d.HOLD] = data["when_closed"] == "hold"
        cells[d.COUNT_AT], cells[d.COUNT_MASK] = self.count_rings[name][0], self.count_rings[name][1] - 1
        cells[d.FROZEN] = data["frozen"]
        cells[d.BITS] = kind.score_unit(region.hyper) == "bits"
        cells[d.BASELINE], cells[d.N_TARGET] = self.baseline_at[name], region.shapes.n_target
        cells[d.TARGET_AT] = self.gathered_at[name, "target"]
        cells[d.CONTEXT_AT] = self.gathered_at[name, "context"]
        cells[d.SPARSE], cells[d.ACTIVE_AT] = _wants_list(region), self.active_at.get(name, 0)
        cells[d.SCORE_AT] = self.view_at[name] + layout.n_words
        cells[d.RELAXES] = kind.goes_on
        cells[d.SCORED_AT] = self.scored_at.get(name, -1)
        trial = self.plan.trial
        cells[d.EARLY] = trial.mask("init") if trial and "init" in trial.spans and region.edges["prior"] else 0
        own = [k for k, port in enumerate(PORTS) if port in region.ports]
        cells[d.PORTS], cells[d.PORTS_END] = min(own, default=0), max(own, default=-1) + 1
        for k, port in enumerate(PORTS):
            if port in region.ports:
                at, size, slots = self.rings[f"{name}.{port}"]
                cells[d.PORT + 3 * k : d.PORT + 3 * k + 3] = at, size, slots - 1
        cells[d.LIST_AT] = -1
        signal = f"{name}.{_lists(kind)}"
        if signal in self.list_rings:
            _, size, slots = self.rings[signal]
            cells[d.LIST_AT : d.LIST_AT + 3] = self.list_rings[signal], slots - 1, size + 1
        cells[d.WATCHED] = watched(region, _lists(kind))
        self._fill_rate(cells, region)

    def _fill_rate(self, cells: np.ndarray, region: RegionPlan) -> None:
        """The learning rate of a region, and how it changes."""
        word, fields = self.layouts[region.name].word, region.kind.hyper_fields()
        cells[d.RATE] = -1
        if "step_size" not in fields:
            return
        at = self.view_at[region.name]
        cells[d.RATE], cells[d.GRADIENT_AT] = at + word["learning_rate"], self.gradient_at[region.name]
        rule = int(fields["step_size"].encode(region.hyper["step_size"]))
        # a rule of the kind's own leaves the rate as it is
        cells[d.RATE_RULE] = rule if rule < len(STEP_SIZES) else 0
        cells[d.META_RATE], cells[d.DECAY_TIME] = at + word["meta_rate"], at + word["decay_time"]
        cells[d.OUTER_WORD], cells[d.INNER_WORD] = (word[name] for name in region.kind.gradient)
        cells[d.EDGES_AT] = self.roles_at[region.name, "context"]
        # what a step is divided by has a floor only where it is divided
        floor = "floor" if region.kind.normalised else None
        for column, name in ((d.BIAS, "bias"), (d.FLOOR, floor), (d.NORMALISED, region.kind.normalised)):
            cells[column] = at + word[name] if name in fields else -2 if name is True else -1
        if outer := _gradient_sizes(region)[:1]:
            start = self.gradient_at[region.name]
            self.gradients[start : start + outer[0]] = signs(region.name, outer[0])
        place = at + self.layouts[region.name].n_words
        self.reals[place + d.LOW_RATE : place + d.HIGH_RATE + 1] = limits(fields["learning_rate"])

    def _fill_view(self, name: str) -> None:
        region, layout, row = self.plan.regions[name], self.layouts[name], self.row[name]
        at = self.view_at[name]
        words = self.words[at : at + layout.n_words]
        words[layout.word["key"]] = np.random.SeedSequence(seed_of(self.seed, name)).generate_state(1, np.uint64).view(
            np.int64)[0]
        words[layout.word["n_dense"]] = region.shapes.n_dense
        for role in VIEWED:
            start = self.gathered_at[name, role]
            layout.put(words, role, self.gathered[start : start + region.shapes.total(role)])
            start = self.roles_at[name, role]
            table = self.present[start : start + 6 * len(region.edges[role])].reshape(-1, 6)
            for k, edge in enumerate(getattr(region.shapes, role)):
                table[k] = edge.start, edge.stop, edge.rows, edge.per_row, edge.shared, 0
            layout.put(words, f"{role}_edges", table)
        for port in PORTS:
            start, size, _ = self.rings.get(f"{name}.{port}", (0, 0, 1))
            layout.put(words, "feedback_out" if port == "feedback" else port, self.signals[start : start + size])
        start = self.active_at.get(name, 0)
        layout.put(words, "active", self.active[start : start + region.shapes.n_context])
        words[layout.word["active"] + 1] = 0
        list_at, list_size = self.regions[row, d.LIST_AT], self.regions[row, d.LIST_SIZE]
        layout.put(words, "active_out", self.active[max(0, list_at) : max(0, list_at) + list_size])
        layout.put(words, "score", self.reals[at + layout.n_words : at + layout.n_words + d.N_SCORE])
        start = self.units_at[name]
        self.present[start : start + 3] = as_sheet(region.shapes.shape or region.shapes.target_shape)
        layout.put(words, "units", self.present[start : start + 3])
        for key, array in self.arrays[name].items():
            layout.put(words, key, array)
        for key, value in region.hyper.items():
            self.set_hyper(name, key, value)

    def set_hyper(self, name: str, key: str, value: Any) -> None:
        """Write a checked hyperparameter where the kernels read it."""
        field = self.plan.regions[name].kind.hyper_fields()[key]
        word = self.view_at[name] + self.layouts[name].word[key]
        if field.integer:
            self.words[word] = int(field.encode(value))
        else:
            self.reals[word] = self.defaults[word] = field.encode(value)
        if key == "learning_rate":
            # a rate that changes starts from here
            place = self.view_at[name] + self.layouts[name].n_words
            self.reals[place + d.BASE_RATE : place + d.STANDING + 1] = field.encode(value), 0.0, 0.0, 0.0

    def _fill_order(self) -> None:
        steps, unit_start = [], [0]
        number = {"predict": 0, "compare": 1, "update": 2}
        for unit in self.plan.order.units:
            if unit[0] in self.plan.order.fused:
                steps.append((self.row[unit[0]], -1))
            else:
                nodes = sorted((self.plan.order.waves[name, step], name, step) for name in unit for step in number)
                steps += [(self.row[name], number[step]) for _, name, step in nodes]
            unit_start.append(len(steps))
        self.steps = np.array(steps, np.int64).reshape(-1, 2)
        self.unit_start = np.array(unit_start, np.int64)
        parts = [run for level in self.plan.parts for run in level]
        self.parts = np.array(parts, np.int64).reshape(-1, 2)
        self.level_start = np.cumsum([0] + [len(level) for level in self.plan.parts]).astype(np.int64)


def _lists(kind: Kind) -> str | None:
    """The port whose active units the kind lists."""
    return getattr(kind.namespace, "LISTS", None)


def _gradient_sizes(region: RegionPlan) -> tuple[int, ...]:
    """Lengths of the two vectors that a rate which learns compares with those of the step before."""
    if region.hyper.get("step_size") != "hypergradient":
        return ()
    for name in region.kind.gradient:
        if name != "context" and name not in region.ports:
            raise KindError(f"region {region.name!r}", f"step_size cannot be hypergradient: it writes no {name!r}",
                            hint="fixed and decayed need none")
    return tuple(region.shapes.n_context if name == "context" else int(np.prod(region.ports[name]))
                 for name in region.kind.gradient)


def _wants_list(region: RegionPlan) -> bool:
    """Whether the kernels of a region want the list of active context units."""
    return bool(region.hyper.get("sparse", False) or getattr(region.kind.namespace, "SPARSE_CONTEXT", False))
