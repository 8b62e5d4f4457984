"""Fruits and hats were learned one by one: does a graph name both where one is before the other?

The graph ``regions/banana_hat.toml`` learns four fruits and four hats, each alone, in poses at random. Then its weights
are frozen, and it is shown a fruit and a hat at once, one before the other, so that 10 to 40 % of the smaller one is
hidden. In a first look all regions are open and compete; the fruit and the hat that explain most are named. In a second
look only these two are open: they show what each thing looks like, and what nobody explains. Instead, each of the 16
pairs may be asked whether it explains the picture, and the one with the least free energy is named; here pixels are let
go that are lit, and of which the pair claims more light than there is, since what is behind cannot be seen there. Last,
things come that nobody learned, each with a fruit: what is left unexplained should tell that, and where they are.

The classifiers are taught on the same things alone, fruits and hats as eight classes, and name the best fruit and the
best hat. The templates are 32 clusters of each thing, by k-means, which explain a picture by least squares: a first and
a second look, or each pair, as ours, but with regions that have not learned by their errors. Things are drawn by
``examples/banana_hat.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.optimize import nnls

import cortexsim as cs
from benchmarks.experiments._shapes import Floats, ask, auc
from benchmarks.measures import Goal, Result
from examples import banana_hat as example

SEEDS = 5
NAMES, KINDS = example.NAMES, 4  # of each family, the fruits first
COMPOSITES, HARD, ALONE = 300, 150, 8000
LOOK, PAIR_LOOK, SECOND_LOOK, LOOKS_AGAIN = 200, 100, 50, 2  # steps
LIT = 0.25
TEMPLATES = 32
PAIRS = np.array([[fruit, hat] for fruit in range(KINDS) for hat in range(KINDS)])
example.THINGS.update({  # nobody learns these
    "bolt": ".4-.9j -.4+.1j .16 .2  -.4+.1j .4-.1j .16 .16  .4-.1j -.4+.9j .2 .1",
    "ladder": "-.5-.9j -.5+.9j .13 .13  .5-.9j .5+.9j .13 .13  -.5-.45j .5-.45j .12 .12  -.5+.3j .5+.3j .12 .12",
})
UNKNOWN = ("star", "bolt", "ladder")
GOALS = {
    "both_named": Goal(0.9, "higher", "share of new composites, 10 to 40 % of the smaller thing hidden, of which fruit "
                       "and hat are named in the first look"),
    "both_named_by_energy": Goal(0.9, "higher", "the same, by the pair with the least free energy"),
    "both_named_much_hidden": Goal("the best of its baselines", "higher", "the same in the first look, 40 to 60 % "
                                   "hidden"),
    "part_correlation": Goal(0.85, "higher", "what the two named regions predict, each with its thing alone, hidden "
                             "pixels included: correlation over pixels"),
    "unknown_told": Goal(0.85, "higher", "share of unexplained light tells fruits with an unknown thing from fruits "
                         "with hats: area under the curve"),
    "unknown_found": Goal(0.8, "higher", "share of these in which the pixel with most unexplained light is the unknown "
                          "thing's"),
}

Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Composites:
    """Pictures of two things: [n, pixels], each thing alone, and which they are."""

    pictures: Floats
    fruits: Floats
    others: Floats
    labels: Labels


def lay(one: str, other: str, rng: np.random.Generator, least: float, most: float) -> tuple[Floats, Floats, Floats]:
    """Two things, one before the other so that this share of the smaller one is hidden: the picture, and each alone."""
    hidden = -1.0
    while not least < hidden < most:
        a, b = example.draw(one, rng), example.draw(other, rng)
        hidden = np.minimum(a, b).sum() / min(a.sum(), b.sum())
    light_a, light_b, front = *rng.uniform(0.5, 1, 2), rng.integers(2)
    return light_a * a * (1 - front * b) + light_b * b * (1 - (1 - front) * a), light_a * a, light_b * b


def compose(rng: np.random.Generator, n: int, others: tuple[str, ...], least: float = 0.1,
            most: float = 0.4) -> Composites:
    """Draw `n` composites of a fruit and one of `others`."""
    labels = np.stack([rng.integers(KINDS, size=n), rng.integers(len(others), size=n)], axis=1)
    drawn = [lay(NAMES[fruit], others[other], rng, least, most) for fruit, other in labels]
    pictures, fruits, rest = np.array(drawn).reshape(n, 3, -1).transpose(1, 0, 2)
    return Composites(pictures, fruits, rest, labels)


def alone(rng: np.random.Generator, n: int) -> tuple[Floats, Labels]:
    """Draw `n` things alone, as the graph has learned them, and which they are."""
    which = rng.integers(len(NAMES), size=n)
    return np.array([example.draw(NAMES[k], rng).ravel() * rng.uniform(0.5, 1) for k in which]), which


def best_of_families(figures: Floats) -> Labels:
    """The best fruit and the best hat, from one figure for each thing [n, things]."""
    return np.stack([figures[:, :KINDS].argmax(axis=1), figures[:, KINDS:].argmax(axis=1)], axis=1)


def both(named: Labels, truth: Labels) -> float:
    """Share of composites of which both things are right."""
    return float((named == truth).all(axis=1).mean())


# ------------------------------------------------------------------------------------------------------ the graph

@dataclass(frozen=True)
class Look:
    """What the graph says of pictures: which two things, what each looks like [n, 2, pixels], and what is left."""

    named: Labels
    parts: Floats
    errors: Floats


def predictions(answer: Any) -> Floats:
    """What each thing's region predicts, [n, things, pixels]."""
    return np.stack([answer[f"{name}.prediction"] for name in NAMES], axis=1)


