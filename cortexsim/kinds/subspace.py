"""subspace: learns a linear code of its target and rebuilds the target from it.

Equation, in the names of the code (``x`` target less its running mean, ``y`` code, ``e`` what the code leaves over)::

    y = W x,    e = x - W^T y
    Oja's subspace rule:   W <- W + step y e^T
    Sanger's variant:      W_i <- W_i + step y_i (x - sum_{j <= i} y_j W_j)
    step = learning_rate / (1 + updates / decay_updates) / max(|x|^2, its running mean over the positions)

The rows of ``W`` come to span the principal subspace of the target (Oja), or to be its principal components in their
order (Sanger). ``whiten`` divides each unit of the state by its running standard deviation, this code included.

Shapes: ``W`` (units, target); with a window on its target edge, each position of the region's sheet codes its own
patch: ``W`` is (units, patch), or (features, patch) where the field shares its weights.
Cost of a tick: 6 flops and 8 bytes for each weight and position (Sanger: 8 flops).

Sources: E. Oja, Neural networks, principal components, and subspaces, Int. J. Neural Systems 1 (1989) 61-68,
doi:10.1142/S0129065789000475; T. D. Sanger, Neural Networks 2 (1989) 459-473, doi:10.1016/0893-6080(89)90044-0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cortexsim.errors import KindError
from cortexsim.kind import hyper
from cortexsim.native import exact
from cortexsim.rows import approach, clear, copy, dot, encode, learn, learn_encode, subtract

ROLES = ("target", "gate", "modulator")
NEEDS = ("target",)
PORTS = ("error", "state", "reconstruction")
GRADIENT, NORMALISED = ("error", "state"), True
SCORES = "reconstruction"
LEARNED = ("W", "mean", "variance", "power", "updates")
# a number of numpy: for a plain one handed to a function, numba compiles that anew
START = np.int64(0)
AXES = {"W": ("unit", "target"), "mean": ("target",), "variance": ("unit",)}


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of ``subspace``."""

    learning_rate: float = hyper(0.5, "step size, in units of the target's power", low=0.0, high=2.0, scale="log",
                                 unit="1/update")
    decay_updates: float = hyper(0.0, "updates after which the step is halved, then falls as 1/t; 0 keeps it", low=0.0,
                                 high=1e9, scale="log", unit="updates")
    rule: str = hyper("oja", "Oja's subspace rule, or Sanger's ordered components", choices=("oja", "sanger"))
    center: bool = hyper(True, "code the deviation from the target's running mean")
    whiten: bool = hyper(False, "divide each unit of the state by its running standard deviation")
    memory: float = hyper(1000.0, "updates over which the power and the variances are averaged", low=1.0, high=1e9,
                          scale="log", unit="updates")


def _positions(shapes):
    """Number of positions and width of one position's patch; all target edges must agree on the positions."""
    rows = {edge.rows or 1 for edge in shapes.target}
    if len(rows) > 1:
        raise KindError(f"region {shapes.region!r}", "its target edges must have the same number of positions",
                        sorted(rows), "give them windows of one grid, or make them all dense")
    (count,) = rows
    if shapes.size % count:
        raise KindError(f"region {shapes.region!r}", f"size must be a multiple of its {count} positions", shapes.size)
    return count, shapes.n_target // count


def ports(hyper, shapes):
    """The state is the region's own sheet; error and reconstruction have the shape of what it sees."""
    if shapes.size is None:
        raise KindError(f"region {shapes.region!r}", "a subspace needs size= or shape=, the number of its units")
    return {"state": shapes.shape, "error": shapes.target_shape, "reconstruction": shapes.target_shape}


