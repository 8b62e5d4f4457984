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

from benchmarks.speed import (
    compare,
    glimpses,
    graphs,
    kernels,
    limit,
    machine,
    memory,
    pictures,
    predictive_coding,
    report,
    reservoirs,
    sparse,
    startup,
)
from benchmarks.speed.peers import _measure as peers

SECTIONS = ("kernels", "graphs", "around", "startup", "sparse", "glimpses", "predictive_coding", "memory", "reservoirs",
            "peers")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for, print it and write it."""
    options = parser().parse_args(argv)
    old = compare.load(options.compare) if options.compare else None
    if options.json:
        # found out now, not after five minutes
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
    result = compare.load(options.show) if options.show else measure(options)
    print(report.summary(result) if options.summary else report.tables(result))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    if options.pictures:
        for file in pictures.draw(result, Path(options.pictures)):
            print(f"wrote {file}")
    if old is not None:
        print(compare.text(old, result))
    return 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser("python -m benchmarks", description=(
        "Measure the machine's own limit, then how near to it cortexsim comes, and what others reach at the same work. "
        "About five minutes."))
    made.add_argument("--quick", action="store_true", help="one minute: fewer sizes, samples and peers")
    made.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION",
                      help=f"measure only these: {', '.join(SECTIONS)}")
    made.add_argument("--threads", type=int, choices=range(1, machine.cores() + 1), metavar="N",
                      default=min(2, machine.cores()), help="the most threads (default 2, or what the machine has)")
    made.add_argument("--json", metavar="FILE", help="write all figures, with machine, versions and spread")
    made.add_argument("--pictures", metavar="DIR", help="draw limit.png and peers.png there")
    made.add_argument("--compare", metavar="OLD.json", help="show what got slower since, as ratios to the limit of "
                      "each run")
    made.add_argument("--summary", action="store_true", help="print only ticks a second of all peers, as Markdown")
    made.add_argument("--show", metavar="FILE.json", help="measure nothing, show this result")
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
        "kernels": lambda: kernels.measure(kernels.KINDS, options.quick),
        "graphs": lambda: graphs.measure(options.threads, options.quick),
        "around": lambda: graphs.around(limits, options.quick),
        "startup": lambda: startup.measure(limits, options.threads, options.quick),
        "sparse": lambda: sparse.measure(limits, options.quick),
        "glimpses": lambda: [glimpses.measure(limits, options.quick)],
        "predictive_coding": lambda: predictive_coding.measure(limits, options.threads, options.quick),
        "memory": lambda: memory.measure(limits, options.quick),
        "reservoirs": lambda: reservoirs.measure(limits, options.quick),
        "peers": lambda: peers.measure(limits, options.threads, options.quick),
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
