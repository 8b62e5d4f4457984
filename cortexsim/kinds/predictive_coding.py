"""predictive_coding: holds a state that settles until it explains the states that it predicts, and is explained itself.

Equation, in the names of the code (``v`` state, ``f`` its activation, ``mu`` what others expect of it)::

    prediction_j = W_j f(v) + b_j                             for every region j that it predicts
    mu    = sum of the priors + V f(context) + a
    error = (v - mu) / variance                               zero where nobody predicts the region
    v     <- v + rate (f'(v) * sum_j W_j^T error_j - error - prior_weight * g'(v))   at every tick of a trial
    W_j   <- (1 - decay) W_j + learning_rate error_j f(v)^T,  b_j <- b_j + learning_rate error_j
    V     <- (1 - decay) V + learning_rate error f(context)^T,   a <- a + learning_rate error
    variance <- max(floor, variance + precision_rate ((v - mu)^2 - variance))

All of it descends one free energy, the sum over regions of ``error^2 variance / 2 + ln(variance) / 2 + prior_weight
g``, with g: nothing, ``v^2 / 2`` (gaussian), ``ln(1 + v^2) / 2`` (sparse) or ``|v|`` (laplace, by a soft threshold).
All regions move at once. Where there is a target, the first units are clamped to it while it is there; the others are
hidden. At the first place of a trial the state starts anew; in the span ``init`` it is set to ``mu``, in waves.
Learning uses the errors and states of the tick before they move. ``f`` is applied to context that is a state, not to
sources.

Shapes: ``W`` (predicted units, units), ``b`` (predicted units), ``V`` (units, context in the order of the names of its
edges), ``a``, ``v``, ``variance`` (units), ``M`` as ``W``, where masked. No unit predicts itself. Cost of a tick: 4
flops and 8 bytes for each weight; of a clamped region, and of context that stays, only once a trial.

Sources: R. P. N. Rao and D. H. Ballard, Nature Neuroscience 2 (1999) 79-87, doi:10.1038/4580; J. C. R. Whittington and
R. Bogacz, Neural Computation 29 (2017) 1229-1262, doi:10.1162/NECO_a_00949; any graph: T. Salvatori et al., NeurIPS 35
(2022), doi:10.48550/arXiv.2201.13180; learning at every tick: T. Salvatori et al., ICLR (2024),
doi:10.48550/arXiv.2212.00720; context: B. Millidge et al., PLoS Computational Biology 20 (2024) e1011183,
doi:10.1371/journal.pcbi.1011183.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cortexsim.errors import KindError
from cortexsim.kind import hyper
from cortexsim.native import exact
from cortexsim.rows import add, blend, clear, copy, dot, learn, learn_multiply, multiply, spread, squash, zeros

ROLES, NEEDS = ("context", "target", "prior", "feedback", "gate", "modulator"), ()
PORTS = ("prediction", "error", "state", "reconstruction")
SETTLES, CLAMP, CONSTANT = True, ("v", "held"), ("parts", "own", "curved")
LEARNED = ("W", "M", "b", "V", "a", "variance", "inverse", "log_variance")
AXES = {"V": ("unit", "context"), "a": ("unit",), "variance": ("unit",), "inverse": ("unit",)}
ACTIVATIONS, PRIORS = ("linear", "tanh", "relu", "sigmoid"), ("none", "gaussian", "sparse", "laplace")
f32 = np.float32
HOLDS = 1  # in `held`: a query holds the unit (2: it only says where it starts)
LATE, LATE_CONTEXT, FRESH, FRESH_CONTEXT, FIXED, DIVERGED = range(6)  # of `flags`


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of ``predictive_coding``."""

    activation: str = hyper("tanh", "f, between state and prediction", choices=ACTIVATIONS, structural=True)
    rate: float = hyper(0.1, "step size of the state while it settles", low=0.0, high=10.0, scale="log", unit="1/tick")
    steps: int = hyper(0, "ticks of a trial in which the state moves; 0: all of them", low=0, unit="tick")
    start: str = hyper("zero", "state at the first place of a trial", choices=("zero", "hold"))
    learning_rate: float = hyper(0.01, "step size of the weights", low=0.0, high=2.0, scale="log", unit="1/trial")
    decay: float = hyper(0.0, "share of a weight lost at each update", low=0.0, high=1.0, scale="log", unit="1/trial")
    learning: str = hyper("settled", "when: once a trial, or at every tick", choices=("settled", "incremental"))
    learn_at: int = hyper(-1, "place in the trial at which it learns, or incremental learning begins; -1: the last, or "
                          "the first after the span init", low=-1, unit="tick")
    state_prior: str = hyper("none", "g, what the state is like whatever the regions say", choices=PRIORS)
    prior_weight: float = hyper(0.1, "of g", low=0.0, high=1e6, scale="log")
    positive: bool = hyper(False, "keep the state at or above zero")
    precision: float = hyper(1.0, "1 / variance at first", low=1e-6, high=1e6, scale="log", structural=True)
    precision_rate: float = hyper(0.0, "step size of the variance; 0: it stays", low=0.0, high=1.0, unit="1/trial")
    floor: float = hyper(1e-3, "the least variance", low=1e-9, high=1e6, scale="log")
    max_norm: float = hyper(0.0, "longest column of W, all that a unit predicts; 0: any", low=0.0, high=1e6)
    masked: bool = hyper(False, "multiply W by a mask M, of ones unless it is set", structural=True)
    spread: float = hyper(1.0, "of the first weights: sd times the root of the inputs", low=0.0, structural=True)
    bias: bool = hyper(True, "learn the constants b and a")
    bound: float = hyper(1e4, "a state whose rms is beyond this has diverged", low=1.0, high=1e9, scale="log")
    scored: str = hyper("reconstruction", "what its curve scores: the state as explained, or before the outcome",
                        choices=("reconstruction", "forecast"), structural=True)


