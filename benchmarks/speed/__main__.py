"""``python -m benchmarks``: the speed of cortexsim, measured and compared."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed import glimpses, graphs, kernels, limit, machine, report, sparse
from cortexsim import list_kinds

SECTIONS = ("kernels", "graphs", "around", "sparse", "glimpses")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for, print it and write it."""
    options = parser().parse_args(argv)
    result = measure(options)
    print(report.tables(result))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    made.add_argument("--quick", action="store_true", help="one minute instead of five")
    made.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="measure only these")
    made.add_argument("--threads", type=int, default=min(2, machine.cores()), help="the most threads (default 2)")
    made.add_argument("--json", metavar="FILE", help="write all figures")
    return made


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that is asked for, as one result."""
    result: dict[str, Any] = {"format": 1, "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                              "quick": options.quick, "machine": machine.describe(), "versions": machine.versions(),
                              "rows": []}
    rows = result["rows"]
    rows += told("limit", limit.measure(result["machine"], options.threads, options.quick))
    limits = {(row["case"]["level"], row["case"]["threads"]): row["rate"]["median"] for row in rows}
    sections = {
        "kernels": lambda: kernels.measure(list_kinds(), options.quick),
        "graphs": lambda: graphs.measure(limits, options.threads, options.quick),
        "around": lambda: graphs.around(limits, options.quick),
        "sparse": lambda: sparse.measure(limits, options.quick),
        "glimpses": lambda: [glimpses.measure(limits, options.quick)],
    }
    for name in options.only:
        rows += told(name, sections[name]())
    return result


def told(name: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a section, with a line for each as it comes."""
    started, found = time.perf_counter(), []
    for row in rows:
        found.append(row)
        case = " ".join(f"{key} {value}" for key, value in row["case"].items())
        print(f"[{time.perf_counter() - started:5.1f} s] {name}: {case}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
