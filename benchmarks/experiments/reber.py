"""Reber grammars as one endless stream: does a graph of regions carry a symbol over a stretch of any length?

A walk through Reber's graph of states makes a sequence from B to E; where two symbols may follow they are equally
likely. In the embedded grammar a T or a P comes after the first B, a whole Reber sequence follows, and then the same
symbol must come again. Sequences follow one another without a mark or a reset, and there is one pass, so that every
prediction is made before its symbol was seen.

The graph knows nothing of the grammar. For every symbol and lag it has a *memory*: a region that is due that long after
the symbol, and holds what came then until it is due again. A *reader* for each symbol predicts, in the tick after its
symbol came, from all memories and the latest symbols; "next" mixes the readers. The reader of E finds that what came
two ticks after the last E must come again. Other inner grammars, drawn at random, show that nothing is made to measure.
A memory is overwritten when its symbol comes again: an embedded sequence inside an embedded one is out of its reach.
Without memories a little of the long-range symbol is foretold, because weights that learn fast remember it for a while.

Sources: A. S. Reber, Journal of Verbal Learning and Verbal Behavior 6 (1967) 855-863,
doi:10.1016/S0022-5371(67)80149-X; embedded: S. E. Fahlman, NeurIPS 3 (1990) 190-196; cells that a gate opens: S.
Hochreiter and J. Schmidhuber, Neural Computation 9 (1997) 1735-1780, doi:10.1162/neco.1997.9.8.1735; epochs: R. C.
O'Reilly et al., Journal of Cognitive Neuroscience 33 (2021) 1158-1196, doi:10.1162/jocn_a_01708.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs
from benchmarks.measures import Goal, Result

SEEDS = 5
TICKS, SCORED = 30_000, 5_000
SYMBOLS = "BTSXPVE"
LAGS, ORDER = (1, 2, 3), 3  # of the memories; symbols that a reader sees
RATE = 2.0  # of readers and mixer at first
HALF, MIX_HALF = 300, 1_000  # updates after which it is half of that
COLUMNS, ACTIVE = 512, 20  # of a temporal memory, and of its code of a symbol
ORDERS = (2, 3, 6, 12)  # of the tables
GRAMMARS = 4  # random ones, a seed
EPOCH, FLAWLESS = 25, 5  # sequences; epochs without an error in a row
ABOVE_IDEAL = 0.05  # bits
# long-range symbol on the same task, measured once with other libraries, one online pass
ELSEWHERE = {"LSTM elsewhere": 0.91, "GRU elsewhere": 1.00, "echo state network elsewhere": 0.82,
             "C++ temporal memory elsewhere": 0.48}
LEGAL, LONG = "share of ticks at which the likeliest symbol is a legal one", "share of long-range symbols foretold"
GOALS = {
    "legal": Goal(0.995, "higher", f"{LEGAL}, Reber grammar"),
    "embedded_legal": Goal(0.995, "higher", f"{LEGAL}, embedded Reber grammar"),
    "long_range": Goal(0.95, "higher", f"{LONG}, embedded Reber grammar"),
    "other_grammars": Goal(0.95, "higher", f"{LONG}, mean of {GRAMMARS} random embedded grammars"),
    "bits": Goal(f"{ABOVE_IDEAL} above the ideal", "lower", "code length, Reber grammar", "bits/symbol"),
    "embedded_bits": Goal(f"{ABOVE_IDEAL} above the ideal", "lower", "code length, embedded Reber grammar",
                          "bits/symbol"),
    "epochs": Goal(20, "lower", f"epochs of {EPOCH} sequences until {FLAWLESS} in a row are without an error, Reber "
                   "grammar", published=20, citation="O'Reilly et al. 2021", mean=True),
}

Floats = NDArray[np.floating]
Grammar = dict[int, list[tuple[int, str]]]  # state -> which states follow on which symbols

REBER: Grammar = {0: [(1, "B")], 1: [(2, "T"), (3, "P")], 2: [(2, "S"), (4, "X")], 3: [(3, "T"), (5, "V")],
                  4: [(6, "S"), (3, "X")], 5: [(6, "V"), (4, "P")], 6: [(7, "E")]}
END = 7


# -------------------------------------------------------------------------------------------------------- streams

@dataclass(frozen=True)
class Walk:
    """Symbols [ticks], which would have been legal [ticks, 7], and which symbols are long-range ones [ticks]."""

    symbols: NDArray[np.int64]
    legal: NDArray[np.bool_]
    far: NDArray[np.bool_]

    @property
    def one_hot(self) -> NDArray[np.float32]:
        """The symbols, as the graph gets them."""
        return np.eye(len(SYMBOLS), dtype=np.float32)[self.symbols]


def _inner(rng: np.random.Generator, grammar: Grammar) -> Iterator[tuple[str, str, bool]]:
    state = 0
    while state != END:
        moves = grammar[state]
        state, symbol = moves[rng.integers(len(moves))]
        yield symbol, "".join(s for _, s in moves), False


def _sequence(rng: np.random.Generator, grammar: Grammar, embedded: bool) -> Iterator[tuple[str, str, bool]]:
    """Symbols, all that would be legal in their places, and whether they are long-range ones."""
    if not embedded:
        yield from _inner(rng, grammar)
        return
    carried = "TP"[rng.integers(2)]
    yield "B", "B", False
    yield carried, "TP", False
    yield from _inner(rng, grammar)
    yield carried, carried, True
    yield "E", "E", False


def walk(seed: int, embedded: bool, grammar: Grammar | None = None, ticks: int = TICKS) -> Walk:
    """Sequences one after the other."""
    rng = np.random.default_rng([seed, int(embedded)])
    rows: list[tuple[str, str, bool]] = []
    while len(rows) < ticks:
        rows += _sequence(rng, REBER if grammar is None else grammar, embedded)
    said, legal, far = zip(*rows[:ticks], strict=True)
    return Walk(np.array([SYMBOLS.index(s) for s in said]), np.array([[s in some for s in SYMBOLS] for some in legal]),
                np.array(far))


def random_grammar(rng: np.random.Generator) -> Grammar:
    """As many states as Reber's, each with two symbols that lead anywhere; drawn until all lie on a way from B to E."""
    while True:
        grammar: Grammar = {0: [(1, "B")], 6: [(END, "E")]}
        for state in range(1, 6):
            symbols = rng.choice(list("TSXPV"), 2, replace=False)
            grammar[state] = [(int(to), str(s)) for to, s in zip(rng.integers(1, 7, 2), symbols, strict=True)]
        follows, reached, ending = {s: {to for to, _ in moves} for s, moves in grammar.items()}, {0}, {END}
        for _ in grammar:
            reached |= {to for s in reached & set(follows) for to in follows[s]}
            ending |= {s for s, to in follows.items() if to & ending}
        if len(reached) == len(ending) == END + 1:
            return grammar