def allocate(hyper, shapes, rng):
    """Rows of ``W`` start orthonormal, in random directions."""
    count, width = _positions(shapes)
    features = shapes.size // count
    if features > width:
        raise KindError(f"region {shapes.region!r}", f"cannot have more units than its target ({width} a position)",
                        features)
    shared = any(edge.shared for edge in shapes.target)
    blocks = [np.linalg.qr(rng.standard_normal((width, features)))[0].T for _ in range(1 if shared else count)]
    return {
        "W": np.ascontiguousarray(np.concatenate(blocks), np.float32),
        "mean": np.zeros(shapes.n_target, np.float32),
        "variance": np.ones(shapes.size, np.float32),
        "power": np.zeros(1, np.float64),
        "updates": np.zeros(1, np.int64),
        "code": np.zeros(shapes.size, np.float32),
        "g": np.zeros(shapes.size, np.float32),
        "patch": np.zeros(width, np.float32),
        "rest": np.zeros(width, np.float32),
        "factor": np.zeros(1, np.float32),
        "now": np.zeros(1, np.float64),
        "powers": np.zeros(count, np.float64),
        # what the last tick found and the next sweep learns: W <- W + g last^T, position by position, if it is late
        "last": np.zeros(count * width, np.float32),
        "late": np.zeros(1, np.int64),
    }


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    count, width = _positions(shapes)
    weights = shapes.size * width
    return (8.0 if hyper.rule == "sanger" else 6.0) * weights, 8.0 * weights + 30.0 * shapes.n_target


@exact
def _patch(r, values, k, out, to):
    """Collect the patch of position `k` from every target edge."""
    edges, at = r.target_edges, to
    for j in range(edges.shape[0]):
        rows = max(1, edges[j, 2])
        width = (edges[j, 1] - edges[j, 0]) // rows
        copy(out, at, width, values, edges[j, 0] + k * width)
        at += width


@exact
def _flush(r):
    count, width = max(1, r.target_edges[0, 2]), r.patch.shape[0]
    features = r.code.shape[0] // count
    if r.late[0] == 1:
        for k in range(count):
            own = 0 if r.W.shape[0] == features else k * features * width
            learn(r.W, own, features, width, np.float32(1.0), r.g, k * features, r.last, k * width)
    r.late[0] = 0


@exact
def _compare(r):
    """Code and what it leaves over, position by position; what the last tick put off is learned in the same sweep."""
    target, error, mean, x, rest, y, edges = r.target, r.error, r.mean, r.patch, r.rest, r.code, r.target_edges
    count, width = max(1, edges[0, 2]), x.shape[0]
    features = y.shape[0] // count
    shared = r.W.shape[0] == features
    if shared and count > 1:
        _flush(r)
    # the centred target waits in `error` until its position is encoded
    if r.center == 1:
        subtract(error, 0, error.shape[0], target, 0, mean, 0)
    else:
        copy(error, 0, error.shape[0], target, 0)
    power = 0.0
    for k in range(count):
        own, first = 0 if shared else k * features * width, k * features
        _patch(r, error, k, x, START)
        r.powers[k] = dot(x, 0, x, 0, width)
        power += r.powers[k]
        clear(rest, 0, width)
        if r.late[0] == 1:
            learn_encode(r.W, own, features, width, r.g, first, r.last, k * width, x, 0, y, first, rest, 0)
        else:
            encode(r.W, own, features, width, x, 0, y, first, rest, 0)
        at = 0
        for j in range(edges.shape[0]):
            part = (edges[j, 1] - edges[j, 0]) // max(1, edges[j, 2])
            subtract(error, edges[j, 0] + k * part, part, x, at, rest, at)
            at += part
    r.now[0] = power / count
    r.late[0] = 0


@exact
def _emit(r):
    """Write state, reconstruction and the loss."""
    y, state, error, variance, dead = r.code, r.state, r.error, r.variance, 0
    if r.whiten == 1:
        for i in range(y.shape[0]):
            state[i] = y[i] / np.float32(math.sqrt(variance[i] + np.float32(1e-6)))
    else:
        copy(state, 0, y.shape[0], y, 0)
    for i in range(y.shape[0]):
        dead += abs(y[i]) < np.float32(1e-6)
    subtract(r.reconstruction, 0, error.shape[0], r.target, 0, error, 0)
    r.score[0] = dot(error, 0, error, 0, error.shape[0]) / error.shape[0]
    r.score[1] = 0.0
    r.score[2] = dead / y.shape[0]
    r.score[3] = 0.0


