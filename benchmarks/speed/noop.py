"""A kind whose kernels do nothing: what a graph of it takes is the time around the kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortexsim.kind import hyper

NEEDS = ("context", "target")
PORTS = ("prediction", "error")


@dataclass(frozen=True)
class Hyper:
    """One number, as every kind has."""

    learning_rate: float = hyper(0.1, "unused", low=0.0, high=1.0)


def ports(hyper, shapes):
    """Those of ``delta``."""
    return {"prediction": shapes.target_shape, "error": shapes.target_shape}


def allocate(hyper, shapes, rng):
    """One word."""
    return {"nothing": np.zeros(1, np.float32)}


def cost(hyper, shapes):
    """Flops and bytes of a tick."""
    return 1.0, 8.0


def predict(r):
    """Nothing."""


def compare(r):
    """Nothing."""


def update(r):
    """Nothing."""


def tick(r):
    """Nothing."""
