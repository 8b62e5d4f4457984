"""Watches what a region has just written, and stops it, resets it or freezes it where that left the finite range.

Nobody reads a port before it was looked at. All of it goes by the tick and by what belongs to the region, never by
where a block or a call ends. Like ``bookkeeping.py``, whose tables it reads, this becomes part of the loop in
``driver.py`` and of its stamp.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cortexsim.bookkeeping import (
    BAD,
    BASE_RATE,
    BASELINE,
    CONTEXT,
    COUNT_AT,
    COUNT_MASK,
    DUE,
    E_DIRECT,
    E_TO,
    EARLY,
    FROZEN,
    HALTED,
    LIST_AT,
    LIST_MASK,
    LIST_SIZE,
    N_TARGET,
    ON,
    PORT,
    PORTS,
    PORTS_END,
    RATE,
    RESET,
    SCORE_AT,
    SCORED_ENERGY,
    STANDING,
    UPDATES,
    VIEW,
    W_CONTEXT,
    W_LEARN,
    W_SPAN,
    WATCHED,
    port_at,
)
from cortexsim.native import DRIVER_FLAGS, INNER
from cortexsim.rows import beyond, clear

compiled = njit(forceinline=True, **DRIVER_FLAGS, **INNER)
# of what is seldom called: apart from the loop
apart = njit(**DRIVER_FLAGS, **INNER)

# columns of `policies`: the policy, which is also how many images there are; where in `store_words` the arrays of the
# region begin, and how many words they are; the first image; what `gradients` hold that changes
POLICY, STORE, WORDS, IMAGE, TRACE, TRACE_SIZE = range(6)
N_POLICY = 6
POLICIES = ("stop", "reset", "freeze")
STOP, BEGIN_ANEW, FREEZE = range(3)
# a region diverges so often, and is stopped the next time
RESETS = 8
# `diverged` holds a count for each region, then for each time: the tick, what left the range, what was done (a policy),
# and the largest number that edges had brought
TOLD_TICK, TOLD_REASON, TOLD_ACTION, TOLD_INPUT = range(4)
N_TOLD = 4
N_DIVERGED = 1 + N_TOLD * (RESETS + 1)
# what left the range: 1 + port where it is not finite, 11 + port where it exploded; or what a kernel scored
NOT_FINITE, TOO_LARGE, LOSS_LEFT, ENERGY_LEFT, UPDATE_LEFT = 1, 11, 21, 22, 23
REASONS = [NOT_FINITE + port for port in range(5)] + [TOO_LARGE + port for port in range(5)] + [
    LOSS_LEFT, ENERGY_LEFT, UPDATE_LEFT]
# a number has exploded that is so many times as large as what the region was given, which counts as 1 at least
EXPLODED = 1e9
LARGEST = 3e38
# or whose square is no float32 any more: a kind that keeps variances would hold infinity from then on
SQUARABLE = 1e18
# up to this mean of squares none of a million errors has exploded
LARGE_LOSS = 1e12
# the ports that are written in predict, compare and update, as bits, and all of them; from LISTED on, a port is listed
WRITTEN, ALL, LISTED = (1, 18, 12), 31, 32
# due ticks from one image of a region that is to be frozen to the next, as a power of two
IMAGES_EVERY = 10
f32 = np.float32


@compiled
def watch(T, r, step, t):
    """Look at what the kernels of a step have written at tick `t` (-1: of all steps)."""
    if _suspicious(T, r, step):
        judge(T, r, step, t)


@compiled
def _suspicious(T, r, step):
    """Whether anything is so large, or no number, that one has to look closer."""
    if step < 0 or step == 2:
        at = T.regions[r, SCORE_AT]
        if not (abs(T.reals[at]) <= LARGE_LOSS and abs(T.reals[at + 1]) <= EXPLODED) or abs(
                T.reals[at + SCORED_ENERGY]) == math.inf:
            return True
    if step < 0 and T.status[r, ON] == 1:
        if T.regions[r, WATCHED] == 0:
            return False
        ports = np.int64(T.regions[r, WATCHED])
    else:
        ports = _written(T, r, step)
    return _port_beyond(T, r, ports, f32(EXPLODED)) >= 0


@compiled
def _written(T, r, step):
    """The ports that a step has written, as bits; without its target a region only predicts."""
    if step >= 0:
        return np.int64(WRITTEN[step]) * (1 + LISTED)
    return np.int64(ALL * (1 + LISTED) if T.status[r, ON] != 2 else 1 + LISTED)


@compiled
def _port_beyond(T, r, ports, limit):
    """The first of these ports with a number that is not within +-`limit`; -1 where there is none."""
    regions = T.regions
    due = T.status[r, DUE]
    for port in range(regions[r, PORTS], regions[r, PORTS_END]):
        p = PORT + 3 * port
        size = regions[r, p + 1]
        at = regions[r, p] + (due & regions[r, p + 2]) * size
        if (ports & regions[r, WATCHED]) >> port & LISTED:
            # zero but for what it lists
            row = regions[r, LIST_AT] + (due & regions[r, LIST_MASK]) * regions[r, LIST_SIZE]
            for k in range(T.active[row]):
                if not abs(T.signals[at + T.active[row + 1 + k]]) <= limit:
                    return port
        elif ports >> port & 1 and size and beyond(T.signals, at, size, limit) != 0:
            return port
    return -1


@apart
def judge(T, r, step, t):
    """Hold what is large against what the region was given; where it has diverged, do as its policy says."""
    given = _given(T, r, step)
    limit = min(EXPLODED * max(1.0, given, _known(T, r)), SQUARABLE)
    reason = _reason(T, r, step, limit)
    if reason == 0:
        return
    if T.learn:
        diverge(T, r, t, reason, given)
    elif T.status[r, BAD] < 0:
        # a question or an imagination: whoever asked looks at this
        T.status[r, BAD] = t


@compiled
def _reason(T, r, step, limit):
    """What has left the range; 0 where all is well."""
    ports = _written(T, r, step)
    port = _port_beyond(T, r, ports, f32(LARGEST))
    if port >= 0:
        return NOT_FINITE + port
    port = _port_beyond(T, r, ports, f32(limit))
    if port >= 0:
        return TOO_LARGE + port
    if step < 0 or step == 2:
        at = T.regions[r, SCORE_AT]
        if not math.isfinite(T.reals[at]):
            return LOSS_LEFT
        if abs(T.reals[at + SCORED_ENERGY]) == math.inf:
            return ENERGY_LEFT
        if not abs(T.reals[at + 1]) <= limit:
            return UPDATE_LEFT
    return 0


@apart
def _given(T, r, step):
    """The largest number that edges brought in for this step or one before it at this tick."""
    regions, words, largest = T.regions, T.words, 0.0
    view = regions[r, VIEW]
    roles = 4
    if step == 1:
        roles = 3
    elif step == 0:
        roles = 3 if regions[r, EARLY] & words[view + W_SPAN] else 1
    for role in range(roles):
        e = regions[r, CONTEXT + 2 * role]
        if e == regions[r, CONTEXT + 2 * role + 1]:
            continue
        cell = view + W_CONTEXT + 2 * role
        address, n = words[cell], words[cell + 1]
        direct = T.edges[e, E_DIRECT] and address != T.gathered_address + 4 * np.int64(T.edges[e, E_TO])
        place = (address - (T.signals_address if direct else T.gathered_address)) // 4
        for i in range(n):
            value = abs(np.float64(T.signals[place + i] if direct else T.gathered[place + i]))
            largest = value if value > largest else largest
    return largest


@apart
def _known(T, r):
    """The largest number in the last target and in the mean of all."""
    largest, at = 0.0, T.regions[r, BASELINE]
    for i in range(2 * T.regions[r, N_TARGET]):
        value = abs(np.float64(T.baselines[at + i]))
        largest = value if value > largest else largest
    return largest


@apart
def diverge(T, r, t, reason, given):
    """Silence a region at this tick, note it, and stop the region, reset it or freeze it."""
    regions, status = T.regions, T.status
    _silence(T, r, t)
    count = T.diverged[r, 0]
    action = T.policies[r, POLICY]
    if regions[r, FROZEN] or count >= RESETS:
        # what does not learn, or has begun anew so often, would diverge again
        action = STOP
    place = 1 + N_TOLD * count
    T.diverged[r, place + TOLD_TICK] = t
    T.diverged[r, place + TOLD_REASON] = reason
    T.diverged[r, place + TOLD_ACTION] = action
    T.diverged[r, place + TOLD_INPUT] = np.int64(min(given, 1e18))
    T.diverged[r, 0] = count + 1
    if status[r, BAD] < 0:
        status[r, BAD] = t
    if action == STOP:
        status[r, HALTED] = 1
        return
    image = np.int64(0)
    if action == FREEZE:
        # the elder of two
        image = ((status[r, DUE] >> IMAGES_EVERY) + 1) & 1
        regions[r, FROZEN] = 1
    words = T.policies[r, WORDS]
    to, at = T.policies[r, STORE], T.policies[r, IMAGE] + image * words
    for k in range(words):
        T.store_words[to + k] = T.images[at + k]
    _reset_rate(T, r)
    status[r, RESET] = 1


@compiled
def _silence(T, r, t):
    """Let a region be silent at this tick, as if it had not been due."""
    regions, due = T.regions, T.status[r, DUE]
    for port in range(regions[r, PORTS], regions[r, PORTS_END]):
        size = regions[r, PORT + 3 * port + 1]
        if size:
            clear(T.signals, port_at(T, r, port, due), size)
    if regions[r, LIST_AT] >= 0:
        T.active[regions[r, LIST_AT] + (due & regions[r, LIST_MASK]) * regions[r, LIST_SIZE]] = 0
    T.counts[regions[r, COUNT_AT] + (t & regions[r, COUNT_MASK])] = -1
    T.status[r, ON] = 0


@compiled
def _reset_rate(T, r):
    """Let a learning rate that changes start again from what was set, and from no trace."""
    regions, reals = T.regions, T.reals
    if regions[r, RATE] >= 0:
        at = regions[r, SCORE_AT]
        reals[regions[r, RATE]] = T.defaults[regions[r, RATE]] = reals[at + BASE_RATE]
        for k in range(UPDATES, STANDING + 1):
            reals[at + k] = 0.0
    for k in range(T.policies[r, TRACE_SIZE]):
        T.gradients[T.policies[r, TRACE] + k] = f32(0.0)


@compiled
def keep_image(T, r):
    """At times, keep the arrays of a region that learns and is to be frozen should it diverge."""
    due = T.status[r, DUE]
    if due & ((1 << IMAGES_EVERY) - 1) == 0:
        _keep(T, r, due)


@apart
def _keep(T, r, due):
    if T.policies[r, POLICY] != FREEZE or T.words[T.regions[r, VIEW] + W_LEARN] == 0:
        return
    words, at = T.policies[r, WORDS], T.policies[r, STORE]
    to = T.policies[r, IMAGE] + ((due >> IMAGES_EVERY) & 1) * words
    for k in range(words):
        T.images[to + k] = T.store_words[at + k]
