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
from numba import njit

from cortexsim.errors import KindError
from cortexsim.kind import hyper
from cortexsim.native import DRIVER_FLAGS
from cortexsim.rows import blend, combine, dot, learn, learn_multiply, multiply

ROLES = ("context", "target", "gate", "modulator")
NEEDS = ("context", "target")
PORTS = ("prediction", "error")
LEARNED = ("W", "V", "Wt", "b")
AXES = {"W": ("unit", "dense"), "V": ("field",), "Wt": ("context", "unit"), "b": ("unit",)}
OUTPUTS = ("linear", "sigmoid", "softmax")
# sums are in rows.py; all else is computed as it is written, so that `tick` has the bits of its three steps
# (said outright, for numba hands the flags of a kernel down to what it calls)
exact = njit(fastmath=False, **DRIVER_FLAGS)


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
        "g": np.zeros(n, np.float32),
        "length": np.zeros(n, np.float32),
        "seen": np.zeros(shapes.n_context if hyper.sparse else 0, np.float32),
    }


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    n = shapes.n_target
    weights = sum(n * (edge.per_row if edge.rows else edge.stop - edge.start) for edge in shapes.context)
    return 4.0 * weights + 10.0 * n, 8.0 * weights + 20.0 * n


@exact
def _predict(r):
    x, p, b, V, g, edges, ONE = r.context, r.prediction, r.b, r.V, r.g, r.context_edges, np.float32(1.0)
    n, m = p.shape[0], r.W.shape[1]
    for i in range(n):
        p[i] = np.float32(0.0)
    if r.sparse == 1:
        _sum_columns(r)
    elif m > 0:
        multiply(r.W, 0, n, m, x, 0, p, 0)
    for k in range(edges.shape[0] if V.shape[0] else 0):
        here, rows, width, own = edges[k, 0], edges[k, 2], edges[k, 3], r.V_start[k]
        if rows == n and width == 1 and edges[k, 4] == 0:
            blend(p, 0, n, ONE, V, own, x, here)
        elif rows > 0:
            features = n // rows
            for row in range(rows):
                at = own if edges[k, 4] else own + row * features * width
                multiply(V, at, features, width, x, here + row * width, g, row * features)
            for i in range(n):
                p[i] += g[i]
    for i in range(n):
        p[i] += b[i]
    if r.output == 1:
        for i in range(n):
            p[i] = _sigmoid(p[i])
    elif r.output == 2:
        _softmax(p)


@exact
def _sum_columns(r):
    """Add the columns of the active context units to the prediction."""
    x, p, Wt, active, seen = r.context, r.prediction, r.Wt, r.active, r.seen
    n, count, k = p.shape[0], active.shape[0], 0
    for i in range(count):
        seen[i] = x[active[i]]
    while k + 4 <= count:
        combine(p, 0, n, Wt, active[k] * n, active[k + 1] * n, active[k + 2] * n, active[k + 3] * n, seen, k)
        k += 4
    while k < count:
        learn(p, 0, 1, n, np.float32(1.0), seen, k, Wt, active[k] * n)
        k += 1


@exact
def _sigmoid(total):
    return np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-total)))


@exact
def _softmax(p):
    top, total = p[0], np.float32(0.0)
    for i in range(1, p.shape[0]):
        top = max(top, p[i])
    for i in range(p.shape[0]):
        p[i] = np.float32(math.exp(p[i] - top))
        total += p[i]
    for i in range(p.shape[0]):
        p[i] /= total


@exact
def _step(r, length):
    if r.normalise == 1:
        return r.learning_rate / (r.floor + length + np.float32(r.bias))
    return r.learning_rate


