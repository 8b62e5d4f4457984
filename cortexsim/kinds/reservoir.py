"""reservoir: a fixed random recurrent network, and a linear readout of its state that is learned by least squares.

Equation, in the names of the code (``u`` context, ``x`` state, ``z`` features; :mod:`cortexsim.squares` learns)::

    x <- (1 - leak) x + leak tanh(R x + V^T u + a)
    z = (x, u, the `lags` contexts before it)               with `squares` also x^2
    prediction = W z + b,   error = target - prediction
    g = P z / (forgetting + z P z),   W <- W + error g^T,   P <- (P - g (P z)^T) / forgetting

Only the readout is learned. The state goes on whether or not there is a target, and a region without target edges only
runs: others read its ``state``. A horizon H is a delay of H for all context that is not known before the outcome.

Shapes: ``x`` (2, units), the state of this tick and that of the last, by turns; ``R`` and ``origin`` (inputs of a unit,
units), weights and the units they come from, ``density`` of all; ``V`` (context, units); ``W`` (targets, features) and
``P`` (features, features) in float64. The units are `size`, or 100. Cost of a tick: 2 flops and 8 bytes for each
recurrent weight, 5 flops and 16 bytes for each number of P. The spectral radius is set when the region is made: up to
500 units from the eigenvalues, above by iteration.

Sources: H. Jaeger, GMD Report 148 (2001); leaky units: H. Jaeger et al., Neural Networks 20 (2007) 335-352,
doi:10.1016/j.neunet.2007.04.016; online readout: H. Jaeger, Adaptive nonlinear system identification with echo state
networks, NeurIPS 15 (2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortexsim.errors import KindError
from cortexsim.kind import hyper
from cortexsim.native import exact
from cortexsim.rows import clear, copy, spread, squash, subtract
from cortexsim.squares import (
    LEARNED,
    READOUTS,
    allocate_readout,
    learn_squares,
    notices,
    read_out,
    readout_cost,
    score_squares,
    settle_squares,
    target_there,
)

ROLES, NEEDS = ("context", "target", "gate", "modulator"), ("context",)
PORTS = ("prediction", "error", "state")
GOES_ON, GRADIENT, NORMALISED = True, ("error", "state"), True
AXES = {"V": ("context", "unit")}
UNITS = 100
EXACT = 500
f32 = np.float32
__all__ = ["AXES", "GOES_ON", "GRADIENT", "LEARNED", "NEEDS", "NORMALISED", "PORTS", "ROLES", "Hyper", "allocate",
           "cost", "flush", "notices", "ports", "predict", "tick", "update", "wrong_arrays"]


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of ``reservoir``."""

    leak: float = hyper(0.5, "share of the state that is new at each tick", low=0.0, high=1.0, unit="1/tick")
    radius: float = hyper(0.9, "spectral radius of R", low=0.0, high=10.0, structural=True)
    density: float = hyper(0.1, "share of the units that a unit hears", low=0.0, high=1.0, structural=True)
    input_scale: float = hyper(1.0, "largest weight of the context", low=0.0, high=1e3, structural=True)
    bias_scale: float = hyper(0.2, "largest constant of a unit", low=0.0, high=1e3, structural=True)
    lags: int = hyper(0, "how many earlier contexts the readout sees, too", low=0, high=10_000, unit="tick",
                      structural=True)
    squares: bool = hyper(False, "let the readout see the squares of the state, too", structural=True)
    readout: str = hyper("rls", "how its weights are learned", choices=READOUTS, structural=True)
    forgetting: float = hyper(1.0, "weight that a sample keeps from one tick to the next (rls)", low=0.5, high=1.0)
    ridge: float = hyper(0.1, "P starts as the identity divided by it: the penalty of ridge regression", low=1e-12,
                         high=1e12, scale="log", structural=True)
    drift: float = hyper(1e-6, "variance by which every weight is taken to drift (kalman)", low=0.0, high=1e6,
                         scale="log", unit="1/tick")
    ceiling: float = hyper(1.0, "trace of P, in units of its first, above which nothing is forgotten and nothing "
                           "drifts", low=1e-6, high=1e12, scale="log")
    learning_rate: float = hyper(0.5, "step size (nlms)", low=0.0, high=2.0, scale="log", unit="1/tick")
    floor: float = hyper(0.01, "added to the squared length of the features in the step (nlms)", low=1e-9, high=1e6,
                         scale="log")
    horizon: int = hyper(1, "ticks ahead that it forecasts: predictions are made with the weights of so many ticks ago",
                         low=1, high=100_000, unit="tick", structural=True)
    bias: bool = hyper(True, "learn a constant for each target")


def _units(shapes):
    return int(np.prod(shapes.shape)) if shapes.shape else UNITS


def _features(hyper, shapes):
    """How many the readout sees, the constant left out."""
    return _units(shapes) * (1 + hyper.squares) + shapes.n_context * (1 + hyper.lags)


def ports(hyper, shapes):
    """The state has the shape of the region; prediction and error, where there is a target, have that of the target."""
    predicted = dict.fromkeys(("prediction", "error"), shapes.target_shape) if shapes.target else {}
    return predicted | {"state": shapes.shape or (UNITS,)}


