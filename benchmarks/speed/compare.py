"""What got slower or faster between two results, as ratios to the limit that each run measured for itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.speed import report

Row = dict[str, Any]
# runs on a quiet machine differ by less than this
NOISE = 0.1


def load(file: str | Path) -> Row:
    """Read a result that ``--json`` wrote.

    Raises
    ------
    SystemExit
        The file is not there, or holds something else.
    """
    try:
        found = json.loads(Path(file).read_text())
    except OSError as error:
        raise SystemExit(f"{file}: cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise SystemExit(f"{file}: is not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != 1 or "rows" not in found:
        raise SystemExit(f"{file}: is no result of this benchmark (format 1)")
    return found


def key(row: Row) -> str:
    """What a row is about, the same in every result."""
    return f"{row['section']}: " + ", ".join(f"{name} {value}" for name, value in row["case"].items())


def changes(old: Row, new: Row) -> list[tuple[str, float, float]]:
    """Rows of both results with their ratios to the limit, the greatest loss first.

    Parameters
    ----------
    old, new : dict
        Results.

    Returns
    -------
    list of (str, float, float)
        What it is, the old ratio and the new one: higher is faster. Peers' own figures are left out, and those of
        several threads where either run had to share its cores with other programs.
    """
    free = all((report.free_cores(result["rows"]) or 1.0) > 0.9 for result in (old, new))
    before = {key(row): row["ratio"] for row in old["rows"] if row.get("ratio")}
    found = [(key(row), before[key(row)], row["ratio"]) for row in new["rows"]
             if row.get("ratio") and key(row) in before and _ours(row)
             and (free or row["case"].get("threads", 1) == 1)]
    return sorted(found, key=lambda one: one[2] / one[1])


def _ours(row: Row) -> bool:
    return row["case"].get("peer", "ours") in ("ours", "cortexsim")


def text(old: Row, new: Row) -> str:
    """The changes as a table."""
    found = changes(old, new)
    if not found:
        return "The two results have nothing in common.\n"
    lines = [(what, f"{before:.3g}", f"{after:.3g}", f"{after / before:.2f}x", _word(after / before))
             for what, before, after in found]
    slower = sum(line[-1] == "slower" for line in lines)
    faster = sum(line[-1] == "faster" for line in lines)
    title = (f"Against {old['date']}, as ratios to the limit of each run: {slower} of {len(lines)} slower by more than "
             f"{NOISE:.0%}, {faster} faster")
    return report.table(title, ("what", "old", "new", "change", ""), lines)


def _word(change: float) -> str:
    return "slower" if change < 1 - NOISE else "faster" if change > 1 + NOISE else ""
