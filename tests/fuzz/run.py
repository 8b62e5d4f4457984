"""The long run: ``python tests/fuzz/run.py --inputs 100000 --seed 0``.

Every format is fuzzed in a process of its own, which the caller watches: an input that crashes it, or that hangs where
no signal reaches it, is kept, and another process goes on behind it. An input fails too that takes more than 5
seconds of processor time or a GiB of memory, or raises anything but an error of the package that names the place.
Failures are kept in ``--keep`` with their recipes; ``--replay FILE`` reads such a file again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import psutil  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from tqdm import tqdm  # noqa: E402

from fuzz.recipes import RECIPES  # noqa: E402
from fuzz.targets import MEMORY, SECONDS, TARGETS, feed, make  # noqa: E402

SHARES = {"toml": 30, "json": 12, "graphml": 12, "curves": 12, "npz": 12, "csv": 12, "checkpoint": 8, "summary": 2}


class Hang(BaseException):
    """No code of the package may catch it."""


def _hung(*_: Any) -> None:
    raise Hang


def work(name: str, number: int, inputs: int, folder: str, told: Any) -> None:
    """Feed a target, and tell of every input: (index, what, words, seconds, what to keep, growth of the peak)."""
    for kind, arguments in (("toml", []), (name, [])):
        make(kind, arguments, 0)  # seeds are made, and what they need is compiled, before memory is bounded
    feed(name, make(name, [], 0), Path(folder))
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGVTALRM, _hung)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = 0

    @seed(number)
    @settings(max_examples=inputs, database=None, deadline=None, phases=[Phase.generate], derandomize=False,
              suppress_health_check=list(HealthCheck))
    @given(recipe=RECIPES)
    def fuzz(recipe: tuple[list, int]) -> None:
        nonlocal count
        content = make(name, *recipe)
        (Path(folder) / "recipe.json").write_text(json.dumps(recipe))
        signal.setitimer(signal.ITIMER_VIRTUAL, 2 * SECONDS)
        try:
            outcome = feed(name, content, Path(folder))
            found = outcome.what, outcome.words, outcome.seconds
        except Hang:
            found = "failed", f"took more than {2 * SECONDS:.0f} s", 2 * SECONDS
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        count += 1
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
        told.send((count, *found, (recipe, content) if found[0] == "failed" else None, peak / 1024))

    told.send("ready")
    fuzz()
    told.send(None)


def run_target(name: str, inputs: int, number: int, keep: Path, bar: Any) -> dict[str, Any]:
    """Fuzz one format; gives its row of the table."""
    row: dict[str, Any] = {"inputs": 0, "loaded": 0, "refused": 0, "failed": 0, "slowest": 0.0, "peak": 0.0}
    kinds: Counter[str] = Counter()
    while row["inputs"] < inputs:
        mine, theirs = multiprocessing.Pipe(duplex=False)
        with tempfile.TemporaryDirectory() as folder:
            child = multiprocessing.get_context("spawn").Process(
                target=work, args=(name, number + row["inputs"], inputs - row["inputs"], folder, theirs))
            child.start()
            theirs.close()
            before = row["inputs"]
            died = _listen(name, child, mine, row, kinds, keep, bar)
            if died:
                with contextlib.suppress(OSError, ValueError):
                    recipe = json.loads((Path(folder) / "recipe.json").read_text())
                    _keep(name, died, (recipe, (Path(folder) / TARGETS[name].file).read_bytes()), kinds, keep)
                row["inputs"] += 1
                row["failed"] += 1
                bar.update(1)
            elif row["inputs"] == before:
                break  # hypothesis has no more recipes
    row["kinds"] = dict(kinds)
    return row


def _listen(name: str, child: Any, mine: Any, row: dict[str, Any], kinds: Counter[str], keep: Path, bar: Any) -> str:
    """Take what a child tells; gives why it died, or nothing."""
    if mine.recv() != "ready":  # seeds are made first, and code compiled
        raise RuntimeError(f"no seeds of {name}")
    last, used = time.monotonic(), sum(psutil.Process(child.pid).cpu_times()[:2])
    while True:
        if mine.poll(1.0):
            try:
                told = mine.recv()
            except EOFError:
                child.join()
                return f"died with status {child.exitcode}"
            if told is None:
                child.join()
                return ""
            _, what, words, seconds, kept, peak = told
            row["inputs"] += 1
            row[what] += 1
            row["slowest"], row["peak"] = max(row["slowest"], seconds), max(row["peak"], peak)
            if kept is not None:
                _keep(name, words, kept, kinds, keep)
            bar.update(1)
            last = time.monotonic()
            with contextlib.suppress(psutil.Error):
                used = sum(psutil.Process(child.pid).cpu_times()[:2])
        elif time.monotonic() - last > 60:
            with contextlib.suppress(psutil.Error):
                if sum(psutil.Process(child.pid).cpu_times()[:2]) - used > 4 * SECONDS:
                    child.kill()
                    child.join()
                    return "hung where no signal reaches it"


def _keep(name: str, words: str, kept: Any, kinds: Counter[str], keep: Path) -> None:
    """Keep the input of a failure, the first three of each kind."""
    kind = words.partition(":")[0] + ": " + "".join(mark for mark in words.partition(":")[2] if not mark.isdigit())[:60]
    kinds[kind] += 1
    if kinds[kind] > 3:
        return
    keep.mkdir(parents=True, exist_ok=True)
    recipe, content = kept
    stem = f"{name}-{sum(kinds.values())}"
    (keep / f"{stem}.{name}").write_bytes(content)
    (keep / f"{stem}.txt").write_text(f"{words}\n{json.dumps(recipe)}\n")


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The result as text."""
    rows = rows | {"all": {key: (max if key in ("slowest", "peak") else sum)(row[key] for row in rows.values())
                           for key in ("inputs", "loaded", "refused", "failed", "slowest", "peak")}}
    lines = [f"{'format':<11}{'inputs':>9}{'loaded':>9}{'refused':>9}{'failed':>8}{'slowest':>10}{'peak':>10}"]
    lines += [f"{name:<11}{row['inputs']:>9,}{row['loaded']:>9,}{row['refused']:>9,}{row['failed']:>8,}"
              f"{row['slowest']:>8.2f} s{row['peak']:>6.0f} MiB" for name, row in rows.items()]
    return "\n".join(lines)


def replay(path: Path) -> int:
    """Read a kept input again."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = feed(path.suffix[1:], path.read_bytes(), Path(folder))
    print(f"{outcome.what} in {outcome.seconds:.2f} s: {outcome.words}")
    return outcome.what == "failed"


def main() -> int:
    """Run as the text of this module says; 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(TARGETS), help="one format")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="folder of the inputs that failed")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="read an input again")
    options = parser.parse_args()
    if options.replay:
        return replay(options.replay)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    shares = {options.only: 1} if options.only else SHARES
    rows = {}
    with tqdm(total=options.inputs, unit="input", dynamic_ncols=True) as bar:
        for name, share in shares.items():
            bar.set_description(name)
            inputs = -(-options.inputs * share // sum(shares.values()))
            rows[name] = run_target(name, inputs, options.seed, options.keep, bar)
    print(table(rows))
    for name, row in rows.items():
        for kind, count in row["kinds"].items():
            print(f"{name}: {count} x {kind}")
    return 1 if any(row["failed"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