def allocate(hyper, shapes, rng):
    """Recurrent weights are normal, scaled to the spectral radius; those of the context and the constants uniform."""
    fields = [edge.name for edge in (*shapes.context, *shapes.target) if edge.rows]
    if fields:
        raise KindError(f"region {shapes.region!r}", "takes dense edges only", fields[0], "set its field to dense")
    n, m = _units(shapes), shapes.n_context
    inputs = min(n, max(1, round(hyper.density * n)))
    origin = np.sort([rng.choice(n, inputs, replace=False) for _ in range(n)], axis=1)
    weights = rng.standard_normal((n, inputs))
    found = spectral_radius(weights, origin, rng)
    # a network without a cycle has none: it keeps its weights
    scale = f32(hyper.radius / found if found > 1e-9 else hyper.radius)
    return {"R": np.ascontiguousarray(weights.T.astype(f32) * scale),
            "origin": np.ascontiguousarray(origin.T.astype(np.int32)),
            "V": (hyper.input_scale * rng.uniform(-1, 1, (m, n))).astype(f32),
            "a": (hyper.bias_scale * rng.uniform(-1, 1, n)).astype(f32),
            "x": np.zeros((2, n), f32), "drive": np.zeros(n, f32), "line": np.zeros((1 + hyper.lags, m), f32),
            **allocate_readout(hyper, shapes.n_target, _features(hyper, shapes))}


def wrong_arrays(hyper, shapes, arrays, drawn):
    """What a unit hears are units."""
    origin = arrays["origin"]
    sound = origin.min() >= 0 and origin.max() < _units(shapes)
    return "" if sound else "array 'origin' names units that are not there"


def spectral_radius(weights: np.ndarray, origin: np.ndarray, rng: np.random.Generator, steps: int = 1000) -> float:
    """The largest modulus of an eigenvalue of a sparse matrix, given by rows.

    Parameters
    ----------
    weights : array [n, k]
        The numbers of each row that may not be zero.
    origin : int array [n, k]
        Their columns.
    rng : numpy.random.Generator
        Draws where the iteration starts, above 500 rows.
    steps : int
        Of the iteration. The largest eigenvalues of a random matrix lie close together on a circle, so it is the mean
        growth over its latter half that is taken: within about 1 %.

    Examples
    --------
    >>> spectral_radius(np.array([[2.0], [-3.0]]), np.array([[0], [1]]), np.random.default_rng(0))
    3.0
    """
    n = len(weights)
    if n <= EXACT:
        dense = np.zeros((n, n))
        np.put_along_axis(dense, origin, weights, axis=1)
        return float(np.abs(np.linalg.eigvals(dense)).max())
    x, growth = rng.standard_normal(n), 0.0
    for step in range(steps):
        x = (weights * x[origin]).sum(axis=1)
        length = float(np.linalg.norm(x))
        if length == 0:
            return 0.0
        x /= length
        growth += np.log(length) * (step >= steps // 2)
    return float(np.exp(growth / (steps - steps // 2)))


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    n = _units(shapes)
    flops, size = readout_cost(hyper.readout, shapes.n_target, _features(hyper, shapes)) if shapes.target else (0, 0)
    weights = hyper.density * n * n + n * shapes.n_context
    return flops + 2.0 * weights + 10.0 * n, size + 8.0 * weights + 20.0 * n


@exact
def _advance(r):
    """The state of this tick, from the one before: they lie side by side, so a tick that is tried changes nothing."""
    x, u, R, origin, drive = r.x, r.context, r.R, r.origin, r.drive
    n, now, before = drive.shape[0], r.due & 1, 1 - (r.due & 1)
    copy(drive, 0, n, r.a, 0)
    spread(r.V, 0, u.shape[0], n, u, 0, drive, 0)
    for k in range(R.shape[0]):
        for i in range(n):
            drive[i] += R[k, i] * x[before, origin[k, i]]
    squash(drive, 0, n, drive, 0, f32(1.0), f32(1.0), f32(0.0))
    for i in range(n):
        x[now, i] = (f32(1.0) - r.leak) * x[before, i] + r.leak * drive[i]
    return now


@exact
def _see(r, now):
    """What the readout sees: the state, the context and those before it."""
    x, u, z, line = r.x, r.context, r.z, r.line
    n, m, length = x.shape[1], u.shape[0], line.shape[0]
    for i in range(n):
        z[i] = np.float64(x[now, i])
    at = n
    if z.shape[0] > n + m * length:
        for i in range(n):
            z[n + i] = z[i] * z[i]
        at += n
    copy(line, r.due % length * m, m, u, 0)
    for lag in range(length):
        row = (r.due - lag) % length
        for j in range(m):
            z[at + j] = np.float64(line[row, j])
        at += m


@exact
def _predict(r):
    now = _advance(r)
    if r.prediction.shape[0] > 0:
        _see(r, now)
        read_out(r)


@exact
def _update(r):
    x, now, n, saturated = r.x, r.due & 1, r.x.shape[1], 0
    copy(r.state, 0, n, x, now * n)
    for i in range(n):
        saturated += abs(x[now, i]) > f32(0.99)
    score_squares(r)
    r.score[3] = saturated / n
    if r.prediction.shape[0] > 0:
        learn_squares(r)


def predict(r):
    """The state goes on, and prediction = W z + b."""
    _predict(r)


def update(r):
    """Emit the state and learn; what P learns waits for the next sweep over it."""
    _update(r)


def tick(r):
    """All three steps; where no target is present, there is no error."""
    _predict(r)
    if r.prediction.shape[0] > 0:
        if target_there(r):
            subtract(r.error, 0, r.error.shape[0], r.target, 0, r.prediction, 0)
        else:
            clear(r.error, 0, r.error.shape[0])
    _update(r)


def flush(r):
    """Let P learn what was put off."""
    settle_squares(r)
