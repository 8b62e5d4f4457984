"""delta: predicts its target by a linear map of its context, learned by the delta rule.

Equation, in the names of the code (``x`` context, ``p`` prediction, ``e`` error)::

    p = f(W x + b)                      f: linear, sigmoid or softmax
    e = target - p
    step = learning_rate / (floor + |x|^2 + 1)      if normalise, else learning_rate
    W <- (1 - decay) W + step e x^T,    b <- b + step e
    step_size "idbd" and "autostep": a rate of its own for each weight, see cortexsim/weight_rates.py

For sigmoid and softmax outputs this is the gradient of the log loss, so no slope of `f` appears. A linear region with a
normalised step is the NLMS filter, stable for ``0 < learning_rate < 2``.

Shapes: ``W`` (units, dense context), ``V`` the weights of edges with a field (window, one_to_one, sparse), one patch a
unit, or one a feature where the field shares its weights (their updates are then averaged over the positions), ``b``
(units). With ``sparse`` the weights are context-major, ``Wt`` (context, units), and only active columns are touched.
Cost of a tick: 4 flops and 8 bytes for each weight (each active weight where sparse).

Sources: B. Widrow and M. E. Hoff, Adaptive switching circuits, IRE WESCON (1960), doi:10.21236/AD0241531; normalised
step: J. Nagumo and A. Noda, IEEE Trans. Automatic Control 12 (1967) 282-287, doi:10.1109/TAC.1967.1098599.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cortexsim.errors import KindError
from cortexsim.kind import hyper
from cortexsim.native import exact
from cortexsim.rows import (
    add,
    add_rows,
    blend,
    clear,
    copy,
    dot,
    errors,
    learn,
    learn_multiply,
    learn_rows,
    multiply,
    note,
    subtract,
    zeros,
)
from cortexsim.weight_rates import IDBD, RULES, allocate_rates, learn_each, with_rates

ROLES = ("context", "target", "gate", "modulator")
NEEDS = ("context", "target")
PORTS, CONSTANT = ("prediction", "error"), ("V_start",)
AXES = with_rates({"W": ("unit", "dense"), "V": ("field",), "Wt": ("context", "unit"), "b": ("unit",)})
LEARNED = tuple(AXES)
NORMALISED = "normalise"
OUTPUTS = ("linear", "sigmoid", "softmax")
f32 = np.float32


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of ``delta``."""

    learning_rate: float = hyper(0.05, "step size", low=0.0, high=2.0, scale="log", unit="1/tick")
    decay: float = hyper(0.0, "share of each weight that is lost at each update", low=0.0, high=1.0, scale="log",
                         unit="1/tick")
    floor: float = hyper(0.01, "added to the squared length of the context in the normalised step", low=1e-9,
                         high=1e6, scale="log")
    normalise: bool = hyper(True, "divide the step by the squared length of the context; idbd: bound it")
    bias: bool = hyper(True, "learn a constant for each unit")
    output: str = hyper("linear", "what is made of the weighted sum", choices=OUTPUTS, structural=True)
    sparse: bool = hyper(False, "touch only the columns of active context units", structural=True)
    step_size: str = hyper("fixed", "how the learning rate changes, one for all weights; idbd, autostep: one for each",
                           choices=RULES, structural=True)


def SCORE(hyper: Hyper) -> str:
    """A softmax region is scored in bits, the others by squared error."""
    return "bits" if hyper.output == "softmax" else "mse"


def ports(hyper, shapes):
    """Prediction and error have the shape of the target."""
    if shapes.size is not None and shapes.size != shapes.n_target:
        raise KindError(f"region {shapes.region!r}", f"size must be its target's, {shapes.n_target}, or be left out",
                        shapes.size)
    sheet = shapes.shape or shapes.target_shape
    return {"prediction": sheet, "error": sheet}


