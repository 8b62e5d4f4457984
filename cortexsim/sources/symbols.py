"""Streams of symbols with a long context: the usual tests of sequence memories, with what is needed to score them.

One source, ``symbol``: a code of one symbol a tick. Sequences follow one another without a mark or a reset:

``sequences``
    Eight sequences of seven or eight symbols, in pairs that share their middle, so that the last symbol follows from
    the first. They are drawn evenly; after each comes one of 5,000 noise symbols. From tick `swap_at` on the last
    symbols of each pair are exchanged. The seed renames the ten symbols.
``reber``
    Walks through Reber's graph of states, from B to E; where two symbols may follow they are equally likely.
``embedded_reber``
    After the first B comes a T or a P, then a whole Reber sequence, and then the same symbol again.

`Stream.symbols`, `ends`, `far` and `legal` tell what happens at given ticks, without moving the stream: a score is
computed from them and the predictions. Cost: about a tenth of a microsecond a tick, and the writing of the rows.

Sources: Y. Cui, S. Ahmad and J. Hawkins, Neural Computation 28 (2016) 2474-2504, doi:10.1162/NECO_a_00893; A. S. Reber,
Journal of Verbal Learning and Verbal Behavior 6 (1967) 855-863, doi:10.1016/S0022-5371(67)80149-X; embedded: S. E.
Fahlman, NeurIPS 3 (1990) 190-196.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortexsim.encoders.random_codes import RandomCodes
from cortexsim.errors import InputError, nearest
from cortexsim.sources import block_rng, whole_number

_WHERE = "stream 'symbols'"
_BLOCK = 256  # sequences drawn at once

#: The eight sequences, and with the last symbols exchanged.
SEQUENCES = ((6, 8, 7, 4, 2, 3, 0), (1, 8, 7, 4, 2, 3, 5), (6, 3, 4, 2, 7, 8, 5), (1, 3, 4, 2, 7, 8, 0),
             (0, 9, 7, 8, 5, 3, 4, 1), (2, 9, 7, 8, 5, 3, 4, 6), (0, 4, 3, 5, 8, 7, 9, 6), (2, 4, 3, 5, 8, 7, 9, 1))
SWAPPED = tuple((*SEQUENCES[k][:-1], SEQUENCES[k ^ 1][-1]) for k in range(8))
#: Reber's graph: from a state to another, with which symbol. It begins in state 0 and ends in state 7.
REBER = ((0, 1, "B"), (1, 2, "T"), (1, 3, "P"), (2, 2, "S"), (2, 4, "X"), (3, 3, "T"), (3, 5, "V"), (4, 6, "S"),
         (4, 3, "X"), (5, 6, "V"), (5, 4, "P"), (6, 7, "E"))
REBER_SYMBOLS = "BTSXPVE"
GRAMMARS = ("sequences", "reber", "embedded_reber")

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_Edge = tuple[Any, Any, str]


class _Drawn(NamedTuple):
    """Some sequences, one after the other: arrays [ticks]."""

    symbols: Ints
    states: Ints  # rows of the table of legal symbols
    ends: Flags
    far: Flags

    def cut(self, first: int, last: int) -> _Drawn:
        """Give some of these ticks."""
        return _Drawn(self.symbols[first:last], self.states[first:last], self.ends[first:last], self.far[first:last])


class _Sequences:
    """Sequences drawn evenly, each followed by a noise symbol."""

    def __init__(self, swap_at: int, noise: int, seed: int) -> None:
        self.swap_at, self.noise = swap_at, noise
        order = block_rng("symbols names", seed, 0).permutation(10)
        self.names = [str(k) for k in range(10)] + [f"noise{k}" for k in range(noise)]
        states: dict[tuple[int, ...], int] = {}  # what was seen of a sequence -> row
        legal: list[list[int]] = []
        width = max(map(len, SEQUENCES)) + (noise > 0)
        self._symbols = np.zeros((2, 8, width), np.int64)
        self._states = np.zeros((2, 8, width), np.int64)
        self._lengths = np.array([len(sequence) for sequence in SEQUENCES])
        for half, sequences in enumerate((SEQUENCES, SWAPPED)):
            renamed = [tuple(order[list(sequence)].tolist()) for sequence in sequences]
            for k, sequence in enumerate(renamed):
                for place in range(len(sequence)):
                    seen = (half, *sequence[:place])
                    if seen not in states:
                        states[seen] = len(legal)
                        legal.append(sorted({s[place] for s in renamed if s[:place] == seen[1:]}))
                    self._states[half, k, place] = states[seen]
                self._symbols[half, k, :len(sequence)] = sequence
        self.legal = np.zeros((len(legal) + 1, len(self.names)), bool)
        for row, symbols in enumerate(legal):
            self.legal[row, symbols] = True
        self.legal[-1, 10:] = True

    def draw(self, rng: np.random.Generator, start: int) -> _Drawn:
        """Draw the sequences of a block that begins at tick `start`."""
        chosen = rng.integers(8, size=_BLOCK)
        lengths = self._lengths[chosen]
        starts = start + np.cumsum(lengths + (self.noise > 0)) - lengths - (self.noise > 0)
        half = ((starts >= self.swap_at) & (self.swap_at > 0)).astype(np.int64)
        symbols, states = self._symbols[half, chosen], self._states[half, chosen]
        if self.noise:
            noisy = np.arange(_BLOCK), lengths
            symbols[noisy] = 10 + rng.integers(self.noise, size=_BLOCK)
            states[noisy] = len(self.legal) - 1
        place = np.arange(symbols.shape[1])
        held = place < lengths[:, None] + (self.noise > 0)
        ends = (place == lengths[:, None] - 1)[held]
        return _Drawn(symbols[held], states[held], ends, ends)


class _Walks:
    """Walks through a graph of states, from the first edge's state until no edge leaves."""

    def __init__(self, edges: Sequence[_Edge], names: list[str], far: Sequence[Any]) -> None:
        self.names = names
        places = {state: k for k, state in enumerate(dict.fromkeys(s for edge in edges for s in edge[:2]))}
        known = len(places)
        leaving = [[(places[b], names.index(symbol)) for a, b, symbol in edges if a == state] for state in places]
        self._choices = np.array([len(edges) for edges in leaving])
        self._next = np.zeros((known, max(self._choices), 2), np.int64)  # state and symbol
        self.legal = np.zeros((known, len(names)), bool)
        for k, moves in enumerate(leaving):
            for choice, move in enumerate(moves):
                self._next[k, choice] = move
                self.legal[k, move[1]] = True
        self._far = np.array([state in far for state in places])

    def draw(self, rng: np.random.Generator, start: int) -> _Drawn:
        """Draw the sequences of a block; where it begins makes no difference."""
        state = np.zeros(_BLOCK, np.int64)
        walked, symbols = [], []
        while self._choices[state].any():  # all walks of the block go on together until the last has ended
            choice = (rng.random(_BLOCK) * self._choices[state]).astype(np.int64)
            walked.append(state)
            state, symbol = self._next[state, choice].T
            symbols.append(symbol)
            # one that has ended stays where it is
            state = np.where(self._choices[walked[-1]] > 0, state, walked[-1])
        states = np.array(walked).T
        held = self._choices[states] > 0
        ends = np.zeros(held.shape, bool)
        ends[np.arange(_BLOCK), held.sum(axis=1) - 1] = True
        return _Drawn(np.array(symbols).T[held], states[held], ends[held], self._far[states[held]])


