"""Least squares, one sample at a time: the readouts that the kinds ``reservoir`` and ``rls`` share.

Equations, in the names of the code (``z`` features, ``y`` targets, ``W`` weights, ``P`` inverse correlations)::

    e = y - W z - b
    rls      q = P z,  g = q / (f + z q),  W <- W + e g^T,  P <- (P - g q^T) / f          f: forgetting
    kalman   q = P z,  g = q / (1 + z q),  W <- W + e g^T,  P <- P - g q^T + drift I
    nlms     W <- W + learning_rate e z^T / (floor + |z|^2)

The constant is one more feature, which is 1: its weights are ``b``, its row of P is ``c``, its place on the diagonal
``d``. So an edit of the graph that changes the features leaves it as it was. All targets share one P, which starts as
I / ridge: with a forgetting of 1, the weights are at any time those of ridge regression on all samples so far.

P is held whole. Its update is the product of a vector with itself, so it stays symmetric to the last bit, and it is put
off to the next sweep, which multiplies on the way: every number of P comes from memory once a tick. (A packed triangle
takes half the memory, but its sums run along the rows: in a fixed order of terms it was no faster at 300 features.)

Without excitation, forgetting and drift would wind P up for ever. Both are suspended while the trace of P is above
`ceiling` times what it was at first. Where rounding leaves P with a diagonal that is not positive, or a product
``z P z`` below zero, it starts anew; ``counts`` says how often either happened. The curve's learning rate is the share
of an error that its update takes away: ``z P z / (f + z P z)``, or that of nlms. Weights and P are float64, since the
differences that the update takes would leave little of seven digits.

With a `horizon` H a prediction is made with the weights of H ticks ago, ``past``, while learning goes on from the
newest ones: so a curve scores what could have been said H ticks ahead, when no outcome of the ticks between was known.

Sources: recursive least squares: L. Ljung and T. Soederstroem, Theory and Practice of Recursive Identification, MIT
Press (1983), ISBN 0-262-12095-X; Kalman readout: R. E. Kalman, J. Basic Engineering 82 (1960) 35-45,
doi:10.1115/1.3662552; NLMS: J. Nagumo and A. Noda, IEEE Trans. Automatic Control 12 (1967) 282-287,
doi:10.1109/TAC.1967.1098599.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cortexsim.native import exact

READOUTS = ("rls", "kalman", "nlms")
NLMS = 2
LEARNED = ("W", "b", "P", "c", "d", "counts")
SUSPENDED, RESETS = 0, 1  # of `counts`
LATE, KEEP, DRIFT = 0, 1, 2  # of `pending`


def allocate_readout(hyper: Any, targets: int, features: int) -> dict[str, np.ndarray]:
    """The arrays of a readout.

    Parameters
    ----------
    hyper : Hyper
        Of the kind, with ``readout``, ``ridge`` and ``horizon``.
    targets, features : int
        How many there are of each, the constant feature left out.

    Returns
    -------
    dict of str to array
        ``W`` (targets, features), ``b`` (targets), ``P`` (features, features), ``c`` (features), ``d`` (1) and
        ``counts`` (ticks without forgetting or drift, new starts of P) are learned. ``past`` (horizon, targets,
        features) and ``past_b`` hold earlier weights where the horizon is beyond 1; the others are scratch.

    Examples
    --------
    >>> from cortexsim.kinds.rls import Hyper
    >>> allocate_readout(Hyper(ridge=0.1), 2, 3)["P"][0].tolist()
    [10.0, 0.0, 0.0]
    """
    size = 0 if hyper.readout == "nlms" or not targets else features
    start, ago = 1.0 / hyper.ridge, hyper.horizon if hyper.horizon > 1 else 0
    return {"W": np.zeros((targets, features)), "b": np.zeros(targets), "P": start * np.eye(size), "c": np.zeros(size),
            "d": np.full(1, start), "counts": np.zeros(2, np.int64), "z": np.zeros(features), "q": np.zeros(size),
            "k": np.zeros(size), "pending": np.zeros(3), "e": np.zeros(targets),
            "past": np.zeros((ago, targets, features)), "past_b": np.zeros((ago, targets))}


def notices(hyper: Any, arrays: Any) -> dict[str, str]:
    """What the user of a region should know of its readout, for the `arrays` of the region.

    Examples
    --------
    >>> notices(None, {"counts": np.array([3, 0])})
    {}
    """
    resets = int(arrays["counts"][RESETS])
    if not resets:
        return {}
    return {"P started anew": f"rounding left its inverse correlations without meaning {resets:,} time"
            f"{'s' * (resets > 1)}, and they started anew: scale its context to the order of 1, or set a larger ridge"}


def readout_cost(readout: str, targets: int, features: int) -> tuple[float, float]:
    """Flops and bytes of a tick of a `readout`, with so many `targets` and `features`."""
    weights = 4.0 * targets * features
    return (weights, 2 * weights) if readout == "nlms" else (weights + 5.0 * features**2, 16.0 * features**2)


@exact
def weigh(W, at, z):
    """The product of z with the numbers of W (1-D) from a place on, in four sums."""
    n = z.shape[0]
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for j in range(0, n - 3, 4):
        a += W[at + j] * z[j]
        b += W[at + j + 1] * z[j + 1]
        c += W[at + j + 2] * z[j + 2]
        d += W[at + j + 3] * z[j + 3]
    for j in range(n - n % 4, n):
        a += W[at + j] * z[j]
    return (a + b) + (c + d)


@exact
def product(a, b):
    """The scalar product of two vectors."""
    total = 0.0
    for j in range(a.shape[0]):
        total += a[j] * b[j]
    return total


@exact
def read_out(r):
    """prediction = W z + b, by the weights of `horizon` ticks ago."""
    p, z, n, m, ago = r.prediction, r.z, r.W.shape[0], r.z.shape[0], r.past.shape[0]
    if ago == 0:
        W = r.W.reshape(r.W.size)
        for i in range(n):
            p[i] = np.float32(weigh(W, i * m, z) + r.bias * r.b[i])
        return
    if r.reset == 1:
        for slot in range(ago):
            _keep_weights(r, slot)
    past, slot = r.past.reshape(r.past.size), r.due % ago
    for i in range(n):
        p[i] = np.float32(weigh(past, (slot * n + i) * m, z) + r.bias * r.past_b[slot, i])


@exact
def _keep_weights(r, slot):
    """Keep the newest weights, for predictions to come."""
    W, b, past = r.W, r.b, r.past
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            past[slot, i, j] = W[i, j]
        r.past_b[slot, i] = b[i]


@exact
def settle_squares(r):
    """Let P learn what was put off."""
    P, k, pending = r.P, r.k, r.pending
    m = k.shape[0]
    if pending[LATE] == 1.0:
        keep, drift = pending[KEEP], pending[DRIFT]
        for i in range(m):
            factor = k[i]
            # first, and only with a keep of 1: so the sweep below, which multiplies on the way, has the same bits
            P[i, i] += drift
            for j in range(m):
                P[i, j] = keep * (P[i, j] - factor * k[j])
    pending[LATE] = 0.0


@exact
def sweep(r):
    """Let P learn what was put off, and q = P z on the way; returns the trace, or NaN for a diagonal not positive."""
    P, k, z, q, pending = r.P, r.k, r.z, r.q, r.pending
    m, keep, drift, trace = k.shape[0], pending[KEEP], pending[DRIFT], 0.0
    for j in range(m):
        q[j] = 0.0
    late = pending[LATE] == 1.0
    for i in range(m):
        factor, feature = k[i], z[i]
        if late:
            P[i, i] += drift
            for j in range(m):
                p = keep * (P[i, j] - factor * k[j])
                P[i, j] = p
                q[j] += p * feature
        else:
            for j in range(m):
                q[j] += P[i, j] * feature
        trace += P[i, i] if P[i, i] > 0 else np.nan
    pending[LATE] = 0.0
    return trace


@exact
def start_anew(r):
    """P = I / ridge, and q = P z."""
    P, start = r.P, 1.0 / np.float64(r.ridge)
    m = r.k.shape[0]
    for i in range(m):
        for j in range(m):
            P[i, j] = 0.0
        P[i, i] = start
        r.c[i] = 0.0
        r.q[i] = start * r.z[i]
    r.d[0] = start
    r.counts[RESETS] += 1
    return start * m


@exact
def gain(r):
    """Find the gain of this sample, and put off what P learns; returns the gain of the constant."""
    q, c, k, m = r.q, r.c, r.k, r.k.shape[0]
    one, start = np.float64(r.bias), 1.0 / np.float64(r.ridge)
    trace = sweep(r)
    power = product(r.z, q) + one * (2.0 * product(c, r.z) + r.d[0])
    if not (power >= 0 and trace >= 0 and r.d[0] > 0):
        trace = start_anew(r)
        power = product(r.z, q) + one * r.d[0]
    forgetting = np.float64(r.forgetting) if r.readout == 0 else 1.0
    drift = np.float64(r.drift) if r.readout == 1 else 0.0
    constant = one * (product(c, r.z) + r.d[0])
    if (forgetting < 1 or drift > 0) and trace / forgetting + m * drift > np.float64(r.ceiling) * m * start:
        forgetting, drift = 1.0, 0.0
        r.counts[SUSPENDED] += 1
    total = forgetting + power
    r.score[6] = power / total
    root, keep = 1.0 / math.sqrt(total), 1.0 / forgetting
    for i in range(m):
        q[i] += one * c[i]
        k[i] = q[i] * root
        q[i] /= total
    if one == 1:
        # the constant is not put off: it takes one row
        for i in range(m):
            c[i] = keep * (c[i] - k[i] * (constant * root))
        r.d[0] = keep * (r.d[0] - constant * root * (constant * root)) + drift
    r.pending[LATE], r.pending[KEEP], r.pending[DRIFT] = 1.0, keep, drift
    return constant / total


@exact
def target_there(r):
    """Whether any target is present: a kind that goes on without one is called all the same."""
    edges = r.target_edges
    for k in range(edges.shape[0]):
        if edges[k, 5] == 1:
            return True
    return False


@exact
def learn_squares(r):
    """Learn from one sample, if it may and there is one; the rms size of the update goes into the score."""
    e, W, z, n, m = r.e, r.W.reshape(r.W.size), r.z, r.W.shape[0], r.z.shape[0]
    if r.learn == 1 and target_there(r):
        for i in range(n):
            if r.past.shape[0] == 0:
                e[i] = np.float64(r.error[i])
            else:
                e[i] = np.float64(r.target[i]) - weigh(W, i * m, z) - r.bias * r.b[i]
        r.score[1] = _step(r)
    if r.past.shape[0] > 0:
        _keep_weights(r, r.due % r.past.shape[0])


@exact
def _step(r):
    """W <- W + e g^T; returns the rms size of the update."""
    W, b, e, z, m = r.W, r.b, r.e, r.z, r.z.shape[0]
    n, squared = e.shape[0], product(e, e)
    if r.readout == NLMS:
        power = product(z, z)
        step = np.float64(r.learning_rate) / (np.float64(r.floor) + power + r.bias)
        for i in range(n):
            for j in range(m):
                W[i, j] += step * e[i] * z[j]
            b[i] += r.bias * step * e[i]
        return math.sqrt(squared * step * step * power / max(1, n * m))
    constant, g = gain(r), r.q
    for i in range(n):
        for j in range(m):
            W[i, j] += e[i] * g[j]
        b[i] += e[i] * constant
    return math.sqrt(squared * product(g, g) / max(1, n * m))


@exact
def score_squares(r):
    """Squared error, and the share of predictions that are zero."""
    e, p, score = r.error, r.prediction, r.score
    n, loss, dead = e.shape[0], 0.0, 0
    for i in range(n):
        loss += np.float64(e[i]) * np.float64(e[i])
        dead += p[i] == 0
    score[0], score[2] = loss / max(1, n), dead / max(1, n)

