"""A reservoir of 300 units with an online readout by recursive least squares, beside others at the same work.

One input, density 0.1, leak 0.5; the readout sees the state, the input and a constant. At every step the state goes
on, a forecast is made, and the weights learn from its error. All have the same weights and the same series, and all
must end with the same readout. One thread. Weights of the state are float32 in cortexsim and float64 elsewhere; the
readout is float64 everywhere.

``python -m benchmarks.speed.reservoirs PEER VARIANT UNITS THREADS`` is a worker, as in `benchmarks.speed.pc_peers`;
without arguments all are measured and their steps per second printed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import cortexsim as cs
from benchmarks.speed.clock import Turn, ratios, spread
from benchmarks.speed.peers._measure import Process
from benchmarks.speed.peers._worker import pin
from cortexsim.sources.chaos import Stream

UNITS, STEPS, RIDGE, LEAK = 300, 500, 0.01, 0.5
# of the largest weight: float32 states against float64 ones, through an ill-conditioned matrix
TOLERANCE = 2e-2


@dataclass(frozen=True)
class Peer:
    """One way to do the work."""

    kind: str
    variant: str
    name: str
    needs: str = ""

    def installed(self) -> bool:
        """Whether the library that it needs is there."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


PEERS = (Peer("Ours", "", "cortexsim"), Peer("Arrays", "np.outer", "NumPy by hand"),
         Peer("Arrays", "BLAS, in place", "NumPy by hand"), Peer("Loops", "", "Numba by hand"),
         Peer("Library", "a call for all steps", "reservoirpy", "reservoirpy"))


class Work:
    """The series and the fixed weights, the same for everybody.

    Attributes
    ----------
    x : float64 array [STEPS + 1]
        Step t hears ``x[t]`` and forecasts ``x[t + 1]``.
    R : float64 array [units, units]
        Recurrent weights.
    V, a : float64 arrays [units]
        Weights of the input, and constants.
    """

    def __init__(self, units: int = UNITS) -> None:
        self.units, self.sim = units, simulation(units)
        R, origin = self.sim.get("r.R"), self.sim.get("r.origin")
        self.R = np.zeros((units, units))
        np.put_along_axis(self.R, origin.T.astype(int), R.T.astype(float), axis=1)
        self.V, self.a = self.sim.get("r.V")[0].astype(float), self.sim.get("r.a").astype(float)
        self.x = Stream(seed=1).read(STEPS + 1)["x"][:, 0].astype(float)


