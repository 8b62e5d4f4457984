"""Sizes: what a kind is told of its region and its edges when it allocates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EdgeShape:
    """One edge as a kind sees it: a slice of the gathered vector of its role.

    ``rows == 0`` is a dense edge; otherwise the slice holds `rows` patches of `per_row` values, and unit `i` of the
    region reads patch ``i // features``. `shared` asks for one set of weights at all positions.
    """

    name: str
    source: str
    start: int
    stop: int
    rows: int = 0
    per_row: int = 0
    shared: bool = False
    delay: int = 0
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Shapes:
    """All sizes that a kind may ask for when it allocates."""

    region: str
    shape: tuple[int, ...] | None
    context: tuple[EdgeShape, ...] = ()
    target: tuple[EdgeShape, ...] = ()
    prior: tuple[EdgeShape, ...] = ()
    feedback: tuple[EdgeShape, ...] = ()
    predicts: tuple[EdgeShape, ...] = ()

    def total(self, role: str) -> int:
        """Length of the gathered vector of `role`."""
        edges = getattr(self, role)
        return edges[-1].stop if edges else 0

    @property
    def n_context(self) -> int:
        """Length of the gathered context."""
        return self.total("context")

    @property
    def n_target(self) -> int:
        """Length of the gathered target."""
        return self.total("target")

    @property
    def n_dense(self) -> int:
        """How many of the leading context values come over dense edges."""
        return sum(edge.stop - edge.start for edge in self.context if edge.rows == 0)

    @property
    def size(self) -> int | None:
        """Number of units that the graph gave the region, or None."""
        return None if self.shape is None else int(np.prod(self.shape))

    @property
    def target_shape(self) -> tuple[int, ...]:
        """The sheet of the target: its own shape where there is one dense target edge, else one line."""
        if len(self.target) == 1 and self.target[0].rows == 0 and self.target[0].shape:
            return self.target[0].shape
        return (self.n_target,)