# -------------------------------------------------------------------------------------------------------- the graph

def build(memories: bool = True) -> cs.RegionGraph:
    """Memories for every symbol and lag, a reader for every symbol, and a mixer."""
    graph = cs.RegionGraph(name="reber")
    graph.add_source("symbol", size=len(SYMBOLS))
    for a, s in enumerate(SYMBOLS if memories else ""):
        for lag in LAGS:
            # a region that is clamped to its target, and that nobody predicts, is its target; the gate makes it hold
            graph.add_region(f"{s}+{lag}", kind="predictive_coding", predicts="symbol", gate=f"symbol[{a}]@{lag}",
                             when_closed="hold")
    seen = [*(f"symbol@{lag}" for lag in range(2, ORDER + 1)), *(f"{name}.state@1" for name in graph.regions)]
    for a, s in enumerate(SYMBOLS):
        graph.add_region(f"after-{s}", predicts="symbol", context=seen, gate=f"symbol[{a}]@1", output="softmax",
                         sparse=True, learning_rate=RATE, step_size="decayed", decay_time=HALF)
    graph.add_region("next", predicts="symbol", context=[f"after-{s}.prediction@0" for s in SYMBOLS],
                     output="softmax", sparse=True, learning_rate=RATE, step_size="decayed", decay_time=MIX_HALF)
    return graph


def foretell(path: Walk, seed: int, memories: bool = True) -> Floats:
    """What the graph expects at every tick, [ticks, 7]."""
    sim = cs.Simulation(build(memories), seed=seed)
    probe = sim.record("next.prediction")
    sim.run({"symbol": path.one_hot})
    return probe.values


# -------------------------------------------------------------------------------------------------------- baselines

def tables(path: Walk, orders: tuple[int, ...] = ORDERS) -> dict[str, Floats]:
    """Counts of what followed the last k symbols, each backed off to the next shorter context, [ticks, 7] for each k.

    Parameters
    ----------
    path : Walk
    orders : tuple of int
        The numbers of symbols.

    Returns
    -------
    dict
        Name -> probabilities; order 0 is called the marginal.
    """
    n, symbols = len(SYMBOLS), path.symbols.tolist()
    counts: list[dict[tuple[int, ...], list[int]]] = [{} for _ in range(max(orders) + 1)]
    wanted = {0: "marginal", **{k: f"order-{k} table" for k in orders}}
    said = {k: np.zeros((len(symbols), n)) for k in wanted}
    for t, symbol in enumerate(symbols):
        p = [1 / n] * n
        for k, table in enumerate(counts[:t + 1]):
            row = table.setdefault(tuple(symbols[t - k:t]), [0] * n)
            total = sum(row) + 1
            p = [(c + shorter) / total for c, shorter in zip(row, p, strict=True)]
            if k in said:
                said[k][t] = p
            row[symbol] += 1
    return {name: said[k] for k, name in wanted.items()}


