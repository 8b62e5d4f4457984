"""delta: predicts its target by a linear map of its context, learned by the delta rule.

Equation, in the names of the code (``x`` context, ``p`` prediction, ``e`` error)::

    p = f(W x + b)                      f: linear, sigmoid or softmax
    e = target - p
    step = learning_rate / (floor + |x|^2 + 1)      if normalise, else learning_rate
    W <- (1 - decay) W + step e x^T,    b <- b + step e

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
from cortexsim.native import helper

ROLES = ("context", "target", "gate", "modulator")
NEEDS = ("context", "target")
PORTS = ("prediction", "error")
LEARNED = ("W", "V", "Wt", "b")
AXES = {"W": ("unit", "dense"), "V": ("field",), "Wt": ("context", "unit"), "b": ("unit",)}
OUTPUTS = ("linear", "sigmoid", "softmax")


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of ``delta``."""

    learning_rate: float = hyper(0.05, "step size", low=0.0, high=2.0, scale="log", unit="1/tick")
    decay: float = hyper(0.0, "share of each weight that is lost at each update", low=0.0, high=1.0, scale="log",
                         unit="1/tick")
    floor: float = hyper(0.01, "added to the squared length of the context in the normalised step", low=1e-9,
                         high=1e6, scale="log")
    normalise: bool = hyper(True, "divide the step by the squared length of the context")
    bias: bool = hyper(True, "learn a constant for each unit")
    output: str = hyper("linear", "what is made of the weighted sum", choices=OUTPUTS, structural=True)
    sparse: bool = hyper(False, "touch only the columns of active context units", structural=True)


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
    return {
        "W": np.zeros((n, 0 if hyper.sparse else shapes.n_dense), np.float32),
        "V": np.zeros(sum(sizes), np.float32),
        "Wt": np.zeros((shapes.n_context if hyper.sparse else 0, n), np.float32),
        "b": np.zeros(n, np.float32),
        "V_start": start,
        "logit": np.zeros(n, np.float32),
    }


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    n = shapes.n_target
    weights = sum(n * (edge.per_row if edge.rows else edge.stop - edge.start) for edge in shapes.context)
    return 4.0 * weights + 10.0 * n, 8.0 * weights + 20.0 * n


@helper
def _dense_dot(W, x, i):
    total = np.float32(0.0)
    for j in range(W.shape[1]):
        total += W[i, j] * x[j]
    return total


@helper
def _dot(r, W, x, i, plain):
    """Weighted sum of unit `i`: dense part first, then its patch of every edge with a field."""
    total = _dense_dot(W, x, i)
    if plain:
        return total
    V, edges, V_start = r.V, r.context_edges, r.V_start
    for k in range(edges.shape[0]):
        rows, width = edges[k, 2], edges[k, 3]
        if rows > 0:
            features = W.shape[0] // rows
            here = edges[k, 0] + (i // features) * width
            own = V_start[k] + (i % features if edges[k, 4] else i) * width
            for j in range(width):
                total += V[own + j] * x[here + j]
    return total


@helper
def _length(r, x, i):
    """Squared length of what unit `i` sees through its fields."""
    if r.V.shape[0] == 0:
        return np.float32(0.0)
    edges = r.context_edges
    total = np.float32(0.0)
    for k in range(edges.shape[0]):
        rows, width = edges[k, 2], edges[k, 3]
        if rows > 0:
            here = edges[k, 0] + (i // (r.W.shape[0] // rows)) * width
            for j in range(width):
                total += x[here + j] * x[here + j]
    return total


@helper
def _dense_length(r, x):
    total = np.float32(0.0)
    if r.sparse == 1:
        active = r.active
        for k in range(active.shape[0]):
            total += x[active[k]] * x[active[k]]
    else:
        for j in range(r.W.shape[1]):
            total += x[j] * x[j]
    return total


@helper
def _step(r, length):
    if r.normalise == 1:
        return r.learning_rate / (r.floor + length + np.float32(r.bias))
    return r.learning_rate


@helper
def _learn(r, W, x, i, g, keep, plain):
    """Update unit `i`: `g` is its step times its error."""
    for j in range(W.shape[1]):
        W[i, j] = keep * W[i, j] + g * x[j]
    if plain:
        return
    V, edges, V_start = r.V, r.context_edges, r.V_start
    for k in range(edges.shape[0]):
        rows, width = edges[k, 2], edges[k, 3]
        if rows > 0:
            features = W.shape[0] // rows
            here = edges[k, 0] + (i // features) * width
            if edges[k, 4]:
                # one set of weights for all positions: the mean of their updates, decayed once a tick
                share = g / np.float32(rows)
                kept = keep if i < features else np.float32(1.0)
                own = V_start[k] + (i % features) * width
                for j in range(width):
                    V[own + j] = kept * V[own + j] + share * x[here + j]
            else:
                own = V_start[k] + i * width
                for j in range(width):
                    V[own + j] = keep * V[own + j] + g * x[here + j]


@helper
def _squash(r, total):
    if r.output == 1:
        return np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-total)))
    return total


