"""A plain runner of a plan: full history in lists, no rings, no blocks, every (region, step) in the order of its wave.

It shares the plan and the initial arrays with the library, and nothing of the driver. Kinds with a naive twin run as
that twin, all others as plain Python functions.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from cortexsim.kind import PORTS, STEPS
from cortexsim.plan import EdgePlan, Plan, RegionPlan
from cortexsim.step_sizes import signs
from naive import TWINS

VIEWED = ("context", "target", "prior", "feedback")


class Region:
    """One region as it runs: its arrays, what it emitted at each tick, and its curve."""

    def __init__(self, plan: RegionPlan, arrays: dict[str, np.ndarray], dtype: Any) -> None:
        self.plan = plan
        self.name = plan.name
        self.arrays = {key: array.astype(dtype if array.dtype == np.float32 else array.dtype)
                       for key, array in arrays.items()}
        self.values = dict(plan.hyper)
        self.frozen = bool(plan.data["frozen"])
        self.emitted: list[dict[str, np.ndarray] | None] = []
        self.last: dict[str, np.ndarray] | None = None
        self.status = "off"
        self.due, self.seen, self.reset = 0, 0, True
        self.score = np.zeros(8)
        # of a learning rate that changes: updates so far; traces of the weights and constants, and the mean error
        self.updates, self.trace, self.standing = 0, None, 0.0
        self.view: Any = None
        self.last_target = np.zeros(plan.shapes.n_target)
        self.mean_target = np.zeros(plan.shapes.n_target)
        # ticks, loss, loss of last value, loss of running mean, update, dead, saturated, ticks learned
        self.curve = np.zeros(8)
        twin = TWINS.get(plan.kind.name)
        self.kernels = twin or SimpleNamespace(**{step: plan.kind.kernel(step, plan.hyper) for step in STEPS})
        self.sparse = bool(plan.hyper.get("sparse", False) or getattr(plan.kind.namespace, "SPARSE_CONTEXT", False))
        self.lists = getattr(plan.kind.namespace, "LISTS", None)


class Reference:
    """Runs a plan tick by tick.

    `arrays` holds the initial values of every region; `inputs` of `run` maps source -> samples [n, size], a sample
    that holds NaN standing for one that is not delivered.
    """

    def __init__(self, plan: Plan, arrays: dict[str, dict[str, np.ndarray]], learn: bool = True,
                 dtype: Any = np.float32) -> None:
        self.plan, self.dtype = plan, dtype
        self.regions = {name: Region(region, arrays[name], dtype) for name, region in plan.regions.items()}
        self.sources: dict[str, list[np.ndarray | None]] = {name: [] for name in plan.sources}
        self.held: dict[str, tuple[np.ndarray, bool]] = {}
        self.cut = {name: bool(edge.data["lesioned"]) for name, edge in plan.edges.items()}
        self.nodes = sorted((wave, region, STEPS.index(step)) for (region, step), wave in plan.order.waves.items())
        self.learn = learn
        self.tick = 0

    # ------------------------------------------------------------------ the clock

    @property
    def length(self) -> int:
        """Ticks of a trial (1 where there are none)."""
        return self.plan.trial.length if self.plan.trial else 1

    def spans(self, t: int) -> set[str]:
        """Names of the spans that hold at tick `t`."""
        trial = self.plan.trial
        return {n for n, (a, b) in trial.spans.items() if a <= t % trial.length < b} if trial else set()

    def run(self, inputs: dict[str, np.ndarray], ticks: int) -> None:
        """Run the next ticks; row 0 of the inputs belongs to the present tick (or trial)."""
        start = self.tick // self.length
        for t in range(self.tick, self.tick + ticks):
            for name, samples in inputs.items():
                row = np.asarray(samples, self.dtype)[t // self.length - start].ravel()
                self.sources[name].append(row if np.isfinite(row).all() else None)
            for _, name, step in self.nodes:
                (self.predict, self.compare, self.update)[step](self.regions[name], t)
        self.tick += ticks

    # ------------------------------------------------------------------ what edges deliver

    def delivered(self, edge: EdgePlan, t: int, span: bool = True) -> np.ndarray | None:
        """What an edge brings at tick `t`: its values, or None where it is cut or its writer silent."""
        if self.cut[edge.name] or t < edge.delay:
            return None
        if edge.source in self.sources:
            whole = self.sources[edge.source][t - edge.delay]
        else:
            ports = self.regions[edge.source].emitted[t - edge.delay]
            whole = None if ports is None else ports[edge.port]
        if whole is None:
            return None
        if edge.indices is not None:
            return np.where(edge.indices >= 0, whole[edge.indices], self.dtype(0))
        return whole[edge.start : edge.start + edge.length]

    def arriving(self, edge: EdgePlan, t: int) -> tuple[np.ndarray, bool]:
        """Values and presence of an edge, its span heeded."""
        nothing = np.zeros(edge.length, self.dtype), False
        span = edge.data["span"]
        if span and span not in self.spans(t):
            return self.held.get(edge.name, nothing) if edge.data["outside"] == "hold" else nothing
        values = self.delivered(edge, t)
        self.held[edge.name] = nothing if values is None else (values.copy(), True)
        return self.held[edge.name]

    def gather(self, region: Region, role: str, t: int) -> int:
        """Bring one role's values into the view; returns how many edges are present."""
        edges = region.plan.edges[role]
        parts = [self.arriving(edge, t) for edge in edges]
        values = np.concatenate([np.zeros(0, self.dtype), *[values for values, _ in parts]])
        table = [[s.start, s.stop, s.rows, s.per_row, s.shared, there] for s, (_, there) in
                 zip(getattr(region.plan.shapes, role), parts, strict=True)]
        assert [edge.name for edge in edges] == [shape.name for shape in getattr(region.plan.shapes, role)]
        setattr(region.view, role, values)
        setattr(region.view, f"{role}_edges", np.array(table, np.int64).reshape(-1, 6))
        return sum(there for _, there in parts)

    # ------------------------------------------------------------------ the three steps

    def predict(self, region: Region, t: int) -> None:
        """Is the region due? Then bring in what predict reads."""
        data, before = region.plan.data, region.emitted[t - 1] if t else None
        region.status = "off"
        if (t - data["offset"]) % data["period"]:
            region.emitted.append(before)
            return
        gates = [self.delivered(edge, t) for edge in region.plan.edges["gate"]]
        if any(values is None or not (values > 0).any() for values in gates):
            region.emitted.append(before if data["when_closed"] == "hold" else None)
            return
        region.status = "on"
        ports = {p: np.full(int(np.prod(s)), np.nan, self.dtype) for p, s in region.plan.ports.items()}
        region.emitted.append(ports)
        self._open_view(region, t, ports)
        self.gather(region, "context", t)
        region.view.active = np.flatnonzero(region.view.context).astype(np.int32)
        if "init" in self.spans(t) and region.plan.edges["prior"]:
            self.gather(region, "prior", t)
        region.score[:] = 0
        region.kernels.predict(region.view)

    def _open_view(self, region: Region, t: int, ports: dict[str, np.ndarray]) -> None:
        trial, shapes = self.plan.trial, region.plan.shapes
        sheet = shapes.shape or shapes.target_shape
        units = (1, sheet[0], 1) if len(sheet) == 1 else (*sheet, 1)[:3]
        clock = {
            "tick": t, "trial": t // self.length, "place": t % self.length if trial else 0,
            "span": sum(trial.mask(name) for name in self.spans(t)) if trial else 0,
            "learn": int(self.learn and not region.frozen), "reset": int(region.reset), "due": region.due,
            "length": trial.length if trial else 0, "init": int("init" in self.spans(t)),
            "n_dense": shapes.n_dense, "units": np.array(units, np.int64), "score": region.score,
        }
        empty = {name: np.zeros(0, self.dtype) for name in (*VIEWED, "prediction", "error", "state", "reconstruction",
                                                            "feedback_out")}
        tables = {f"{role}_edges": np.zeros((0, 6), np.int64) for role in VIEWED}
        written = {"feedback_out" if p == "feedback" else p: value for p, value in ports.items()}
        size = len(ports[region.lists]) if region.lists else 0
        region.view = SimpleNamespace(**(clock | empty | tables | written | region.arrays | self.hypers(region, t)),
                                      active_out=np.zeros(size + 1, np.int32))

    def hypers(self, region: Region, t: int) -> dict[str, Any]:
        """The hyperparameters at tick `t`, driven by the modulators."""
        fields = region.plan.kind.hyper_fields()
        values = {key: fields[key].encode(value) for key, value in region.values.items()}
        for edge in region.plan.edges["modulator"]:
            given = self.delivered(edge, t)
            if given is None:
                continue
            field = fields[edge.data["hyper"]]
            value = float(given[0]) * (values[field.name] if edge.data["mode"] == "scale" else 1.0)
            low = -np.inf if field.low is None else field.low
            values[field.name] = min(max(value, low), np.inf if field.high is None else field.high)
        return {key: int(v) if fields[key].integer else self.dtype(v) for key, v in values.items()}

    def compare(self, region: Region, t: int) -> None:
        """Bring in target and prior; without any target there is nothing to compare."""
        if region.status == "off":
            return
        view = region.view
        self.gather(region, "prior", t)
        present = self.gather(region, "target", t)
        if region.plan.edges["target"] and not present and region.plan.kind.goes_on:
            # it relaxes without its target, and is not scored
            region.status = "free"
        if region.plan.edges["target"] and not present and region.status == "on":
            region.status = "absent"
            for port in ("error", "feedback"):
                if port in region.emitted[t]:
                    region.emitted[t][port][:] = 0
        elif region.kernels.compare:
            region.kernels.compare(view)
        elif len(view.error):
            view.error[:] = view.target - view.prediction if region.status != "free" else 0

    def update(self, region: Region, t: int) -> None:
        """Learn, hold what could not be updated, and score."""
        if region.status == "off":
            return
        ports = region.emitted[t]
        if region.status in ("on", "free"):
            self.gather(region, "feedback", t)
            region.kernels.update(region.view)
        else:
            for port in {"state", "reconstruction"} & ports.keys():
                ports[port][:] = region.last[port] if region.last else 0
        region.last = ports
        missing = [port for port in PORTS if port in ports and np.isnan(ports[port]).any()]
        assert not missing, f"{region.name} left {missing} unwritten at tick {t}"
        self.finish(region, t)

    # ------------------------------------------------------------------ curves

    def finish(self, region: Region, t: int) -> None:
        """Score the tick beside the baselines."""
        trial = self.plan.trial
        if region.view.learn and region.status in ("on", "free"):
            region.curve[7] += 1
            region.curve[4] += region.score[1]
            self.adapt(region)
        region.reset = False
        region.due += 1
        if trial and t % trial.length != trial.score_at:
            return
        target, loss = region.view.target, region.score[0]
        if trial and any(e.data["span"] for e in region.plan.edges["target"]) and "prediction" in region.plan.ports \
                and not region.plan.kind.settles:
            parts = [self.delivered(edge, t) for edge in region.plan.edges["target"]]
            if any(part is None for part in parts):
                return
            target = np.concatenate(parts)
            loss = self.loss(region, target, region.emitted[t]["prediction"])
        elif region.status != "on":
            return
        self.add_score(region, loss, target)

    def adapt(self, region: Region) -> None:
        """Change a learning rate that changes, after a step."""
        rule, view = region.values.get("step_size"), region.view
        if rule not in ("decayed", "hypergradient"):
            return
        silent = rule == "hypergradient" and not getattr(view, region.plan.kind.gradient[1]).any()
        if region.score[1] == 0 and not silent:
            return
        region.updates += 1
        rate, field = region.values["learning_rate"], region.plan.kind.hyper_fields()["learning_rate"]
        if rule == "decayed":
            rate = region.plan.hyper["learning_rate"] / (1 + region.updates / view.decay_time)
        else:
            rate *= np.exp(view.meta_rate * self.gain(region))
        low, high = max(field.low or 1e-6, 1e-6), 1e6 if field.high is None else field.high
        rate = float(np.clip(rate, low, high))
        if rule == "hypergradient":
            # the trace follows the rate down at once; the rate it stands for follows it up slowly
            standing = region.standing or region.values["learning_rate"]
            for trace in region.trace[:2]:
                trace *= min(1.0, rate / standing)
            region.standing = rate if rate < standing else standing * (rate / standing) ** 1e-4
        region.values["learning_rate"] = rate

    def gain(self, region: Region) -> float:
        """The share by which the squared error of the sum of all units, with their signs, falls with log rate."""
        view, kind = region.view, region.plan.kind
        e, x = (np.array(getattr(view, name), float) for name in kind.gradient)
        n, sign = len(e), signs(region.name, len(e))
        bias = float(getattr(view, "bias", 0))
        normalised = kind.normalised is True or bool(kind.normalised) and getattr(view, kind.normalised) == 1
        if region.trace is None:
            region.trace = [np.zeros(len(x)), np.zeros(n), 0.0]
        h, hb, mean = region.trace
        edges = view.context_edges if kind.gradient[1] == "context" else [[0, len(x), 0, 0, 0, 1]]
        s, d = sign * e, bias * hb
        length = np.full(n, bias + (getattr(view, "floor", 0.0) if kind.normalised else 0.0))
        parts = []
        for start, stop, rows, width, *_ in edges:
            rows, width = (rows, width) if rows else (1, stop - start)
            for row in range(rows):
                units = slice(row * (n // rows), (row + 1) * (n // rows))
                parts.append((slice(start + row * width, start + (row + 1) * width), units))
        changes = [h[place] @ x[place] for place, _ in parts]
        for (place, units), change in zip(parts, changes, strict=True):
            d[units] += change / (units.stop - units.start)
            length[units] += x[place] @ x[place]
        wrong = [s[units].sum() for _, units in parts]
        total = s @ (bias * hb) + np.dot(changes, wrong)
        energy = np.square(wrong).sum() / max(1, len(edges))
        rate = min(float(view.learning_rate), 1.0)
        step = rate / np.maximum(length, 1e-20) if normalised else np.minimum(view.learning_rate,
                                                                              1 / np.maximum(length, 1e-20))
        for place, units in parts:
            h[place] += step[units.start] * (s - d)[units].sum() * x[place]
        hb += bias * step * (s - d)
        region.trace[2] = mean = mean + max(1 / region.updates, 1e-3) * (energy - mean)
        return float(np.clip(total / max(mean, energy, 1e-6 * (e @ e), 1e-30), -1, 1))

    def loss(self, region: Region, target: np.ndarray, guess: np.ndarray) -> float:
        """The loss of a prediction, in the unit of the region's kind."""
        target, guess = target.astype(float), guess.astype(float)
        if region.plan.kind.score_unit(region.plan.hyper) == "bits":
            return float(-(target[target > 0] * np.log2(np.maximum(guess[target > 0], 1e-12))).sum())
        return float(((target - guess) ** 2).mean())

    def add_score(self, region: Region, loss: float, target: np.ndarray) -> None:
        """Add a loss and those of the trivial baselines, none of which has anything to say the first time."""
        seen, n = region.seen, region.plan.shapes.n_target
        last = mean = np.nan
        if n and region.plan.kind.score_unit(region.plan.hyper) == "bits":
            share = (region.mean_target * seen + 0.5) / (seen + 0.5 * n)
            mean = -(target[target > 0] * np.log2(share[target > 0])).sum()
        elif n:
            last, mean = ((target - region.last_target) ** 2).mean(), ((target - region.mean_target) ** 2).mean()
        region.last_target = target.astype(float)
        region.mean_target += (target - region.mean_target) / (seen + 1)
        region.seen += 1
        if seen:
            region.curve[:4] += 1, loss, last, mean
            region.curve[5:7] += region.score[2:4]

    # ------------------------------------------------------------------ reading

    def history(self, signal: str) -> np.ndarray:
        """A signal at all ticks so far, [ticks, size], zeros where it is silent."""
        node, port = signal.split(".")
        size = int(np.prod(self.plan.signals[signal]))
        if node in self.sources:
            values: list[Any] = list(self.sources[node])
        else:
            values = [None if ports is None else ports[port] for ports in self.regions[node].emitted]
        return np.array([np.zeros(size, np.float32) if v is None else v for v in values]).reshape(-1, size)
