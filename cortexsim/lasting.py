"""What lets a simulation last: checkpoints, the place in its input, and regions started anew."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Self

from cortexsim import checkpoint
from cortexsim.plan import Plan
from cortexsim.reading import Place, seek


class Lasting:
    """The part of a :class:`cortexsim.Simulation` that saves and loads it."""

    plan: Plan
    tick: int
    _place: Place

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint: one file, from which :meth:`load` makes a simulation that goes on with the same bits.

        Parameters
        ----------
        path : path
            Of the file. One that is there is replaced, whole or not at all.

        Raises
        ------
        FileError
            It cannot be written; what was there is whole.
        InputError
            What a region has learned holds NaN or infinity, and it was not stopped for that.
        GraphError
            ``sim.graph`` was edited to something that no file can hold.

        Examples
        --------
        >>> import os, tempfile, numpy as np, cortexsim as cs
        >>> graph = cs.RegionGraph()
        >>> _ = graph.add_source("x", size=1)
        >>> _ = graph.add_region("next", kind="delta", predicts="x", context=["x@1", "x@2"], learning_rate=0.5)
        >>> wave = {"x": np.sin(np.arange(2000) / 5)}
        >>> sim = cs.Simulation(graph, seed=0)
        >>> _ = sim.run(wave, ticks=1000)
        >>> path = os.path.join(tempfile.mkdtemp(), "half.ckpt")
        >>> sim.save(path)
        >>> again = cs.Simulation.load(path)
        >>> _ = sim.run(sim.seek(wave)), again.run(again.seek(wave))
        >>> again.tick, bool((sim.get("next.W") == again.get("next.W")).all())
        (2000, True)
        """
        checkpoint.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, threads: int | None = None,
             allow_kinds: Iterable[str] = ()) -> Self:
        """Read a checkpoint.

        Parameters
        ----------
        path : path
            Of the file; or of a folder of checkpoints, of which the newest that is whole is taken.
        threads : int, optional
            Other than it was saved with; the results do not depend on it.
        allow_kinds : iterable of str
            Kinds outside the package that may be imported, by name or wildcard: importing runs their code.

        Returns
        -------
        Simulation
            Probes are not part of it: record anew.

        Raises
        ------
        FileError
            There is no such file, it is damaged, holds what no run leaves behind, or has another format.
        GraphError, KindError
            Its graph is not sound, or names a kind that may not be imported.
        """
        return checkpoint.load(cls, path, threads, allow_kinds)

    @property
    def position(self) -> int | None:
        """The row of its input that the next tick (or trial) reads; None where it was an iterator's."""
        row = self.tick // (self.plan.trial.length if self.plan.trial else 1)
        return (row if self._place.row is None else self._place.row) if self._place.again else None

    def seek(self, inputs: Any) -> Any:
        """Put an input where this simulation goes on, as after :meth:`load`.

        Parameters
        ----------
        inputs : dict, stream or sequence
            The whole of it, as the last :meth:`run` was given it.

        Returns
        -------
        object
            To be given to :meth:`run`: the stream, or what is left of arrays and lists.

        Raises
        ------
        InputError
            For a generator, or a stream without ``seek``, which cannot go anywhere.
        """
        return seek(inputs, self._place, self.tick // (self.plan.trial.length if self.plan.trial else 1))
