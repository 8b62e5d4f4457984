"""One graph learns handwritten digits; then it reads them, completes them, writes them, and cleans them.

One region predicts itself: 64 pixels, 10 labels and 128 hidden units, each from all others. With its weights frozen, a
question is which of these are clamped; the rest settles. The images are those of scikit-learn: pip install scikit-learn

    python digits_queries.py --out /tmp/digits
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs

LEARNING_RATE, DECAY, TAUGHT = 0.01, 2e-4, 1297  # of 1797 images


def images(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All images, float32 [1797, 8, 8] in [0, 1], and their labels, in an order drawn at random."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SystemExit("the images come with scikit-learn: pip install scikit-learn") from None
    found, order = load_digits(), np.random.default_rng(seed).permutation(1797)
    return found.images[order].astype(np.float32) / 16, found.target[order]


def learn(pictures: np.ndarray, labels: np.ndarray, passes: int = 20) -> cs.Simulation:
    """Show image and label together, in ever smaller steps; decay keeps units from being predicted by what they are."""
    graph = cs.RegionGraph(name="digits")
    graph.set_trial(10)
    graph.add_source("image", shape=(8, 8))
    graph.add_source("label", size=10)
    graph.add_region("graph", kind="predictive_coding", predicts=["image", "label", "graph.state"], size=64 + 10 + 128,
                     activation="relu", rate=0.2, spread=0.5, learning_rate=LEARNING_RATE, decay=DECAY)
    sim, rng = cs.Simulation(graph, seed=0), np.random.default_rng(1)
    for share in 1 / (1 + 0.2 * np.arange(passes)):
        sim.set_hyper("graph", learning_rate=LEARNING_RATE * share, decay=DECAY * share)
        order = rng.permutation(len(labels))
        sim.run({"image": pictures[order], "label": np.eye(10)[labels[order]]})
    return sim


def main() -> None:
    """Learn, ask four questions about images that were not learned, and draw the answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    out, (pictures, labels) = parser.parse_args().out, images(seed=0)
    sim, x, y = learn(pictures[:TAUGHT], labels[:TAUGHT]), pictures[TAUGHT:], labels[TAUGHT:]
    means = np.array([pictures[:TAUGHT][labels[:TAUGHT] == k].mean(axis=0) for k in range(10)])
    upper = np.ma.masked_array(x, np.broadcast_to(np.arange(8)[:, None] >= 4, x.shape))
    noisy = x + np.random.default_rng(2).normal(scale=0.3, size=x.shape)
    read = sim.infer({"image": x}, steps=100)["label"].argmax(axis=1)
    whole = sim.infer({"image": upper, "label": np.eye(10)[y]}, steps=100)["image"]
    written = sim.infer({"label": np.eye(10)}, steps=100)["image"]
    clean = sim.infer(free={"image": noisy}, steps=10)["image"]
    alike = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(written, means)])
    print(f"classify: {np.mean(read == y):.3f} of {len(y)} new images are read right")
    print(f"complete: squared error {np.mean((whole - x)[:, 4:] ** 2):.4f} in the lower half, "
          f"{np.mean((means[y] - x)[:, 4:] ** 2):.4f} for the mean of the class")
    print(f"generate: correlation {alike:.3f} with the mean of the class")
    print(f"denoise:  squared error {np.mean((clean - x) ** 2):.4f}, {np.mean((noisy.clip(0, 1) - x) ** 2):.4f} before")
    first = [np.flatnonzero(y == k)[0] for k in range(10)]  # one image of each class
    rows = {"new image": x[first], "upper half": upper[first], "completed": whole[first], "from the label": written,
            "noisy": noisy[first], "denoised": clean[first]}
    figure, axes = plt.subplots(len(rows), 10, figsize=(9, 6), layout="constrained")
    for line, (name, shown) in zip(axes, rows.items()):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for k, (axis, picture) in enumerate(zip(line, shown)):
            axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[], title=f"read: {read[first[k]]}" if name == "new image" else "")
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "digits_queries.png", dpi=120)


if __name__ == "__main__":
    main()
