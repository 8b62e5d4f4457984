"""What an experiment measures: a figure of ours beside its goal, the published figure and the trivial baselines."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class LeftOut(Exception):
    """An experiment cannot run here, for a reason that is no failure: outside data is not there."""


@dataclass(frozen=True)
class Goal:
    """One measure of an experiment: what it means and what it should reach.

    Parameters
    ----------
    goal : float or str
        The bound; or, in words, how the bound follows from each seed's own baselines, which `Result.goal` holds.
    better : {"higher", "lower"}
        On which side of it a figure should be.
    what : str
        What is measured.
    unit : str
        Its unit, "" for a pure number.
    published : float, optional
        The published figure on the same problem; None where there is none.
    citation : str
        Where that figure is from.
    mean : bool
        Whether it is the mean of the seeds that must meet the bound, and not every one of them.
    """

    goal: float | str
    better: str
    what: str
    unit: str = ""
    published: float | None = None
    citation: str = ""
    mean: bool = False


@dataclass(frozen=True)
class Result:
    """One measure of one seed.

    Parameters
    ----------
    ours : float
        The figure.
    baselines : mapping of str to float
        The figures of trivial forecasts on the same data.
    goal : float, optional
        The bound, where it is not the same for every seed.
    """

    ours: float
    baselines: Mapping[str, float] = field(default_factory=dict)
    goal: float | None = None


def bound(goal: Goal, result: Result) -> float:
    """The bound that one seed's figure has to meet."""
    value = goal.goal if result.goal is None else result.goal
    if isinstance(value, str):
        raise ValueError(f"the goal is given in words ({value}), so every result must bring its own")
    return float(value)


def meets(goal: Goal, result: Result) -> bool:
    """Whether one seed's figure is at its bound or on the better side of it; NaN never is."""
    if goal.better not in ("higher", "lower"):
        raise ValueError(f"better must be 'higher' or 'lower', not {goal.better!r}")
    above = result.ours - bound(goal, result)
    return math.isfinite(result.ours) and (above >= 0 if goal.better == "higher" else above <= 0)


def summary(goal: Goal, results: Sequence[Result]) -> dict[str, Any]:
    """All seeds of a measure in one entry of the table.

    Parameters
    ----------
    goal : Goal
    results : sequence of Result
        One a seed.

    Returns
    -------
    dict
        ``ours`` (mean), ``sd`` (of the seeds, None for a single one), ``seeds`` (how many), ``published``,
        ``baselines`` (means), ``goal`` (the strictest of the seeds'), ``better``, ``met`` (by every seed, or by
        their mean), ``mean`` (which of the two), ``words`` (of a goal that each seed sets itself), ``worst`` (seed's
        figure), ``citation``, ``unit``, ``what``.

    Examples
    --------
    >>> entry = summary(Goal(0.5, "lower", "error"), [Result(0.4), Result(0.2)])
    >>> round(entry["ours"], 3), entry["worst"], entry["met"]
    (0.3, 0.4, True)
    """
    figures = [result.ours for result in results]
    strictest, worst = (max, min) if goal.better == "higher" else (min, max)
    names = list(dict.fromkeys(name for result in results for name in result.baselines))
    return {
        "ours": statistics.fmean(figures),
        "sd": statistics.stdev(figures) if len(figures) > 1 else None,
        "seeds": len(figures),
        "published": goal.published,
        "baselines": {name: statistics.fmean(r.baselines[name] for r in results if name in r.baselines)
                      for name in names},
        "goal": strictest(bound(goal, result) for result in results),
        "better": goal.better,
        "met": (meets(goal, Result(statistics.fmean(figures))) if goal.mean
                else all(meets(goal, result) for result in results)),
        "mean": goal.mean,
        "words": goal.goal if isinstance(goal.goal, str) else "",
        "worst": worst(figures),
        "citation": goal.citation,
        "unit": goal.unit,
        "what": goal.what,
    }