def only(pairs: Labels) -> Floats:
    """Gates that are open for a fruit and a hat each."""
    return np.eye(len(NAMES))[pairs + np.array([0, KINDS])].sum(axis=1)


def look(sim: cs.Simulation, pictures: Floats) -> Look:
    """All regions compete; then the fruit and the hat that explain most stay open, and the rest are closed."""
    every = np.ones((len(pictures), len(NAMES)))
    first = predictions(ask(sim, {"picture": pictures, "open": every}, LOOK))
    named = best_of_families(np.linalg.norm(first, axis=2))
    answer = ask(sim, {"picture": pictures, "open": only(named)}, LOOK)
    parts = predictions(answer)[np.arange(len(pictures))[:, None], named + np.array([0, KINDS])]
    return Look(named, parts, answer["pixels.error"].reshape(len(pictures), -1))


def least_energy(sim: cs.Simulation, pictures: Floats) -> Labels:
    """The pair that leaves the least free energy, of pixels that are not let go."""
    shown = np.repeat(pictures, len(PAIRS), axis=0)
    asked = {"picture": shown, "open": np.tile(only(PAIRS), (len(pictures), 1))}
    answer = ask(sim, asked, PAIR_LOOK)
    for _ in range(LOOKS_AGAIN):
        claimed = answer["pixels.reconstruction"].reshape(shown.shape)
        asked["picture"] = np.ma.masked_array(shown, (shown > LIT) & (claimed > shown))
        answer = ask(sim, asked, SECOND_LOOK, {name: answer[name] for name in NAMES})
    return PAIRS[answer.energy[:, -1].reshape(len(pictures), -1).argmin(axis=1)]


def correlation(parts: Floats, truth: Floats) -> float:
    """Correlation over pixels, the last axis; mean of all pictures and parts."""
    a, b = (rows - rows.mean(axis=-1, keepdims=True) for rows in (parts, truth))
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1) + 1e-9
    return float(np.mean((a * b).sum(axis=-1) / lengths))


# ------------------------------------------------------------------------------------------------------ baselines