@helper
def _softmax(r):
    p = r.prediction
    top, total = p[0], np.float32(0.0)
    for i in range(1, p.shape[0]):
        top = max(top, p[i])
    for i in range(p.shape[0]):
        p[i] = np.float32(math.exp(p[i] - top))
        total += p[i]
    for i in range(p.shape[0]):
        p[i] /= total


@helper
def _predict(r):
    x, p, b = r.context, r.prediction, r.b
    if r.sparse == 1:
        Wt, active = r.Wt, r.active
        for i in range(p.shape[0]):
            p[i] = b[i]
        for k in range(active.shape[0]):
            value = x[active[k]]
            for i in range(p.shape[0]):
                p[i] += value * Wt[active[k], i]
        for i in range(p.shape[0]):
            p[i] = _squash(r, p[i])
    else:
        W, plain = r.W, r.V.shape[0] == 0
        for i in range(p.shape[0]):
            p[i] = _squash(r, _dot(r, W, x, i, plain) + b[i])
    if r.output == 2:
        _softmax(r)


@helper
def _update_sparse(r, step, keep):
    x, e, Wt, active = r.context, r.error, r.Wt, r.active
    for k in range(active.shape[0]):
        g = step * x[active[k]]
        for i in range(e.shape[0]):
            Wt[active[k], i] = keep * Wt[active[k], i] + g * e[i]


@helper
def _score(r, squared_step):
    """Loss, size of the update, and how many units say nothing or are at their bounds."""
    p, e, y = r.prediction, r.error, r.target
    loss, dead, saturated = 0.0, 0, 0
    for i in range(p.shape[0]):
        if r.output == 2:
            if y[i] > 0:
                loss -= y[i] * math.log2(max(p[i], np.float32(1e-12)))
        else:
            loss += np.float64(e[i]) * e[i]
        dead += p[i] == 0
        saturated += r.output > 0 and (p[i] > np.float32(0.999) or p[i] < np.float32(0.001))
    n = p.shape[0]
    r.score[0] = loss if r.output == 2 else loss / n
    r.score[1] = math.sqrt(squared_step / max(1, n * r.context.shape[0]))
    r.score[2] = dead / n
    r.score[3] = saturated / n


@helper
def _update(r):
    x, e, b = r.context, r.error, r.b
    squared = np.float32(0.0)
    if r.learn == 1:
        keep = np.float32(1.0) - r.decay
        dense, plain = _dense_length(r, x), r.V.shape[0] == 0
        if r.sparse == 1:
            _update_sparse(r, _step(r, dense), keep)
        for i in range(e.shape[0]):
            length = dense + _length(r, x, i)
            g = _step(r, length) * e[i]
            squared += g * g * length
            if r.sparse == 0:
                _learn(r, r.W, x, i, g, keep, plain)
            b[i] += g * np.float32(r.bias)
    _score(r, squared)


def predict(r):
    """p = f(W x + b)."""
    _predict(r)


def update(r):
    """W <- (1 - decay) W + step e x^T."""
    _update(r)


@helper
def _row_by_row(r):
    """Whether one pass serves: not where softmax, shared weights or sparse columns tie the units together."""
    edges = r.context_edges
    for k in range(edges.shape[0]):
        if edges[k, 4]:
            return False
    return r.output != 2 and r.sparse == 0 and r.learn == 1


@helper
def _tick_dense(r):
    W, x, y, p, e, b = r.W, r.context, r.target, r.prediction, r.error, r.b
    n, m = W.shape
    keep, own = np.float32(1.0) - r.decay, np.float32(r.bias)
    length = _dense_length(r, x)
    step = _step(r, length)
    squared = np.float32(0.0)
    for i in range(n):
        total = np.float32(0.0)
        for j in range(m):
            total += W[i, j] * x[j]
        total += b[i]
        error = y[i] - total
        g = step * error
        p[i], e[i] = total, error
        squared += g * g * length
        b[i] += g * own
        for j in range(m):
            W[i, j] = keep * W[i, j] + g * x[j]
    _score(r, squared)


def tick(r):
    """All three steps, each row of the weights fetched once where the units do not depend on each other."""
    if not _row_by_row(r):
        _predict(r)
        for i in range(r.error.shape[0]):
            r.error[i] = r.target[i] - r.prediction[i]
        _update(r)
        return
    if r.V.shape[0] == 0 and r.output == 0:
        _tick_dense(r)
        return
    W, x, y, p, e, b = r.W, r.context, r.target, r.prediction, r.error, r.b
    plain, sigmoid, own = r.V.shape[0] == 0, r.output == 1, np.float32(r.bias)
    keep = np.float32(1.0) - r.decay
    dense = _dense_length(r, x)
    step = _step(r, dense)
    squared = np.float32(0.0)
    for i in range(p.shape[0]):
        total = _dot(r, W, x, i, plain) + b[i]
        p[i] = _squash(r, total) if sigmoid else total
        e[i] = y[i] - p[i]
        length = dense
        if not plain:
            length += _length(r, x, i)
            step = _step(r, length)
        g = step * e[i]
        squared += g * g * length
        _learn(r, W, x, i, g, keep, plain)
        b[i] += g * own
    _score(r, squared)