def SCORES(hyper: Hyper) -> str:
    """As its hyperparameter says."""
    return hyper.scored


def ports(hyper, shapes):
    """Predictions one after the other; all others have the shape of the state."""
    sheet = shapes.shape or shapes.target_shape
    if int(np.prod(sheet)) < max(1, shapes.n_target):
        what = f"needs size= of at least that of its target, {shapes.n_target}" if shapes.n_target else "needs size="
        raise KindError(f"region {shapes.region!r}", what, shapes.size)
    predicted = {"prediction": (shapes.predicts[-1].stop,)} if shapes.predicts else {}
    return predicted | dict.fromkeys(("error", "state", "reconstruction"), sheet)


def allocate(hyper, shapes, rng):
    """Weights are drawn; constants, states and errors start at zero."""
    n, m = int(np.prod(shapes.shape or shapes.target_shape)), shapes.n_context
    rows = shapes.predicts[-1].stop if shapes.predicts else 0
    fields = [edge.name for edge in (*shapes.context, *shapes.target) if edge.rows]
    if fields:
        raise KindError(f"region {shapes.region!r}", "takes dense edges only", fields[0], "set its field to dense")
    at = {edge.source: edge for edge in shapes.feedback}
    # for each predicted state: its rows of W, and where its error comes in
    parts = [(p.start, p.stop, at[error].start) for p in shapes.predicts
             if (error := f"{p.source.removesuffix('.state')}.error") in at]
    W = (hyper.spread / math.sqrt(n) * rng.standard_normal((rows, n))).astype(f32)
    # no unit predicts itself; so many rows come before those of the region's own state
    own = next((p.start for p in shapes.predicts if p.source == f"{shapes.region}.state"), -1)
    if own >= 0:
        np.fill_diagonal(W[own:own + n], 0)
    state, predicted, context = np.zeros(n, f32), np.zeros(rows, f32), np.zeros(m, f32)
    arrays = {"W": W, "M": np.ones((rows if hyper.masked else 0, n), f32), "b": predicted, "a": state,
              "V": (hyper.spread / math.sqrt(max(1, m)) * rng.standard_normal((n, m))).astype(f32),
              "variance": np.full(n, 1 / hyper.precision, f32), "inverse": np.full(n, hyper.precision, f32),
              "log_variance": np.full(1, -n * math.log(hyper.precision)),
              "held": np.zeros(n, np.int32), "fixed": np.zeros(n, np.int32),
              "parts": np.array(parts, np.int32).reshape(-1, 3), "flags": np.zeros(6, np.int64), "own": np.array([own]),
              "curved": np.array([edge.source.endswith(".state") for edge in shapes.context], np.int32),
              # what the last sweeps over W and V were made of, what they gave, and what the next ones learn
              "p": predicted, "g": predicted, "kept": np.ones(1, f32), "seen": context, "c": context, "last_c": context}
    arrays |= dict.fromkeys(("v", "u", "f", "mu", "off", "back", "drive", "some", "seen_u", "g_context"), state)
    return {name: array.copy() for name, array in arrays.items()}


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    n = int(np.prod(shapes.shape or shapes.target_shape))
    weights = n * ((shapes.predicts[-1].stop if shapes.predicts else 0) + shapes.n_context)
    return 4.0 * weights + 30.0 * n, 8.0 * weights + 60.0 * n


