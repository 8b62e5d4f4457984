"""What a script hands to a forecaster, checked: a series, its times, and what is known beside it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortexsim.errors import InputError
from cortexsim.sources._series import Floats
from cortexsim.timestamps import Times, as_times

WHERE = "Forecaster"


class Data(NamedTuple):
    """What a call brings, checked: values [n, columns], their names, times, what is known before, and y's axes."""

    values: Floats
    names: list[str]
    times: Times | None
    extra: NDArray[np.float32] | None
    axes: int


def read(y: Any, X: Any = None, times: Any = None) -> Data:
    """Check a series and what comes with it.

    Parameters
    ----------
    y, X, times
        As `Forecaster.fit` takes them.

    Returns
    -------
    Data

    Raises
    ------
    InputError
        Not numbers, infinite, no value at all, or of another shape or length.
    """
    where = f"{WHERE}: y"
    try:
        values = np.asarray(y, np.float64)
    except (TypeError, ValueError):
        raise InputError(where, "must be numbers, NaN where a value is absent", type(y).__name__) from None
    if values.ndim not in (1, 2) or not values.size:
        raise InputError(where, "must be an array [n] or [n, columns] that is not empty", values.shape)
    axes, values = values.ndim, values.reshape(len(values), -1)
    if np.isinf(values).any():
        raise InputError(where, f"row {int(np.isinf(values).any(axis=1).argmax())} must be finite, or NaN", "infinity")
    columns = values.shape[1]
    given = [str(name) for name in getattr(y, "columns", [])] or [str(getattr(y, "name", None) or "y")]
    found = given if len(given) == columns else [f"y{k}" for k in range(columns)]
    if times is None and np.asarray(getattr(y, "index", None)).dtype.kind == "M":
        times = y.index
    stamps = None if times is None else as_times(times, f"{WHERE}: times")
    if stamps is not None and len(stamps) != len(values):
        raise InputError(f"{WHERE}: times", f"must be {len(values)}, one for each row of y", len(stamps))
    return Data(values, found, stamps, None if X is None else extra_rows(X, len(values)), axes)


def extra_rows(X: Any, length: int | None) -> NDArray[np.float32]:
    """Check what is known before the outcome: finite numbers, one row a tick."""
    where = f"{WHERE}: X"
    try:
        rows = np.asarray(X, np.float32)
    except (TypeError, ValueError):
        raise InputError(where, "must be numbers", type(X).__name__) from None
    if rows.ndim not in (1, 2) or not rows.size:
        raise InputError(where, "must be an array [n] or [n, m] that is not empty", rows.shape)
    rows = rows.reshape(len(rows), -1)
    if length is not None and len(rows) != length:
        raise InputError(where, f"must have {length} rows, as y has", len(rows))
    if not np.isfinite(rows).all():
        raise InputError(where, f"row {int((~np.isfinite(rows)).any(axis=1).argmax())} must be finite")
    return rows
