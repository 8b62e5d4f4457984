"""rls: predicts its target by a linear map of its context, learned by recursive least squares.

Equation, in the names of the code (``z`` context, ``P`` inverse correlations; :mod:`cortexsim.squares` has all of it)::

    prediction = W z + b
    error      = target - prediction
    g = P z / (forgetting + z P z),   W <- W + error g^T,   P <- (P - g (P z)^T) / forgetting

With ``readout="kalman"`` the weights are taken to drift instead: nothing is forgotten, and P grows by ``drift`` at
every tick. With ``readout="nlms"`` there is no P, and a normalised gradient step. With `products`, z also holds the
products of every two context values, and their squares: a nonlinear vector autoregression.

Edges are dense, of any delays: lags are edges, ``context=["x@1", "x@2"]``. A horizon H is a delay of H for all that is
not known before the outcome, and ``horizon=H``. Shapes: ``W`` (targets, features) and ``P`` (features, features) are
float64; all targets share one P. Cost of a tick: 5 flops and 16 bytes for each number of P, 4 flops for each weight.

Sources: R. L. Plackett, Biometrika 37 (1950) 149-157, doi:10.1093/biomet/37.1-2.149; products of lags: D. J. Gauthier
et al., Nature Communications 12 (2021) 5564, doi:10.1038/s41467-021-25801-2; the others are named in squares.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortexsim.errors import KindError
from cortexsim.kind import hyper
from cortexsim.native import exact
from cortexsim.rows import subtract
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
)

ROLES, NEEDS = ("context", "target", "gate", "modulator"), ("context", "target")
PORTS = ("prediction", "error")
NORMALISED = True
AXES = {"W": ("target", "context"), "b": ("target",), "P": ("context", "context"), "c": ("context",),
        "past": ("tick", "target", "context"), "past_b": ("tick", "target")}
__all__ = ["AXES", "LEARNED", "NEEDS", "NORMALISED", "PORTS", "ROLES", "Hyper", "allocate", "cost", "flush",
           "notices", "ports", "predict", "tick", "update"]


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of ``rls``."""

    forgetting: float = hyper(1.0, "weight that a sample keeps from one tick to the next (rls)", low=0.5, high=1.0)
    readout: str = hyper("rls", "how the weights are learned", choices=READOUTS, structural=True)
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
    products: bool = hyper(False, "let the features hold the products of every two context values, too",
                           structural=True)


def ports(hyper, shapes):
    """Prediction and error have the shape of the target."""
    if shapes.size is not None and shapes.size != shapes.n_target:
        raise KindError(f"region {shapes.region!r}", f"size must be its target's, {shapes.n_target}, or be left out",
                        shapes.size)
    sheet = shapes.shape or shapes.target_shape
    return {"prediction": sheet, "error": sheet}


def _features(hyper, shapes):
    """How many there are, the constant left out."""
    m = shapes.n_context
    return m + m * (m + 1) // 2 if hyper.products else m


def allocate(hyper, shapes, rng):
    """Weights start at zero: the first prediction is zero, and a new edge changes nothing until it learns."""
    fields = [edge.name for edge in (*shapes.context, *shapes.target) if edge.rows]
    if fields:
        raise KindError(f"region {shapes.region!r}", "takes dense edges only", fields[0], "set its field to dense")
    return allocate_readout(hyper, shapes.n_target, _features(hyper, shapes))


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    return readout_cost(hyper.readout, shapes.n_target, _features(hyper, shapes))


@exact
def _predict(r):
    x, z, m = r.context, r.z, r.context.shape[0]
    for j in range(m):
        z[j] = np.float64(x[j])
    if z.shape[0] > m:
        at = m
        for i in range(m):
            for j in range(i + 1):
                z[at] = z[i] * z[j]
                at += 1
    read_out(r)


@exact
def _update(r):
    score_squares(r)
    learn_squares(r)


def predict(r):
    """prediction = W z + b."""
    _predict(r)


def update(r):
    """Learn; what P learns waits for the next sweep over it."""
    _update(r)


def tick(r):
    """All three steps."""
    _predict(r)
    subtract(r.error, 0, r.error.shape[0], r.target, 0, r.prediction, 0)
    _update(r)


def flush(r):
    """Let P learn what was put off."""
    settle_squares(r)