def allocate(hyper, shapes, rng):
    """Weights start at zero: the first prediction is zero, and a new edge changes nothing until it learns."""
    n = shapes.n_target
    fields = [edge for edge in shapes.context if edge.rows]
    if hyper.sparse and fields:
        raise KindError(f"region {shapes.region!r}", "a sparse context must come over dense edges",
                        fields[0].name, "set sparse = false, or the field to dense")
    sizes = [(n // edge.rows if edge.shared else n) * edge.per_row for edge in fields]
    start = np.zeros(len(shapes.context), np.int64)
    start[len(shapes.context) - len(fields):] = np.cumsum([0, *sizes])[:-1] if fields else []
    weights = {
        "W": np.zeros((n, 0 if hyper.sparse else shapes.n_dense), np.float32),
        "V": np.zeros(sum(sizes), np.float32),
        "Wt": np.zeros((shapes.n_context if hyper.sparse else 0, n), np.float32),
        "b": np.zeros(n, np.float32),
    }
    row = np.zeros(max(n, shapes.n_context) * (hyper.step_size in RULES[IDBD:]), np.float32)
    return weights | allocate_rates(weights, hyper.step_size, hyper.learning_rate) | {
        "V_start": start,
        "g": np.zeros(n, np.float32),
        "some": np.zeros(n, np.float32),
        "seen": np.zeros(shapes.n_context if hyper.sparse else 0, np.float32),
        # what the last tick found and the next sweep learns: W <- kept W + g last^T, if it is late
        "last": np.zeros(0 if hyper.sparse else shapes.n_context, np.float32),
        "kept": np.ones(1, np.float32),
        "late": np.zeros(1, np.int64),
        # of the rules with a rate for each weight: a row of weights, the bound of each unit, the mean share they learn
        **{name: row.copy() for name in ("push", "square", "part", "limit")},
        "bound": np.ones(n, np.float32),
        "share": np.zeros(1),
    }


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    n = shapes.n_target
    weights = sum(n * (edge.per_row if edge.rows else edge.stop - edge.start) for edge in shapes.context)
    return 4.0 * weights + 10.0 * n, 8.0 * weights + 20.0 * n


@exact
def _learn_field(r, k):
    """Learn the weights of one edge with a field."""
    z, V, g, some, edges, keep = r.last, r.V, r.g, r.some, r.context_edges, r.kept[0]
    here, rows, width, own, shared = edges[k, 0], edges[k, 2], edges[k, 3], r.V_start[k], edges[k, 4]
    n = g.shape[0]
    if rows == n and width == 1 and shared == 0:
        blend(V, own, n, keep, g, 0, z, here)
    elif rows > 0:
        features = n // rows
        # one set of weights for all positions: the mean of their updates, decayed once a tick
        share = np.float32(1.0) / np.float32(rows) if shared else np.float32(1.0)
        for i in range(n):
            some[i] = g[i] * share
        for row in range(rows):
            at = own if shared else own + row * features * width
            kept = keep if row == 0 or shared == 0 else np.float32(1.0)
            learn(V, at, features, width, kept, some, row * features, z, here + row * width)


@exact
def _add_fields(r):
    """Add what comes over fields; what the last tick put off is learned on the way, in one sweep where it can be."""
    x, z, p, V, g, some, edges = r.context, r.last, r.prediction, r.V, r.g, r.some, r.context_edges
    n, keep = p.shape[0], r.kept[0]
    for k in range(edges.shape[0]):
        here, rows, width, own, shared = edges[k, 0], edges[k, 2], edges[k, 3], r.V_start[k], edges[k, 4]
        single = rows == n and width == 1 and shared == 0
        fused = r.late[0] == 1 and shared == 0 and not single
        if r.late[0] == 1 and not fused:
            _learn_field(r, k)
        if single:
            blend(p, 0, n, np.float32(1.0), V, own, x, here)
        elif rows > 0:
            features = n // rows
            for row in range(rows):
                at, first, patch = own if shared else own + row * features * width, row * features, here + row * width
                if fused:
                    learn_multiply(V, at, features, width, keep, g, first, z, patch, x, patch, some, first)
                else:
                    multiply(V, at, features, width, x, patch, some, first)
            add(p, 0, n, some, 0)


@exact
def _predict(r):
    """The sums of all units; what the last tick put off is learned in the same sweep."""
    x, p, g, late, active, seen = r.context, r.prediction, r.g, r.late[0], r.active, r.seen
    n, m = p.shape[0], r.W.shape[1]
    if r.sparse == 1:
        clear(p, 0, n)
        for i in range(active.shape[0]):
            seen[i] = x[active[i]]
        add_rows(p, 0, n, r.Wt, 0, active, 0, active.shape[0], seen, 0)
    elif m == 0:
        clear(p, 0, n)
    elif late == 1:
        learn_multiply(r.W, 0, n, m, r.kept[0], g, 0, r.last, 0, x, 0, p, 0)
    else:
        multiply(r.W, 0, n, m, x, 0, p, 0)
    if r.V.shape[0]:
        _add_fields(r)
    r.late[0] = 0
    add(p, 0, n, r.b, 0)
    if r.output == 1:
        for i in range(n):
            p[i] = np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-p[i])))
    elif r.output == 2:
        top, total = p[0], np.float32(0.0)
        for i in range(1, n):
            top = max(top, p[i])
        for i in range(n):
            p[i] = np.float32(math.exp(p[i] - top))
            total += p[i]
        for i in range(n):
            p[i] /= total


