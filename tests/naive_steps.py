"""The twin of learning with a rate for each weight (``idbd`` and ``autostep`` of ``delta``), from the equations."""

from __future__ import annotations

from typing import Any

import numpy as np

IDBD, AUTOSTEP = 3, 4


def groups_of(r: Any, dense: np.ndarray, fields: list[Any]) -> list[tuple[str, np.ndarray, np.ndarray, Any, Any]]:
    """All weights that may learn, as (name, flat places, units that use each, error times input, input squared)."""
    e, n = r.error.astype(float), len(r.b)
    found = []
    if r.sparse:
        x = r.context[r.active].astype(float)
        places = r.active[:, None] * n + np.arange(n)
        found.append(("Wt", places, [np.broadcast_to(np.arange(n), places.shape)], x[:, None] * e,
                      np.repeat(x[:, None] ** 2, n, axis=1)))
    elif len(dense):
        places = np.arange(n * len(dense)).reshape(n, -1)
        found.append(("W", places, [np.repeat(np.arange(n)[:, None], len(dense), axis=1)], np.outer(e, dense),
                      np.repeat(dense[None] ** 2, n, axis=0)))
    for k, patch, places in fields:
        positions = int(r.context_edges[k, 2]) if r.context_edges[k, 4] else 1
        parts = (positions, n // positions, patch.shape[1])
        units = np.repeat(np.arange(n)[:, None], patch.shape[1], axis=1).reshape(parts)
        # weights that are shared learn from the mean of their positions
        found.append(("V", places.reshape(parts)[0], list(units), (e[:, None] * patch).reshape(parts).mean(axis=0),
                      (patch**2).reshape(parts).mean(axis=0)))
    if r.bias:
        found.append(("b", np.arange(n), [np.arange(n)], e, np.ones(n)))
    return found


def learn_by_rates(r: Any, dense: np.ndarray, fields: list[Any]) -> float:
    """Change all rates, then learn; returns the squared size of the update."""
    total, groups, squared = np.zeros(len(r.b)), groups_of(r, dense, fields), 0.0
    for name, places, users, push, square in groups:
        rate, size = getattr(r, f"{name}_rate").reshape(-1), getattr(r, f"{name}_size").reshape(-1)
        part = push * getattr(r, f"{name}_trace").reshape(-1)[places].astype(float)
        old = rate[places].astype(float)
        if r.step_size == AUTOSTEP:
            grown = size[places] + old * square / 1e4 * (np.abs(part) - size[places])
            size[places] = np.maximum(np.abs(part), grown)
            part = part / np.maximum(size[places], 1e-30)
        rate[places] = np.clip(old * np.exp(np.clip(r.meta_rate * part, -1, 1)), 1e-12, 1e12)
        for units in users:
            np.add.at(total, units, rate[places] * square)
    bounded = r.step_size == AUTOSTEP or r.normalise
    bound = 1 / np.maximum(total, 1) if bounded else np.ones(len(total))
    r.share[0] = r.score[6] = total.mean()
    for name, places, users, push, square in groups:
        weights, rate, trace = (getattr(r, name + part).reshape(-1) for part in ("", "_rate", "_trace"))
        used = rate[places] * np.min([bound[units] for units in users], axis=0)
        if r.step_size == AUTOSTEP:
            rate[places] = used
        step = used * push
        weights[places] = (1 - float(r.decay)) * weights[places] + step
        trace[places] = trace[places] * np.maximum(0, 1 - used * square) + step
        squared += (step**2).sum()
    return squared
