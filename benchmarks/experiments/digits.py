"""A layered net of ``predictive_coding`` reads handwritten digits: 64 pixels, 128 units, 10 labels.

The 1797 images of 8x8 pixels that scikit-learn brings: 1297 to learn from and 500 to be judged by, parted anew by each
seed. The image is known before, the label is clamped while the net learns: the hidden units start from a forward pass,
settle, and the weights learn once, at the end of a trial. It is judged by a forward pass. Backprop learns the same net
from the same first weights, on the same images in the same order, in the same steps, by the same squared error.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs
from benchmarks.measures import Goal, LeftOut, Result

SEEDS = 5
PIXELS, LABELS, HIDDEN, TAUGHT = 64, 10, 128, 1297
TICKS, RATE, PASSES = 10, 0.1, 30
# of pass k: LEARNING_RATE / (1 + FALL k)
LEARNING_RATE, FALL = 0.1, 0.2
GOALS = {"accuracy": Goal(0.98, "higher", "share of 500 new images that are read right", mean=True)}

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Digits:
    """Images, float32 [images, PIXELS] in [0, 1], and what they show: to learn from, and to be judged by."""

    x: Floats
    labels: Integers
    new_x: Floats
    new_labels: Integers

    def class_means(self) -> Floats:
        """The mean image of each class to learn from, [LABELS, PIXELS]."""
        return np.stack([self.x[self.labels == k].mean(axis=0) for k in range(LABELS)])


def scikit_learn(module: str) -> Any:
    """A module of scikit-learn; raises `LeftOut` where it is not installed."""
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError:
        raise LeftOut("it needs scikit-learn, which brings the images: pip install scikit-learn") from None


def digits(seed: int) -> Digits:
    """All images, parted by a seed."""
    pixels, labels = scikit_learn("datasets").load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(pixels))
    x, y = (pixels[order] / 16).astype(np.float32), labels[order]
    return Digits(x[:TAUGHT], y[:TAUGHT], x[TAUGHT:], y[TAUGHT:])


def one_hot(labels: Integers) -> Floats:
    """[images, LABELS]."""
    return np.eye(LABELS, dtype=np.float32)[labels]


def schedule(seed: int, images: int, passes: int, fall: float = FALL) -> Iterator[tuple[float, Integers]]:
    """For each pass what to multiply learning rates by, and the order of the images."""
    rng = np.random.default_rng([seed, 1])
    for k in range(passes):
        yield 1 / (1 + fall * k), rng.permutation(images)


def layered(seed: int) -> cs.Simulation:
    """The untaught net."""
    graph = cs.RegionGraph()
    graph.set_trial(TICKS, {"init": (0, 1)})
    graph.add_source("image", size=PIXELS, known="before")
    graph.add_source("label", size=LABELS)
    both: dict[str, Any] = {"kind": "predictive_coding", "rate": RATE, "learning_rate": LEARNING_RATE}
    graph.add_region("hidden", predicts="out.state", context="image", size=HIDDEN, activation="relu", **both)
    graph.add_region("out", predicts="label", size=LABELS, **both)
    return cs.Simulation(graph, seed=seed, threads=1)


def taught(seed: int, data: Digits, passes: int = PASSES) -> cs.Simulation:
    """The net after so many passes over the images."""
    sim, y = layered(seed), one_hot(data.labels)
    for share, order in schedule(seed, len(y), passes):
        sim.set_hyper("hidden", learning_rate=LEARNING_RATE * share)
        sim.run({"image": data.x[order], "label": y[order]})
    return sim


def backprop(seed: int, data: Digits, passes: int = PASSES) -> float:
    """The share of new images that the same net reads right if backprop has taught it."""
    sim, y = layered(seed), one_hot(data.labels)
    v, w = sim.get("hidden.V"), sim.get("hidden.W")
    a, b = np.zeros(HIDDEN, np.float32), np.zeros(LABELS, np.float32)
    for share, order in schedule(seed, len(y), passes):
        step = np.float32(LEARNING_RATE * share)
        for k in order:
            h = np.maximum(v @ data.x[k] + a, 0)
            error = step * (y[k] - w @ h - b)
            back = (error @ w) * (h > 0)
            w += error[:, None] * h
            b += error
            v += back[:, None] * data.x[k]
            a += back
    return share_right(np.maximum(data.new_x @ v.T + a, 0) @ w.T + b, data)


def share_right(outputs: NDArray[np.floating], data: Digits) -> float:
    """The share of new images whose label has the highest of the outputs [images, LABELS]."""
    return float((outputs.argmax(axis=1) == data.new_labels).mean())


def squared_distances(a: Floats, b: Floats) -> NDArray[np.floating]:
    """Of each row of `a` to each row of `b`, [rows of a, rows of b]."""
    return (a ** 2).sum(axis=1)[:, None] - 2 * a @ b.T + (b ** 2).sum(axis=1)


def baselines(data: Digits) -> dict[str, float]:
    """What reads digits, too."""
    near = one_hot(data.labels)[squared_distances(data.new_x, data.x).argmin(axis=1)]
    straight = scikit_learn("linear_model").LogisticRegression(max_iter=2000).fit(data.x, data.labels)
    return {"nearest class mean": share_right(-squared_distances(data.new_x, data.class_means()), data),
            "nearest neighbour": share_right(near, data),
            "logistic regression": float(straight.score(data.new_x, data.new_labels))}


def run(seed: int, passes: int = PASSES) -> dict[str, Result]:
    """One seed; passes other than the default are for tests."""
    data = digits(seed)
    read = taught(seed, data, passes).infer({"image": data.new_x}, steps=2)["out"]
    trivial = {**baselines(data), "backprop, same net": backprop(seed, data, passes)}
    return {"accuracy": Result(share_right(read, data), trivial)}
