"""Hypothesis strategies for random ragged region graphs that a plan accepts by construction."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

import cortexsim as cs
from contract.fake_kinds import FAKES
from cortexsim.fields import as_sheet
from cortexsim.kind import Kind, find_kind, kind_name

SIZES = st.integers(1, 12)
# kinds that read their target as the chances of two symbols
COINS = ("contract.fake_kinds:Mixer",)


@dataclass
class Sketch:
    """A graph as a list of calls, so that it can be built in any order, and the shapes known so far."""

    calls: list[tuple[str, tuple, dict[str, Any]]] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    trial: int = 1
    spans: tuple[str, ...] = ()

    def build(self, order: list[int] | None = None) -> cs.RegionGraph:
        """The graph, its nodes added in the given order, and then its other edges from the last to the first."""
        graph = cs.RegionGraph(name="random")
        nodes = [call for call in self.calls if call[0].startswith("add")]
        edges = [call for call in self.calls if call[0] == "connect"]
        rest = [call for call in self.calls if call not in nodes and call not in edges]
        if order:
            nodes, edges = [nodes[i] for i in order], edges[::-1]
        for name, given, options in nodes + edges + rest:
            getattr(graph, name)(*given, **options)
        return graph.check()

    @property
    def n_nodes(self) -> int:
        """Sources and regions."""
        return len(self.shapes_of_nodes)

    @property
    def shapes_of_nodes(self) -> list[str]:
        """Names of sources and regions."""
        return [given[0] for name, given, _ in self.calls if name.startswith("add")]

    def inputs(self, rows: int, seed: int = 0, silent: float = 0.0) -> dict[str, np.ndarray]:
        """Samples [rows, size] for every source; NaN marks samples that are not delivered."""
        found = {}
        for name in self.known:
            rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
            size = int(np.prod(self.shapes[f"{name}.value"]))
            values = np.float32(0.5) * rng.uniform(-1, 1, (rows, size)).astype(np.float32)
            if name.startswith("coin"):
                values = np.eye(2, dtype=np.float32)[rng.integers(0, 2, rows)]
            elif name.startswith("sparse"):
                values = (rng.random((rows, size)) < 0.3).astype(np.float32)
            values[rng.random(rows) < silent] = np.nan
            found[name] = values
        return found


def features(sketch: Sketch) -> set[str]:
    """What a sketch has of all that a graph may have, in words that statistics can count."""
    graph, order = sketch.build(), list(sketch.kinds)
    found = {f"kind {kind.name.split(':')[-1]}" for kind in sketch.kinds.values()}
    found |= {f"trial with span {span}" for span in sketch.spans} or {"no trial"}
    for name, data in graph.nodes(data=True):
        if data["type"] == "source":
            found |= {f"source known {data['known']}", "sparse source" if data["sparse"] else "dense source"}
            continue
        found |= {f"{key} {data['hyper'][key]}" for key in ("step_size", "output", "rule") if key in data["hyper"]}
        found |= {key for key in ("sparse", "whiten", "feedforward", "shared") if data["hyper"].get(key)}
        found |= {key for key in ("offset", "frozen") if data[key]} | {f"on_divergence {data['on_divergence']}"}
        found |= {"clock of its own" if data["period"] > 1 else "clock of every tick"}
        if any(edge["role"] == "gate" for *_, edge in graph.in_edges(name, data=True)):
            found.add(f"gate, {data['when_closed']}")
    for source, target, data in graph.edges(data=True):
        role = data["role"]
        found |= {f"{role} of delay {min(data['delay'], 3)}", f"{role} over {str(data['field']).split('(')[0]}"}
        found |= {f"window that is {key}" for key in ("wrap", "shared") if getattr(data["field"], key, False)}
        found |= {key for key in ("lesioned", "select", "auto") if data[key] not in (None, False)}
        if data["span"]:
            found.add(f"{role} in a span, outside {data['outside']}")
        if role == "modulator":
            found.add(f"modulator that may {data['mode']}")
        if source in order:
            way = order.index(target) - order.index(source)
            found.add("edge to itself" if way == 0 else f"edge to {'a later' if way > 0 else 'an earlier'} region")
    return found


def rows_or_none(inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """The same samples as a simulation takes them: None for those that are not delivered."""
    return {name: [None if np.isnan(row).any() else row for row in values] if np.isnan(values).any() else values
            for name, values in inputs.items()}


def all_kinds() -> list[Kind]:
    """Every kind of the package, found by listing the folder, and the fake ones."""
    return [find_kind(name) for name in cs.list_kinds()] + [find_kind(kind_name(fake)) for fake in FAKES]


@st.composite
def sketches(draw: Any, kinds: tuple[str, ...] | None = None, trials: bool | None = None, modulators: bool = True,
             lesions: bool = True, max_regions: int = 5) -> Sketch:
    """A random graph; `kinds` restricts them by name, `trials` says whether it has any."""
    sketch = Sketch()
    if draw(st.booleans()) if trials is None else trials:
        _draw_trial(draw, sketch)
    for k in range(draw(st.integers(1, 3))):
        _draw_source(draw, sketch, f"x{k}" if k else "x", draw(st.sampled_from(["after", "before"])) if k else "after")
    _add_source(sketch, "coin", (2,), "after")
    if draw(st.booleans()):
        _add_source(sketch, "sparse", (draw(SIZES),), "after", sparse=True)
    pool = all_kinds() if kinds is None else [find_kind(kind) for kind in kinds]
    names = [f"r{k}" for k in draw(st.permutations(range(draw(st.integers(1, max_regions)))))]
    # left to chance, few graphs would have a region that settles: something to explain, and one that explains it
    first = [[kind for kind in pool if "prior" in kind.roles and not kind.settles], [k for k in pool if k.settles]]
    first = first if all(first) and draw(st.integers(0, 3)) == 3 else []
    try:
        for name, kinds_of in zip_longest(names, first[: len(names)], fillvalue=pool):
            _draw_region(draw, sketch, name, kinds_of)
        _draw_extras(draw, sketch, modulators, lesions)
        cs.make_plan(sketch.build())
    except cs.GraphError as error:
        # a few zero-delay cycles and unknown sheets are left: what is refused is tested elsewhere
        assume("cycle" not in str(error) and "depend on each other" not in str(error))
        raise
    return sketch


def _draw_trial(draw: Any, sketch: Sketch) -> None:
    sketch.trial = draw(st.integers(2, 5))
    cut = draw(st.integers(1, sketch.trial - 1))
    spans = {draw(st.sampled_from(["init", "first"])): (0, cut), "rest": (cut, sketch.trial)}
    sketch.spans = tuple(spans)
    # at place 0 nothing is known yet; left out, the plan finds the last place at which that holds
    score_at = draw(st.sampled_from([None, 0]))
    sketch.calls.append(("set_trial", (sketch.trial,), {"spans": spans, "score_at": score_at}))


def _add_source(sketch: Sketch, name: str, shape: tuple[int, ...], known: str, **options: Any) -> None:
    sketch.calls.append(("add_source", (name,), {"shape": shape, "known": known, **options}))
    sketch.shapes[f"{name}.value"] = shape
    sketch.known[name] = known


def _draw_source(draw: Any, sketch: Sketch, name: str, known: str) -> None:
    shape = draw(st.one_of(st.tuples(SIZES), st.tuples(st.integers(1, 3), st.integers(1, 4)),
                           st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2))))
    _add_source(sketch, name, shape, known)


# ---------------------------------------------------------------------- regions

def _draw_region(draw: Any, sketch: Sketch, name: str, pool: list[Kind]) -> None:
    kind = draw(st.sampled_from(pool))
    settled = [f"{n}.state" for n, k in sketch.kinds.items() if "prior" in k.roles and f"{n}.state" in sketch.shapes]
    if kind.settles and not settled and "target" not in kind.roles:
        kind = next(k for k in [*pool, *all_kinds()] if "target" in k.roles and not k.settles)
    options: dict[str, Any] = {"kind": kind.name}
    hyper = _draw_hyper(draw, kind, sketch)
    n_target, sheet = 0, None
    if kind.settles:
        options["predicts"] = draw(st.lists(st.sampled_from(settled), min_size=1, max_size=2,
                                            unique=True)) if settled else []
        if "target" in kind.roles and (not settled or draw(st.booleans())):
            # the state of a region that settles is explained, not a target
            others = [signal for signal in _targets(sketch) if signal not in settled]
            targets, n_target, _ = _draw_targets(draw, sketch, kind, hyper, others)
            options["predicts"] = [*options["predicts"], *targets]
        if "target" in kind.roles and "init" not in sketch.spans and draw(st.booleans()):
            options["predicts"].append(f"{name}.state")
    elif "target" in kind.roles:
        # a memory asks for the sign of its target, which hangs on rounding where it is computed
        memory = kind.name.lower().endswith("memory")
        given = [signal for signal in _targets(sketch) if _fits(kind, sketch.shapes[signal])
                 and (signal.split(".")[0] in sketch.known or not memory)]
        options["predicts"], n_target, sheet = _draw_targets(draw, sketch, kind, hyper, given)
    if "context" in kind.roles:
        options["context"] = _draw_context(draw, sketch, kind, hyper, name, sheet)
    if "state" in kind.port_names and not (set(kind.port_names) & {"prediction"} and "target" in kind.roles) \
            or kind.port_names == ("prediction",):
        limit = n_target if "target" in kind.roles else 6
        options["size"] = draw(st.integers(1, max(1, min(limit, 6))))
    if kind.settles and "target" in kind.roles:
        # more than the target has: hidden units
        options["size"] = n_target + draw(st.integers(1, 4))
    if kind.name.endswith("Sense"):
        options.pop("size", None)
    if kind.name == "subspace" and draw(st.booleans()):
        _draw_windowed_target(draw, sketch, options)
    if draw(st.integers(0, 3)) == 0:
        options["period"] = draw(st.integers(2, 4))
        options["offset"] = draw(st.integers(0, options["period"] - 1))
    if draw(st.integers(0, 3)) == 0:
        options["gate"] = [_draw_gate(draw, sketch)]
        options["when_closed"] = draw(st.sampled_from(["silent", "hold"]))
    options["frozen"] = draw(st.integers(0, 7)) == 0
    options["on_divergence"] = draw(st.sampled_from(["stop", "reset", "freeze"]))
    sketch.calls.append(("add_region", (name,), options | hyper))
    sketch.kinds[name] = kind
    graph = sketch.build()
    if not graph.graph.get("pending"):
        plan = cs.make_plan(graph)
        sketch.shapes.update({f"{name}.{port}": shape for port, shape in plan.regions[name].ports.items()})


def _draw_hyper(draw: Any, kind: Kind, sketch: Sketch) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, known in kind.hyper_fields().items():
        if draw(st.integers(0, 2)) and not (name == "step_size" and draw(st.booleans())):
            continue
        if known.choices:
            values[name] = draw(st.sampled_from(known.choices))
        elif isinstance(known.default, bool):
            values[name] = draw(st.booleans())
        elif "rate" in name:
            values[name] = known.default * draw(st.sampled_from([0.25, 1.0]))
    if "target" not in kind.needs and values.get("step_size") == "hypergradient":
        # without a target it may write no error, which such a rate learns from
        values["step_size"] = "decayed"
    if values.get("normalise") is False:
        values["learning_rate"] = 0.01
    if "init" not in sketch.spans:
        values.pop("feedforward", None)
    elif "feedforward" in kind.hyper_fields():
        values["feedforward"] = draw(st.booleans())
    return values


def _targets(sketch: Sketch) -> list[str]:
    """Signals that may be read at delay 0 in compare: those of nodes that are there already."""
    return [s for s in sketch.shapes if not s.startswith("coin") and not s.endswith(".feedback")]


def _draw_targets(draw: Any, sketch: Sketch, kind: Kind, hyper: dict[str, Any],
                  pool: list[str] | None = None) -> tuple[list[Any], int, tuple[int, ...] | None]:
    if kind.name in COINS or kind.score_unit(kind.check_hyper("", hyper)) == "bits":
        return [_target_item(draw, sketch, "coin.value", 0)], 2, (2,)
    signals = draw(st.lists(st.sampled_from(pool or _targets(sketch)), min_size=1, max_size=2, unique=True))
    items, total = [], 0
    for signal in signals:
        size = int(np.prod(sketch.shapes[signal]))
        select = f"[{draw(st.integers(0, size - 1))}:{size}]" if draw(st.integers(0, 3)) == 0 else ""
        first = int(select[1:].split(":")[0]) if select else 0
        items.append(_target_item(draw, sketch, f"{signal}{select}", draw(st.sampled_from([0, 0, 0, 1, 2]))))
        total += size - first
    sheet = sketch.shapes[signals[0]] if len(signals) == 1 and "[" not in items[0]["from"] else (total,)
    return items, total, sheet


def _draw_windowed_target(draw: Any, sketch: Sketch, options: dict[str, Any]) -> None:
    """Let a code see patches: a sheet of positions, each with fewer units than its patch."""
    (h, w, f), size = as_sheet(sketch.shapes["x.value"]), draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    field = cs.window(kernel, (h / size[0], w / size[1]), wrap=draw(st.booleans()), shared=draw(st.booleans()))
    options["predicts"] = [{"from": "x", "field": field} | _draw_span(draw, sketch)]
    options.pop("size", None)
    options["shape"] = (*size, draw(st.integers(1, min(3, kernel[0] * kernel[1] * f))))


def _target_item(draw: Any, sketch: Sketch, signal: str, delay: int) -> dict[str, Any]:
    return {"from": f"{signal}@{delay}"} | _draw_span(draw, sketch)


def _draw_span(draw: Any, sketch: Sketch) -> dict[str, str]:
    if not sketch.spans or draw(st.integers(0, 2)):
        return {}
    return {"span": draw(st.sampled_from(sketch.spans)), "outside": draw(st.sampled_from(["hold", "silent"]))}


def _draw_context(draw: Any, sketch: Sketch, kind: Kind, hyper: dict[str, Any], name: str,
                  sheet: tuple[int, ...] | None) -> list[dict[str, Any]]:
    wants_list = hyper.get("sparse", False) or getattr(kind.namespace, "SPARSE_CONTEXT", False)
    if kind.name.endswith("Memory"):
        return [{"from": f"{name}.state@1"}]
    items: dict[str, dict[str, Any]] = {}
    for _ in range(draw(st.integers(1, 3))):
        signal = draw(st.sampled_from(_readable(sketch, kind)))
        node, port = signal.split(".")
        least = 0 if port == "prediction" or sketch.known.get(node) == "before" else 1
        size = int(np.prod(sketch.shapes[signal]))
        select = ""
        if draw(st.integers(0, 3)) == 0:
            units = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=3, unique=True))
            select = "[" + ",".join(map(str, units)) + "]"
        text = f"{signal}{select}@{draw(st.sampled_from([least, *range(least, 5)]))}"
        items[text] = {"from": text}
        if not wants_list:
            items[text] |= _draw_span(draw, sketch)
            if sheet is not None and kind.name == "delta":
                shape = sketch.shapes[signal] if not select else (len(units),)
                items[text] |= _draw_field(draw, shape, sheet)
    hidden = [n for n, k in sketch.kinds.items() if kind.writes_feedback and {"context", "feedback"} <= set(k.roles)
              and f"{n}.prediction" in sketch.shapes]
    if hidden and draw(st.booleans()):
        # it is told what its reader makes of it
        text = f"{draw(st.sampled_from(hidden))}.prediction@{draw(st.integers(0, 2))}"
        items[text] = {"from": text}
    if draw(st.booleans()):
        # a region that reads itself
        port = "state" if kind.settles else kind.port_names[0]
        items[f"{name}.{port}"] = {"from": f"{name}.{port}@{draw(st.integers(1, 4))}"}
    return list(items.values())


def _readable(sketch: Sketch, kind: Kind) -> list[str]:
    """Signals that may be context."""
    found = [s for s, shape in sketch.shapes.items() if not s.endswith(".feedback") and _fits(kind, shape)]
    if not getattr(kind.namespace, "SPARSE_CONTEXT", False):
        return found
    # it asks what is zero, which hangs on rounding where that is computed
    return [s for s in found if (node := s.split(".")[0]) in sketch.known
            or sketch.kinds[node].name.lower().endswith("memory")]


def _fits(kind: Kind, shape: tuple[int, ...]) -> bool:
    """Whether a signal is not too wide for a kind: arrays that grow with its fourth power are not for all cells."""
    return kind.name != "rls" or np.prod(shape) <= 12


def _draw_field(draw: Any, source: tuple[int, ...], target: tuple[int, ...]) -> dict[str, Any]:
    choice = draw(st.sampled_from(["dense", "window", "sparse", "one_to_one"]))
    if choice == "window":
        (h, w, _), (th, tw, _) = as_sheet(source), as_sheet(target)
        kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        return {"field": cs.window(kernel, (h / th, w / tw), wrap=draw(st.booleans()), shared=draw(st.booleans()))}
    if choice == "sparse":
        return {"field": cs.sparse(draw(st.sampled_from([0.2, 0.5])), seed=draw(st.integers(0, 2)))}
    if choice == "one_to_one" and np.prod(source) == np.prod(target):
        return {"field": cs.one_to_one()}
    return {}


def _draw_gate(draw: Any, sketch: Sketch) -> dict[str, Any]:
    # from sources only: the sign of what is computed would hang on its rounding
    before = [name for name, when in sketch.known.items() if when == "before"]
    node = draw(st.sampled_from([*sorted(sketch.known), *before]))
    size = int(np.prod(sketch.shapes[f"{node}.value"]))
    least = 0 if sketch.known[node] == "before" else 1
    units = draw(st.sampled_from(["", f"[{draw(st.integers(0, size - 1))}]", f"[0:{draw(st.integers(1, size))}]"]))
    return {"from": f"{node}{units}@{draw(st.sampled_from([least, *range(least, 4)]))}"}


def _draw_extras(draw: Any, sketch: Sketch, modulators: bool, lesions: bool) -> None:
    order = list(sketch.kinds)
    for name, kind in sketch.kinds.items():
        later = [s for s in _readable(sketch, kind) if s.split(".")[0] in order[order.index(name) + 1 :]]
        if later and "context" in kind.roles and not kind.name.lower().endswith("memory") and draw(st.booleans()):
            # an edge back limits the ticks that a visit may run
            sketch.calls.append(("connect", (draw(st.sampled_from(later)), name, "context"),
                                 {"delay": draw(st.integers(1, 4))}))
        rates = [key for key, known in kind.hyper_fields().items() if "rate" in key and not known.integer]
        # two that drive the same number: which comes first matters
        wanted = draw(st.sampled_from([0, 0, 1, 2])) if modulators and rates and "modulator" in kind.roles else 0
        for number in range(wanted):
            signal = draw(st.sampled_from(sorted(s for s in sketch.shapes if not s.endswith(".feedback"))))
            given = next(options for _, names, options in sketch.calls if names[0] == name)
            # a step that is not normalised is small, or it diverges
            modes = ["scale", "set"] if given.get("normalise", True) else ["scale"]
            sketch.calls.append(("connect", (f"{signal}[0]", name, "modulator"), {
                "delay": draw(st.integers(1, 3)), "hyper": rates[0], "mode": draw(st.sampled_from(modes)),
                "name": f"{number} drives {name}"}))
    if lesions and draw(st.integers(0, 2)) == 0:
        names = sorted(sketch.build().edge_names())
        sketch.calls.append(("lesion", (draw(st.sampled_from(names)),), {}))
