"""What the experiments on parts and wholes share: asking with a check that nothing learns, and an AUC."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cortexsim as cs

Floats = NDArray[np.floating]


def fingerprint(sim: cs.Simulation) -> str:
    """A hash of all arrays of all regions, weights and states alike."""
    digest = hashlib.sha256()
    for region in sorted(sim.plan.regions):
        for name, array in sorted(sim.parameters(region).items()):
            digest.update(f"{region}.{name}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def ask(sim: cs.Simulation, clamp: dict[str, Any], steps: int, free: dict[str, Any] | None = None) -> Any:
    """Infer, and make sure that this changes nothing in the simulation.

    Parameters
    ----------
    sim : Simulation
    clamp, steps, free
        See :meth:`cortexsim.Simulation.infer`.

    Returns
    -------
    Inference

    Raises
    ------
    RuntimeError
        Where an array has changed.
    """
    before = fingerprint(sim)
    answer = sim.infer(clamp, steps, free)
    if fingerprint(sim) != before:
        raise RuntimeError("infer has changed an array of the simulation")
    return answer


def auc(without: Floats, with_it: Floats) -> float:
    """How often a case of the second kind has the larger figure, a tie counting half."""
    return float(np.mean((with_it[:, None] > without) + 0.5 * (with_it[:, None] == without)))
