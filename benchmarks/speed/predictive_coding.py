"""Predictive coding, one sample at a time, and questions with the weights frozen, beside others at the same work.

A net of 784-256-256-10 units, tanh, float32. For each sample image and label are clamped, the hidden states start at
what is predicted of them, move so many times down the free energy, all at once, and then every weight learns from the
errors that are left. What the image predicts of the first hidden layer is computed once a sample, by everybody.
Questions clamp the image; hidden and label states settle from zero, for 64 questions in one call.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import cortexsim as cs
from benchmarks.speed.clock import Turn, in_turn, ratios, spread
from benchmarks.speed.glimpses import disarm
from benchmarks.speed.peers._measure import Process

SIZES = (784, 256, 256, 10)
NET = "-".join(map(str, SIZES))
MOVES, RATE, LEARNING_RATE = 20, 0.1, 0.001
SAMPLES, CHUNK = 256, 64  # of data, over and over; samples of a call, or questions
QUESTIONS = "64 questions"
# of the largest number that is compared: float32, sums in different orders, over a chunk
TOLERANCE = 1e-3

f32 = np.float32


@dataclass(frozen=True)
class Peer:
    """One way to do the work: a class of :mod:`benchmarks.speed.pc_peers` and a variant of it."""

    kind: str
    variant: str
    name: str
    needs: str = ""
    differs: str = ""

    def installed(self) -> bool:
        """Whether the library that it needs is there."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


ONLINE = (
    Peer("Ours", "image as context", "cortexsim"),
    Peer("Ours", "image as a region", "cortexsim"),
    Peer("Arrays", "BLAS, in place", "NumPy by hand"),
    Peer("Scan", "scan over samples", "JAX by hand", "jax"),
    Peer("Scan", "minibatches", "JAX by hand", "jax", "one update for 64 samples is other work, shown for its speed"),
    Peer("Tensors", "eager", "PyTorch by hand", "torch"),
    Peer("Tensors", "compiled", "PyTorch by hand", "torch"),
    Peer("Pcx", "a call a sample", "pcx", "pcx"),
    Peer("Pcx", "scan over samples", "pcx", "pcx"),
    Peer("Cells", "a process a move", "ngc-learn", "ngclearn"),
    Peer("Cells", "scan over samples", "ngc-learn", "ngclearn"),
)
ASKED = (
    Peer("Ours", "infer", "cortexsim"),
    Peer("Arrays", "matrix products", "NumPy by hand"),
    Peer("Scan", "matrix products", "JAX by hand", "jax"),
    Peer("Tensors", "matrix products", "PyTorch by hand", "torch"),
)
QUICK = ("Ours", "Arrays", "Scan")


class Work:
    """Data and first weights, the same for everybody.

    Parameters
    ----------
    moves : int
        Of the states, for each sample or question.
    asks : bool
        Questions, instead of learning.

    Attributes
    ----------
    x, y : float32 arrays [SAMPLES, size]
    W, b : list of float32 arrays
        ``W[k]`` predicts layer k + 1 from layer k, [units, inputs].
    """

    def __init__(self, moves: int = MOVES, asks: bool = False) -> None:
        rng = np.random.default_rng(0)
        self.moves, self.asks, self.at = moves, asks, 0
        self.x = rng.random((SAMPLES, SIZES[0]), f32)
        self.y = np.eye(SIZES[-1], dtype=f32)[rng.integers(SIZES[-1], size=SAMPLES)]
        self.W = [rng.standard_normal((n, m), f32) / f32(np.sqrt(m)) for m, n in zip(SIZES, SIZES[1:])]
        self.b = [np.zeros(n, f32) for n in SIZES[1:]]

    def rows(self) -> slice:
        """The next `CHUNK` samples."""
        start = self.at
        self.at = (start + CHUNK) % SAMPLES
        return slice(start, start + CHUNK)

    def visits(self) -> int:
        """Weights that are read for one sample or question: twice a move, and those of the image once."""
        first, *others = (W.size for W in self.W)
        return first + 2 * (self.moves + (not self.asks)) * sum(others)


def checked(run: Any) -> list[float]:
    """Some of what a chunk computes: how it changes the weights, or what it answers."""
    first = [W.copy() for W in run.work.W]
    answers = run.run()
    found = [answers] if run.work.asks else [np.asarray(W) - old for W, old in zip(run.weights(), first)]
    # as many of each layer
    rng = np.random.default_rng(0)
    return np.concatenate([np.asarray(array, float).ravel()[rng.integers(array.size, size=200)]
                           for array in found]).tolist()


class Ours:
    """cortexsim."""

    def __init__(self, work: Work, variant: str, threads: int) -> None:
        self.work, self.sim = work, simulation(work, variant == "image as a region", threads)
        self.names = ["pixels.W" if "pixels" in self.sim.plan.regions else "h1.V", "h1.W", "h2.W"]
        for name, W in zip(self.names, work.W):
            self.sim.set(name, W)

    def run(self) -> Any:
        """One chunk."""
        if self.work.asks:
            return self.sim.infer({"image": self.work.x[:CHUNK]}, steps=self.work.moves)["label"]
        rows = self.work.rows()
        return self.sim.run({"image": self.work.x[rows], "label": self.work.y[rows]}, trials=CHUNK)

    def weights(self) -> list[np.ndarray]:
        """All weights."""
        return [self.sim.get(name) for name in self.names]


