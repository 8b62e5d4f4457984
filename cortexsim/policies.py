"""What becomes of regions that diverge, as tables: the policy of each, and the images that it may be set back to.

A region with the policy ``reset`` has one image of all its arrays, as they were at the start; one with ``freeze`` has
two, which it writes in turn as it learns (:mod:`cortexsim.guard`); one with ``stop`` has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cortexsim import guard
from cortexsim.arena import Arena
from cortexsim.kind import PORTS
from cortexsim.plan import RegionPlan
from cortexsim.step_sizes import trace_size

# bytes of a word
WORD = 8


def watched(region: RegionPlan, listed: str | None) -> int:
    """The bits of the column ``WATCHED``: the ports to look at when all has been written at once, and the listed one.

    Parameters
    ----------
    region : RegionPlan
    listed : str or None
        The port whose active units the kind lists.

    Returns
    -------
    int
    """
    kind, hyper = region.kind, region.hyper
    look, lists = {port for port in PORTS if port in region.ports and port != listed}, {listed} & {*region.ports}
    if "error" in look and region.shapes.n_target and kind.kernel("compare", hyper) is None:
        # an error that is target minus prediction tells of the prediction, and a loss that is its mean square of it
        look -= {"prediction"}
        if kind.score_unit(hyper) == "mse" and kind.scores(hyper) == "forecast":
            look -= {"error"}
    return sum(1 << PORTS.index(port) for port in look) + sum(guard.LISTED << PORTS.index(str(port)) for port in lists)


def make_policies(memory: Any, sizes: dict[str, tuple[int, ...]], shared: bool) -> tuple[np.ndarray, ...]:
    """Make what a memory holds for regions that diverge.

    Parameters
    ----------
    memory : Memory
        Whose arrays hold their first values.
    sizes : dict of str to tuple of int
        Region -> lengths of the two vectors along which a learning rate that learns looks; none where it does not.
    shared : bool
        Whether arrays are somebody else's: then nothing is set back, so nothing is kept.

    Returns
    -------
    policies : int64 array [regions, 6]
    images : int64 array
    diverged : int64 array [regions, 37]
        What has happened, as in :mod:`cortexsim.guard`.
    store_words : int64 array
        The memory's ``store``, in words.
    """
    n, images = len(memory.row), Arena(np.int64)
    words = memory.store[: len(memory.store) // WORD * WORD].view(np.int64)
    policies = np.zeros((n, guard.N_POLICY), np.int64)
    for name, row in memory.row.items():
        policy = 0 if shared else guard.POLICIES.index(memory.plan.regions[name].data["on_divergence"])
        start, end = (byte // WORD for byte in memory.stored_at[name])
        # the signs of the units come first, which stay
        signs = sum(sizes[name][:1])
        policies[row] = (policy, start, end - start, images.place(policy * (end - start)),
                                memory.gradient_at[name] + signs, trace_size(sizes[name]) - signs)
    kept = images.make()
    for cells in policies:
        _keep(cells, kept, words)
    return policies, kept, np.zeros((n, guard.N_DIVERGED), np.int64), words


def keep(memory: Any, name: str) -> None:
    """Take the arrays of a region as they are now for all its images."""
    _keep(memory.policies[memory.row[name]], memory.images, memory.store_words)


def _keep(cells: np.ndarray, images: np.ndarray, words: np.ndarray) -> None:
    policy, start, count, at, *_ = cells
    for k in range(policy):
        images[at + k * count : at + (k + 1) * count] = words[start : start + count]
