"""Learning curves as a summary, text, tidy columns, CSV and npz."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cortexsim.errors import CortexsimError, FileError, InputError
from cortexsim.files import write_file
from cortexsim.measures import FIELDS, MEASURES, measure_of
from cortexsim.safe_npz import read_npz as read_arrays
from cortexsim.trust import read_json

if TYPE_CHECKING:
    from cortexsim.curves import Curves

FORMAT = 3  #: Of the npz files; raised when what they hold changes.
#: How many fields the sums of an older format have: they are the first of those of today.
OLDER = {1: 8, 2: 12}

FREE = 1 << 28
"""Bytes that the sums may have however well they compress."""
LAST = 1 << 62
"""Ticks lie below it."""
COUNTS = ("ticks", "learned", "energy_ticks", "anomaly_ticks")
EVENT: dict[str, type] = {"tick": int, "what": str, "where": str, "detail": str, "count": int}

_WORDS = ("regions", "kinds", "score", "scores", "predicts", "start", "bin_width", "n_ticks", "events")


def table_text(rows: Sequence[Mapping[str, Any]], share: Mapping[str, float] | None = None) -> str:
    """Align the rows of ``Curves.table()`` as text, one line a region.

    Parameters
    ----------
    rows : sequence of mapping
        In the order wanted.
    share : mapping of str to float, optional
        Each region's share of the running time, in 0..1, for one more column.

    Returns
    -------
    str
        Words to the left, numbers to the right, "-" for NaN; no line break at the end.
    """
    head = ["region", "kind", "predicts", "scores", "loss", "unit", "skill", "last value", "ticks"]
    lines = [[row["region"], row["kind"], _short(row["predicts"], 32), row["scores"],
              _number(row["loss"], ".4g"), row["unit"], _number(row["skill"], ".3f"),
              _number(row["baseline_skill"], ".3f"), f"{row['ticks']:,}"] for row in rows]
    if share is not None:
        head.append("share of the time")
        for line in lines:
            line.append(_number(share.get(line[0], math.nan), ".1%"))
    widths = [max(len(text) for text in column) for column in zip(head, *lines, strict=True)]
    words = (0, 1, 2, 3, 5)
    return "\n".join("  ".join(text.ljust(width) if place in words else text.rjust(width)
                               for place, (text, width) in enumerate(zip(line, widths, strict=True))).rstrip()
                     for line in [head, ["-" * width for width in widths], *lines])


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length - 1] + "\N{HORIZONTAL ELLIPSIS}"


def tidy_columns(curves: Curves) -> dict[str, NDArray[Any]]:
    """The curves in long form: an entry per region and bin in which it was scored or learned.

    Parameters
    ----------
    curves : Curves
        What to write.

    Returns
    -------
    dict of str to array
        ``tick`` (middle of the bin), ``region``, ``kind``, ``scores`` and every measure, all of one length.
    """
    ticks = curves.ticks
    sums = curves.acc[:, :len(ticks)]
    rows, bins = np.nonzero(sums[..., FIELDS.index("ticks")] + sums[..., FIELDS.index("learned")])
    has_last = np.array([unit != "bits" for unit in curves.score], dtype=bool)[rows]
    columns: dict[str, NDArray[Any]] = {"tick": ticks[bins]}
    for name, values in (("region", curves.regions), ("kind", curves.kinds), ("scores", curves.scores)):
        columns[name] = np.array(values, dtype=object)[rows]
    for measure in MEASURES:
        columns[measure] = measure_of(sums[rows, bins], measure, has_last)
    return columns


def tidy_frame(curves: Curves) -> Any:
    """The tidy columns as a pandas.DataFrame; where pandas is missing, an InputError says how to get it."""
    try:
        import pandas
    except ImportError:
        raise InputError("to_pandas", "pandas is not installed",
                         hint='pip install "cortexsim[pandas]"') from None
    return pandas.DataFrame(tidy_columns(curves))


def summary(curves: Curves, fraction: float) -> dict[str, Any]:
    """Ticks, table and events in plain values, None for NaN and infinity."""
    regions = {}
    for row in curves.table(fraction):
        regions[row.pop("region")] = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()}
    return {"start": curves.start, "n_ticks": curves.n_ticks, "bin_width": curves.bin_width,
            "final_fraction": fraction, "regions": regions,
            "events": [dict(event) for event in curves.events], "events_dropped": curves.events_dropped}


def write_csv(curves: Curves, path: str | os.PathLike[str]) -> None:
    """Write the tidy columns as CSV, an empty cell for NaN."""
    columns = tidy_columns(curves)
    plain = [["" if isinstance(value, float) and math.isnan(value) else value for value in column.tolist()]
             for column in columns.values()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*plain, strict=True))
    write_file(path, lambda file: file.write(text.getvalue().encode()))


def write_npz(curves: Curves, path: str | os.PathLike[str]) -> None:
    """Write all that `read_npz` needs: the sums as they are, the words as JSON."""
    words = json.dumps({"format": FORMAT, **{name: getattr(curves, name) for name in _WORDS}})
    write_file(path, lambda file: np.savez_compressed(file, acc=curves.acc, words=np.array(words)))


def read_npz(path: str | os.PathLike[str]) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Read what `write_npz` wrote.

    Returns
    -------
    words : dict
        The attributes of the curves by name.
    acc : float64 array [regions, bins, 15]
        Their sums.

    Raises
    ------
    FileError
        Where there is no such file, or it does not hold learning curves.
    """
    where = f"file {os.fspath(path)!r}"
    if not os.path.exists(path):
        raise FileError(where, "there is no such file")
    try:
        # sums of a run that has just begun are zeros for the most part, which compress better than any honest data
        held = read_arrays(path, free=FREE)
        words = read_json(str(held["words"]), "words")
        acc, found = held["acc"], words["format"]
        if acc.dtype != np.float64:
            raise InputError("acc", "must be float64", acc.dtype.str)
        missing = [name for name in _WORDS if name not in words]
    except KeyError as error:
        raise FileError(where, f"does not hold learning curves (it has no {error})") from error
    except (CortexsimError, TypeError) as error:
        why = str(error).removeprefix(f"{where}: ")
        raise FileError(where, f"does not hold learning curves ({why})") from error
    if isinstance(found, int) and found in OLDER and acc.ndim == 3 and acc.shape[2] == OLDER[found]:
        acc = np.pad(acc, ((0, 0), (0, 0), (0, len(FIELDS) - OLDER[found])))
    elif found != FORMAT:
        raise FileError(where, f"holds curves of another format than this version reads, {FORMAT}", found)
    if not missing:
        _check_words(words, where)
    if missing or acc.ndim != 3 or (len(acc), acc.shape[2]) != (len(words["regions"]), len(FIELDS)):
        raise FileError(where, f"holds incomplete curves (missing {missing}, sums of shape {acc.shape})")
    if words["n_ticks"] > acc.shape[1] * words["bin_width"]:
        raise FileError(where, f"holds {words['n_ticks']} ticks in {acc.shape[1]} bins of {words['bin_width']}")
    check_counts(acc, where)
    return words, np.ascontiguousarray(acc)