def _walks(edges: Sequence[_Edge], embedded: bool) -> _Walks:
    """Walks through a graph of states, checked; embedded between B and E, and T or P twice."""
    if not edges or not all(len(edge) == 3 and isinstance(edge[2], str) and edge[2] for edge in edges):
        raise InputError(_WHERE, "edges must be a list of [from, to, symbol]", edges)
    edges = [(a, b, symbol) for a, b, symbol in edges]
    ends = {b for _, b, _ in edges} - {a for a, _, _ in edges}
    able, more = set(ends), set(ends)
    while more:
        more = {a for a, b, _ in edges if b in able} - able
        able |= more
    stuck = [state for edge in edges for state in edge[:2] if state not in able]
    if stuck:
        raise InputError(_WHERE, "edges must lead from every state to one that none leaves", stuck[0])
    if embedded:
        inner, edges = edges, [("start", "first", "B")]
        for symbol in "TP":
            edges.append(("first", (symbol, inner[0][0]), symbol))
            edges += [((symbol, a), (symbol, b), said) for a, b, said in inner]
            edges += [((symbol, end), "last", symbol) for end in ends]
        edges.append(("last", "end", "E"))
    said = dict.fromkeys(edge[2] for edge in edges)
    names = list(REBER_SYMBOLS) if set(said) <= set(REBER_SYMBOLS) else list(said)
    return _Walks(edges, names, [(symbol, end) for symbol in "TP" for end in ends] if embedded else [])


