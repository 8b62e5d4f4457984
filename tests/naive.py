"""Slow, obvious twins of the kinds, written from the equations in their docstrings: what the kernels are held against.

A twin has the three steps of its kind as functions of a *view*: an object with the fields that a kernel sees, arrays
being ordinary numpy arrays. Sums run in float64; what is stored is float32, as in the kernels.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

import naive_memory
import naive_settling
import naive_squares
import naive_steps


def patches(r: Any, edge: np.ndarray) -> np.ndarray:
    """What the positions of an edge with a field see, float64 [rows, per_row]."""
    start, stop, rows, per_row = (int(n) for n in edge[:4])
    return r.context[start:stop].astype(float).reshape(rows, per_row)


def seen_by_units(r: Any) -> tuple[np.ndarray, list[tuple[int, np.ndarray, np.ndarray]]]:
    """The dense part of the context, and for each edge with a field (edge, patch of each unit, its rows in V)."""
    n = len(r.b)
    dense = r.context[: r.n_dense].astype(float)
    fields = []
    for k, edge in enumerate(r.context_edges):
        rows, width, shared = int(edge[2]), int(edge[3]), bool(edge[4])
        if not rows:
            continue
        features = n // rows
        own = np.arange(n) % features if shared else np.arange(n)
        places = r.V_start[k] + own[:, None] * width + np.arange(width)
        fields.append((k, patches(r, edge)[np.arange(n) // features], places))
    return dense, fields


# ---------------------------------------------------------------------- delta

def delta_predict(r: Any) -> None:
    """p = f(W x + b)."""
    dense, fields = seen_by_units(r)
    weights = r.Wt.T if r.sparse else r.W
    total = weights.astype(float) @ (r.context.astype(float) if r.sparse else dense) + r.b
    for _, patch, places in fields:
        total += (r.V[places] * patch).sum(axis=1)
    if r.output == 1:
        total = 1 / (1 + np.exp(-total))
    elif r.output == 2:
        total = np.exp(total - total.max())
        total /= total.sum()
    r.prediction[:] = total


def delta_update(r: Any) -> None:
    """W <- (1 - decay) W + step e x^T, b <- b + step e."""
    dense, fields = seen_by_units(r)
    x = r.context.astype(float) if r.sparse else dense
    e = r.error.astype(float)
    change = 0.0
    if r.step_size in (naive_steps.IDBD, naive_steps.AUTOSTEP):
        change = naive_steps.learn_by_rates(r, dense, fields) if r.learn else 0.0
        r.score[6] = r.share[0]
    elif r.learn:
        length = np.full(len(e), (x**2).sum()) + sum((patch**2).sum(axis=1) for _, patch, _ in fields)
        step = np.full(len(e), float(r.learning_rate))
        if r.normalise:
            step = r.learning_rate / (r.floor + length + (1 if r.bias else 0))
        keep = 1 - float(r.decay)
        if r.sparse:
            # only the columns of active units are touched, and the step is one for all of them
            for j in r.active:
                r.Wt[j] = keep * r.Wt[j] + step * e * x[j]
        else:
            r.W[:] = keep * r.W + np.outer(step * e, x)
        for k, patch, places in fields:
            _learn_field(r, k, patch, places, step * e, keep)
        if r.bias:
            r.b += step * e
        change = ((step * e) ** 2 * length).sum()
    r.score[1] = np.sqrt(change / max(1, len(e) * len(r.context)))
    _delta_score(r)


def _learn_field(r: Any, k: int, patch: np.ndarray, places: np.ndarray, g: np.ndarray, keep: float) -> None:
    if not r.context_edges[k, 4]:
        r.V[places] = keep * r.V[places] + g[:, None] * patch
        return
    rows = int(r.context_edges[k, 2])
    gradient = np.zeros(len(r.V))
    for unit in range(len(g)):
        gradient[places[unit]] += g[unit] * patch[unit] / rows
    own = np.unique(places)
    r.V[own] = keep * r.V[own] + gradient[own]


def _delta_score(r: Any) -> None:
    p, y, e = r.prediction.astype(float), r.target.astype(float), r.error.astype(float)
    r.score[0] = -(y[y > 0] * np.log2(np.maximum(p[y > 0], 1e-12))).sum() if r.output == 2 else (e**2).mean()
    r.score[2] = (p == 0).mean()
    r.score[3] = ((p > 0.999) | (p < 0.001)).mean() if r.output else 0.0


# ---------------------------------------------------------------------- subspace

def subspace_patches(r: Any, values: np.ndarray) -> np.ndarray:
    """The target as one patch a position, float64 [positions, patch]: each edge brings its part of every patch."""
    parts = [values[a:b].astype(float).reshape(max(1, rows), -1) for a, b, rows in r.target_edges[:, :3]]
    return np.concatenate(parts, axis=1)


def spread_patches(r: Any, patched: np.ndarray, out: np.ndarray) -> None:
    """The reverse of `subspace_patches`."""
    at = 0
    for a, b, rows in r.target_edges[:, :3]:
        width = (b - a) // max(1, rows)
        out[a:b] = patched[:, at : at + width].ravel()
        at += width


def subspace_weights(r: Any, position: int, positions: int) -> np.ndarray:
    """The weights of one position: a view of W."""
    features = len(r.code) // positions
    first = 0 if len(r.W) == features else position * features
    return r.W[first : first + features]


def subspace_compare(r: Any) -> None:
    """y = W x, e = x - W^T y."""
    x = subspace_patches(r, r.target) - (subspace_patches(r, r.mean) if r.center else 0)
    codes = [subspace_weights(r, k, len(x)).astype(float) @ x[k] for k in range(len(x))]
    r.code[:] = np.concatenate(codes)
    rest = [x[k] - subspace_weights(r, k, len(x)).astype(float).T @ codes[k] for k in range(len(x))]
    spread_patches(r, np.array(rest), r.error)


def subspace_update(r: Any) -> None:
    """W <- W + step y e^T (Oja), or y_i times what the units up to i leave over (Sanger)."""
    y, e = r.code.astype(float), r.error.astype(float)
    r.reconstruction[:] = r.target - r.error
    r.score[:4] = (e**2).mean(), 0.0, (np.abs(y) < 1e-6).mean(), 0.0
    n = int(r.updates[0]) + 1
    rate = 1 / min(n, float(r.memory))
    if r.learn:
        r.variance += (rate * (y**2 - r.variance)).astype(np.float32)
    r.state[:] = y / np.sqrt(r.variance + 1e-6) if r.whiten else y
    if not r.learn:
        return
    x = subspace_patches(r, r.target) - (subspace_patches(r, r.mean) if r.center else 0)
    positions = len(x)
    r.updates += 1
    power = (x**2).sum() / positions
    r.power += rate * (power - r.power)
    step = float(r.learning_rate) / (max(float(r.power[0]), power) + 1e-12)
    if r.decay_updates > 0:
        step /= 1 + n / float(r.decay_updates)
    codes, rests = y.reshape(positions, -1), subspace_patches(r, r.error)
    if len(r.W) == codes.shape[1]:
        step /= positions
    usual = max(float(r.power[0]), power) + 1e-12
    own = [step * min(1.0, usual / max((x[k] ** 2).sum(), 1e-12)) for k in range(positions)]
    change = sum(_learn_position(r, k, codes[k], x[k], rests[k], own[k]) for k in range(positions))
    r.score[1] = np.sqrt(change / r.W.size)
    if r.center:
        r.mean += ((r.target - r.mean) / n).astype(np.float32)


def _learn_position(r: Any, k: int, y: np.ndarray, x: np.ndarray, rest: np.ndarray, step: float) -> float:
    W = subspace_weights(r, k, len(r.code) // len(y))
    if r.rule == 0:
        change = step * np.outer(y, rest)
        W += change.astype(np.float32)
        return (change**2).sum()
    left, total = x.copy(), 0.0
    for i in range(len(y)):
        left = left - y[i] * W[i]
        W[i] += (step * y[i] * left).astype(np.float32)
        total += ((step * y[i] * left) ** 2).sum()
    return total


def nothing(r: Any) -> None:
    """A step in which a kind does nothing."""


TWINS = {
    "delta": SimpleNamespace(predict=delta_predict, compare=None, update=delta_update),
    "predictive_coding": naive_settling,
    "subspace": SimpleNamespace(predict=nothing, compare=subspace_compare, update=subspace_update),
    "temporal_memory": naive_memory,
    **naive_squares.TWINS,
}
