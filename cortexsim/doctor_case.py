"""What the checks of a check-up look at: a plan with its curves, and as much of the simulation as is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortexsim.curves import Curves
from cortexsim.measures import FIELDS
from cortexsim.plan import Plan
from cortexsim.plan_shapes import RegionPlan

PART = 0.1  #: The share of a run that counts as its end.
GROUPS = 16  #: Stretches that the end of a run is cut into, to see how much a skill changes from one to the next.
FEW_TICKS = 64  #: Scored ticks below which a skill says nothing.
_LOSS, _TICKS = FIELDS.index("loss"), FIELDS.index("ticks")


class Skill(NamedTuple):
    """How much better a region is than a baseline at the end of a run.

    Attributes
    ----------
    value : float
        1 - loss / loss of the baseline; NaN where that made no error, or there is none.
    noise : float
        Standard error of it, from stretch to stretch.
    ticks : int
        Scored.
    """

    value: float
    noise: float
    ticks: int

    def beats(self) -> bool:
        """Whether it is above zero, by more than the noise or by a twentieth."""
        return not self.value <= 0.05 or self.value > 2 * self.noise


@dataclass
class Case:
    """One simulation, or what a run folder tells of one.

    Attributes
    ----------
    plan : Plan
    curves : Curves
    shares : mapping of str to float
        Region -> share of the time.
    rates : mapping of str to float
        Region -> its learning rate now.
    frozen : set of str
        Regions that learn no more.
    sim : Simulation or None
        None: the weights are gone.
    told : set of str
        Regions of which the cause of their trouble has been found: what follows from it is not told as well.
    """

    plan: Plan
    curves: Curves
    shares: Mapping[str, float]
    rates: Mapping[str, float]
    frozen: set[str]
    sim: Any = None
    told: set[str] = field(default_factory=set)

    @property
    def tick(self) -> int:
        """How many ticks have run."""
        return self.curves.start + self.curves.n_ticks

    def regions(self) -> list[RegionPlan]:
        """Regions in the order of their names."""
        return [self.plan.regions[name] for name in sorted(self.plan.regions)]

    def total(self, region: str, measure: str) -> float:
        """A sum over the whole run: ``ticks``, ``learned`` or another of the fields of a curve."""
        return float(self.curves.acc[self.curves.regions.index(region), :, FIELDS.index(measure)].sum())

    def end(self, region: str) -> dict[str, float]:
        """All measures over the end of the run."""
        return self.curves.final(region, PART)

    def skill(self, region: str, baseline: str = "loss_mean", part: tuple[float, float] = (1 - PART, 1.0)) -> Skill:
        """The skill over a part of the run.

        Parameters
        ----------
        region : str
        baseline : {"loss_mean", "loss_last"}
        part : (float, float)
            From where to where, in shares of the run.

        Returns
        -------
        Skill
        """
        curves, row = self.curves, self.curves.regions.index(region)
        used = -(-curves.n_ticks // curves.bin_width)
        first = min(int(curves.n_ticks * part[0]) // curves.bin_width, max(0, used - 1))
        last = max(first + 1, int(round(used * part[1])))
        sums = curves.acc[row, first:last]
        if not sums[:, _TICKS].any() and part[1] == 1.0:
            # it was not due at the end: as long a stretch before its last scored tick
            scored = np.flatnonzero(curves.acc[row, :used, _TICKS])
            if len(scored):
                sums = curves.acc[row, max(0, scored[-1] + 1 - (last - first)) : scored[-1] + 1]
        if curves.score[row] == "bits" and baseline == "loss_last":
            return Skill(np.nan, np.nan, int(sums[:, _TICKS].sum()))
        return skill_of(sums, FIELDS.index(baseline))


def skill_of(sums: NDArray[np.float64], baseline: int) -> Skill:
    """The skill and its noise from the sums of some bins [bins, 15]; `baseline` is the place of its loss in them."""
    sums = sums[sums[:, _TICKS] > 0]
    groups = np.array_split(np.arange(len(sums)), min(GROUPS, max(1, len(sums))))
    parts = np.array([sums[group].sum(axis=0) for group in groups])
    loss, base, ticks = parts[:, _LOSS], parts[:, baseline], int(parts[:, _TICKS].sum())
    if not base.sum() > 0:
        return Skill(np.nan, np.nan, ticks)
    ratio = loss.sum() / base.sum()
    n = len(parts)
    # of a ratio of sums: what each stretch has too much or too little, by the linear approximation
    rest = loss - ratio * base
    noise = np.sqrt(n / (n - 1) * (rest**2).sum()) / base.sum() if n > 1 else np.inf
    return Skill(1.0 - float(ratio), float(noise), ticks)


def scaled(hyper: Mapping[str, Any], name: str, factor: float, limits: tuple[float | None, float | None]) -> str:
    """``"learning_rate = 0.02"``: a hyperparameter times a factor, inside its range.

    Examples
    --------
    >>> scaled({"rate": 0.1}, "rate", 0.25, (0.0, 2.0))
    'rate = 0.025 (now 0.1)'
    """
    low, high = limits
    value = max(-np.inf if low is None else low, min(np.inf if high is None else high, hyper[name] * factor))
    return f"{name} = {value:g} (now {hyper[name]:g})"


def lower(region: RegionPlan, factor: float = 0.25) -> str:
    """What to set so that a region learns more slowly; "" where it has no learning rate."""
    return _changed(region, factor)


def higher(region: RegionPlan, factor: float = 4.0) -> str:
    """What to set so that a region learns faster; "" where it has no learning rate."""
    return _changed(region, factor)


def _changed(region: RegionPlan, factor: float) -> str:
    field = region.kind.hyper_fields().get("learning_rate")
    if field is None or not uses_rate(region):
        return ""
    if region.hyper["learning_rate"] == 0 and factor > 1:
        return f"learning_rate = {field.default:g} (now 0)"
    return scaled(region.hyper, "learning_rate", factor, (field.low, field.high))


def uses_rate(region: RegionPlan) -> bool:
    """Whether a region learns by its learning rate: one whose readout is found by least squares does not."""
    return "learning_rate" in region.hyper and region.hyper.get("readout", "nlms") == "nlms"


def target_words(region: RegionPlan) -> str:
    """What a region predicts, as signals."""
    return ", ".join(dict.fromkeys(edge.signal for edge in region.edges["target"])) or "other regions' states"
