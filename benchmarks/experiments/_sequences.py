"""The high-order sequences of Cui, Ahmad and Hawkins (2016): decoding, scores, and tables to compare with.

The stream is ``cortexsim.sources.symbols``. At element 10,000 the endings of each pair of sequences are swapped: what
was learned is wrong then.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.experiments._series import data_file
from cortexsim.encoders import RandomCodes
from cortexsim.sources.symbols import Stream

ELEMENTS, SWAP, WINDOW = 20_000, 10_000, 100
Whole = NDArray[np.int64]
Floats = NDArray[np.float32]


@cache
def published() -> dict[str, Any]:
    """The published figures."""
    return json.loads(data_file("sequences", "high_order_sequences.json").read_text(encoding="utf-8"))["published"]


class Decoder:
    """Finds the symbol whose code has the largest overlap with predicted columns; ties are drawn.

    An inverted list, column -> symbols, makes the cost follow the number of predicted columns.
    """

    def __init__(self, codes: RandomCodes, seed: int) -> None:
        columns = codes.units.ravel()
        order = np.argsort(columns, kind="stable")
        self.start = np.searchsorted(columns[order], np.arange(codes.size + 1))
        self.symbols = order // codes.active
        self.n = codes.count
        self.rng = np.random.default_rng([seed, 2])

    def __call__(self, predictions: Floats) -> Whole:
        """The symbols that rows of predicted columns stand for; -1 where nothing is predicted."""
        draws = self.rng.integers(0, 1 << 30, len(predictions))
        return _decode(predictions, self.start, self.symbols, self.n, draws)


@njit(cache=True)
def _decode(predictions, start, symbols, n, draws):
    out, overlap = np.full(len(predictions), -1), np.zeros(n, np.int32)
    for t in range(len(predictions)):
        overlap[:] = 0
        for column in range(predictions.shape[1]):
            if predictions[t, column] != 0:
                for k in range(start[column], start[column + 1]):
                    overlap[symbols[k]] += 1
        most = overlap.max()
        left = draws[t] % (overlap == most).sum()
        for symbol in range(n if most > 0 else 0):
            if overlap[symbol] == most:
                if left == 0:
                    out[t] = symbol
                    break
                left -= 1
    return out


def table_guesses(symbols: Whole, orders: list[int]) -> Whole:
    """Guesses of a lookup table: what followed the last symbols when last seen, by the first order that knows.

    Parameters
    ----------
    symbols : int array
    orders : list of int
        How many of the last symbols are looked up, one after the other; a single one never backs off.

    Returns
    -------
    int array
        The guess of each symbol before it is seen; -1: none.
    """
    tables: dict[int, dict[tuple[int, ...], int]] = {order: {} for order in orders}
    out, seen = np.full(len(symbols), -1), symbols.tolist()
    for t, symbol in enumerate(seen):
        keys = {order: tuple(seen[t - order : t]) for order in orders if t >= order}
        out[t] = next((tables[order][key] for order, key in keys.items() if key in tables[order]), -1)
        for order, key in keys.items():
            tables[order][key] = symbol
    return out


def score(stream: Stream, guesses: Whole, swap: int = SWAP) -> dict[str, float]:
    """Accuracy at the ends of sequences: over the last 100 before the swap and at the end, and when it is back.

    Parameters
    ----------
    stream : Stream
    guesses : int array [elements]
        For its first elements.
    swap : int

    Returns
    -------
    dict
        ``before``, ``after``; ``learned`` and ``relearned``: elements until the last 100 ends (of those since the
        swap) were all right; infinite where that never was.
    """
    ends = np.flatnonzero(stream.ends(0, len(guesses)))
    right = guesses[ends] == stream.symbols(0, len(guesses))[ends]
    found = {}
    for name, accuracy, part, start in (("learned", "before", ends < swap, 0),
                                        ("relearned", "after", ends >= swap, swap)):
        moving = np.convolve(right[part], np.full(WINDOW, 1 / WINDOW), "valid")
        perfect = np.flatnonzero(moving > 1 - 1e-9)
        found[accuracy] = float(moving[-1])
        found[name] = float(ends[part][perfect[0] + WINDOW - 1] + 1 - start) if len(perfect) else np.inf
    return found
