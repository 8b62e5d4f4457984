"""Passes on what regions say of themselves as they run: that a limit is reached, and what happens there."""

from __future__ import annotations

import warnings
from typing import Any

from cortexsim.errors import RegionWarning, users_call
from cortexsim.settling import watches


class Notices:
    """Asks the kinds that bring ``notices`` after every stretch of a run; tells each thing once of a region.

    A kind's ``notices(hyper, arrays)`` returns a dict from one or two words, which become an event on the curve, to a
    sentence that says what has happened, what is done about it, and the remedy.
    """

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()
        self._asked: tuple[Any, list[str], bool] = (None, [], False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Notices:
        # of a copied simulation: its plan is another
        twin = Notices()
        twin._told = set(self._told)
        return twin

    def listens(self, sim: Any) -> bool:
        """Whether any region may have something to say, or settles, which is watched."""
        self._find(sim)
        return bool(self._asked[1]) or self._asked[2]

    def look(self, sim: Any, tick: int) -> None:
        """Ask every region that has something to say; what is new is an event at `tick`, where the stretch began."""
        self._find(sim)
        for name in self._asked[1]:
            region = sim.plan.regions[name]
            for what, text in region.kind.notices(region.hyper, sim.memory.arrays[name]).items():
                if (name, what) not in self._told:
                    self._told.add((name, what))
                    sim.curves.add_event(tick, what, name, text)
                    warnings.warn(f"region {name!r}: {text}", RegionWarning, stacklevel=users_call())

    def _find(self, sim: Any) -> None:
        if self._asked[0] is not sim.plan:
            # found once: online, it is asked at every tick
            regions = sim.plan.regions
            self._asked = sim.plan, [name for name in regions if regions[name].kind.has_notices], watches(sim.plan)
