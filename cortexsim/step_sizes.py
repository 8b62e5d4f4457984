"""Step sizes that change as a region learns: what every kind with a ``learning_rate`` can do, with no line of its own.

============= =====================================================================================================
``fixed``     the rate stays as it is set
``decayed``   ``rate = learning_rate / (1 + updates / decay_time)``
RULE_LINE
============= =====================================================================================================

A kind may offer more rules, with a rate for each weight, in a field ``step_size`` of its own; the three above come
first there, and the driver leaves the others to the kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cortexsim.errors import KindError
from cortexsim.hyperparameter import HyperField, hyper, hyper_fields

#: The rules that the driver follows, in the order of their numbers in its tables.
STEP_SIZES = ("fixed", "decayed", "hypergradient")
#: What a step goes along, where a kind does not say: the outer product of its error and its context.
GRADIENT = ("error", "context")
_VECTORS = ("prediction", "error", "state", "reconstruction", "context")
#: Between which limits a rate is kept, where its own range does not end before.
LOWEST, HIGHEST = 1e-6, 1e6


@dataclass(frozen=True)
class StepSize:
    """Hyperparameters that a kind gains by having one called ``learning_rate``."""

    step_size: str = hyper("fixed", "how the learning rate changes as the region learns", choices=STEP_SIZES,
                           structural=True)
    meta_rate: float = hyper(0.02, "how fast a rate that learns changes, relative to itself", low=0.0, high=1.0,
                             scale="log", unit="1/update")
    decay_time: float = hyper(10_000.0, "updates after which a decayed rate is half of what it was", low=1.0, high=1e12,
                              scale="log", unit="updates")


def add_step_sizes(fields: dict[str, HyperField]) -> dict[str, HyperField]:
    """The hyperparameters of a kind, with those of :class:`StepSize` where it has a learning rate.

    Parameters
    ----------
    fields : dict of str to HyperField
        Those that the kind itself declares; where it has one of these names, its own stands.

    Returns
    -------
    dict of str to HyperField
    """
    rate = fields.get("learning_rate")
    if rate is None or rate.integer:
        return fields
    return {**fields, **{name: field for name, field in hyper_fields(StepSize).items() if name not in fields}}


def limits(field: HyperField) -> tuple[float, float]:
    """Between which values a rate of this hyperparameter may move."""
    low = LOWEST if field.low is None else max(field.low, LOWEST)
    return low, HIGHEST if field.high is None else field.high


def check_steps(where: str, fields: dict[str, HyperField], gradient: Any) -> None:
    """Raise a KindError where a kind says something of its steps that the driver cannot follow.

    Parameters
    ----------
    where : str
        The kind, for the message.
    fields : dict of str to HyperField
        Its own hyperparameters.
    gradient : tuple of str
        Its ``GRADIENT``.
    """
    own = fields.get("step_size")
    if own is not None and own.choices[:len(STEP_SIZES)] != STEP_SIZES:
        raise KindError(where, f"Hyper.step_size must be a choice that begins with {', '.join(STEP_SIZES)}",
                        own.choices)
    if not isinstance(gradient, tuple) or len(gradient) != 2 or not {*gradient} <= {*_VECTORS}:
        raise KindError(where, f"GRADIENT must name two of {', '.join(_VECTORS)}", gradient)
