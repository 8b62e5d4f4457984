"""A learning rate for each weight, which learns: IDBD and Autostep, for kinds that learn by the delta rule.

Equations, in the names of the code, for a weight ``w`` of one unit with input ``x`` and error ``e``::

    push = e x,    square = x^2,    part = push trace
    idbd      rate <- rate exp(meta_rate part)
    autostep  size <- max(|part|, size + rate square (|part| - size) / 10,000)
              rate <- rate exp(meta_rate part / size)
    bound = 1 / max(1, sum of rate square over the weights of the unit)
    w     <- w + bound rate push
    trace <- trace max(0, 1 - bound rate square) + bound rate push

``trace`` is how the weight would differ if the logarithm of its rate had been larger all the time: so a rate grows
while steps of the same sign follow one another, and falls where they alternate. Inputs that tell nothing end with small
rates. The sum of ``rate square`` is the share of an error that a step takes away at the same input: what
``learning_rate`` is for a normalised step. With the bound no step overshoots. It belongs to Autostep, which keeps the
bounded rates. Published IDBD has none, and diverges where many inputs begin with rates that are too large.

A rate changes by a factor of e at most at a tick, and stays within 1e-12 .. 1e12, so that no input makes it overflow.

Sources: R. S. Sutton, Adapting bias by gradient descent: an incremental version of delta-bar-delta, AAAI (1992), pages
171-176; A. R. Mahmood, R. S. Sutton, T. Degris and P. M. Pilarski, Tuning-free step-size adaptation, ICASSP (2012),
pages 2121-2124, doi:10.1109/ICASSP.2012.6288330.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cortexsim.native import exact
from cortexsim.rows import add, blend, clear, copy, dot
from cortexsim.step_sizes import STEP_SIZES

#: All rules of a kind that offers these: those of the driver come first.
RULES = (*STEP_SIZES, "idbd", "autostep")
# their places there, as numbers: compiled code holds nothing that another file may change
IDBD, AUTOSTEP = 3, 4
#: What is kept beside each array of weights: ``W_rate``, ``W_trace``, ``W_size``.
KEPT = ("rate", "trace", "size")
f32 = np.float32
# Autostep's tau; the largest change of the logarithm of a rate; the least and the largest rate
MEMORY, CHANGE, LOWEST, HIGHEST = f32(1e4), f32(1.0), f32(1e-12), f32(1e12)


def with_rates(weights: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Names and axes of weights and of all that is kept beside them: the ``AXES`` of a kind.

    Parameters
    ----------
    weights : dict of str to tuple of str
        Name -> axes, of the arrays of weights.

    Returns
    -------
    dict of str to tuple of str

    Examples
    --------
    >>> list(with_rates({"W": ("unit", "dense")}))
    ['W', 'W_rate', 'W_trace', 'W_size']
    """
    return weights | {f"{name}_{kept}": axes for name, axes in weights.items() for kept in KEPT}


def allocate_rates(weights: dict[str, np.ndarray], rule: str, learning_rate: float) -> dict[str, np.ndarray]:
    """What is kept beside weights, empty where the rule has no rate for each weight.

    Parameters
    ----------
    weights : dict of str to array
    rule : str
        One of `RULES`.
    learning_rate : float
        Where the rates start.

    Returns
    -------
    dict of str to array
        float32, of the shape of its weights.
    """
    first: dict[str, Any] = {"rate": learning_rate, "trace": 0.0, "size": 0.0}
    used = {"rate": RULES[IDBD:], "trace": RULES[IDBD:], "size": ("autostep",)}
    return {f"{name}_{kept}": np.full([n * (rule in used[kept]) for n in array.shape], first[kept], np.float32)
            for name, array in weights.items() for kept in KEPT}


@exact
def adapt_rates(rule, meta_rate, push, square, part, spare, rate, trace, size, at, n):
    """Change the rates of `n` weights, which begin at `at`.

    ``push`` and ``square`` belong to them: their first number is that of the first weight. ``push``, ``part`` and
    ``spare`` are written over.
    """
    blend(part, 0, n, f32(0.0), push, 0, trace, at)
    if rule == AUTOSTEP:
        copy(spare, 0, n, size, at)
        blend(push, 0, n, f32(0.0), rate, at, square, 0)
        for j in range(n):
            large = min(abs(part[j]), f32(1e30))
            spare[j] = max(large, spare[j] + push[j] / MEMORY * (large - spare[j]))
        for j in range(n):
            # where nothing was ever pushed, 0 by 1 is as good
            part[j] = part[j] / (spare[j] if spare[j] > f32(1e-30) else f32(1.0))
        copy(size, at, n, spare, 0)
    for j in range(n):
        # exp of the change: the series for a quarter of it, to the fourth power, within 1e-6
        z = f32(0.25) * max(-CHANGE, min(CHANGE, meta_rate * part[j]))
        z = f32(1.0) + z * (f32(1.0) + z * (f32(0.5) + z * (f32(1 / 6) + z * (f32(1 / 24) + z * f32(1 / 120)))))
        z *= z
        part[j] = z * z
    blend(part, 0, n, f32(0.0), part, 0, rate, at)
    for j in range(n):
        part[j] = max(LOWEST, min(HIGHEST, part[j]))
    copy(rate, at, n, part, 0)


