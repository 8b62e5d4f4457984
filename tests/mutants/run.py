"""Do the tests see a broken law? Plants faults in a copy of this checkout, one by one, and runs the tests of each.

    python tests/mutants/run.py [--only NAME ...] [--jobs N] [--list]

The faults are in ``faults.py``. Ends with a table, and with 1 where a fault survives. First all the tests named there
run without any fault: a test that fails anyway proves nothing.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "runs", "build", "dist", "venv", "*.egg-info")
# a fault may turn a loop into an endless one
LIMIT_SECONDS = 900
# files that become part of the one compiled loop
LOOP = {"bookkeeping", "adapting", "guard", "scoring", "driver"}
COMPILED = re.compile(r"^@(njit|exact|compiled|helper|intrinsic)|^def (predict|compare|update|tick)\(r\)", re.MULTILINE)


@dataclass
class Outcome:
    """What became of a fault: the first test that failed, and how long that took."""

    verdict: str
    test: str
    seconds: float


class Bench:
    """A copy of the checkout, with a cache of compiled code that the tests without a fault have filled."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.warm, self.cache = folder / "tree", folder / "warm", folder / "cache"
        shutil.copytree(ROOT, self.tree, ignore=LEFT_OUT)
        self.warm.mkdir()

    def pytest(self, tests: list[str], cache: Path) -> subprocess.CompletedProcess[str]:
        """Run some tests in the copy."""
        # no bytecode: an edit within a second, of the same length, would not be noticed
        environment = {**os.environ, "CORTEXSIM_TEST_CACHE": str(cache), "HYPOTHESIS_PROFILE": "mutants",
                       "PYTHONPATH": str(self.tree), "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", *tests]
        try:
            return subprocess.run(command, cwd=self.tree, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(command, 124, str(error.stdout or ""))

    def plant(self, fault: Fault) -> Outcome:
        """Run the tests of one fault, then undo it."""
        path = self.tree / fault.file
        text = path.read_text()
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.copytree(self.warm, self.cache)
        forget(self.cache, fault.file, text)
        path.write_text(planted(fault, text))
        started = time.monotonic()
        try:
            done = self.pytest(list(fault.tests), self.cache)
        finally:
            path.write_text(text)
        return judge(done, time.monotonic() - started)


def planted(fault: Fault, text: str) -> str:
    """The text of a file with the fault in it."""
    if text.count(fault.old) != 1:
        raise SystemExit(f"fault {fault.name!r}: its old text must occur once in {fault.file}, not "
                         f"{text.count(fault.old)} times")
    return text.replace(fault.old, fault.new)


def forget(cache: Path, file: str, text: str) -> None:
    """Remove all cached code that may hold a file: whether the stamps notice an edit is not for them to say."""
    stem = Path(file).stem
    if not COMPILED.search(text):
        return
    pattern = "driver.*" if stem in LOOP else f"{stem}.*" if Path(file).parent.name == "kinds" else "*"
    for path in cache.rglob(pattern):
        if path.is_file():
            path.unlink()


def judge(done: subprocess.CompletedProcess[str], seconds: float) -> Outcome:
    """Read pytest's end: 0 all passed, 1 some failed, below 0 or above 5 it was killed or ran too long."""
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", done.stdout, re.MULTILINE)
    if done.returncode == 0:
        return Outcome("SURVIVED", "", seconds)
    if done.returncode == 1 and failed:
        return Outcome("killed", failed[1], seconds)
    if done.returncode < 0 or done.returncode > 5:
        return Outcome("killed", "a crash" if done.returncode != 124 else f"no end within {LIMIT_SECONDS} s", seconds)
    # a fault that cannot even be imported breaks no law
    return Outcome("NOT RUN", " ".join(done.stdout.split()[-20:]), seconds)


def chosen(names: list[str] | None) -> list[Fault]:
    """The faults of these names, or all."""
    known = {fault.name: fault for fault in FAULTS}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise SystemExit(f"there is no fault {unknown[0]!r}; --list shows them")
    return [known[name] for name in names] if names else list(FAULTS)


def run(faults: list[Fault], jobs: int) -> dict[str, Outcome]:
    """Plant every fault, some at once; prints a line for each as it comes."""
    tests = sorted({test for fault in faults for test in fault.tests})
    benches: queue.Queue[Bench] = queue.Queue()

    def prepare(folder: Path) -> None:
        bench = Bench(folder)
        done = bench.pytest(tests, bench.warm)
        if done.returncode:
            raise SystemExit(f"{done.stdout}\nthe tests fail without a fault")
        benches.put(bench)

    def plant(fault: Fault) -> Outcome:
        bench = benches.get()
        try:
            outcome = bench.plant(fault)
        finally:
            benches.put(bench)
        print(f"{outcome.verdict:9} {fault.name:36} {outcome.seconds:5.0f} s  {outcome.test}", flush=True)
        return outcome

    with tempfile.TemporaryDirectory(prefix="cortexsim-mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        list(pool.map(prepare, [Path(folder) / str(k) for k in range(jobs)]))
        return dict(zip((fault.name for fault in faults), pool.map(plant, faults), strict=True))


def table(faults: list[Fault], outcomes: dict[str, Outcome]) -> str:
    """A row a fault: what it breaks, and which test saw it."""
    rows = [("fault", "breaks", "in", "verdict", "by")]
    for fault in faults:
        outcome = outcomes[fault.name]
        rows.append((fault.name, fault.breaks, fault.file.removeprefix("cortexsim/"), outcome.verdict, outcome.test))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in rows)


def main(argv: list[str] | None = None) -> int:
    """Run the command; 1 where a fault survives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these faults alone")
    parser.add_argument("--jobs", type=int, default=1, help="faults at once, each in a copy of its own")
    parser.add_argument("--list", action="store_true", help="print the faults, and run nothing")
    options = parser.parse_args(argv)
    faults = chosen(options.only)
    if options.list:
        print("\n".join(f"{fault.name:36} {fault.breaks:14} {fault.file}" for fault in faults))
        return 0
    started = time.monotonic()
    outcomes = run(faults, options.jobs)
    lost = [name for name, outcome in outcomes.items() if outcome.verdict != "killed"]
    print(f"\n{table(faults, outcomes)}\n\n{len(faults) - len(lost)} of {len(faults)} faults were seen, in "
          f"{(time.monotonic() - started) / 60:.0f} min" + "".join(f"\nnot seen: {name}" for name in lost))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