@exact
def _steps(r):
    """Each unit's step times its error, in `g`; returns the squared size of the update."""
    x, e, g, length, edges = r.context, r.error, r.g, r.length, r.context_edges
    n = e.shape[0]
    dense = dot(r.seen, 0, r.seen, 0, r.active.shape[0]) if r.sparse == 1 else dot(x, 0, x, 0, r.W.shape[1])
    if r.V.shape[0] == 0:
        step = _step(r, dense)
        for i in range(n):
            g[i] = step * e[i]
        return dense * dot(g, 0, g, 0, n)
    for i in range(n):
        length[i] = dense
    for k in range(edges.shape[0]):
        here, rows, width = edges[k, 0], edges[k, 2], edges[k, 3]
        if rows == n and width == 1:
            blend(length, 0, n, np.float32(1.0), x, here, x, here)
        elif rows > 0:
            for row in range(rows):
                seen = dot(x, here + row * width, x, here + row * width, width)
                for i in range(row * (n // rows), (row + 1) * (n // rows)):
                    length[i] += seen
    for i in range(n):
        g[i] = _step(r, length[i]) * e[i]
        length[i] *= g[i]
    return dot(g, 0, length, 0, n)


@exact
def _learn_fields(r, keep):
    x, V, g, mean, edges = r.context, r.V, r.g, r.length, r.context_edges
    n = g.shape[0]
    for k in range(edges.shape[0]):
        here, rows, width, own = edges[k, 0], edges[k, 2], edges[k, 3], r.V_start[k]
        if rows == n and width == 1 and edges[k, 4] == 0:
            blend(V, own, n, keep, g, 0, x, here)
        elif rows > 0:
            features = n // rows
            # one set of weights for all positions: the mean of their updates, decayed once a tick
            share = np.float32(1.0) / np.float32(rows) if edges[k, 4] else np.float32(1.0)
            for i in range(n):
                mean[i] = g[i] * share
            for row in range(rows):
                at = own if edges[k, 4] else own + row * features * width
                kept = keep if row == 0 or edges[k, 4] == 0 else np.float32(1.0)
                learn(V, at, features, width, kept, mean, row * features, x, here + row * width)


@exact
def _score(r, squared):
    """Loss, size of the update, and how many units say nothing or are at their bounds."""
    p, e, y, score = r.prediction, r.error, r.target, r.score
    n, loss, dead, saturated = p.shape[0], 0.0, 0, 0
    for i in range(n):
        dead += p[i] == 0
    if r.output > 0:
        for i in range(n):
            saturated += p[i] > np.float32(0.999) or p[i] < np.float32(0.001)
    if r.output == 2:
        for i in range(n):
            if y[i] > 0:
                loss -= y[i] * math.log2(max(p[i], np.float32(1e-12)))
    else:
        loss = dot(e, 0, e, 0, n) / n
    score[0] = loss
    score[1] = math.sqrt(squared / max(1, n * r.context.shape[0]))
    score[2] = dead / n
    score[3] = saturated / n


@exact
def _update(r):
    x, g, b, Wt, active = r.context, r.g, r.b, r.Wt, r.active
    n, m, squared = g.shape[0], r.W.shape[1], np.float32(0.0)
    if r.learn == 1:
        keep = np.float32(1.0) - r.decay
        squared = _steps(r)
        if r.sparse == 1:
            for k in range(active.shape[0]):
                learn(Wt, active[k] * n, 1, n, keep, r.seen, k, g, 0)
        else:
            learn(r.W, 0, n, m, keep, g, 0, x, 0)
        if r.V.shape[0]:
            _learn_fields(r, keep)
        if r.bias == 1:
            for i in range(n):
                b[i] += g[i]
    _score(r, squared)


def predict(r):
    """p = f(W x + b)."""
    _predict(r)


def update(r):
    """W <- (1 - decay) W + step e x^T."""
    _update(r)


@exact
def _tick_dense(r):
    """Four rows learn while the next four are multiplied: every weight comes from memory once."""
    W, x, y, p, e, g, b = r.W, r.context, r.target, r.prediction, r.error, r.g, r.b
    n, m = W.shape
    keep, sigmoid, length = np.float32(1.0) - r.decay, r.output == 1, dot(x, 0, x, 0, m)
    step = _step(r, length)
    bias = np.float32(r.bias)
    done, ready = 0, min(n, 4)
    multiply(W, 0, ready, m, x, 0, p, 0)
    while done < n:
        for k in range(done, ready):
            total = p[k] + b[k]
            if sigmoid:
                total = np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-total)))
            error = y[k] - total
            p[k], e[k], g[k] = total, error, step * error
            b[k] += bias * g[k]
        if ready + 4 <= n:
            learn_multiply(W, done * m, m, keep, g, done, x, 0, p, ready)
            done, ready = ready, ready + 4
        else:
            learn(W, done * m, ready - done, m, keep, g, done, x, 0)
            multiply(W, ready * m, n - ready, m, x, 0, p, ready)
            done, ready = ready, n
    _score(r, length * dot(g, 0, g, 0, n))


def tick(r):
    """All three steps, in one pass over the weights where dense ones are all there are, and units do not compete."""
    if r.V.shape[0] == 0 and r.output != 2 and r.sparse == 0 and r.learn == 1:
        _tick_dense(r)
        return
    _predict(r)
    for i in range(r.error.shape[0]):
        r.error[i] = r.target[i] - r.prediction[i]
    _update(r)
