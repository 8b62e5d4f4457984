"""Foldiak's bars: does a graph find the parts that pictures are made of, and name those of new combinations?

A picture of 8 x 8 pixels holds each of 16 bars, the rows and the columns, with probability 1/8; where two cross, a
pixel is no brighter than where there is one. Sixteen units that cannot be negative learn from 4,000 pictures, one at a
time. Then their weights are frozen, and pictures of 1 to 6 bars are explained that were kept out of learning: a set
counts where the units above a threshold stand for exactly the bars that are there. The threshold is chosen on pictures
that were learned from. Clusters explain a picture by one centre, so that no 16 of them can do this.

Source: P. Foldiak, Biological Cybernetics 64 (1990) 165-170, doi:10.1007/BF02331346.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.optimize import nnls

import cortexsim as cs
from benchmarks.experiments._shapes import Floats, ask
from benchmarks.measures import Goal, Result

SEEDS = 5
SIDE, UNITS, PATTERNS, STAGES = 8, 16, 4000, 20
FIRST_RATE, LAST_RATE = 0.1, 0.01
SETTLING = 100  # steps in which a new picture is explained
KEPT_OUT = {1: 4, 2: 40, 3: 200, 4: 200, 5: 200, 6: 200}  # bars in a picture -> how many sets of them are not learned
TUNING = 1000  # pictures on which a threshold is chosen
GOALS = {
    "bars_found": Goal(16, "higher", "bars of 16 that have a unit of their own, by its weights (cosine above .9)"),
    "exact_sets": Goal(0.95, "higher", "share of new sets of bars that are named exactly, mean of 1 to 6 bars"),
    "exact_sets_worst": Goal(0.95, "higher", "the same, of the number of bars at which it is lowest"),
}

Sets = NDArray[np.bool_]

_BARS = np.zeros((2 * SIDE, SIDE, SIDE), np.float32)
_BARS[range(SIDE), range(SIDE)] = 1
_BARS[range(SIDE, 2 * SIDE), :, range(SIDE)] = 1
BARS = _BARS.reshape(2 * SIDE, SIDE * SIDE)


def draw(sets: Sets) -> NDArray[np.float32]:
    """Pictures [n, pixels] of sets of bars [n, bars]."""
    return (sets.astype(np.float32) @ BARS > 0).astype(np.float32)


def keep_out(rng: np.random.Generator) -> dict[int, Sets]:
    """Sets of bars that no picture to learn from shows, by how many bars they have."""
    kept = {}
    for count, n in KEPT_OUT.items():
        every = np.array(list(itertools.combinations(range(len(BARS)), count)))
        kept[count] = np.zeros((n, len(BARS)), bool)
        np.put_along_axis(kept[count], every[rng.permutation(len(every))[:n]], True, axis=1)
    return kept


def sets_to_learn(rng: np.random.Generator, kept: dict[int, Sets], n: int) -> Sets:
    """Random sets of bars, without those that are kept out."""
    sets = rng.random((2 * n, len(BARS))) < 1 / SIDE
    number = 1 << np.arange(len(BARS))
    return sets[~np.isin(sets @ number, np.concatenate(list(kept.values())) @ number)][:n]


def build() -> cs.RegionGraph:
    """Sixteen units that predict the pixels."""
    graph = cs.RegionGraph(name="bars")
    graph.set_trial(30)
    graph.add_source("picture", size=SIDE * SIDE)
    graph.add_region("pixels", kind="predictive_coding", predicts="picture")
    graph.add_region("bars", kind="predictive_coding", predicts="pixels.state", size=UNITS, activation="linear",
                     positive=True, state_prior="laplace", prior_weight=0.1, rate=0.3, max_norm=1.0, bias=False,
                     spread=0.15)
    return graph


def learn(seed: int, pictures: Floats) -> cs.Simulation:
    """Show every picture once, while the learning rate falls."""
    sim = cs.Simulation(build(), seed=seed)
    for rate, some in zip(np.linspace(FIRST_RATE, LAST_RATE, STAGES), np.array_split(pictures, STAGES), strict=True):
        sim.set_hyper("bars", learning_rate=rate)
        sim.run({"picture": some})
    return sim


# ------------------------------------------------------------------------------------------------ reading it out

def cosines(weights: Floats) -> Floats:
    """How alike the weights [pixels, units] and the bars are, [units, bars]."""
    length = np.linalg.norm(weights, axis=0)[:, None] * np.linalg.norm(BARS, axis=1)
    return weights.T @ BARS.T / np.maximum(length, 1e-9)


def found(weights: Floats) -> int:
    """How many bars have a unit of their own."""
    alike = cosines(weights)
    return len(np.unique(alike.argmax(axis=1)[alike.max(axis=1) > 0.9]))


def named(activity: Floats, bar_of_unit: NDArray[np.integer], threshold: float) -> Sets:
    """The bars for which active units stand."""
    sets = np.zeros((len(activity), len(BARS)), bool)
    for unit, bar in enumerate(bar_of_unit):
        sets[:, bar] |= activity[:, unit] > threshold
    return sets


def exact(sets: Sets, truth: Sets) -> float:
    """Share of pictures of which every bar is right."""
    return float((sets == truth).all(axis=1).mean())


def choose_threshold(activity: Floats, bar_of_unit: NDArray[np.integer], truth: Sets) -> float:
    """The middle of the thresholds that name most sets exactly."""
    tried = np.linspace(0.05, 2.5, 50)
    shares = np.array([exact(named(activity, bar_of_unit, t), truth) for t in tried])
    return float(np.median(tried[shares == shares.max()]))


# ----------------------------------------------------------------------------------------------------- baselines

def competitive(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Online competitive learning: the nearest of 16 centres moves to the picture, in steps that fall as ours do."""
    centres = pictures[rng.choice(len(pictures), UNITS, replace=False)].astype(float)
    for rate, picture in zip(np.linspace(FIRST_RATE, LAST_RATE, len(pictures)), pictures, strict=True):
        nearest = ((centres - picture) ** 2).sum(axis=1).argmin()
        centres[nearest] += rate * (picture - centres[nearest])
    return centres


