"""Temporal predictive coding tracks a hidden state: how close does it come to the Kalman filter?

Position, velocity and acceleration are moved by a control that is known and by noise, and are seen through a matrix C
with noise: the tracking task of B. Millidge et al., PLoS Computational Biology 20 (2024) e1011183. One region holds the
state. Its context is its own state of the last trial (weights A) and the control (weights B); what it expects of itself
starts a trial, and it then settles while it predicts what is seen (weights C). All weights are set to the true ones and
frozen. Where it would settle has a closed form, ``(I + C^T C)^-1 (C^T x + A z + B u)``: a Kalman filter that takes the
noise of a single step for the whole of its uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs
from benchmarks.measures import Goal, Result

SEEDS = 5
TRIALS, STEPS, RATE = 1000, 20, 0.1  # as in the paper
GAIN, FORECAST_GAIN = 1.1, 1.05
DT = 1e-3
A = np.array([[1, DT, DT**2 / 2], [0, 1, DT], [0, 0, 1]])
B = np.array([0.0, 0.0, 1.0])
SOURCE = "error of the state, squared and summed over its 3 units"
GOALS = {
    "state_error": Goal("10 % above equilibrium", "lower", f"{SOURCE}, seen as it is"),
    "mixed_state_error": Goal("10 % above equilibrium", "lower", f"{SOURCE}, seen through a random matrix"),
    "forecast_error": Goal("5 % above the Kalman filter's", "lower",
                           "mean square error of the next observation, seen as it is"),
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """A path of the hidden state and what is seen of it, a row a trial."""

    C: Floats
    control: Floats
    state: Floats
    seen: Floats


def track(seed: int, mixed: bool) -> Track:
    """Draw a path; a matrix that mixes is drawn until its condition number is below 5."""
    rng = np.random.default_rng([seed, int(mixed)])
    C = rng.standard_normal((3, 3)) if mixed else np.eye(3)
    while np.linalg.cond(C) >= 5:
        C = rng.standard_normal((3, 3))
    control = np.exp(-0.01 * np.arange(TRIALS))
    noise = rng.standard_normal((TRIALS, 2, 3))
    state = np.zeros((TRIALS, 3))
    for t in range(TRIALS):
        state[t] = A @ state[t - 1] * (t > 0) + B * control[t] + noise[t, 0]
    return Track(C, control[:, None], state, state @ C.T + noise[:, 1])


def follow(path: Track, steps: int = STEPS) -> tuple[NDArray[np.float32], cs.Curves]:
    """The states that a region settles at, float32 [trials, 3], and the curves of the run."""
    graph = cs.RegionGraph()
    graph.set_trial(steps, {"init": (0, 1)}, score_at=0)
    graph.add_source("x", size=3)
    graph.add_source("control", size=1, known="before")
    graph.add_region("seen", kind="predictive_coding", predicts="x", scored="forecast")
    graph.add_region("state", kind="predictive_coding", predicts="seen.state", size=3, activation="linear", rate=RATE,
                     context=["control", {"from": "state.state@1", "span": "init", "outside": "hold"}])
    sim = cs.Simulation(graph)
    sim.set("state.W", path.C.astype(np.float32))
    # context comes in the order of the names of its edges: first the control
    sim.set("state.V", np.column_stack([B, A]).astype(np.float32))
    sim.freeze()
    probe = sim.record("state.state")
    curves = sim.run({"x": path.seen.astype(np.float32), "control": path.control.astype(np.float32)})
    return probe.values[steps - 1::steps], curves


def equilibrium(path: Track) -> Floats:
    """Where the region would settle if it had all the time."""
    gain = np.linalg.inv(np.eye(3) + path.C.T @ path.C)
    states = np.zeros((TRIALS, 3))
    for t in range(TRIALS):
        states[t] = gain @ (path.C.T @ path.seen[t] + A @ states[t - 1] * (t > 0) + B * path.control[t])
    return states


def kalman(path: Track) -> tuple[Floats, Floats]:
    """States and forecasts of what is seen, by a Kalman filter that knows all matrices and the noise."""
    z, P, one = np.zeros(3), np.zeros((3, 3)), np.eye(3)
    states, forecasts = np.zeros((2, TRIALS, 3))
    for t in range(TRIALS):
        z, P = A @ z + B * path.control[t], A @ P @ A.T + one
        forecasts[t] = path.C @ z
        gain = P @ path.C.T @ np.linalg.inv(path.C @ P @ path.C.T + one)
        z, P = z + gain @ (path.seen[t] - path.C @ z), (one - gain @ path.C) @ P
        states[t] = z
    return states, forecasts


def state_error(path: Track) -> tuple[Result, cs.Curves]:
    """The error of the state beside those of better and simpler estimates, and the curves of the run."""
    def error(states: NDArray[np.floating]) -> float:
        return float(((states - path.state) ** 2).sum(axis=1).mean())

    ours, curves = follow(path)
    settled = error(equilibrium(path))
    baselines = {"Kalman filter": error(kalman(path)[0]), "equilibrium": settled,
                 "half the steps": error(follow(path, STEPS // 2)[0]),
                 "observation alone": error(np.linalg.solve(path.C, path.seen.T).T)}
    return Result(error(ours), baselines, GAIN * settled), curves


def run(seed: int) -> dict[str, Result]:
    """Both matrices of one seed."""
    plain, mixed = track(seed, mixed=False), track(seed, mixed=True)
    state, curves = state_error(plain)
    told = curves.final("seen", fraction=1.0)
    best = float(((kalman(plain)[1] - plain.seen) ** 2).mean())
    forecast = Result(told["loss"], {"Kalman filter": best, "last value": told["loss_last"],
                                     "running mean": told["loss_mean"]}, FORECAST_GAIN * best)
    return {"state_error": state, "mixed_state_error": state_error(mixed)[0], "forecast_error": forecast}