def check_counts(acc: NDArray[np.float64], where: str) -> None:
    """Refuse sums of which a count is none: all else may be NaN.

    Parameters
    ----------
    acc : float64 array [regions, bins, 15]
        The sums of curves.
    where : str
        Their file.

    Raises
    ------
    FileError
        Naming the count.
    """
    for name in COUNTS:
        counts = acc[..., FIELDS.index(name)]
        bad = ~((counts >= 0) & (counts < LAST))
        if bad.any():
            raise FileError(where, f"holds curves whose {name} are no count", float(counts[bad][0]))


def _check_words(words: Mapping[str, Any], where: str) -> None:
    """Raise a FileError for the first of the words that is not of its type or out of its range."""
    for name in ("regions", "kinds", "score", "scores", "predicts"):
        if not isinstance(words[name], list) or not all(isinstance(word, str) for word in words[name]):
            raise FileError(where, f"{name} must be a list of words", words[name])
    for name, low, high in (("start", 0, LAST), ("n_ticks", 0, LAST), ("bin_width", 1, LAST)):
        if type(words[name]) is not int or not low <= words[name] < high:
            raise FileError(where, f"{name} must be a whole number of {low} or more, below 2**62", words[name])
    if words["bin_width"] & (words["bin_width"] - 1):
        raise FileError(where, "bin_width must be a power of two", words["bin_width"])
    if not isinstance(words["events"], list):
        raise FileError(where, "events must be a list", words["events"])
    for place, event in enumerate(words["events"]):
        if not isinstance(event, Mapping) or {key: type(value) for key, value in event.items()} != EVENT:
            raise FileError(where, f"event {place} must have {', '.join(EVENT)}, numbers and words", event)
