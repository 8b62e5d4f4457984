"""Step sizes that change as a region learns: what every kind with a ``learning_rate`` can do, with no line of its own.

================== ================================================================================================
``fixed``          the rate stays as it is set
``decayed``        ``rate = learning_rate / (1 + updates / decay_time)``
``hypergradient``  ``log rate <- log rate + meta_rate gain``, gain: how fast the squared error falls with log rate
================== ================================================================================================

The gain is the derivative of the error by the logarithm of the rate, through all the past, as in Sutton (1992) for each
weight and in Schraudolph (1999), but for one unit that stands for all: the sum of the units times random signs ``u``
(Hutchinson, 1990). The weights of that unit depend on the rate through one vector, the trace ``h``, so that a step
costs as much as one more unit. In the names of the code, for ``n`` units with dense context ``x``, and error ``e``::

    s = u e,    d_i = h x / n + hb_i,    total = h x sum_i s_i + sum_i s_i hb_i,    energy = (sum_i s_i)^2
    h <- h + step sum_i (s_i - d_i) x,    hb_i <- hb_i + step (s_i - d_i)      step as the kind makes it
    gain = total / max(energy, its mean over 1000 updates), cut to -1..1
    if rate < standing: h, hb <- (rate / standing) of them, standing <- rate;  else standing follows the rate slowly

The cosine of successive gradients, which Baydin et al. (2018) multiply the rate by, is right only where samples are
independent: where each resembles the last, a large step always helps the next one, and the rate runs away.

Sources: A. G. Baydin et al., Online learning rate adaptation with hypergradient descent, ICLR 2018 (arXiv:1703.04782);
N. N. Schraudolph, Local gain adaptation in stochastic gradient descent, ICANN 1999, doi:10.1049/cp:19991170; R. S.
Sutton, Adapting bias by gradient descent, AAAI 1992; M. F. Hutchinson, Communications in Statistics 19 (1990) 433-450,
doi:10.1080/03610919008812866.

A kind may offer more rules, with a rate for each weight, in a field ``step_size`` of its own; the three above come
first there, and the driver leaves the others to the kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def add_step_sizes(fields: Mapping[str, HyperField]) -> dict[str, HyperField]:
    """The hyperparameters of a kind, with those of :class:`StepSize` where it has a learning rate.

    Parameters
    ----------
    fields : mapping of str to HyperField
        Those that the kind itself declares; where it has one of these names, its own stands.

    Returns
    -------
    dict of str to HyperField
    """
    rate = fields.get("learning_rate")
    if rate is None or rate.integer:
        return dict(fields)
    return {**fields, **{name: field for name, field in hyper_fields(StepSize).items() if name not in fields}}


def signs(region: str, n: int) -> np.ndarray:
    """Random signs of the units of a region, from its name: they make one unit of all, for ``hypergradient``.

    Half of them are positive: errors that add up to zero, as those of probabilities, must not cancel.

    Examples
    --------
    >>> sorted(signs("V1", 5).tolist())
    [-1.0, -1.0, 1.0, 1.0, 1.0]
    """
    rng = np.random.default_rng(list(hashlib.sha256(region.encode()).digest()))
    return rng.permutation(np.where(np.arange(n) % 2, np.float32(-1.0), np.float32(1.0)))


def trace_size(sizes: tuple[int, ...]) -> int:
    """How many numbers ``hypergradient`` keeps for two vectors of these sizes; none for no vectors."""
    return 5 * sizes[0] + sizes[1] if sizes else 0


def limits(field: HyperField) -> tuple[float, float]:
    """Between which values a rate of this hyperparameter may move."""
    low = LOWEST if field.low is None else max(field.low, LOWEST)
    return low, HIGHEST if field.high is None else field.high


def check_steps(where: str, fields: Mapping[str, HyperField], gradient: Any) -> None:
    """Raise a KindError where a kind says something of its steps that the driver cannot follow.

    Parameters
    ----------
    where : str
        The kind, for the message.
    fields : mapping of str to HyperField
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