def simulation(units: int) -> cs.Simulation:
    """cortexsim at this work."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("r", kind="reservoir", predicts="x", context="x@1", size=units, leak=LEAK, ridge=RIDGE)
    return cs.Simulation(graph, seed=0)


class Ours:
    """cortexsim; the first tick, which hears nothing, forecasts nothing either."""

    def __init__(self, work: Work, variant: str) -> None:
        self.sim, self.x = work.sim, work.x

    def run(self) -> None:
        """All steps."""
        self.sim.run({"x": self.x[1:]} if self.sim.tick else {"x": self.x})

    def weights(self) -> np.ndarray:
        """Of the readout, those of the state first."""
        return np.append(self.sim.get("r.W")[0], self.sim.get("r.b"))


class Arrays:
    """NumPy, a step at a time; P by an outer product or in place by BLAS."""

    def __init__(self, work: Work, variant: str) -> None:
        self.work, self.outer, n = work, variant == "np.outer", work.units + 2
        self.state, self.z, self.W, self.P = np.tanh(work.a) * LEAK, np.ones(n), np.zeros(n), np.eye(n) / RIDGE
        self.first = True

    def run(self) -> None:
        """All steps."""
        if self.first:
            self.first = False
            self.learn(0.0, self.work.x[0], self.state)
        for x, y in zip(self.work.x[:-1].tolist(), self.work.x[1:].tolist()):
            state = (1 - LEAK) * self.state + LEAK * np.tanh(self.work.R @ self.state + self.work.V * x + self.work.a)
            self.learn(x, y, state)

    def learn(self, x: float, y: float, state: np.ndarray) -> None:
        """The readout learns from one step."""
        from scipy.linalg.blas import dsymv, dsyr

        self.state, self.z[:-2], self.z[-2] = state, state, x
        if self.outer:
            q = self.P @ self.z
            gain = q / (1 + self.z @ q)
            self.P -= np.outer(gain, q)
        else:
            q = dsymv(1.0, self.P.T, self.z)
            total = 1 + self.z @ q
            gain = q / total
            dsyr(-1 / total, q, a=self.P.T, overwrite_a=1)
        self.W += gain * (y - self.W @ self.z)

    def weights(self) -> np.ndarray:
        """Of the readout."""
        return self.W


class Loops:
    """Plain loops in Numba, with sums that may be reordered."""

    def __init__(self, work: Work, variant: str) -> None:
        import numba

        self.arrays = Arrays(work, "np.outer")
        self.arrays.first = False
        self.arrays.learn(0.0, work.x[0], self.arrays.state)
        self.call = numba.njit(fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")(_loops)

    def run(self) -> None:
        """All steps."""
        a, work = self.arrays, self.arrays.work
        self.call(work.x, work.R, work.V, work.a, a.state, a.z, a.W, a.P)

    def weights(self) -> np.ndarray:
        """Of the readout."""
        return self.arrays.W


def _loops(x, R, V, a, state, z, W, P):
    n, m, drive, q = len(state), len(z), np.empty(len(state)), np.empty(len(z))
    for t in range(len(x) - 1):
        for i in range(n):
            total = V[i] * x[t] + a[i]
            for j in range(n):
                total += R[i, j] * state[j]
            drive[i] = np.tanh(total)
        for i in range(n):
            state[i] += LEAK * (drive[i] - state[i])
            z[i] = state[i]
        z[n] = x[t]
        total, told = 1.0, 0.0
        for i in range(m):
            value = 0.0
            for j in range(m):
                value += P[i, j] * z[j]
            q[i] = value
            total += value * z[i]
            told += W[i] * z[i]
        error = (x[t + 1] - told) / total
        for i in range(m):
            W[i] += error * q[i]
            factor = q[i] / total
            for j in range(m):
                P[i, j] -= factor * q[j]


class Library:
    """reservoirpy: the states of all steps, then the readout on all of them, each in one call."""

    def __init__(self, work: Work, variant: str) -> None:
        from reservoirpy.nodes import RLS, Reservoir
        from scipy.sparse import csr_array

        self.work, self.first = work, True
        self.reservoir = Reservoir(work.units, lr=LEAK, W=csr_array(work.R), Win=work.V[:, None], bias=work.a)
        # its own constant follows a running mean; as a feature it is what the others have
        self.readout = RLS(alpha=RIDGE, fit_bias=False)

    def run(self) -> None:
        """All steps."""
        x, y = (self.work.x[:-1], self.work.x[1:]) if not self.first else (np.append(0.0, self.work.x[:-1]),
                                                                           self.work.x)
        self.first = False
        states = self.reservoir.run(x[:, None])
        self.readout.partial_fit(np.column_stack([states, x, np.ones(len(x))]), y[:, None])

    def weights(self) -> np.ndarray:
        """Of the readout."""
        return self.readout.Wout


def measure(limits: dict[tuple[str, int], float], quick: bool, units: int = UNITS,
            peers: Sequence[Peer] = PEERS) -> Iterator[dict[str, Any]]:
    """One row for each peer.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    quick : bool
    units : int
        Of the reservoir.
    peers : sequence of Peer

    Yields
    ------
    dict
        Steps per second as ``rate``; ``error`` where a peer is not there, failed, or ended with another readout.
    """
    rounds, seconds = (3, 0.1) if quick else (7, 0.3)
    workers = {peer: Process(peer.kind, peer.variant, 1, "benchmarks.speed.reservoirs", (units,))
               for peer in peers if peer.installed()}
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
    first = next((answer["checked"] for answer in ready.values() if "checked" in answer), None)
    for peer in peers:
        case = {"peer": peer.name, "variant": peer.variant, "units": units}
        row: dict[str, Any] = {"section": "reservoirs", "case": case}
        error = errors.get(peer, f"{peer.needs} is not installed")
        if not error and (off := _off(ready[peer]["checked"], first)) > TOLERANCE:
            error = f"its readout differs by {off:.1e}"
        if error or not rates[peer]:
            yield {**row, "error": error or "no figure"}
            continue
        row["rate"] = spread(rates[peer])
        if peer.kind == "Ours" and limits:
            # every number of P is read and written once a step, in float64: as two weights
            row["ratio"] = row["rate"]["median"] * 2 * (units + 1) ** 2 / limits["L2", 1]
        elif peer.kind != "Ours" and (ours := rates[peers[0]]):
            row["behind"] = spread(ratios(ours, rates[peer]))
        yield row


def _off(found: list[float], first: list[float] | None) -> float:
    return 0.0 if first is None else float(np.abs(np.subtract(found, first)).max() / np.abs(first).max())


def main(name: str, variant: str, units: int) -> None:
    """Answer lines until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    pin(1)
    run: Any = None
    turn = Turn(lambda n: [run.run() for _ in range(n)], STEPS, elsewhere=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if "check" in asked:
                run = {kind.__name__: kind for kind in (Ours, Arrays, Loops, Library)}[name](Work(units), variant)
                run.run()
                answer: dict[str, Any] = {"checked": np.asarray(run.weights(), float).ravel().tolist()}
            else:
                turn.prepare(asked["seconds"])
                answer = {"rate": turn.rate()}
        except Exception as error:  # a peer that fails is reported, and the others go on
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__" and len(sys.argv) > 1:
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
elif __name__ == "__main__":
    for told in measure({}, False):
        case, figures = told["case"], told.get("rate", {})
        print(f"{case['peer']:15} {case['variant']:22}", told.get("error") or f"{figures['median']:10,.0f} steps/s "
              f"({figures['low']:,.0f} to {figures['high']:,.0f})")