@exact
def _field_steps(r, dense):
    """Each unit's step times its error, in `g`; returns the squared size of the update."""
    x, e, g, b, some, edges, bias = r.context, r.error, r.g, r.b, r.some, r.context_edges, np.float32(r.bias)
    n = e.shape[0]
    for i in range(n):
        some[i] = dense
    for k in range(edges.shape[0]):
        here, rows, width = edges[k, 0], edges[k, 2], edges[k, 3]
        if rows == n and width == 1:
            blend(some, 0, n, np.float32(1.0), x, here, x, here)
        elif rows > 0:
            for row in range(rows):
                length = dot(x, here + row * width, x, here + row * width, width)
                for i in range(row * (n // rows), (row + 1) * (n // rows)):
                    some[i] += length
    for i in range(n):
        rate = r.learning_rate / (r.floor + some[i] + bias) if r.normalise == 1 else r.learning_rate
        g[i] = rate * e[i]
        some[i] *= g[i]
        b[i] += bias * g[i]
    return dot(g, 0, some, 0, n)


@exact
def _learn(r):
    """Score, and find what is to be learned: sparse weights learn it now, dense ones in the next sweep over them."""
    x, p, e, y, g, active, seen = r.context, r.prediction, r.error, r.target, r.g, r.active, r.seen
    n, m, bias, squared = g.shape[0], r.W.shape[1], np.float32(r.bias), np.float32(0.0)
    keep = np.float32(1.0) - r.decay
    if r.learn == 0:
        loss = dot(e, 0, e, 0, n)
    else:
        if r.sparse == 1:
            dense = dot(seen, 0, seen, 0, active.shape[0])
        else:
            dense = note(r.last, 0, m, x, 0)
            copy(r.last, m, x.shape[0] - m, x, m)
            r.kept[0], r.late[0] = keep, 1
        if r.V.shape[0]:
            squared = _field_steps(r, dense)
            loss = dot(e, 0, e, 0, n)
        else:
            step = r.learning_rate / (r.floor + dense + bias) if r.normalise == 1 else r.learning_rate
            loss = errors(y, p, e, g, r.b, n, step, bias)
            squared = dense * step * step * loss
        if r.sparse == 1:
            learn_rows(r.Wt, 0, n, active, 0, active.shape[0], keep, seen, 0, g, 0)
    _score(r, loss, squared)


@exact
def _learn_each(r):
    """Learn with a rate for each weight, and score."""
    e = r.error
    squared = learn_each(r) if r.learn == 1 else f32(0.0)
    _score(r, dot(e, 0, e, 0, e.shape[0]), squared)
    r.score[6] = r.share[0]


@exact
def _score(r, loss, squared):
    p, y, score, n = r.prediction, r.target, r.score, r.error.shape[0]
    dead, saturated, bits = zeros(p, 0, n), 0, 0.0
    if r.output > 0:
        for i in range(n):
            saturated += p[i] > np.float32(0.999) or p[i] < np.float32(0.001)
    if r.output == 2:
        for i in range(n):
            if y[i] > 0:
                bits -= y[i] * math.log2(max(p[i], np.float32(1e-12)))
    score[0] = bits if r.output == 2 else loss / n
    score[1] = math.sqrt(squared / max(1, n * r.context.shape[0]))
    score[2], score[3] = dead / n, saturated / n


@exact
def _flush(r):
    if r.late[0] == 1:
        n, m = r.W.shape
        if m > 0:
            learn(r.W, 0, n, m, r.kept[0], r.g, 0, r.last, 0)
        for k in range(r.context_edges.shape[0] if r.V.shape[0] else 0):
            _learn_field(r, k)
        r.late[0] = 0


def predict(r):
    """p = f(W x + b)."""
    _predict(r)


def update(r):
    """W <- (1 - decay) W + step e x^T."""
    _learn(r)
    _flush(r)


def tick(r):
    """All three steps. What is learned waits for the next sweep, so that every weight comes from memory once a tick."""
    _predict(r)
    if r.learn == 0 or r.V.shape[0]:
        subtract(r.error, 0, r.error.shape[0], r.target, 0, r.prediction, 0)
    _learn(r)


def flush(r):
    """Learn what the last tick put off."""
    _flush(r)


def update_by_rates(r):
    """``update``, where each weight has a rate of its own."""
    _learn_each(r)


def tick_by_rates(r):
    """``tick``, where each weight has a rate of its own."""
    _predict(r)
    subtract(r.error, 0, r.error.shape[0], r.target, 0, r.prediction, 0)
    _learn_each(r)


def kernels(hyper):
    """Rates of single weights have kernels of their own: they are long, and most regions never compile them."""
    return {"update": update_by_rates, "tick": tick_by_rates} if hyper.step_size in RULES[IDBD:] else {}
