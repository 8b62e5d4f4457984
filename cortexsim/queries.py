"""Questions to a graph, checked: what is clamped, where the rest starts, and how many questions there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cortexsim.errors import InputError, nearest
from cortexsim.plan import Plan
from cortexsim.plan_shapes import EdgePlan


@dataclass
class Given:
    """What is known of one signal: values [queries or 1, size], and which of them [same shape]."""

    values: np.ndarray
    known: np.ndarray

    def row(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Values and which of them are known, of one query."""
        k = query if len(self.values) > 1 else 0
        return self.values[k], self.known[k]


@dataclass
class Questions:
    """All that a call asks.

    Attributes
    ----------
    sources, states, starts : dict
        Source, or region -> what its value or state is held at, or starts from.
    still : set of str
        Regions whose states stay as they are.
    n : int or None
        How many questions; None for one that came without an axis of questions.
    """

    sources: dict[str, Given] = field(default_factory=dict)
    states: dict[str, Given] = field(default_factory=dict)
    starts: dict[str, Given] = field(default_factory=dict)
    still: set[str] = field(default_factory=set)
    n: int | None = None

    def whole(self, source: str) -> bool:
        """Whether all of a source is clamped, in every question."""
        return source in self.sources and bool(self.sources[source].known.all())


def readers(plan: Plan, source: str) -> list[EdgePlan]:
    """The target edges by which regions that relax are clamped to a source."""
    return [edge for edge in plan.edges.values() if edge.source == source and edge.role == "target"
            and edge.delay == 0 and plan.regions[edge.target].kind.clamp is not None]


def ask(plan: Plan, clamp: Mapping[str, Any] | None, free: Any) -> Questions:
    """Check a question, or many.

    Parameters
    ----------
    plan : Plan
    clamp : dict
        Source or region (``"V2"`` or ``"V2.state"``) -> values, as :meth:`cortexsim.Simulation.infer` takes them.
    free : None, str, list of str, or dict
        See there.

    Returns
    -------
    Questions

    Raises
    ------
    InputError
        For a name that is not there, a shape that does not fit, a value that is not finite, or a graph in which nothing
        relaxes.
    """
    if not any(region.kind.settles for region in plan.regions.values()):
        raise InputError("infer", "nothing in this graph relaxes",
                         hint="give some of its regions a kind that settles, such as predictive_coding")
    made = Questions()
    if clamp is not None and not isinstance(clamp, Mapping):
        raise InputError("infer", "clamp must be a dict from signals to values", type(clamp).__name__)
    for name, value in (clamp or {}).items():
        node = _node(plan, name, "clamp")
        where = f"infer: clamp of {str(name)!r}"
        if node in plan.sources:
            made.sources[node] = _given(made, where, value, plan.sources[node].shape)
        else:
            _can_be_set(plan, node, where)
            made.states[node] = _given(made, where, value, plan.regions[node].ports["state"])
    _free(plan, made, free)
    return made


def _free(plan: Plan, made: Questions, free: Any) -> None:
    if free is None:
        return
    starts = free if isinstance(free, Mapping) else {}
    names = [free] if isinstance(free, str) else list(free) if isinstance(free, Iterable) else None
    if names is None:
        raise InputError("infer", "free must be names of signals, or a dict from them to where they start",
                         type(free).__name__)
    moving = set()
    for name in names:
        node = _node(plan, name, "free")
        where = f"infer: {str(name)!r} in free"
        if node in {**made.sources, **made.states}:
            raise InputError(where, "is clamped, too", hint="leave it out of one of the two")
        edges = readers(plan, node) if node in plan.sources else []
        if node in plan.sources and not edges:
            raise InputError(where, "is the target of no region that relaxes")
        moving |= {edge.target for edge in edges} if node in plan.sources else {node}
        if starts and starts[name] is not None:
            _start(plan, made, node, starts[name], where)
    if not isinstance(free, Mapping):
        made.still = {name for name, region in plan.regions.items() if region.kind.clamp is not None} - moving


def _start(plan: Plan, made: Questions, node: str, value: Any, where: str) -> None:
    if node in plan.regions:
        _can_be_set(plan, node, where)
        made.starts[node] = _given(made, where, value, plan.regions[node].ports["state"])
        return
    given = _given(made, where, value, plan.sources[node].shape)
    for edge in readers(plan, node):
        spread_over(plan, made.starts, edge, given)


def spread_over(plan: Plan, found: dict[str, Given], edge: EdgePlan, given: Given) -> None:
    """Give a region the part of its state that comes over one of its target edges."""
    size = int(np.prod(plan.regions[edge.target].ports["state"]))
    rows = len(given.values)
    mine = found.get(edge.target, Given(np.zeros((1, size), np.float32), np.zeros((1, size), bool)))
    values, known = (np.repeat(a, rows, axis=0) if rows > len(a) else a.copy() for a in (mine.values, mine.known))
    place = slice(edge.offset, edge.offset + edge.length)
    values[:, place], known[:, place] = given.values[:, edge.units], given.known[:, edge.units]
    found[edge.target] = Given(values, known)


def _node(plan: Plan, name: Any, what: str) -> str:
    node, _, port = str(name).partition(".")
    known = [*plan.sources, *(n for n, region in plan.regions.items() if "state" in region.ports)]
    if node not in known:
        raise InputError("infer", f"{what} names {str(name)!r}, which is no source and no state",
                         hint=nearest(node, known))
    if port not in ("", "value" if node in plan.sources else "state"):
        raise InputError("infer", f"{what} names {str(name)!r}, but only a source's value or a region's state can be "
                         "known", hint=f"try {node!r}")
    return node


def _can_be_set(plan: Plan, region: str, where: str) -> None:
    if plan.regions[region].kind.clamp is None:
        can = [name for name, other in plan.regions.items() if other.kind.clamp is not None]
        raise InputError(where, f"is the state of a region of kind {plan.regions[region].kind.name!r}, which does not "
                         "relax", hint=f"states that can be set: {', '.join(can) or 'none'}")


def _given(made: Questions, where: str, value: Any, shape: tuple[int, ...]) -> Given:
    """Values and mask of one signal, as rows of questions."""
    try:
        mask = ~np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else None
        # what is masked may be anything
        filled = value.filled(0.0) if isinstance(value, np.ma.MaskedArray) else value
        array = np.ascontiguousarray(filled, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(where, f"must be numbers ({error})", type(value).__name__) from error
    size = int(np.prod(shape))
    if array.shape in (shape, (size,)) or (size == 1 and array.ndim == 0):
        n = None
    elif array.shape[1:] in (shape, (size,)) or (size == 1 and array.ndim == 1):
        n = len(array)
    else:
        raise InputError(where, f"must have the shape {shape}, or (questions, {', '.join(map(str, shape))})",
                         array.shape)
    if n is not None:
        if n == 0 or made.n not in (None, n):
            raise InputError(where, f"brings {n} questions, others {made.n}" if n else "brings no question")
        made.n = n
    rows = array.reshape(-1, size)
    known = np.ones(rows.shape, bool) if mask is None else mask.reshape(-1, size)
    bad = np.argwhere(~np.isfinite(rows) & known)
    if len(bad):
        row, unit = bad[0]
        raise InputError(where, "must be finite", float(rows[row, unit]), f"unit {unit}" + (
            f" of question {row}" if n is not None else "") + "; mask what is not known (numpy.ma.masked_invalid)")
    return Given(rows, known)
