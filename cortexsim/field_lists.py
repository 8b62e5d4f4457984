"""The index lists of fields: counted before they are made, and made without copies of their size."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from cortexsim.errors import GraphError

OUTSIDE = -1
"""The index that stands for a place outside the sending sheet, which delivers zero."""
ENTRIES = 1 << 25
"""Entries of the list of one edge, 4 bytes each: every position of a sheet times the units it sees."""

# strides such as 1/3 are not exact in binary; a window that starts one unit off would be the price of plain floats
LARGEST_DENOMINATOR = 4096


def check_entries(entries: int, field: object, where: str) -> None:
    """Refuse a field before its index list is made, where that would be immense."""
    if entries > ENTRIES:
        raise GraphError(where, f"field {field} would list {entries:,} units or cost as much, and the most is 2**25",
                         hint="select a part of the signal, or make the sheet or the kernel smaller")


def axis_list(n_source: int, n_target: int, kernel: int, stride: float, wrap: bool) -> np.ndarray:
    """Units along one axis.

    Parameters
    ----------
    n_source, n_target : int
        Units of the sending sheet and positions of the receiving one.
    kernel : int
        Units that a position sees.
    stride : number
        Sending units between positions.
    wrap : bool
        The sending sheet is a ring.

    Returns
    -------
    numpy.ndarray, int32, shape (n_target, kernel)
        `OUTSIDE` where the sheet ends.

    Examples
    --------
    >>> axis_list(4, 2, 3, 2, False).tolist()
    [[-1, 0, 1], [1, 2, 3]]
    """
    step = Fraction(stride).limit_denominator(LARGEST_DENOMINATOR)
    first = (n_source - ((n_target - 1) * step + kernel)) / 2
    # halves round down: a whole stride gives the floor, and an up-sampled grid stays symmetric; in whole numbers
    below = 2 * step.denominator
    above = int((2 * first - 1) * step.denominator) + 2 * step.numerator * np.arange(n_target, dtype=np.int64)
    starts = -(-above // below)
    # where a position begins beyond an end, it does not matter how far
    starts = starts % n_source if wrap else np.clip(starts, -kernel, n_source)
    units = starts.astype(np.int32)[:, None] + np.arange(kernel, dtype=np.int32)
    if wrap:
        units %= n_source
    else:
        np.copyto(units, OUTSIDE, where=(units < 0) | (units >= n_source))
    return units


def sheet_list(rows: np.ndarray, columns: np.ndarray, width: int, features: int) -> np.ndarray:
    """Units of a sheet from those along its two axes.

    Parameters
    ----------
    rows, columns : numpy.ndarray, int32, shape (positions, kernel)
        As `axis_list` gives them.
    width, features : int
        Of the sending sheet.

    Returns
    -------
    numpy.ndarray, int32, shape (positions of the rows * positions of the columns, units seen)
        Numbered in C order, `OUTSIDE` where the sheet ends.
    """
    positions = len(rows) * len(columns)
    rows, columns = rows[:, None, :, None, None], columns[None, :, None, :, None]
    indices = rows * width + columns
    if features > 1:
        indices = indices * features + np.arange(features, dtype=np.int32)
    np.copyto(indices, OUTSIDE, where=(rows == OUTSIDE) | (columns == OUTSIDE))
    return indices.reshape(positions, -1)


def sample_list(n_source: int, n_target: int, n_seen: int, rng: np.random.Generator) -> np.ndarray:
    """Random units for each position, int32, shape (n_target, n_seen), sorted along the second axis."""
    rows = np.empty((n_target, n_seen), np.int32)
    for row in rows:
        row[:] = np.sort(rng.choice(n_source, n_seen, replace=False, shuffle=False))
    return rows