@exact
def _activate(kind, out, x, first, n):
    """f(x)."""
    if kind == 1:
        squash(out, first, n, x, first, f32(1.0), f32(1.0), f32(0.0))
    elif kind == 3:
        squash(out, first, n, x, first, f32(0.5), f32(0.5), f32(0.5))
    else:
        copy(out, first, n, x, first)
        for i in range(first, first + n if kind == 2 else first):
            out[i] = max(out[i], f32(0.0))


@exact
def _settle_weights(r):
    """Learn what was put off of W, and keep to what it may be."""
    W, M, some, n = r.W, r.M, r.some, r.v.shape[0]
    rows = W.shape[0]
    if r.flags[LATE] == 0:
        return
    r.flags[LATE] = 0
    learn(W, 0, rows, n, r.kept[0], r.g, 0, r.f, 0)
    if M.shape[0] > 0:
        blend(W, 0, rows * n, f32(0.0), W, 0, M, 0)
    for i in range(n if r.own[0] >= 0 else 0):
        W[r.own[0] + i, i] = f32(0.0)
    if r.max_norm > 0:
        clear(some, 0, n)
        for j in range(rows):
            blend(some, 0, n, f32(1.0), W, j * n, W, j * n)
        for i in range(n):
            some[i] = min(f32(1.0), r.max_norm / max(f32(math.sqrt(some[i])), f32(1e-20)))
        for j in range(rows):
            blend(W, j * n, n, f32(0.0), W, j * n, some, 0)


@exact
def _read_context(r):
    """The part of mu that comes from context, computed anew only where context or weights have changed."""
    x, seen, c, drive, n, m = r.context, r.seen, r.c, r.drive, r.v.shape[0], r.c.shape[0]
    changed = r.flags[FRESH_CONTEXT] == 0
    for j in range(m):
        changed += x[j] != seen[j]
    if changed == 0:
        return
    copy(seen, 0, m, x, 0)
    for k in range(r.context_edges.shape[0]):
        first, size = r.context_edges[k, 0], r.context_edges[k, 1] - r.context_edges[k, 0]
        _activate(r.activation if r.curved[k] == 1 else 0, c, x, first, size)
    if r.flags[LATE_CONTEXT] == 1:
        learn_multiply(r.V, 0, n, m, r.kept[0], r.g_context, 0, r.last_c, 0, c, 0, drive, 0)
        r.flags[LATE_CONTEXT] = 0
    else:
        multiply(r.V, 0, n, m, c, 0, drive, 0)
    add(drive, 0, n, r.a, 0)
    r.flags[FRESH_CONTEXT] = 1


@exact
def _start(r):
    """Where the state starts: as it was, anew at a trial's first place, as it is expected to be in the span init."""
    u, held, fixed, first, n = r.u, r.held, r.fixed, r.place == 0, r.u.shape[0]
    copy(u, 0, n, r.v, 0)
    if first and (r.length > 0 and r.start == 0 or r.flags[DIVERGED] == 1):
        for i in range(n):
            u[i] = f32(0.0) if held[i] == 0 else u[i]
    if r.init == 1 and r.prior_edges.shape[0] + r.context_edges.shape[0] > 0:
        _expect(r)
        for i in range(n):
            # what is clamped by a target that is yet to come is not known at the first place
            if held[i] == 0 and (first or fixed[i] == 0):
                u[i] = r.mu[i]


