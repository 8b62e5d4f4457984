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
from cortexsim.weight_rates import AUTOSTEP, IDBD, RULES, adapt_rates, allocate_rates, learn_by_rates, with_rates

ROLES = ("context", "target", "gate", "modulator")
NEEDS = ("context", "target")
PORTS = ("prediction", "error")
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
def _row(r, weights, rate, trace, size, at, n, unit, learns):
    """Change the rates of a row of weights, or learn with them: all of one unit, or (-1) one of each unit."""
    push, square, part, bound, limit, rule = r.push, r.square, r.part, r.bound, r.limit, r.step_size
    if learns:
        for j in range(n):
            limit[j] = bound[j if unit < 0 else unit]
        return learn_by_rates(rule, f32(1.0) - r.decay, push, square, part, limit, weights, rate, trace, at, n)
    adapt_rates(rule, r.meta_rate, push, square, part, limit, rate, trace, size, at, n)
    if unit < 0:
        blend(bound, 0, n, f32(1.0), rate, at, square, 0)
    else:
        bound[unit] += dot(rate, at, square, 0, n)
    return f32(0.0)


@exact
def _field_rows(r, k, learns):
    """All rows of an edge with a field; weights that are shared learn from the mean of their positions."""
    x, e, push, square, bound, edges = r.context, r.error, r.push, r.square, r.bound, r.context_edges
    here, rows, width, features = edges[k, 0], edges[k, 2], edges[k, 3], e.shape[0] // max(1, edges[k, 2])
    together, squared = rows if edges[k, 4] else 1, f32(0.0)
    for i in range(e.shape[0] // together if rows > 0 else 0):
        clear(push, 0, width)
        clear(square, 0, width)
        before = least = bound[i]
        for unit in range(i, i + together * features, features):
            first = here + unit // features * width
            for j in range(width):
                push[j] += e[unit] * x[first + j] / f32(together)
                square[j] += x[first + j] * x[first + j] / f32(together)
            least = min(least, bound[unit])
        bound[i] = least if learns else before
        squared += _row(r, r.V, r.V_rate, r.V_trace, r.V_size, r.V_start[k] + i * width, width, i, learns)
        share = bound[i] - before
        bound[i] = before
        for unit in range(i, i if learns else i + together * features, features):
            bound[unit] += share
    return squared


@exact
def _rows(r, learns):
    """All rows of weights but those of dense edges, one after the other; returns the squared size of the update."""
    x, e, push, square, active, n, squared = r.context, r.error, r.push, r.square, r.active, r.error.shape[0], f32(0.0)
    for k in range(r.context_edges.shape[0] if r.V.shape[0] else 0):
        squared += _field_rows(r, k, learns)
    for k in range(-1 if r.bias == 1 else 0, active.shape[0] if r.sparse == 1 else 0):
        # the constant is one more input
        value = x[active[k]] if k >= 0 else f32(1.0)
        for i in range(n):
            push[i], square[i] = e[i] * value, value * value
        if k >= 0:
            squared += _row(r, r.Wt, r.Wt_rate, r.Wt_trace, r.Wt_size, active[k] * n, n, -1, learns)
        else:
            squared += _row(r, r.b, r.b_rate, r.b_trace, r.b_size, 0, n, -1, learns)
    return squared


@exact
def _learn_by_rates(r):
    """Learn with a rate for each weight; returns the squared size of the update."""
    x, e, bound, push, n, m = r.context, r.error, r.bound, r.push, r.error.shape[0], r.W.shape[1]
    total, squared = 0.0, f32(0.0)
    # numbers so large that their products overflow teach nothing
    if not dot(e, 0, e, 0, n) * (f32(1.0) + dot(x, 0, x, 0, x.shape[0])) < f32(1e36):
        return squared
    clear(bound, 0, n)
    _rows(r, False)
    blend(r.square, 0, m, f32(0.0), x, 0, x, 0)
    for i in range(n):
        # the dense weights of a unit come last, so that they learn while they are still at hand
        for learns in range(2):
            if learns:
                total += bound[i]
                bounded = r.step_size == AUTOSTEP or r.normalise == 1
                bound[i] = f32(1.0) / max(bound[i], f32(1.0)) if bounded else f32(1.0)
            for j in range(m):
                push[j] = e[i] * x[j]
            if m > 0:
                squared += _row(r, r.W, r.W_rate, r.W_trace, r.W_size, i * m, m, i, learns == 1)
    r.share[0] = total / n
    return squared + _rows(r, True)


@exact
def _learn(r):
    """Score, and find what is to be learned: sparse weights learn it now, dense ones in the next sweep over them."""
    x, p, e, y, g, active, seen, score = (r.context, r.prediction, r.error, r.target, r.g, r.active, r.seen, r.score)
    n, m, bias, squared = g.shape[0], r.W.shape[1], np.float32(r.bias), np.float32(0.0)
    keep = np.float32(1.0) - r.decay
    if r.learn == 0:
        loss = dot(e, 0, e, 0, n)
    elif r.step_size >= IDBD:
        loss, squared = dot(e, 0, e, 0, n), _learn_by_rates(r)
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
    dead, saturated, bits = zeros(p, 0, n), 0, 0.0
    if r.output > 0:
        for i in range(n):
            saturated += p[i] > np.float32(0.999) or p[i] < np.float32(0.001)
    if r.output == 2:
        for i in range(n):
            if y[i] > 0:
                bits -= y[i] * math.log2(max(p[i], np.float32(1e-12)))
    score[0] = bits if r.output == 2 else loss / n
    score[1] = math.sqrt(squared / max(1, n * x.shape[0]))
    if r.step_size >= IDBD:
        score[6] = r.share[0]
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
    if r.learn == 0 or r.V.shape[0] or r.step_size >= IDBD:
        subtract(r.error, 0, r.error.shape[0], r.target, 0, r.prediction, 0)
    _learn(r)


def flush(r):
    """Learn what the last tick put off."""
    _flush(r)