class Classifier:
    """Softmax over eight things, of the pixels or of one layer of rectified units, by Adam on batches.

    Parameters
    ----------
    pictures : array [n, pixels]
    which : int array [n]
    hidden : int
        Units between; 0 for logistic regression.
    rng : Generator
    """

    def __init__(self, pictures: Floats, which: Labels, hidden: int, rng: np.random.Generator) -> None:
        sizes = [pictures.shape[1], *([hidden] if hidden else []), len(NAMES)]
        self.layers = [(rng.standard_normal((a + 1, b)) * np.sqrt(2 / a)) for a, b in zip(sizes, sizes[1:])]
        moments = [(np.zeros_like(W), np.zeros_like(W)) for W in self.layers]
        step = 0
        for _ in range(20):
            for rows in np.array_split(rng.permutation(len(pictures)), len(pictures) // 100):
                step += 1
                for W, (first, second), slope in zip(self.layers, moments, self._slopes(pictures[rows], which[rows])):
                    first += 0.1 * (slope - first)
                    second += 0.001 * (slope**2 - second)
                    size = 0.003 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                    W -= size * first / (np.sqrt(second) + 1e-8)

    def _forward(self, pictures: Floats) -> list[Floats]:
        values = [pictures]
        for k, W in enumerate(self.layers):
            x = values[-1] @ W[:-1] + W[-1]
            values.append(np.maximum(x, 0) if k < len(self.layers) - 1 else x)
        return values

    def _slopes(self, pictures: Floats, which: Labels) -> list[Floats]:
        values = self._forward(pictures)
        back = (softmax(values[-1]) - np.eye(len(NAMES))[which]) / len(which)
        slopes = []
        for W, x in zip(self.layers[::-1], values[-2::-1]):
            slopes.append(np.vstack([x.T @ back, back.sum(axis=0)]))
            back = (back @ W[:-1].T) * (x > 0)
        return slopes[::-1]

    def probabilities(self, pictures: Floats) -> Floats:
        """Of each thing, [n, things]."""
        return softmax(self._forward(pictures)[-1])


def softmax(x: Floats) -> Floats:
    """Probabilities from logits, in rows."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def nearest(known: Floats, which: Labels, pictures: Floats) -> Labels:
    """The nearest fruit and the nearest hat of those that were shown alone."""
    distance = (known**2).sum(axis=1) - 2 * pictures @ known.T
    return best_of_families(-np.stack([distance[:, which == k].min(axis=1) for k in range(len(NAMES))], axis=1))


def clusters_of(known: Floats, which: Labels, seed: int) -> Floats:
    """Templates of each thing, [things, TEMPLATES, pixels]."""
    return np.array([kmeans2(known[which == k], TEMPLATES, minit="++", rng=np.random.default_rng(seed))[0]
                     for k in range(len(NAMES))])


def look_by_templates(clusters: Floats, pictures: Floats) -> Look:
    """Least squares, without negative shares, with all templates; then with those of the two that explain most."""
    every = np.concatenate(clusters).T
    shares = np.array([nnls(every, picture)[0] for picture in pictures])
    light = np.einsum("nkt,ktp->nkp", shares.reshape(len(pictures), len(NAMES), TEMPLATES), clusters)
    named = best_of_families(np.linalg.norm(light, axis=2))
    two = clusters[named + np.array([0, KINDS])]
    shares = np.array([nnls(np.concatenate(views).T, picture)[0] for views, picture in zip(two, pictures)])
    parts = np.einsum("nkt,nktp->nkp", shares.reshape(len(pictures), 2, TEMPLATES), two)
    return Look(named, parts, pictures - parts.sum(axis=1))


def by_template_pairs(clusters: Floats, pictures: Floats) -> Labels:
    """The pair whose templates leave least, pixels being let go as in `least_energy`."""
    left = np.zeros((len(pictures), len(PAIRS)))
    for k, (fruit, hat) in enumerate(PAIRS):
        views = np.concatenate([clusters[fruit], clusters[KINDS + hat]]).T
        for row, picture in enumerate(pictures):
            shares, left[row, k] = nnls(views, picture)
            for _ in range(LOOKS_AGAIN):
                held = (picture <= LIT) | (views @ shares <= picture)
                shares, left[row, k] = nnls(views[held], picture[held])
    return PAIRS[left.argmin(axis=1)]


@dataclass(frozen=True)
class Baselines:
    """All that has learned from the same number of things alone."""

    known: Floats
    which: Labels
    classifiers: dict[str, Classifier]
    clusters: Floats

    def named(self, pictures: Floats, seen: Look) -> dict[str, Labels]:
        """What each names; the templates have seen it already."""
        found = {name: best_of_families(c.probabilities(pictures)) for name, c in self.classifiers.items()}
        return found | {"nearest thing": nearest(self.known, self.which, pictures), "templates": seen.named}

    def doubt(self, name: str, pictures: Floats) -> Floats:
        """How unsure a classifier is of the best fruit and the best hat together."""
        p = self.classifiers[name].probabilities(pictures)
        return 1 - p[:, :KINDS].max(axis=1) - p[:, KINDS:].max(axis=1)


def baselines_of(seed: int) -> Baselines:
    """Teach them."""
    rng = np.random.default_rng([seed, 2])
    known, which = alone(rng, ALONE)
    return Baselines(known, which, {name: Classifier(known, which, hidden, rng) for name, hidden in
                                    (("logistic regression", 0), ("network of 100", 100))},
                     clusters_of(known, which, seed))


# -------------------------------------------------------------------------------------------------------- measures

def naming(sim: cs.Simulation, others: Baselines, rng: np.random.Generator) -> dict[str, Result]:
    """Which things are there, and what each looks like."""
    hats = tuple(NAMES[KINDS:])
    new, hard = compose(rng, COMPOSITES, hats), compose(rng, HARD, hats, 0.4, 0.6)
    seen, templates = look(sim, new.pictures), look_by_templates(others.clusters, new.pictures)
    rivals = {name: both(named, new.labels) for name, named in others.named(new.pictures, templates).items()}
    hard_templates = look_by_templates(others.clusters, hard.pictures)
    hard_rivals = {name: both(named, hard.labels)
                   for name, named in others.named(hard.pictures, hard_templates).items()}
    pairwise = {"templates": both(by_template_pairs(others.clusters, new.pictures), new.labels)}
    means = np.array([others.known[others.which == k].mean(axis=0) for k in range(len(NAMES))])
    truth = np.stack([new.fruits, new.others], axis=1)
    guesses = {"templates": templates.parts, "the whole picture": np.repeat(new.pictures[:, None], 2, axis=1),
               "mean of the right thing": means[new.labels + np.array([0, KINDS])]}
    return {
        "both_named": Result(both(seen.named, new.labels), rivals),
        "both_named_by_energy": Result(both(least_energy(sim, new.pictures), new.labels), rivals | pairwise),
        "both_named_much_hidden": Result(both(look(sim, hard.pictures).named, hard.labels), hard_rivals,
                                         max(hard_rivals.values())),
        "part_correlation": Result(correlation(seen.parts, truth), {
            name: correlation(parts, truth) for name, parts in guesses.items()}),
    }


def failing(seen: tuple[Look, Look], common: Composites, strange: Composites) -> tuple[float, float]:
    """How well what is left tells strange things from common ones, and how often it is largest on them."""
    left = [(s.errors**2).sum(axis=1) / (c.pictures**2).sum(axis=1) for s, c in zip(seen, (common, strange))]
    worst = seen[1].errors.argmax(axis=1)
    return auc(*left), float((strange.others > 0)[np.arange(COMPOSITES), worst].mean())


def unknown(sim: cs.Simulation, others: Baselines, rng: np.random.Generator) -> dict[str, Result]:
    """Where explaining fails: fruits with things that nobody has learned, beside fruits with hats."""
    common, strange = compose(rng, COMPOSITES, tuple(NAMES[KINDS:])), compose(rng, COMPOSITES, UNKNOWN)
    told, found = failing((look(sim, common.pictures), look(sim, strange.pictures)), common, strange)
    rival_told, rival_found = failing((look_by_templates(others.clusters, common.pictures),
                                       look_by_templates(others.clusters, strange.pictures)), common, strange)
    share = ((strange.others > 0).sum(axis=1) / (strange.pictures > 0).sum(axis=1)).mean()
    doubts = {name: auc(others.doubt(name, common.pictures), others.doubt(name, strange.pictures))
              for name in others.classifiers}
    return {"unknown_told": Result(told, doubts | {"templates": rival_told}),
            "unknown_found": Result(found, {"any lit pixel": float(share), "templates": rival_found})}


def run(seed: int) -> dict[str, Result]:
    """One seed."""
    sim, others, rng = example.learn(seed, ALONE), baselines_of(seed), np.random.default_rng([seed, 1])
    return naming(sim, others, rng) | unknown(sim, others, rng)