@exact
def _expect(r):
    """What others expect of the state."""
    mu, n = r.mu, r.u.shape[0]
    copy(mu, 0, n, r.drive, 0)
    for k in range(r.prior_edges.shape[0]):
        add(mu, 0, n, r.prior, r.prior_edges[k, 0])


@exact
def _predict(r):
    u, f, p, seen, n, rows = r.u, r.f, r.p, r.seen_u, r.u.shape[0], r.W.shape[0]
    if r.context_edges.shape[0] > 0:
        _read_context(r)
    _start(r)
    if rows == 0:
        return
    changed = r.flags[FRESH] == 0
    for i in range(n):
        changed += u[i] != seen[i]
    if changed:
        fused = r.flags[LATE] == 1 and r.M.shape[0] == 0 and r.max_norm == 0 and r.own[0] < 0
        if fused:
            # `back` is free until update: it keeps what the weights learn from while f becomes new
            copy(r.back, 0, n, f, 0)
        else:
            _settle_weights(r)
        _activate(r.activation, f, u, 0, n)
        copy(seen, 0, n, u, 0)
        if fused:
            learn_multiply(r.W, 0, rows, n, r.kept[0], r.g, 0, r.back, 0, f, 0, p, 0)
            r.flags[LATE] = 0
        else:
            multiply(r.W, 0, rows, n, f, 0, p, 0)
        add(p, 0, rows, r.b, 0)
        r.flags[FRESH] = 1
    copy(r.prediction, 0, rows, p, 0)


@exact
def _compare(r):
    u, fixed, held, n = r.u, r.fixed, r.held, r.u.shape[0]
    for i in range(n):
        fixed[i] = held[i] == HOLDS
    for k in range(r.target_edges.shape[0]):
        for i in range(r.target_edges[k, 0], r.target_edges[k, 1] if r.target_edges[k, 5] == 1 else 0):
            u[i] = u[i] if fixed[i] == 1 else r.target[i]
            fixed[i] = 1
    if r.prior_edges.shape[0] + r.context_edges.shape[0] == 0:
        copy(r.mu, 0, n, u, 0)
    else:
        _expect(r)
    mu, off, error, inverse, count = r.mu, r.off, r.error, r.inverse, 0
    for i in range(n):
        off[i] = u[i] - mu[i]
        error[i] = off[i] * inverse[i]
        count += fixed[i]
    r.flags[FIXED] = count


@exact
def _energy(r):
    """Free energy of the region."""
    v, n, total = r.u, r.u.shape[0], 0.5 * dot(r.error, 0, r.off, 0, r.u.shape[0])
    if r.state_prior == 1:
        total += 0.5 * r.prior_weight * dot(v, 0, v, 0, n)
    elif r.state_prior == 2:
        # logarithms are dear: one of a product serves for some
        product, some = 1.0, 0.0
        for i in range(n):
            product *= 1.0 + np.float64(v[i]) * np.float64(v[i])
            if i % 8 == 7 or i == n - 1:
                some += math.log(product)
                product = 1.0
        total += 0.5 * r.prior_weight * some
    elif r.state_prior == 3:
        some = 0.0
        for i in range(n):
            some += abs(v[i])
        total += r.prior_weight * some
    return total + 0.5 * r.log_variance[0]


@exact
def _move(r):
    """One step down the free energy, of the units that are not held; returns its rms size."""
    v, f, back, error, fixed, n = r.u, r.f, r.back, r.error, r.fixed, r.u.shape[0]
    kind, prior, rate, weight = r.activation, r.state_prior, r.rate, r.prior_weight
    for i in range(n):
        if kind == 1:
            back[i] *= f32(1.0) - f[i] * f[i]
        elif kind == 2:
            back[i] = back[i] if v[i] > 0 else f32(0.0)
        elif kind == 3:
            back[i] *= f[i] * (f32(1.0) - f[i])
        if prior == 1 or prior == 2:
            back[i] -= weight * v[i] if prior == 1 else weight * v[i] / (f32(1.0) + v[i] * v[i])
    limit = rate * weight if prior == 3 else f32(0.0)
    lowest = f32(0.0) if r.positive == 1 else -f32(np.inf)
    for i in range(n):
        new = v[i] + rate * (back[i] - error[i])
        # the soft threshold of a laplace prior
        new = new - min(max(new, -limit), limit)
        new = v[i] if fixed[i] == 1 else max(new, lowest)
        back[i] = new - v[i]
        v[i] = new
    return math.sqrt(dot(back, 0, back, 0, n) / n)


