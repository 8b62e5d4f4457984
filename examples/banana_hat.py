"""Fruits and hats are learned one by one; then come fruits that wear hats, and the frozen graph says what it sees.

    python banana_hat.py --out /tmp/banana
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs

SIDE, FINE, NAMES = 20, 3, "banana apple pear cherries top-hat beret party-hat crown".split()
THINGS = {  # strokes: from, to (y downwards, as imaginary part), half widths at both ends; nobody learns the star
    "banana": "-.95-.5j -.5+.2j .06 .26  -.5+.2j .5+.2j .26 .26  .5+.2j .95-.5j .26 .06",
    "apple": "-.35+0j -.25+.3j .5 .45  .35+0j .25+.3j .5 .45  -.4j .15-.95j .1 .1",
    "pear": ".3j .4j .6 .6  .3j -.5j .5 .32  -.7j .1-1.05j .1 .1",
    "cherries": "-.5+.5j -.5+.6j .4 .38  .5+.5j .5+.6j .4 .38  -.5+.3j .1-.9j .1 .1  .5+.3j .1-.9j .1 .1",
    "top-hat": "-.9+.6j .9+.6j .14 .14  -.32-.6j -.32+.5j .2 .2  -.6j .5j .2 .2  .32-.6j .32+.5j .2 .2",
    "beret": "-.45+.15j .45+.05j .4 .45  -.8+.3j .8+.2j .2 .25  .1-.3j .2-.65j .1 .1",
    "party-hat": "-.6j .3j .1 .4  -.5+.6j .5+.6j .15 .15  -.3+.4j .3+.4j .2 .2  -.8j -.7j .22 .22",
    "crown": "-.7+.5j .7+.5j .2 .2  -.65+.4j -.8-.65j .25 .04  .4j -.65j .3 .04  .65+.4j .8-.65j .25 .04",
    "star": "0 -1j .4 .02  0 .95-.3j .4 .02  0 .6+.8j .4 .02  0 -.6+.8j .4 .02  0 -.95-.3j .4 .02",
}


def draw(name, rng):
    """What share of each pixel a thing covers, in a pose at random; fruits are low, all else is high."""
    middle = complex(rng.uniform(-2, 2), rng.uniform(-2, 2) + (2.7 if name in NAMES[:4] else -2.7))
    points, covered = (np.arange(SIDE * FINE) + 0.5) / FINE - SIDE / 2, np.zeros(1, bool)
    plane = (points + 1j * points[:, None] - middle) / rng.uniform(4.7, 6.3) * np.exp(1j * rng.uniform(-0.35, 0.35))
    for start, end, wide, tip in np.array(THINGS[name].split(), complex).reshape(-1, 4):
        along = ((plane - start) / (end - start)).real.clip(0, 1)
        covered = covered | (abs(plane - start - along * (end - start)) < (wide + along * (tip - wide)).real)
    return covered.reshape(SIDE, FINE, SIDE, FINE).mean((1, 3))


def learn(seed, n=8000):
    """Show things alone, each with the gate of its own region open."""
    sim, rng = cs.Simulation(cs.load("banana_hat"), seed=seed), np.random.default_rng(seed)
    for rate in np.geomspace(0.1, 0.01, 10):
        sim.set_hyper("*", learning_rate=rate)
        which = rng.integers(8, size=n // 10)
        alone = np.array([draw(NAMES[k], rng) * rng.uniform(0.5, 1) for k in which])
        sim.run({"picture": alone, "open": np.eye(8)[which]})
    return sim


def main():
    """All regions compete for each picture; then only the fruit and the hat that explain most stay open."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    out, sim, rng = parser.parse_args().out, learn(seed=0), np.random.default_rng(4)
    # poses in which all are named; how often that fails: python -m benchmarks science --only banana_hat
    shown = [("banana", "top-hat"), ("cherries", "crown"), ("apple", "beret"), ("pear", "star")]
    drawn = [(draw(fruit, rng), draw(hat, rng)) for fruit, hat in shown]
    pictures = np.array([0.6 * fruit * (1 - hat) + 0.9 * hat for fruit, hat in drawn])
    first = sim.infer({"picture": pictures, "open": np.ones((len(shown), 8))}, steps=200)
    light = np.array([np.linalg.norm(first[f"{name}.prediction"], axis=1) for name in NAMES])
    best = np.stack([light[:4].argmax(axis=0), 4 + light[4:].argmax(axis=0)], axis=1)
    again = sim.infer({"picture": pictures, "open": np.eye(8)[best].sum(axis=1)}, steps=200)
    figure, axes = plt.subplots(len(shown), 5, figsize=(11, 9), layout="constrained")
    for row, (title, names) in enumerate(zip(map(" and ".join, shown), np.array(NAMES)[best])):
        error, energy = again["pixels.error"][row], first.energy[row]
        print(f"{title}: named {' and '.join(names)}, free energy {energy[0]:.2f} to {energy[-1]:.2f}, "
              f"unexplained {np.sum(error**2) / np.sum(pictures[row]**2):.3f}")
        images = [pictures[row], *(again[f"{name}.prediction"][row].reshape(SIDE, SIDE) for name in names), error]
        for axis, text, image in zip(axes[row], [title, *names, "unexplained"], images):
            axis.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
            axis.set(title=text, xticks=[], yticks=[])
        axes[row, 4].plot(energy)
        axes[row, 4].set_title("free energy")
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "banana_hat.png", dpi=120)


if __name__ == "__main__":
    main()
