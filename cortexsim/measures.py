"""What can be read from the sums that a learning curve keeps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortexsim.errors import InputError, nearest

#: What the last axis of ``Curves.acc`` holds, all of them sums over the ticks of a bin. ``dead`` and
#: ``saturated`` are summed where a region is scored (``ticks``), ``update`` where it learns (``learned``),
#: ``energy`` where it has settled (``energy_ticks``), ``energy_start`` where it began to, in the same trials, and
#: ``moved`` by its last step; ``rate`` where it learns, ``anomaly`` where its kind tells one (``anomaly_ticks``).
FIELDS = ("ticks", "loss", "loss_last", "loss_mean", "update", "dead", "saturated", "learned", "energy",
          "energy_start", "energy_ticks", "moved", "rate", "anomaly", "anomaly_ticks")

#: What can be read, see :meth:`cortexsim.curves.Curves.curve`.
MEASURES = ("loss", "loss_last", "loss_mean", "skill", "skill_last", "baseline_skill", "update", "dead",
            "saturated", "ticks", "learned", "energy", "energy_start", "moved", "rate", "anomaly")

# where another field than `ticks` counts the ticks that a sum is over
_COUNTS = {"update": "learned", "energy": "energy_ticks", "energy_start": "energy_ticks", "moved": "energy_ticks",
           "anomaly": "anomaly_ticks"}


def measure_of(sums: NDArray[np.float64], measure: str, has_last: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Form a measure from sums.

    Parameters
    ----------
    sums : float64 array [..., 15]
        The fields of :data:`FIELDS`.
    measure : str
        One of :data:`MEASURES`.
    has_last : bool array [...]
        Where there is a last-value baseline: not for losses in bits.

    Returns
    -------
    float64 array [...]
        NaN where the measure is undefined.

    Raises
    ------
    InputError
        For a measure that is not known.
    """
    if measure not in MEASURES:
        raise InputError("curves", f"no measure named {measure!r}", hint=nearest(measure, MEASURES))
    value = {name: sums[..., place] for place, name in enumerate(FIELDS)}
    value["loss_last"] = np.where(has_last, value["loss_last"], np.nan)
    if measure in ("ticks", "learned"):
        return value[measure].copy()
    if measure in ("skill", "skill_last", "baseline_skill"):
        above = value["loss_last" if measure == "baseline_skill" else "loss"]
        return 1.0 - _ratio(above, value["loss_last" if measure == "skill_last" else "loss_mean"])
    if measure == "rate":
        # a sum of 0: there is no learning rate
        return _ratio(value["rate"], np.where(value["rate"] > 0, value["learned"], 0))
    return _ratio(value[measure], value[_COUNTS.get(measure, "ticks")])


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below == 0, np.nan, above / below)


def pool(sums: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Add to the sums of each bin those of its neighbours, `width` bins in all, fewer at the ends.

    Parameters
    ----------
    sums : float64 array [bins, 15]
        The fields of :data:`FIELDS`.
    width : int
        Bins to pool, at least 1.
    """
    if width == 1 or not len(sums):
        return sums
    before = (width - 1) // 2
    padded = np.pad(sums, ((before, width - 1 - before), (0, 0)))
    # not a difference of running sums: its rounding would stand where a baseline of 0 belongs
    return np.lib.stride_tricks.sliding_window_view(padded, width, axis=0).sum(axis=-1)
