"""Where kernels read signals in place: kept across copies and checkpoints, since addresses are new in each memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from cortexsim import bookkeeping as d


def direct_places(memory: Any) -> np.ndarray:
    """Where in `signals` each edge was last read in place, int64 [edges]; -1 where it was read from a copy."""
    edges = memory.edges[: len(memory.plan.edges)]
    places = (memory.words[edges[:, d.E_WORD]] - memory.signals.ctypes.data) // 4
    inside = (edges[:, d.E_DIRECT] != 0) & (places >= 0) & (places + edges[:, d.E_LENGTH] <= len(memory.signals))
    return np.where(inside, places, -1)


def point(memory: Any, places: np.ndarray) -> None:
    """Let kernels read again where they did, until their edges bring the next values."""
    edges = memory.edges[: len(memory.plan.edges)]
    rows = np.flatnonzero((places >= 0) & (edges[:, d.E_DIRECT] != 0))
    memory.words[edges[rows, d.E_WORD]] = memory.signals.ctypes.data + 4 * places[rows]
