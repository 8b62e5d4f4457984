"""Rao and Ballard's model of visual cortex learns from a photograph: are its error units end-stopped, and why?

The graph ``regions/rao_ballard.toml`` sees three overlapping patches of places drawn at random. Then its weights are
frozen, and it is shown bars in the orientation and at the place that drive a unit of V1 most, from very short to longer
than the field. A unit's end-stopping is (peak - longest) / peak, of its error's size over the lengths of the bar. It is
measured with feedback from V2, with V2 cut off, and with feedback through V2's weights in a shuffled order. The paper
shows it in a figure and gives no number, so what is asked for is the sign.

Receptive fields are compared with Gabor functions: the share of a unit's weights, squared and summed, that the best
function of a bank explains.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs
from benchmarks.measures import Goal, Result
from cortexsim.sources import open_stream
from cortexsim.sources.patches import Stream

SEEDS = 5
STEPS = 60
ANGLES = np.arange(12) * np.pi / 12
OFFSETS = (-2.0, 0.0, 2.0)  # of a bar from the middle of the field, in pixels
LENGTHS = np.arange(1.0, 30.0, 2.0)
PROBING = 4  # which of these lengths shows what drives a unit most
GOALS = {
    "end_stopping": Goal("the larger of its baselines", "higher",
                         "fall of V1's error from its peak to the longest bar, as a share of the peak, mean of units"),
    "gabor_fit": Goal(0.7, "higher", "share of a receptive field that a Gabor function explains, median of V1's units"),
}

Floats = NDArray[np.floating]


def learn(seed: int) -> tuple[cs.Simulation, Stream]:
    """Show the graph a photograph, as ``cortexsim run rao_ballard`` does."""
    sim = cs.Simulation(cs.load("rao_ballard"), seed=seed)
    table = dict(sim.graph.graph["stream"])
    ticks = table.pop("ticks")
    eye = open_stream(table, seed=seed)
    sim.run(eye, ticks=ticks)
    return sim, eye


def bar(length: float, angle: float, offset: float, width: float = 2.0) -> Floats:
    """A picture with a bar, larger than the field: the bar goes on beyond it."""
    y, x = np.mgrid[-19.5:20, -24.5:25]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle) - offset
    drawn = np.clip((length + 1) / 2 - abs(along), 0, min(1, length))
    return drawn * np.clip((width + 1) / 2 - abs(across), 0, 1)


def errors(sim: cs.Simulation, seen: dict[str, Floats]) -> Floats:
    """Sizes of the errors of V1 in the middle, [n, units], once everything has settled."""
    return np.abs(sim.infer(seen, steps=STEPS)["V1-middle.error"])


def conditions(sim: cs.Simulation, seed: int) -> dict[str, cs.Simulation]:
    """Copies with feedback, without, and with weights that have lost their order."""
    cut, shuffled = sim.copy(), sim.copy()
    # in both directions: errors that V2 cannot lower would drive it without end
    cut.lesion("*V2*")
    W = sim.get("V2.W")
    shuffled.set("V2.W", np.random.default_rng(seed).permutation(W))
    return {"feedback": sim, "V2 cut off": cut, "V2 shuffled": shuffled}


def length_tuning(sim: cs.Simulation, eye: Stream, seed: int) -> dict[str, Floats]:
    """For each condition, errors over the lengths of each unit's best bar, [lengths, units that see any bar]."""
    places = list(product(ANGLES, OFFSETS))
    seen = eye.see(np.array([bar(length, *place) for place in places for length in LENGTHS]))
    responses = {name: errors(copy, seen).reshape(len(places), len(LENGTHS), -1)
                 for name, copy in conditions(sim, seed).items()}
    probed = responses["V2 cut off"][:, PROBING]
    driven = probed.max(axis=0)
    units = np.flatnonzero(driven > 0.2 * np.median(driven))
    best = probed.argmax(axis=0)[units]
    return {name: found[best, :, units].T for name, found in responses.items()}


def end_stopping(curves: Floats) -> float:
    """(peak - longest) / peak of each unit's curve, mean of the units."""
    peak = curves.max(axis=0)
    return float(((peak - curves[-1]) / peak).mean())


def gabor_fit(weights: Floats) -> Floats:
    """The share of weights [pixels, units] that the best of a bank of Gabor functions explains, [units]."""
    unit = weights / np.linalg.norm(weights, axis=0)
    side = math.isqrt(len(weights))
    y, x = np.mgrid[:side, :side].reshape(2, -1)
    best = np.zeros(unit.shape[1])
    centres = np.stack(np.meshgrid(*2 * [np.arange(2.5, side - 2.5, 1.5)]), axis=-1).reshape(-1, 2)
    right, down = x - centres[:, :1], y - centres[:, 1:]
    for angle, size, aspect, cycles in product(ANGLES, (1.5, 2.2, 3.2), (1.0, 1.8), (0.06, 0.085, 0.12, 0.17, 0.24)):
        along, across = right * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - right * np.sin(angle)
        envelope = np.exp(-across**2 / (2 * size**2) - along**2 / (2 * (size * aspect) ** 2))
        even, odd = (envelope * wave(2 * np.pi * cycles * across) for wave in (np.cos, np.sin))
        # the odd one is made orthogonal to the even one: together they have every phase
        even /= np.linalg.norm(even, axis=1, keepdims=True)
        odd -= even * (even * odd).sum(axis=1, keepdims=True)
        odd /= np.linalg.norm(odd, axis=1, keepdims=True)
        best = np.maximum(best, ((even @ unit) ** 2 + (odd @ unit) ** 2).max(axis=0))
    return best


def fits(sim: cs.Simulation, eye: Stream, seed: int) -> Result:
    """How Gabor-like V1's receptive fields are, beside principal components and filtered noise."""
    fields = sim.get("V1-middle.W")
    units = fields.shape[1]
    seen = eye.read(5_000)["middle"]
    noise = eye.see(np.random.default_rng([seed, 1]).standard_normal((units, *eye.field)))["middle"]
    everything = np.hstack([fields, np.linalg.eigh(seen.T @ seen)[1][:, -units:], noise.T])
    ours, components, filtered_noise = np.median(gabor_fit(everything).reshape(3, units), axis=1)
    return Result(float(ours), {"principal components": float(components), "filtered noise": float(filtered_noise)})


def run(seed: int) -> dict[str, Result]:
    """Learn, measure bars, and fit receptive fields, of one seed."""
    sim, eye = learn(seed)
    stopped = {name: end_stopping(curves) for name, curves in length_tuning(sim, eye, seed).items()}
    ours = stopped.pop("feedback")
    return {"end_stopping": Result(ours, stopped, max(stopped.values())), "gabor_fit": fits(sim, eye, seed)}
