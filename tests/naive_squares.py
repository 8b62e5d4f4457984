"""The plain twins of ``reservoir`` and ``rls``, from their equations: one matrix for all features, the constant too.

P learns at once, and every product is numpy's.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

RLS, KALMAN, NLMS = range(3)


def whole(r: Any) -> np.ndarray:
    """P with the row and the column of the constant."""
    return np.block([[r.P, r.c[:, None]], [r.c[None], r.d[None]]])


def read_out(r: Any) -> None:
    """prediction = W z + b, by the weights of `horizon` ticks ago."""
    W, b = r.W, r.b
    if len(r.past):
        if r.reset:
            r.past[:], r.past_b[:] = W, b
        W, b = r.past[r.due % len(r.past)], r.past_b[r.due % len(r.past)]
    r.prediction[:] = W @ r.z + (b if r.bias else 0)


def score(r: Any) -> None:
    """Squared error, and the share of predictions that are zero."""
    r.score[0] = (r.error.astype(float) ** 2).mean() if len(r.error) else 0.0
    r.score[2] = (r.prediction == 0).mean() if len(r.error) else 0.0


def learn(r: Any) -> None:
    """Learn if it may, score, and keep the weights where there is a horizon."""
    if r.learn and r.target_edges[:, 5].any():
        r.score[1] = step(r)
    if len(r.past):
        r.past[r.due % len(r.past)], r.past_b[r.due % len(r.past)] = r.W, r.b


def step(r: Any) -> float:
    """W <- W + e g^T; the rms of what was added."""
    e, one = r.error.astype(float), float(r.bias)
    if len(r.past):
        e = r.target - r.W @ r.z - one * r.b
    z = np.append(r.z, one)
    if r.readout == NLMS:
        g = float(r.learning_rate) * z / (float(r.floor) + z @ z)
    else:
        g = gain(r, z)
    r.W += np.outer(e, g[:-1])
    r.b += one * e * g[-1]
    return float(np.sqrt((np.outer(e, g[:-1]) ** 2).mean()))


def gain(r: Any, z: np.ndarray) -> np.ndarray:
    """g = P z / (f + z P z), and what P becomes."""
    m, start = len(r.c), 1 / float(r.ridge)
    P = whole(r)
    if not (z @ P @ z >= 0 and (np.diag(P) > 0).all()):
        P = start * np.eye(m + 1)
        r.counts[1] += 1
    forgetting, drift = float(r.forgetting) if r.readout == RLS else 1.0, float(r.drift) * (r.readout == KALMAN)
    if (forgetting < 1 or drift) and np.trace(P[:m, :m]) / forgetting + m * drift > float(r.ceiling) * m * start:
        forgetting, drift = 1.0, 0.0
        r.counts[0] += 1
    q = P @ z
    g = q / (forgetting + z @ q)
    new = (P - np.outer(g, q)) / forgetting + drift * np.eye(m + 1)
    r.P[:] = new[:m, :m]
    if r.bias:
        r.c[:], r.d[:] = new[:m, m], new[m, m]
    return g


# ---------------------------------------------------------------------- rls

def rls_predict(r: Any) -> None:
    """z = context, and perhaps all products."""
    x = r.context.astype(float)
    products = [x[i] * x[j] for i in range(len(x)) for j in range(i + 1)] if len(r.z) > len(x) else []
    r.z[:] = [*x, *products]
    read_out(r)


def rls_update(r: Any) -> None:
    """Score, learn."""
    score(r)
    learn(r)


# ---------------------------------------------------------------------- reservoir

def reservoir_predict(r: Any) -> None:
    """x <- (1 - leak) x + leak tanh(R x + V^T u + a)."""
    before, n = r.x[1 - r.due % 2].astype(float), r.x.shape[1]
    heard = np.array([(r.R[:, i] * before[r.origin[:, i]]).sum() for i in range(n)])
    drive = np.tanh(heard + r.V.T.astype(float) @ r.context + r.a)
    x = ((1 - float(r.leak)) * before + float(r.leak) * drive).astype(np.float32)
    r.x[r.due % 2] = x
    length = len(r.line)
    r.line[r.due % length] = r.context
    if not len(r.prediction):
        return
    x = x.astype(float)
    squares = x**2 if len(r.z) > n + r.line.size else []
    r.z[:] = [*x, *squares, *np.concatenate([r.line[(r.due - lag) % length] for lag in range(length)])]
    read_out(r)


def reservoir_update(r: Any) -> None:
    """Emit, score, learn."""
    r.state[:] = r.x[r.due % 2]
    score(r)
    r.score[3] = (np.abs(r.state) > 0.99).mean()
    if len(r.prediction):
        learn(r)


TWINS = {"rls": SimpleNamespace(predict=rls_predict, compare=None, update=rls_update),
         "reservoir": SimpleNamespace(predict=reservoir_predict, compare=None, update=reservoir_update)}