@exact
def _statistics(r):
    """Running power and variances; returns the step of this update."""
    y, variance, power = r.code, r.variance, r.now[0]
    r.updates[0] += 1
    n = r.updates[0]
    rate = 1.0 / min(float(n), float(r.memory))
    share = np.float32(rate)
    r.power[0] += rate * (power - r.power[0])
    for i in range(y.shape[0]):
        variance[i] += share * (y[i] * y[i] - variance[i])
    slow = 1.0
    if r.decay_updates > 0:
        slow = 1.0 / (1.0 + n / float(r.decay_updates))
    # the larger of the two: a target that suddenly grows must not throw the weights out of the ball
    return np.float32(r.learning_rate * slow / (max(r.power[0], power) + 1e-12))


@exact
def _learn_sanger(r, k, first, own, features, step):
    """Sanger's rule for one position, at once: it peels the units off the target itself, one by one."""
    W, y, g, x, mean, factor, one = r.W, r.code, r.g, r.patch, r.rest, r.factor, np.float32(1.0)
    width, squared = x.shape[0], np.float32(0.0)
    _patch(r, r.target, k, x, START)
    if r.center == 1:
        _patch(r, r.mean, k, mean, START)
        subtract(x, 0, width, x, 0, mean, 0)
    for i in range(features):
        factor[0], g[first + i] = -y[first + i], step * y[first + i]
        learn(x, 0, 1, width, one, factor, 0, W, (own + i) * width)
        learn(W, (own + i) * width, 1, width, one, g, first + i, x, 0)
        squared += g[first + i] * g[first + i] * dot(x, 0, x, 0, width)
    return squared


@exact
def _own_step(r, k, step):
    """The step of one position: far stronger than the others, it must not throw its weights out of the ball."""
    return np.float32(step * min(1.0, (max(r.power[0], r.now[0]) + 1e-12) / max(r.powers[k], 1e-12)))


@exact
def _learn(r):
    """Emit, and find what is to be learned: Oja's rule leaves it to the next sweep over the weights."""
    if r.learn == 0:
        _emit(r)
        return
    # first, so that whitening divides by a spread that knows this code: the first one cannot blow up
    step = _statistics(r)
    _emit(r)
    mean, y, g, last = r.mean, r.code, r.g, r.last
    count, width = max(1, r.target_edges[0, 2]), r.patch.shape[0]
    features = y.shape[0] // count
    shared = r.W.shape[0] == features
    if shared:
        step /= np.float32(count)
    squared = np.float32(0.0)
    if r.rule == 0:
        for k in range(count):
            own = _own_step(r, k, step)
            for i in range(k * features, (k + 1) * features):
                g[i] = own * y[i]
        r.late[0] = 1
    for k in range(count):
        first = k * features
        if r.rule == 1:
            squared += _learn_sanger(r, k, first, 0 if shared else first, features, _own_step(r, k, step))
        else:
            _patch(r, r.error, k, last, k * width)
            squared += dot(g, first, g, first, features) * dot(last, k * width, last, k * width, width)
    r.score[1] = math.sqrt(squared / r.W.size)
    if r.center == 1:
        approach(mean, 0, mean.shape[0], 1.0 / r.updates[0], r.target, 0)


def predict(r):
    """A code predicts nothing: it rebuilds, after the fact."""


def compare(r):
    """y = W x, e = x - W^T y."""
    _compare(r)


def update(r):
    """W <- W + step y e^T, and the state goes out."""
    _learn(r)
    _flush(r)


def tick(r):
    """All three steps. What is learned waits for the next sweep, so that every weight comes from memory once a tick."""
    _compare(r)
    _learn(r)


def flush(r):
    """Learn what the last tick put off."""
    _flush(r)