class Stream:
    """Symbols of a grammar; the text of this module says which there are.

    Parameters
    ----------
    grammar : {"sequences", "reber", "embedded_reber"}
    code : {"one_hot", "sparse"}
        One unit for each symbol, or random sparse codes (`cortexsim.encoders.RandomCodes`).
    columns, active : int
        Units of a sparse code, and of these the ones.
    swap_at : int
        Sequences that begin at this tick or later have their last symbols exchanged; 0: never.
    noise : int
        How many noise symbols there are; 0: none follow the sequences.
    edges : sequence of (state, state, str)
        Of the graph that `reber` and `embedded_reber` walk through: from a state to another, with which symbol. Walks
        start where the first edge does, and end where none leaves.
    seed : int
        Of everything that is drawn: order, names, noise, codes.

    Attributes
    ----------
    names : list of str
        Of the symbols, in the order of their numbers.
    encoder : RandomCodes or None
        Decodes predictions of a sparse code; None where the code is one-hot.
    position : int
        The tick that comes next.

    Raises
    ------
    InputError
        An option is out of range.

    Examples
    --------
    >>> stream = Stream("embedded_reber", seed=4)
    >>> stream.shapes(), stream.read(500)["symbol"].shape
    ({'symbol': (7,)}, (500, 7))
    >>> "".join(stream.names[k] for k in stream.symbols(0, 24))
    'BTBTSSSSXXVVETEBTBTXSETE'
    >>> stream.legal(0, 3).astype(int).tolist(), stream.far(0, 15).nonzero()[0].tolist()
    ([[1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0]], [13])
    """

    length = None  # they never end

    def __init__(self, grammar: str = "sequences", code: str = "one_hot", columns: int = 2048, active: int = 41,
                 swap_at: int = 10_000, noise: int = 5000, edges: Sequence[_Edge] = REBER,
                 seed: int = 0) -> None:
        if grammar not in GRAMMARS:
            raise InputError(_WHERE, f"knows no grammar {grammar!r}", hint=nearest(str(grammar), GRAMMARS))
        if code not in ("one_hot", "sparse"):
            raise InputError(_WHERE, "code must be 'one_hot' or 'sparse'", code)
        self.grammar, self.code = grammar, code
        self.seed = whole_number(_WHERE, "seed", seed, 0)
        swap_at, noise = whole_number(_WHERE, "swap_at", swap_at, 0), whole_number(_WHERE, "noise", noise, 0)
        self._grammar = (_Sequences(swap_at, noise, self.seed) if grammar == "sequences" else
                         _walks(edges, grammar == "embedded_reber"))
        self.names = self._grammar.names
        self.encoder = RandomCodes(len(self.names), columns, active, self.seed) if code == "sparse" else None
        self._size = columns if self.encoder else len(self.names)
        self._starts = [0]  # ticks at which blocks begin, as far as they were reached
        self._drawn: dict[int, _Drawn] = {}  # the last few blocks
        self.position = 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample of each source."""
        return {"symbol": (self._size,)}

    def seek(self, tick: int) -> None:
        """Go to `tick`; what lies before it and was never reached is drawn on the way, without its rows."""
        self.position = whole_number(_WHERE, "tick", tick, 0)

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next `n` ticks, float32 [n, size]; they never end."""
        symbols = self.symbols(self.position, self.position + n)
        self.position += len(symbols)
        if self.encoder:
            return {"symbol": self.encoder.encode(symbols)}
        rows = np.zeros((len(symbols), self._size), np.float32)
        rows[np.arange(len(symbols)), symbols] = 1
        return {"symbol": rows}

    def symbols(self, start: int, stop: int) -> Ints:
        """Give the number of the symbol of each tick from `start` to before `stop`, int [n]."""
        return self._span(start, stop).symbols

    def ends(self, start: int, stop: int) -> Flags:
        """Tell of each tick whether its symbol is the last of a sequence (noise not counted), bool [n]."""
        return self._span(start, stop).ends

    def far(self, start: int, stop: int) -> Flags:
        """Tell of each tick whether its symbol follows only from one that lies long before it, bool [n].

        These are the last ones of `sequences`, and the second T or P of `embedded_reber`; `reber` has none.
        """
        return self._span(start, stop).far

    def legal(self, start: int, stop: int) -> Flags:
        """Tell which symbols could have come at each tick, given all those before it, bool [n, symbols]."""
        return self._grammar.legal[self._span(start, stop).states]

    def _span(self, start: int, stop: int) -> _Drawn:
        start, stop = whole_number(_WHERE, "start", start, 0), whole_number(_WHERE, "stop", stop, 0)
        pieces, tick = [self._block(0)[1].cut(0, 0)], start
        while tick < stop:
            begin, drawn = self._block(self._number(tick))
            pieces.append(drawn.cut(tick - begin, stop - begin))
            tick += len(pieces[-1].symbols)
        return _Drawn(*map(np.concatenate, zip(*pieces, strict=True)))

    def _number(self, tick: int) -> int:
        """Give the number of the block that a tick lies in, drawing any that were never reached."""
        while self._starts[-1] <= tick:
            self._block(len(self._starts) - 1)
        return int(np.searchsorted(self._starts, tick, side="right")) - 1

    def _block(self, number: int) -> tuple[int, _Drawn]:
        begin = self._starts[number]
        if number not in self._drawn:
            if len(self._drawn) > 7:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[number] = self._grammar.draw(block_rng(f"symbols {self.grammar}", self.seed, number), begin)
            if number + 1 == len(self._starts):
                self._starts.append(begin + len(self._drawn[number].symbols))
        return begin, self._drawn[number]