def one_centre(pictures: Floats, centres: Floats) -> Sets:
    """Explain a picture by its nearest centre, which stands for all bars that are bright in it from end to end."""
    nearest = ((pictures[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    bright = np.array([[centre[bar > 0].min() > 0.5 for bar in BARS] for centre in centres])
    return bright[nearest]


def least_squares(pictures: Floats) -> Floats:
    """The shares of the true bars in each picture, none negative: the code that is to be learned."""
    return np.array([nnls(BARS.T.astype(float), picture.astype(float))[0] for picture in pictures])


def matching_pursuit(pictures: Floats) -> Floats:
    """The true bars again, one after the other, each the one that explains most of the rest."""
    shares, rest = np.zeros((len(pictures), len(BARS))), pictures.astype(float)
    every = np.arange(len(pictures))
    for _ in range(max(KEPT_OUT)):
        match = rest @ BARS.T / SIDE
        best = match.argmax(axis=1)
        gain = np.maximum(match[every, best], 0)
        shares[every, best] += gain
        rest -= gain[:, None] * BARS[best]
    return shares


def run(seed: int) -> dict[str, Result]:
    """One seed."""
    rng = np.random.default_rng(seed)
    kept = keep_out(rng)
    sets = sets_to_learn(rng, kept, PATTERNS)
    pictures = draw(sets)
    sim = learn(seed, pictures)
    weights = sim.get("bars.W")
    centres = {"k-means": kmeans2(pictures.astype(float), UNITS, minit="++", rng=np.random.default_rng(seed))[0],
               "competitive learning": competitive(pictures, rng)}
    results = {"bars_found": Result(found(weights), {name: found(rows.T) for name, rows in centres.items()})}

    def settled(shown: Floats) -> Floats:
        return ask(sim, {"picture": shown}, SETTLING)["bars"]

    # how well each explains the sets that were kept out, by the number of bars
    readers = {"ours": (settled, cosines(weights).argmax(axis=1)), "true bars, NNLS": (least_squares, range(len(BARS))),
               "true bars, matching pursuit": (matching_pursuit, range(len(BARS)))}
    shares = {name: list(by_threshold(read, np.array(bar_of_unit), pictures, sets, kept))
              for name, (read, bar_of_unit) in readers.items()}
    shares |= {name: [exact(one_centre(draw(new), rows), new) for new in kept.values()]
               for name, rows in centres.items()}
    ours = shares.pop("ours")
    for measure, across in (("exact_sets", np.mean), ("exact_sets_worst", np.min)):
        results[measure] = Result(float(across(ours)), {name: float(across(s)) for name, s in shares.items()})
    return results


def by_threshold(read: Callable[[Floats], Floats], bar_of_unit: NDArray[np.integer], pictures: Floats, sets: Sets,
                 kept: dict[int, Sets]) -> Iterator[float]:
    """Choose a threshold on pictures that were learned from, and yield the share of exact sets for each number of bars.

    Parameters
    ----------
    read : callable
        From pictures to the activity of units.
    bar_of_unit : int array
    pictures, sets : array
        Which were learned from.
    kept : dict
        Number of bars -> new sets.

    Yields
    ------
    float
    """
    threshold = choose_threshold(read(pictures[-TUNING:]), bar_of_unit, sets[-TUNING:])
    for new in kept.values():
        yield exact(named(read(draw(new)), bar_of_unit, threshold), new)