def temporal_memory(path: Walk, seed: int) -> Floats:
    """How much of each symbol's code a temporal memory of its own predicts, [ticks, 7]; ties are broken at random."""
    rng = np.random.default_rng([seed, 1])
    codes = np.zeros((len(SYMBOLS), COLUMNS), np.float32)
    np.put_along_axis(codes, rng.permutation(COLUMNS)[:len(SYMBOLS) * ACTIVE].reshape(len(SYMBOLS), -1), 1, axis=1)
    graph = cs.RegionGraph()
    graph.add_source("symbol", size=COLUMNS)
    graph.add_region("memory", kind="temporal_memory", predicts="symbol", context="memory.state@1")
    sim = cs.Simulation(graph, seed=seed)
    probe = sim.record("memory.prediction")
    sim.run({"symbol": codes[path.symbols]})
    return probe.values @ codes.T + 0.1 * rng.random((len(path.symbols), len(SYMBOLS)))


# -------------------------------------------------------------------------------------------------------- scores

def legal(said: Floats, path: Walk) -> float:
    """Share of the last ticks at which the likeliest symbol is legal."""
    return float(path.legal[np.arange(len(said)), said.argmax(axis=1)][-SCORED:].mean())


def long_range(said: Floats, path: Walk) -> float:
    """Share of the long-range symbols, in the last ticks, that were the likeliest."""
    right = said.argmax(axis=1) == path.symbols
    return float(right[-SCORED:][path.far[-SCORED:]].mean())


def bits(said: Floats, path: Walk) -> float:
    """Bits per symbol in the last ticks."""
    said_of_it = said[np.arange(len(said)), path.symbols][-SCORED:]
    return float(-np.log2(np.maximum(said_of_it, 1e-12)).mean())


def ideal(path: Walk) -> float:
    """Bits per symbol of who knows the grammar."""
    return float(np.log2(path.legal.sum(axis=1))[-SCORED:].mean())


def epochs(said: Floats, path: Walk) -> float:
    """Epochs until the first of some in a row is over that are without an error, infinite if that never happens.

    An error is a tick at which no legal symbol is above .4, or an illegal one above .5.
    """
    wrong = ~((said > 0.4) & path.legal).any(axis=1) | ((said > 0.5) & ~path.legal).any(axis=1)
    ends = np.flatnonzero(path.symbols == SYMBOLS.index("E"))[EPOCH - 1::EPOCH] + 1
    clean = np.array([not some.any() for some in np.split(wrong, ends)[:-1]])
    runs = np.convolve(clean, np.ones(FLAWLESS), mode="valid")
    flawless = np.flatnonzero(runs == FLAWLESS)
    return float(flawless[0] + FLAWLESS) if len(flawless) else np.inf


def others(seed: int) -> Result:
    """Long-range symbols of random grammars, ours and without the memories."""
    rng = np.random.default_rng([seed, 7])
    paths = [walk(seed, True, random_grammar(rng)) for _ in range(GRAMMARS)]
    with_them, without = ([long_range(foretell(path, seed, memories), path) for path in paths]
                          for memories in (True, False))
    return Result(float(np.mean(with_them)), {"without memories": float(np.mean(without))})


def judge(score: Callable[[Floats, Walk], float], path: Walk, said: Mapping[str, Floats]) -> Result:
    """A score of ours beside that of all others."""
    scores = {who: score(probabilities, path) for who, probabilities in said.items()}
    return Result(scores.pop("ours"), scores)


def run(seed: int) -> dict[str, Result]:
    """Both grammars, and others."""
    results: dict[str, Result] = {}
    for name, embedded in (("", False), ("embedded_", True)):
        path = walk(seed, embedded)
        said = {"ours": foretell(path, seed), "without memories": foretell(path, seed, memories=False), **tables(path)}
        length = judge(bits, path, said)
        results[f"{name}bits"] = Result(length.ours, {"ideal": ideal(path), **length.baselines},
                                        ideal(path) + ABOVE_IDEAL)
        if not embedded:
            results["epochs"] = judge(epochs, path, {who: p for who, p in said.items() if who != "marginal"})
        said["temporal memory alone"] = temporal_memory(path, seed)  # says no probabilities
        results[f"{name}legal"] = judge(legal, path, said)
        if embedded:
            far = judge(long_range, path, said)
            results["long_range"] = Result(far.ours, {**far.baselines, **ELSEWHERE})
    return results | {"other_grammars": others(seed)}
