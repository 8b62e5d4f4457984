"""The plain twin of ``predictive_coding``, from its equations: learns at once, keeps nothing, any precision."""

from __future__ import annotations

from typing import Any

import numpy as np

LINEAR, TANH, RELU, SIGMOID = range(4)
NONE, GAUSSIAN, SPARSE, LAPLACE = range(4)
DIVERGED = 5


def activate(kind: int, x: np.ndarray) -> np.ndarray:
    """f(x)."""
    return {LINEAR: lambda: x, TANH: lambda: np.tanh(x), RELU: lambda: np.maximum(x, 0),
            SIGMOID: lambda: 1 / (1 + np.exp(-x))}[kind]()


def slope(kind: int, x: np.ndarray) -> np.ndarray:
    """f'(x)."""
    y = activate(kind, x)
    return {LINEAR: lambda: np.ones_like(x), TANH: lambda: 1 - y**2, RELU: lambda: (x > 0).astype(x.dtype),
            SIGMOID: lambda: y * (1 - y)}[kind]()


def expected(r: Any) -> np.ndarray:
    """mu: what context and priors say."""
    total = r.drive.copy()
    for first, last in r.prior_edges[:, :2]:
        total += r.prior[first:last]
    return total


def is_expected(r: Any) -> bool:
    """Whether anybody says anything of this region."""
    return len(r.prior_edges) + len(r.context_edges) > 0


def predict(r: Any) -> None:
    """prediction = W f(v) + b."""
    r.c[:] = r.context
    for k, (first, last) in enumerate(r.context_edges[:, :2]):
        if r.curved[k]:
            r.c[first:last] = activate(r.activation, r.context[first:last])
    r.drive[:] = r.V @ r.c + r.a if len(r.c) else 0
    if r.place == 0:
        if r.length > 0 and r.start == 0 or r.flags[DIVERGED]:
            r.v[r.held == 0] = 0
        r.flags[DIVERGED] = 0
        r.fixed[:] = r.held == 1
    if r.init and is_expected(r):
        free = (r.fixed == 0) & (r.held == 0)
        r.v[free] = expected(r)[free]
    r.f[:] = activate(r.activation, r.v)
    if len(r.W):
        r.prediction[:] = r.W @ r.f + r.b


def compare(r: Any) -> None:
    """error = (v - mu) / variance."""
    for first, last, *_, there in r.target_edges:
        part = slice(first, last)
        r.fixed[part] = (r.held[part] == 1) | bool(there)
        if there:
            r.v[part] = np.where(r.held[part] == 1, r.v[part], r.target[part])
    r.mu[:] = expected(r) if is_expected(r) else r.v
    r.off[:] = r.v - r.mu
    r.error[:] = r.off / r.variance


def energy(r: Any) -> float:
    """Free energy of the region."""
    v = r.v.astype(float)
    g = {NONE: 0.0, GAUSSIAN: (v**2).sum() / 2, SPARSE: np.log(1 + v**2).sum() / 2, LAPLACE: np.abs(v).sum()}
    return float((r.off.astype(float) ** 2 / r.variance + np.log(r.variance)).sum() / 2
                 + r.prior_weight * g[r.state_prior])


def learns_now(r: Any) -> bool:
    """Whether the weights change at this place."""
    if r.learning == 0:
        return r.place == (max(r.length - 1, 0) if r.learn_at < 0 else r.learn_at)
    return r.place >= r.learn_at and not r.init and (r.learn_at >= 0 or r.place > 0 or r.length <= 1)


def update(r: Any) -> None:
    """Move the state, learn, score."""
    gathered = np.zeros_like(r.v)
    for first, last, here in r.parts:
        gathered += r.W[first:last].T @ r.feedback[here : here + last - first]
    seen = len(r.target) or len(r.v)
    sound = (r.v.astype(float) ** 2).mean() <= float(r.bound) ** 2
    r.score[:6] = (r.off[:seen].astype(float) ** 2).mean() if sound else np.inf, 0, (r.v == 0).mean(), 0, energy(r), 0
    moved = step(r, gathered) if sound and (r.steps == 0 or r.place < r.steps) else r.v.copy()
    if r.learn and sound and learns_now(r):
        learn(r)
    r.score[5] = np.sqrt(((moved - r.v) ** 2).mean())
    r.v[:] = moved
    r.flags[DIVERGED] = not sound
    r.state[:], r.reconstruction[:] = r.v, r.mu


def step(r: Any, gathered: np.ndarray) -> np.ndarray:
    """Where the state goes."""
    pull = {NONE: 0.0, GAUSSIAN: r.v, SPARSE: r.v / (1 + r.v**2), LAPLACE: 0.0}[r.state_prior]
    new = r.v + r.rate * (slope(r.activation, r.v) * gathered - r.prior_weight * pull - r.error)
    if r.state_prior == LAPLACE:
        new = np.sign(new) * np.maximum(np.abs(new) - r.rate * r.prior_weight, 0)
    return np.where(r.fixed == 1, r.v, np.maximum(new, 0) if r.positive else new)


def learn(r: Any) -> None:
    """Weights, constants and variance."""
    change = np.zeros_like(r.W)
    for first, last, here in r.parts:
        error = r.feedback[here : here + last - first]
        change[first:last] = r.learning_rate * np.outer(error, r.f)
        r.b[first:last] += r.bias * r.learning_rate * error
    r.W[:] = (1 - r.decay) * r.W + change
    if r.own[0] >= 0:
        np.fill_diagonal(r.W[r.own[0] : r.own[0] + len(r.v)], 0)
    if len(r.M):
        r.W *= r.M
    if r.max_norm > 0:
        r.W *= np.minimum(1, r.max_norm / np.maximum(np.sqrt((r.W**2).sum(axis=0)), 1e-20))
    squared = (change**2).sum()
    if len(r.c):
        change = r.learning_rate * np.outer(r.error, r.c)
        r.V[:] = (1 - r.decay) * r.V + change
        r.a += r.bias * r.learning_rate * r.error
        squared += (change**2).sum()
    r.score[1] = np.sqrt(squared / max(1, r.W.size + r.V.size))
    if r.precision_rate > 0:
        r.variance[:] = np.maximum(r.floor, r.variance + r.precision_rate * (r.off**2 - r.variance))
        r.inverse[:] = 1 / r.variance
        r.log_variance[0] = np.log(r.variance.astype(float)).sum()
