"""The plain twin of ``temporal_memory``, from its rules: looks at every segment at every tick, keeps no lists.

It makes the same random choices as the kernels, and keeps permanences in float32 as they do: a synapse that crosses a
threshold one tick later would be another memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FREE, MADE, USES, SYNAPSES, FULL_CELL, FULL_REGION, FULL_SEGMENT, TOO_SMALL = range(8)
PARITY, OWN, OWN_END = 3, 11, 12
f32, SLACK = np.float32, np.float32(1e-6)
WORD = 1 << 64


def mixed(a: int, b: int) -> int:
    """splitmix64, without its two lowest bits."""
    x = (int(a) + int(b) * 0x9E3779B97F4A7C15) % WORD
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB % WORD
    return (x ^ x >> 31) >> 2


def below(x: int, n: int) -> int:
    """A number below n from a random one."""
    return ((x & 0xFFFFFFFF) * n) >> 32


def units(r: Any, s: int) -> np.ndarray:
    """What the synapses of a segment point to."""
    return r.synapses[s, : r.n_synapses[s]]


def on(r: Any, s: int) -> np.ndarray:
    """Which of its synapses find their unit active."""
    return r.context[units(r, s)] != 0


def potential(r: Any, s: int) -> int:
    """How many do."""
    return int(on(r, s).sum())


def is_active(r: Any, s: int) -> bool:
    """Whether enough of them are connected."""
    connected = r.permanences[s, : r.n_synapses[s]] >= f32(r.connected) - SLACK
    return int((on(r, s) & connected).sum()) >= r.activation_threshold


def predict(r: Any) -> None:
    """Columns of cells with an active segment."""
    living = np.flatnonzero(r.segment_cell >= 0)
    r.found = {int(s): (potential(r, s), is_active(r, s)) for s in living[np.argsort(r.born[living])]}
    r.prediction[:] = 0
    for s, (_, active) in r.found.items():
        if active:
            r.prediction[r.segment_cell[s] // r.cells_per_column] = 1


def compare(r: Any) -> None:
    """Error, and how much was not expected."""
    r.error[:] = r.target - r.prediction
    there = r.target != 0
    r.anomaly[0] = (there & (r.prediction == 0)).sum() / max(1, there.sum())


def update(r: Any) -> None:
    """Activate cells, learn, score."""
    former = r.winners[r.work[PARITY]]
    former = former[1 : 1 + former[0]] + r.work[OWN]
    others = [u for u in r.active if not r.work[OWN] <= u < r.work[OWN_END]]
    r.onto = [int(u) for u in former if r.context[u] != 0] if r.work[OWN_END] > r.work[OWN] else []
    r.onto = r.onto + [int(u) for u in others] if r.learn and r.grow else []
    r.tally = np.zeros(4)
    r.state[:] = 0
    winners, bare = [], []
    for c in range(len(r.prediction)):
        mine = {s: how for s, how in r.found.items() if r.segment_cell[s] // r.cells_per_column == c}
        if r.target[c] != 0:
            winners += activate(r, c, mine, bare, len(winners))
        elif r.learn and r.predicted_decrement > 0:
            for s in [s for s, (n, _) in mine.items() if n >= r.min_threshold]:
                punish(r, s)
    for c, place in bare:
        winners[place] = least_used(r, c)
        if r.onto:
            create(r, winners[place])
    listed = np.flatnonzero(r.state)
    r.active_out[: 1 + len(listed)] = [len(listed), *listed]
    r.work[PARITY] = 1 - r.work[PARITY]
    r.winners[r.work[PARITY], : 1 + len(winners)] = [len(winners), *winners]
    score(r)


def activate(r: Any, c: int, mine: dict, bare: list, n: int) -> list[int]:
    """Cells of a column that is there; returns its winners (-1 where one is to be found)."""
    predictive = sorted({int(r.segment_cell[s]) for s, (_, active) in mine.items() if active})
    if predictive:
        r.state[predictive] = 1
        for s in [s for s, (_, active) in mine.items() if active and r.learn]:
            learn(r, s, mine[s][0])
        return predictive
    cells = [cell for cell in range(c * r.cells_per_column, (c + 1) * r.cells_per_column) if not r.dead[cell]]
    r.state[cells] = 1
    matching = [s for s, (k, _) in mine.items() if k >= r.min_threshold]
    if matching:
        best = max(matching, key=lambda s: (mine[s][0], -r.born[s]))
        cell = int(r.segment_cell[best])
        if r.learn:
            learn(r, best, mine[best][0])
        return [cell]
    if not cells:
        return []
    bare.append((c, n))
    return [-1]


def least_used(r: Any, c: int) -> int:
    """The living cell with the fewest segments."""
    cells = [cell for cell in range(c * r.cells_per_column, (c + 1) * r.cells_per_column) if not r.dead[cell]]
    counts = [int((r.segment_cell == cell).sum()) for cell in cells]
    ties = [cell for cell, count in zip(cells, counts, strict=True) if count == min(counts)]
    return ties[below(mixed(mixed(r.seed[0], r.tick), -1 - c), len(ties))]


def adapt(r: Any, s: int, up: f32, down: f32) -> int:
    """Change permanences, and drop what is at zero; returns how many were active."""
    n, active = r.n_synapses[s], on(r, s)
    before = r.permanences[s, :n].copy()
    after = np.where(active, np.minimum(before + f32(up), f32(1)), before - f32(down)).astype(f32)
    kept = ~((after < SLACK) & (after < before))
    places = r.synapses[s, :n][kept]
    write(r, s, places, after[kept])
    return int(active.sum())


def write(r: Any, s: int, places: Any, permanences: Any) -> None:
    """Put the synapses of a segment in its row."""
    r.counters[SYNAPSES] += len(places) - r.n_synapses[s]
    r.synapses[s], r.permanences[s] = -1, 0
    r.synapses[s, : len(places)], r.permanences[s, : len(places)] = places, permanences
    r.n_synapses[s] = len(places)


def learn(r: Any, s: int, overlap: int) -> None:
    """Reinforce and grow a segment that was right."""
    n = int(r.n_synapses[s])
    up = adapt(r, s, r.increment, r.decrement)
    r.tally[:2] += up, n - up
    if overlap < r.new_synapses and r.onto:
        grow(r, s, r.new_synapses - overlap)
    if not left_small(r, s, n):
        r.used[s] = r.counters[USES]
        r.counters[USES] += 1


def left_small(r: Any, s: int, n: int) -> bool:
    """A segment that can never match again goes."""
    small = r.n_synapses[s] < min(n, r.min_threshold, r.activation_threshold)
    if small:
        destroy(r, s)
        r.counters[TOO_SMALL] += 1
    return bool(small)


def punish(r: Any, s: int) -> None:
    """A segment that was wrong."""
    n = int(r.n_synapses[s])
    r.tally[2] += adapt(r, s, -r.predicted_decrement, f32(0))
    left_small(r, s, n)


def grow(r: Any, s: int, want: int) -> None:
    """New synapses on candidates that it does not have."""
    have, permanences = list(units(r, s)), list(r.permanences[s, : r.n_synapses[s]])
    pool = [u for u in r.onto if u not in have]
    n = len(pool)
    want = min(want, n, r.max_synapses)
    x = mixed(mixed(r.seed[0], r.tick), r.born[s])
    few = want <= n // 2
    for j in range(want if few else n - want):
        x = mixed(x, j + 1)
        i = below(x, n - j)
        if few:
            pool[j], pool[j + i] = pool[j + i], pool[j]
        else:
            pool[i] = pool[n - j - 1]
    while len(have) + want > r.max_synapses:
        weakest = int(np.argmin(permanences))
        del have[weakest], permanences[weakest]
        r.counters[FULL_SEGMENT] += 1
    write(r, s, have + pool[:want], permanences + [r.initial_permanence] * want)
    r.tally[3] += want


def destroy(r: Any, s: int) -> None:
    """A segment goes."""
    write(r, s, [], [])
    r.segment_cell[s], r.born[s], r.used[s] = -1, 0, 0
    r.free[r.counters[FREE]] = s
    r.counters[FREE] += 1


def create(r: Any, cell: int) -> None:
    """A new segment of a cell, within the caps."""
    while len(own := np.flatnonzero(r.segment_cell == cell)) >= r.max_segments_per_cell:
        destroy(r, own[np.argmin(r.used[own])])
        r.counters[FULL_CELL] += 1
    if r.counters[FREE] == 0:
        destroy(r, int(np.argmin(r.used)))
        r.counters[FULL_REGION] += 1
    r.counters[FREE] -= 1
    s = r.free[r.counters[FREE]]
    r.segment_cell[s], r.born[s], r.used[s] = cell, r.counters[MADE], r.counters[USES]
    r.counters[MADE] += 1
    r.counters[USES] += 1
    grow(r, s, r.new_synapses)


def score(r: Any) -> None:
    """What the curve shows."""
    squares = np.array([r.increment, r.decrement, r.predicted_decrement, r.initial_permanence], float) ** 2
    r.score[0] = (r.error.astype(float) ** 2).mean()
    r.score[1] = np.sqrt((r.tally * squares).sum() / max(1, r.counters[SYNAPSES]))
    r.score[2] = 1 - len(np.unique(r.segment_cell[r.segment_cell >= 0])) / len(r.dead)
    r.score[3] = 1 - r.counters[FREE] / len(r.free)
    r.score[7] = r.anomaly[0]
