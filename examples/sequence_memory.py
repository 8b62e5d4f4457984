"""A temporal memory learns sequences that share their middle; half way their endings are swapped, and it relearns them.

    python sequence_memory.py --out /tmp/memory
"""

import argparse
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cortexsim as cs
from cortexsim.memory_cells import MemoryCells
from cortexsim.sources.symbols import Stream

SWAP, STEP = 10_000, 500


def main() -> None:
    """Run in steps, decode what is predicted, and draw accuracy and anomaly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the figure")
    parser.add_argument("--elements", type=int, default=20_000)
    options = parser.parse_args()
    # the region is meant to be full: it forgets what was useful longest ago, here what followed noise
    warnings.simplefilter("ignore", cs.RegionWarning)

    stream, sim = Stream("sequences", "sparse", seed=1), cs.Simulation(cs.load("sequence_memory"), seed=1)
    right, anomaly = [], []
    for start in range(0, options.elements, STEP):
        probe = sim.record("memory.prediction")
        sim.run(stream, ticks=STEP)
        predicted, came = probe.values, stream.encoder.encode(stream.symbols(start, start + STEP))
        sim.recorder.probes.remove(probe)
        # which of 5,010 symbols has most of its columns predicted? Scored at the last symbol of a sequence
        guesses = stream.encoder.decode(predicted)
        ends = stream.ends(start, start + STEP)
        right.append((guesses == stream.symbols(start, start + STEP))[ends].mean())
        anomaly.append((1 - (predicted * came).sum(axis=1) / came.sum(axis=1))[ends].mean())
    at = STEP * (1 + np.arange(len(right)))

    for last in (SWAP, len(right) * STEP):
        if last in at:
            print(f"element {last:,}: {right[last // STEP - 1]:.2f} of the last symbols predicted")
    back = next((t - SWAP for t, share in zip(at, right, strict=True) if t > SWAP + STEP and share == 1), None)
    print(f"after the swap all are right again within {back:,} elements")
    cells = MemoryCells(sim, "memory")
    print(f"{cells.n_segments:,} segments with {cells.n_synapses:,} synapses")

    # what comes next, as a set: after the first symbol of a sequence there are several ways on
    sim.freeze()
    first = np.flatnonzero(stream.symbols(0, SWAP) < 10)[0]
    symbol = stream.symbols(first, first + 1)
    sim.observe({"symbol": stream.encoder.encode(symbol)[0]})
    named = [stream.names[k] for k in np.flatnonzero(stream.encoder.predicted(sim.predict()["memory"]))]
    print(f"after {stream.names[symbol[0]]!r} alone it expects one of {', '.join(named)}")

    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    axes.plot(at, right, label="last symbols predicted")
    axes.plot(at, anomaly, label="anomaly at them")
    axes.axvline(SWAP, color="gray", linestyle="--", label="endings are swapped")
    axes.set(xlabel="elements seen", ylabel=f"mean of {STEP} elements", ylim=(-0.02, 1.05))
    axes.legend()
    options.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out / "sequence_memory.png", dpi=120)


if __name__ == "__main__":
    main()
