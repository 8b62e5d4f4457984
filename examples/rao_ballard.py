"""Predictive coding learns from a photograph; then bars show that its errors are end-stopped as long as V2 takes part.

    python rao_ballard.py --image my_photograph.jpg --out /tmp/rao
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs
from cortexsim.sources.glimpses import SAMPLE
from cortexsim.sources.patches import Stream

LENGTHS = np.arange(1, 30, 2)
PLACES = [(angle, offset) for angle in np.arange(12) * np.pi / 12 for offset in (-2, 0, 2)]


def bar(length: float, angle: float, offset: float) -> np.ndarray:
    """A picture with a bar 2 pixels wide; the field of the three patches is its middle."""
    y, x = np.mgrid[-19.5:20, -24.5:25]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle) - offset
    return np.clip((length + 1) / 2 - abs(along), 0, 1) * np.clip(1.5 - abs(across), 0, 1)


def main() -> None:
    """Learn, and show bars without V2 and with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", default=SAMPLE, help="a picture; by default the one that matplotlib carries")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    options = parser.parse_args()
    eye, sim = Stream(options.image), cs.Simulation(cs.load("rao_ballard"))
    sim.run(eye, trials=40_000)
    bars = eye.see(np.array([bar(length, *place) for place in PLACES for length in LENGTHS]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    fields = sim.get("V1-middle.W").T / abs(sim.get("V1-middle.W")).max(axis=0)[:, None]
    tiles = np.pad(fields.reshape(4, 8, 16, 16), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1)
    left.imshow(tiles.swapaxes(1, 2).reshape(72, 144), cmap="gray")
    left.set(title="receptive fields of V1", xticks=[], yticks=[])
    best = None
    for name, change in (("V2 is cut off", sim.lesion), ("V2 takes part", sim.restore)):
        change("*V2*")
        errors = abs(sim.infer(bars, steps=60)["V1-middle.error"]).reshape(len(PLACES), len(LENGTHS), -1)
        best = errors[:, 4].argmax(axis=0) if best is None else best  # where 9 pixels drive a unit most, without V2
        curves = errors[best, :, range(len(best))]
        curves /= curves.max(axis=1, keepdims=True)
        print(f"{name}: V1's error falls by {1 - curves[:, -1].mean():.2f} of its peak towards the longest bar")
        right.plot(LENGTHS, curves.mean(axis=0), label=name)
    right.set(xlabel="length of the bar (pixels)", ylabel="error of V1 / its peak, mean of units", ylim=(0, 1))
    right.legend()
    options.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out / "rao_ballard.png", dpi=120)


if __name__ == "__main__":
    main()
