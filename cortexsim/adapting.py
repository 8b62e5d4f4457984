"""How the driver changes a region's learning rate after a step; the rules are in ``step_sizes.py``.

Like ``bookkeeping.py``, whose tables it reads, this becomes part of the loop in ``driver.py`` and of its stamp.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cortexsim.bookkeeping import (
    BASE_RATE,
    BIAS,
    CONTEXT,
    CONTEXT_AT,
    DECAY_TIME,
    EDGES_AT,
    FLOOR,
    GRADIENT_AT,
    HIGH_RATE,
    INNER_WORD,
    LOW_RATE,
    MEAN_ERROR,
    META_RATE,
    NORMALISED,
    ON,
    OUTER_WORD,
    RATE,
    RATE_RULE,
    SCORE_AT,
    SCORED_RATE,
    STANDING,
    UPDATES,
    VIEW,
    W_CONTEXT,
    W_LEARN,
)
from cortexsim.native import DRIVER_FLAGS, INNER
from cortexsim.rows import dot, learn

compiled = njit(forceinline=True, **DRIVER_FLAGS, **INNER)
# over how many updates the error is averaged that tells how much a change of it is
MEMORY = 1000.0
# the share, at an update, of its way up to the rate that the rate goes for which the trace stands
FOLLOW = 1e-4
f32 = np.float32


@compiled
def rate_used(T, r):
    """The learning rate of this tick, as the kernel tells it or as it is set; 0 where there is none."""
    rate = T.reals[T.regions[r, SCORE_AT] + SCORED_RATE]
    if math.isfinite(rate):
        return rate
    return T.reals[T.regions[r, RATE]] if T.regions[r, RATE] >= 0 else 0.0


@compiled
def due(T, r):
    """Whether a region has a rate that changes, and has been called and may learn at this tick."""
    regions = T.regions
    return regions[r, RATE_RULE] != 0 and T.words[regions[r, VIEW] + W_LEARN] != 0 and T.status[r, ON] & 1 == 1


@compiled
def adapt(T, r):
    """Change the learning rate of a region that has just made a step."""
    regions, reals = T.regions, T.reals
    at, word = regions[r, SCORE_AT], regions[r, RATE]
    if reals[at + 1] == 0.0 and not _silent(T, r):
        # no step, so nothing to learn from; with nothing to go along, the constants may have moved all the same
        return
    reals[at + UPDATES] += 1.0
    if regions[r, RATE_RULE] == 1:
        rate = reals[at + BASE_RATE] / (1.0 + reals[at + UPDATES] / reals[regions[r, DECAY_TIME]])
    else:
        rate = T.defaults[word] * math.exp(reals[regions[r, META_RATE]] * _gain(T, r))
    rate = min(max(rate, reals[at + LOW_RATE]), reals[at + HIGH_RATE])
    if regions[r, RATE_RULE] != 1:
        _follow(T, r, rate, T.defaults[word])
    # where modulators drive it, it starts from here at the next tick
    T.defaults[word] = rate
    reals[word] = rate


@compiled
def _silent(T, r):
    """Whether what steps go along is all zero."""
    if T.regions[r, RATE_RULE] == 1:
        return False
    inside, x, m = _vector(T, r, INNER_WORD)
    values = T.gathered if inside else T.signals
    return dot(values, x, values, x, m) == 0.0


@compiled
def _follow(T, r, rate, old):
    """Let the trace follow the rate down, as if the rate now in use had been in use all the time.

    Else it keeps what a former, larger rate did wrong, forgets that ever more slowly as the rate falls, and pushes the
    rate down for ever. It does not follow it up, or the two would drive each other; the rate for which it stands comes
    after by and by, so that it is no loss that a rate falls to where it was a while ago.
    """
    place = T.regions[r, SCORE_AT] + STANDING
    standing = T.reals[place] if T.reals[place] > 0.0 else old
    if rate >= standing:
        T.reals[place] = standing * (rate / standing) ** FOLLOW
        return
    ratio = f32(rate / standing)
    T.reals[place] = rate
    _, _, n = _vector(T, r, OUTER_WORD)
    _, _, m = _vector(T, r, INNER_WORD)
    at = np.int64(T.regions[r, GRADIENT_AT])
    for i in range(n):
        T.gradients[at + n + i] *= ratio
    for j in range(m):
        T.gradients[at + 5 * n + j] *= ratio


@compiled
def _vector(T, r, word):
    """Where a port or the context lies, whether in `gathered` or in `signals`, and its length."""
    cell = T.regions[r, VIEW] + T.regions[r, word]
    inside = T.words[cell] == T.gathered_address + 4 * np.int64(T.regions[r, CONTEXT_AT])
    place = np.int64(T.regions[r, CONTEXT_AT]) if inside else (T.words[cell] - T.signals_address) // 4
    return inside, place, T.words[cell + 1]


@compiled
def _gain(T, r):
    """How fast the squared error falls with the logarithm of the rate, in -1..1; moves the trace that tells it.

    All units times their signs are one unit, whose weights depend on the rate through one vector `h`, the trace.
    """
    regions, reals, G = T.regions, T.reals, T.gradients
    inside, e, n = _vector(T, r, OUTER_WORD)
    errors = T.gathered if inside else T.signals
    inside, x, m = _vector(T, r, INNER_WORD)
    values = T.gathered if inside else T.signals
    signs = np.int64(regions[r, GRADIENT_AT])
    hb, s, d, length, h = signs + n, signs + 2 * n, signs + 3 * n, signs + 4 * n, signs + 5 * n
    bias = f32(1.0) if regions[r, BIAS] >= 0 and T.words[regions[r, BIAS]] == 1 else f32(0.0)
    floor = f32(reals[regions[r, FLOOR]]) if regions[r, FLOOR] >= 0 else f32(0.0)
    total, power, squares = f32(0.0), dot(values, x, values, x, m), dot(errors, e, errors, e, n)
    if not (power < 1e30 and squares < 1e30):
        return 0.0
    for i in range(n):
        G[s + i] = G[signs + i] * errors[e + i]
        G[d + i] = bias * G[hb + i]
        G[length + i] = bias + floor
        total += G[s + i] * G[d + i]
    edges = regions[r, CONTEXT + 1] - regions[r, CONTEXT] if regions[r, INNER_WORD] == W_CONTEXT else 1
    energy = f32(0.0)
    for k in range(edges):
        start, rows, width = _part(T, r, k, m)
        units = n // rows
        for row in range(rows):
            place = start + row * width
            change, own = dot(G, h + place, values, x + place, width), dot(values, x + place, values, x + place, width)
            error = f32(0.0)
            for i in range(row * units, (row + 1) * units):
                G[d + i] += change / f32(units)
                G[length + i] += own
                error += G[s + i]
            total += change * error
            energy += error * error
    _move(T, r, edges, n, m, bias)
    return _elasticity(T, r, np.float64(total), np.float64(energy) / max(1, edges), np.float64(squares))


@compiled
def _part(T, r, k, m):
    """Start, rows and row length of context edge `k`; of anything else than context, the whole."""
    at = T.regions[r, EDGES_AT] + 6 * k
    if T.regions[r, INNER_WORD] != W_CONTEXT:
        return np.int64(0), np.int64(1), m
    start, stop, rows = T.present[at], T.present[at + 1], T.present[at + 2]
    if rows == 0:
        return start, np.int64(1), stop - start
    return start, rows, T.present[at + 3]


@compiled
def _move(T, r, edges, n, m, bias):
    """Do to the trace what the step has done to the weights: each row of it learns what its units still lack."""
    regions, G = T.regions, T.gradients
    inside, x, _ = _vector(T, r, INNER_WORD)
    values = T.gathered if inside else T.signals
    signs = np.int64(regions[r, GRADIENT_AT])
    hb, s, d, length, h = signs + n, signs + 2 * n, signs + 3 * n, signs + 4 * n, signs + 5 * n
    rate = f32(T.reals[regions[r, RATE]])
    normalised = regions[r, NORMALISED] == -2 or regions[r, NORMALISED] >= 0 and T.words[regions[r, NORMALISED]] == 1
    for i in range(n):
        most = f32(1.0) / max(G[length + i], f32(1e-20))
        step = min(rate, f32(1.0)) * most if normalised else min(rate, most)
        # from here on: the step, and what is lacking
        G[length + i] = step
        G[d + i] = G[s + i] - G[d + i]
        G[hb + i] += bias * step * G[d + i]
    for k in range(edges):
        start, rows, width = _part(T, r, k, m)
        units = n // rows
        for row in range(rows):
            lacking, first = f32(0.0), row * units
            for i in range(first, first + units):
                lacking += G[d + i]
            # the place of the first unit's error is free now
            G[s + first] = lacking * G[length + first]
            learn(G, h + start + row * width, 1, width, f32(1.0), G, s + first, values, x + start + row * width)


@compiled
def _elasticity(T, r, total, energy, squares):
    """The gain in units of the mean squared error: free of scale, and no outlier counts for more than one.

    Errors that cancel but for their rounding tell nothing.
    """
    at = T.regions[r, SCORE_AT]
    mean = T.reals[at + MEAN_ERROR]
    mean += max(1.0 / T.reals[at + UPDATES], 1.0 / MEMORY) * (energy - mean)
    T.reals[at + MEAN_ERROR] = mean
    return min(max(total / max(mean, energy, 1e-6 * squares, 1e-30), -1.0), 1.0)