@exact
def learn_by_rates(rule, keep, push, square, part, bound, weights, rate, trace, at, n):
    """Learn `n` weights, each with its rate times its bound; returns the squared size of the update.

    ``bound`` has one number a weight, too; ``push`` and ``part`` are written over.
    """
    blend(part, 0, n, f32(0.0), rate, at, bound, 0)
    if rule == AUTOSTEP:
        copy(rate, at, n, part, 0)
    blend(weights, at, n, keep, part, 0, push, 0)
    blend(push, 0, n, f32(0.0), part, 0, push, 0)
    for j in range(n):
        part[j] = max(f32(0.0), f32(1.0) - part[j] * square[j])
    blend(trace, at, n, f32(0.0), trace, at, part, 0)
    add(trace, at, n, push, 0)
    return dot(push, 0, push, 0, n)


# -------------------------------------------------------------------------------------------- the weights of a region

@exact
def _row(r, weights, rate, trace, size, at, n, unit, learns):
    """Change the rates of a row of weights, or learn with them: all of one unit, or (-1) one of each unit."""
    push, square, part, bound, limit, rule = r.push, r.square, r.part, r.bound, r.limit, r.step_size
    if learns:
        for j in range(n):
            limit[j] = bound[j if unit < 0 else unit]
        return learn_by_rates(rule, f32(1.0) - r.decay, push, square, part, limit, weights, rate, trace, at, n)
    adapt_rates(rule, r.meta_rate, push, square, part, limit, rate, trace, size, at, n)
    if unit < 0:
        blend(bound, 0, n, f32(1.0), rate, at, square, 0)
    else:
        bound[unit] += dot(rate, at, square, 0, n)
    return f32(0.0)


@exact
def _field_rows(r, k, learns):
    """All rows of an edge with a field; weights that are shared learn from the mean of their positions."""
    x, e, push, square, bound, edges = r.context, r.error, r.push, r.square, r.bound, r.context_edges
    here, rows, width, features = edges[k, 0], edges[k, 2], edges[k, 3], e.shape[0] // max(1, edges[k, 2])
    together, squared = rows if edges[k, 4] else 1, f32(0.0)
    for i in range(e.shape[0] // together if rows > 0 else 0):
        clear(push, 0, width)
        clear(square, 0, width)
        before = least = bound[i]
        for unit in range(i, i + together * features, features):
            first = here + unit // features * width
            for j in range(width):
                push[j] += e[unit] * x[first + j] / f32(together)
                square[j] += x[first + j] * x[first + j] / f32(together)
            least = min(least, bound[unit])
        bound[i] = least if learns else before
        squared += _row(r, r.V, r.V_rate, r.V_trace, r.V_size, r.V_start[k] + i * width, width, i, learns)
        share = bound[i] - before
        bound[i] = before
        for unit in range(i, i if learns else i + together * features, features):
            bound[unit] += share
    return squared


@exact
def _rows(r, learns):
    """All rows of weights but those of dense edges, one after the other; returns the squared size of the update."""
    x, e, push, square, active, n, squared = r.context, r.error, r.push, r.square, r.active, r.error.shape[0], f32(0.0)
    for k in range(r.context_edges.shape[0] if r.V.shape[0] else 0):
        squared += _field_rows(r, k, learns)
    for k in range(-1 if r.bias == 1 else 0, active.shape[0] if r.sparse == 1 else 0):
        # the constant is one more input
        value = x[active[k]] if k >= 0 else f32(1.0)
        for i in range(n):
            push[i], square[i] = e[i] * value, value * value
        if k >= 0:
            squared += _row(r, r.Wt, r.Wt_rate, r.Wt_trace, r.Wt_size, active[k] * n, n, -1, learns)
        else:
            squared += _row(r, r.b, r.b_rate, r.b_trace, r.b_size, 0, n, -1, learns)
    return squared


@exact
def learn_each(r):
    """Learn all weights of a region of ``delta``, each with its rate; returns the squared size of the update."""
    x, e, bound, push, n, m = r.context, r.error, r.bound, r.push, r.error.shape[0], r.W.shape[1]
    total, squared = 0.0, f32(0.0)
    # numbers so large that their products overflow teach nothing
    if not dot(e, 0, e, 0, n) * (f32(1.0) + dot(x, 0, x, 0, x.shape[0])) < f32(1e36):
        return squared
    clear(bound, 0, n)
    _rows(r, False)
    blend(r.square, 0, m, f32(0.0), x, 0, x, 0)
    for i in range(n):
        # the dense weights of a unit come last, so that they learn while they are still at hand
        for learns in range(2):
            if learns:
                total += bound[i]
                bounded = r.step_size == AUTOSTEP or r.normalise == 1
                bound[i] = f32(1.0) / max(bound[i], f32(1.0)) if bounded else f32(1.0)
            for j in range(m):
                push[j] = e[i] * x[j]
            if m > 0:
                squared += _row(r, r.W, r.W_rate, r.W_trace, r.W_size, i * m, m, i, learns == 1)
    r.share[0] = total / n
    return squared + _rows(r, True)