@exact
def _learn(r):
    """Find what is to be learned; the weights learn it in the next sweep. Returns the squared size of the update."""
    g, n, rows, m = r.g, r.u.shape[0], r.W.shape[0], r.c.shape[0]
    r.kept[0] = f32(1.0) - r.decay
    rate, bias, squared = r.learning_rate, f32(r.bias), f32(0.0)
    if rows > 0:
        clear(g, 0, rows)
        for k in range(r.parts.shape[0]):
            first, here = r.parts[k, 0], r.parts[k, 2]
            for j in range(r.parts[k, 1] - first):
                g[first + j] = rate * r.feedback[here + j]
        for j in range(rows):
            r.b[j] += bias * g[j]
        r.flags[LATE], r.flags[FRESH] = 1, 0
        squared = dot(g, 0, g, 0, rows) * dot(r.f, 0, r.f, 0, n)
    if m > 0:
        copy(r.last_c, 0, m, r.c, 0)
        for i in range(n):
            r.g_context[i] = rate * r.error[i]
            r.a[i] += bias * r.g_context[i]
        r.flags[LATE_CONTEXT], r.flags[FRESH_CONTEXT] = 1, 0
        squared += dot(r.g_context, 0, r.g_context, 0, n) * dot(r.c, 0, r.c, 0, m)
    if r.precision_rate > 0:
        total = 0.0
        for i in range(n):
            new = r.variance[i] + r.precision_rate * (r.off[i] * r.off[i] - r.variance[i])
            r.variance[i] = max(new, r.floor)
            r.inverse[i] = f32(1.0) / r.variance[i]
            total += math.log(r.variance[i])
        r.log_variance[0] = total
    return squared


@exact
def _update(r):
    u, n, score, flags = r.u, r.u.shape[0], r.score, r.flags
    moves = flags[FIXED] < n and (r.steps == 0 or r.place < r.steps)
    clear(r.back, 0, n)
    if moves:
        for k in range(r.parts.shape[0]):
            spread(r.W, r.parts[k, 0] * n, r.parts[k, 1] - r.parts[k, 0], n, r.feedback, r.parts[k, 2], r.back, 0)
    sound = dot(u, 0, u, 0, n) / n <= r.bound * r.bound
    seen = r.target.shape[0] if r.target.shape[0] > 0 else n
    score[0] = dot(r.off, 0, r.off, 0, seen) / seen if sound else math.inf
    score[2], score[3] = zeros(u, 0, n) / n, 0.0
    score[4] = _energy(r) if sound else math.inf
    if r.learning == 0:
        due = r.place == (max(r.length - 1, 0) if r.learn_at < 0 else r.learn_at)
    else:
        due = r.place >= r.learn_at and r.init == 0 and (r.learn_at >= 0 or r.place > 0 or r.length <= 1)
    if r.learn == 1 and sound and due:
        score[1] = math.sqrt(_learn(r) / max(1, r.W.shape[0] * n + n * r.c.shape[0]))
    flags[DIVERGED] = not sound
    if sound and moves:
        score[5] = _move(r)
    copy(r.v, 0, n, u, 0)
    copy(r.state, 0, n, u, 0)
    copy(r.reconstruction, 0, n, r.mu, 0)


def predict(r):
    """prediction = W f(v) + b, from where the state starts."""
    _predict(r)


def compare(r):
    """error = (v - mu) / variance, with v clamped to the target where there is one."""
    _compare(r)


def update(r):
    """A step of the state, and what the weights have to learn."""
    _update(r)


def flush(r):
    """Learn what was put off; somebody may change the weights now, so nothing that they gave is kept."""
    _settle_weights(r)
    if r.flags[LATE_CONTEXT] == 1:
        learn(r.V, 0, r.v.shape[0], r.c.shape[0], r.kept[0], r.g_context, 0, r.last_c, 0)
        r.flags[LATE_CONTEXT] = 0
    r.flags[FRESH], r.flags[FRESH_CONTEXT] = 0, 0
