"""What can be changed in a running simulation: freezing, lesions, hyperparameters, and regions started anew."""

from __future__ import annotations

from typing import Any

from cortexsim import changes, divergence
from cortexsim.graph import RegionGraph
from cortexsim.plan import Plan


class Changing:
    """The part of a :class:`cortexsim.Simulation` that changes it as it runs."""

    graph: RegionGraph
    plan: Plan

    def freeze(self, *regions: str) -> list[str]:
        """Stop learning in the regions that match (names or wildcards; all by default); returns their names."""
        return changes.set_frozen(self, regions, True)

    def unfreeze(self, *regions: str) -> list[str]:
        """Let regions learn again."""
        return changes.set_frozen(self, regions, False)

    def lesion(self, pattern: str) -> list[str]:
        """Cut edges: they deliver nothing until restored.

        Parameters
        ----------
        pattern : str
            An edge's name, ``"a->b"``, or wildcards such as ``"saccade->*"``.

        Returns
        -------
        list of str
            The edges that were cut.
        """
        return changes.set_cut(self, self.graph.lesion(pattern), "lesion")

    def restore(self, pattern: str) -> list[str]:
        """Undo :meth:`lesion` for all edges that match `pattern`; returns their names."""
        return changes.set_cut(self, self.graph.restore(pattern), "restore")

    def set_hyper(self, region: str, **values: Any) -> None:
        """Change hyperparameters during a run, without a recompile.

        Parameters
        ----------
        region : str
            A name, or a wildcard for several.
        **values
            Hyperparameters by name.

        Raises
        ------
        KindError
            For an unknown name or a value out of range.
        GraphError
            For one that shapes depend on: edit the graph and :meth:`replan`.
        """
        changes.set_hyper(self, region, values)

    def hyper(self, region: str) -> dict[str, Any]:
        """The hyperparameters of a region."""
        return dict(self.plan.regions[changes.matching(self, [region])[0]].hyper)

    def restart(self, *regions: str) -> list[str]:
        """Start regions anew: arrays as at the beginning; those that were stopped after a divergence go on.

        Parameters
        ----------
        *regions : str
            Names or wildcards; all by default.

        Returns
        -------
        list of str
            Their names.
        """
        return divergence.restart(self, regions)