def simulation(work: Work, apart: bool, threads: int = 1) -> cs.Simulation:
    """cortexsim at this work: the states move up to the last place of a trial, where the weights learn."""
    graph = cs.RegionGraph(name=NET)
    graph.set_trial(work.moves + (not work.asks) + apart, {} if work.asks else {"init": (int(apart), 1 + apart)})
    graph.add_source("image", size=SIZES[0], known="after" if apart else "before")
    graph.add_source("label", size=SIZES[-1])
    layers: dict[str, dict[str, Any]] = {
        "pixels": {"predicts": ["image", "h1.state"], "activation": "linear"},
        "h1": {"predicts": "h2.state"}, "h2": {"predicts": "out.state"}, "out": {"predicts": "label"}}
    if not apart:
        del layers["pixels"]
        layers["h1"]["context"] = ["image"]
    for (name, options), size in zip(layers.items(), SIZES[-len(layers):]):
        graph.add_region(name, kind="predictive_coding", size=size, rate=RATE, learning_rate=LEARNING_RATE,
                         steps=work.moves + apart, **options)
    return cs.Simulation(graph, seed=0, threads=threads)


def measure(limits: dict[tuple[str, int], float], threads: int, quick: bool) -> Iterator[dict[str, Any]]:
    """One row for each peer and number of threads, and one for where our time goes.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    threads : int
        The most threads.
    quick : bool

    Yields
    ------
    dict
        With ``error`` where a peer is not there, failed, or computed something else.
    """
    online, asked = ([peer for peer in peers if not quick or peer.kind in QUICK] for peers in (ONLINE, ASKED))
    rounds, seconds = (3, 0.1) if quick else (5, 0.15)
    yield from job("online", online, Work(), 1, limits, rounds, seconds)
    for moves in (MOVES,) if quick else (MOVES, 5 * MOVES):
        for k in range(1, threads + 1):
            yield from job(QUESTIONS, asked, Work(moves, True), k, limits, rounds, seconds)
    yield parts(rounds, seconds)


def job(name: str, peers: Sequence[Peer], work: Work, threads: int, limits: dict[tuple[str, int], float], rounds: int,
        seconds: float) -> Iterator[dict[str, Any]]:
    """Peers at one job, in turn. Ratios to our best are taken round by round."""
    workers = {peer: Process(peer.kind, peer.variant, threads, "benchmarks.speed.pc_peers",
                             (work.moves, int(work.asks))) for peer in peers if peer.installed()}
    try:
        ready = {peer: worker.ask(check=True) for peer, worker in workers.items()}
        rates: dict[Peer, list[float]] = {peer: [] for peer in peers}
        for _ in range(rounds):
            for peer, worker in workers.items():
                rates[peer] += [answer["rate"] for answer in [worker.ask(seconds=seconds)] if "rate" in answer]
        errors = {peer: worker.error for peer, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    ours = max((found for peer, found in rates.items() if peer.kind == "Ours" and found), key=np.median, default=[])
    first = next((answer["checked"] for answer in ready.values() if "checked" in answer), None)
    for peer in peers:
        case = {"job": name, "peer": peer.name, "variant": peer.variant, "moves": work.moves, "threads": threads,
                "net": NET}
        row = {"section": "predictive_coding", "case": case, "differs": peer.differs}
        error = errors.get(peer, f"{peer.needs} is not installed") or _differs(peer, ready[peer], first)
        if error or not rates[peer]:
            yield {**row, "error": error or "no figure"}
            continue
        row["rate"] = spread(rates[peer])
        if peer.kind == "Ours":
            row["ratio"] = row["rate"]["median"] * work.visits() / limits["L2", threads]
        elif len(ours) == len(rates[peer]):
            row["behind"] = spread(ratios(ours, rates[peer]))
        yield row


def _differs(peer: Peer, ready: dict[str, Any], first: list[float] | None) -> str:
    if peer.differs or first is None:
        return ""
    error = float(np.max(np.abs(np.subtract(ready["checked"], first))) / np.max(np.abs(first)))
    return "" if error < TOLERANCE else f"its results differ from the others' by {error:.1e}"


def parts(rounds: int, seconds: float) -> dict[str, Any]:
    """Time of our samples as it is, and with kernels that do nothing."""
    runs = {key: Ours(Work(), ONLINE[0].variant, 1) for key in ("whole", "around")}
    disarm(runs["around"].sim)
    turns = {key: Turn(lambda n, run=run: [run.run() for _ in range(n)], CHUNK) for key, run in runs.items()}
    rates = in_turn(turns, rounds, seconds)
    micro = {key: [1e6 / rate for rate in found] for key, found in rates.items()}
    micro["kernels"] = [whole - around for whole, around in zip(micro["whole"], micro["around"])]
    return {"section": "predictive_coding", "case": {"job": "parts", "moves": MOVES, "threads": 1, "net": NET},
            "microseconds": {key: spread(found) for key, found in micro.items()},
            "outside": spread(ratios(micro["around"], micro["whole"]))}
