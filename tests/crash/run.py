"""Kills runs at random moments, resumes them, and compares how they end with runs that nobody disturbed.

    python tests/crash/run.py --kills 50

One process compiles the kernels of all graphs once and runs each graph undisturbed. Then it forks for every run that
is to be killed, so that a kill costs no more than the run itself; some runs are processes of their own, with the
program as its users start it. A run is killed (SIGKILL) at a moment drawn evenly over the time that it takes, or while
it writes: as soon as a temporary file is seen. Its folder is then read, as a reader would; it is resumed, half of the
time with another number of threads, may be killed again, and at last goes on to its end.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]

from tqdm import tqdm  # noqa: E402

from cortexsim import checkpoint, cli, cli_run, runfolder  # noqa: E402
from crash.cases import Case, cases  # noqa: E402
from crash.compare import differences  # noqa: E402

SECONDS = 0.8  # that a run should take at least, so that there is something to kill
CHECKPOINTS = 8  # of a run
LIMIT = 600  # seconds after which a run that nobody kills counts as hanging


@dataclass
class Told:
    """What came of one graph."""

    name: str
    ticks: int
    kills: int = 0
    writing: int = 0
    real: int = 0
    threads: int = 0
    at: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    early: int = 0
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """A row of the table."""
        where = f"{min(self.at):,}..{max(self.at):,}" if self.at else "-"
        back = f"{min(self.resumed):,}..{max(self.resumed):,}" if self.resumed else "-"
        return (f"{self.name:<24}  {self.ticks:>7,}  {self.kills:>5}  {self.writing:>7}  {self.real:>4}  "
                f"{self.threads:>7}  {self.early:>5}  {where:>16}  {back:>16}  "
                f"{'no: ' + self.wrong[0] if self.wrong else 'yes'}")


HEAD = (f"{'graph':<24}  {'ticks':>7}  {'kills':>5}  {'writing':>7}  {'real':>4}  {'threads':>7}  {'early':>5}  "
        f"{'killed at tick':>16}  {'resumed from':>16}  identical")


class Clock:
    """Tells a killer how far the run of a fork is, in memory that both see."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 8)

    def set(self, tick: int) -> None:
        """Note a tick."""
        self._shared[:] = struct.pack("q", tick)

    def get(self) -> int:
        """The tick noted last; -1 before the first."""
        return struct.unpack("q", self._shared[:])[0]


class Harness:
    """Runs, kills and resumes one graph after the other in a folder.

    Parameters
    ----------
    folder : pathlib.Path
    seed : int
        Of moments and thread counts.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random, self.clock = folder, random.Random(seed), Clock()
        # all forks would share the usual lock, and one that is killed while it holds it would stop all later ones
        tqdm.set_lock(threading.RLock())
        # pictures take longer than the runs, and tell nothing of them
        runfolder.draw = lambda *given: []
        _watch_progress(self.clock)

    def prepare(self, case: Case) -> tuple[Path, list[str], int, float]:
        """Run a graph to its end, undisturbed: its folder, the command line, ticks and seconds."""
        place = self.folder / "".join(c if c.isalnum() else "-" for c in case.name)
        ticks, argv = case.ticks, []
        for attempt in range(3):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            every = max(1, ticks // CHECKPOINTS)
            argv = ["run", *case.make(place, ticks), "--checkpoint-every", str(every), "--quiet"]
            # once to compile in this process, whose forks then have it, and once in a fork for its time
            if not attempt and _call([*argv, "--out", str(place / "first")]):
                raise SystemExit(f"{case.name}: the run does not work")
            started = time.perf_counter()
            _wait(_fork([*argv, "--out", str(place / "whole")]))
            seconds = time.perf_counter() - started
            if seconds > SECONDS / 2 or not case.scaled:
                break
            ticks = min(60_000, int(ticks * min(30.0, SECONDS / seconds)) // case.unit * case.unit)
        return place, argv, ticks, seconds

    def torture(self, case: Case, kills: int, real: int) -> Told:
        """Kill a graph's runs so many times, some of them as processes of their own."""
        place, argv, ticks, seconds = self.prepare(case)
        told = Told(case.name, ticks)
        while told.kills < kills and len(told.wrong) < 3:
            out, again = place / "killed", False
            shutil.rmtree(out, ignore_errors=True)
            while True:
                command = ["run", "--resume", str(out), "--quiet"] if again else [*argv, "--out", str(out)]
                if again and self.random.random() < 0.5:
                    told.threads += 1
                    command += ["--threads", "2"]
                # the more often it was killed, the likelier it may end
                last = again and self.random.random() < 0.4 or told.kills >= kills
                outside = not last and told.real < real
                if self.run(command, out, seconds, last, outside, told):
                    again = True
                elif not again:
                    told.early += 1
                    break
                if last:
                    break
            if again:
                told.wrong += differences(place / "whole", out)
        return told

    def run(self, command: list[str], out: Path, seconds: float, last: bool, outside: bool, told: Told) -> bool:
        """Run a command, and kill it unless it is the last one; whether a folder is left with which to go on."""
        self.clock.set(-1)
        process = _start(command) if outside else _fork(command)
        if last:
            if _wait(process):
                told.wrong.append("resume failed")
            return True
        if self.random.random() < 0.4:
            writing = self.wait_for_writing(out, process)
        else:
            writing = False
            # a process of its own has to start up first
            time.sleep(self.random.uniform(0, seconds * 1.1) + (self.random.uniform(0, 3) if outside else 0))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        killed = os.waitpid(process, 0)[1] == signal.SIGKILL
        if killed:
            told.kills, told.writing, told.real = told.kills + 1, told.writing + writing, told.real + outside
            if self.clock.get() >= 0:
                told.at.append(self.clock.get())
        if not out.is_dir() or not any(out.iterdir()):
            return False
        return self.read(out, told)

    def wait_for_writing(self, out: Path, process: int) -> bool:
        """Wait until a file is being written, the first, second or third one that is seen."""
        skip = self.random.randrange(6)
        seen: set[str] = set()
        while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            for folder in (out, out / "checkpoints", out.with_name(f".{out.name}.{process}.tmp")):
                with contextlib.suppress(OSError):
                    seen |= {entry.name for entry in os.scandir(folder) if entry.name.endswith(".tmp")}
                    if len(seen) > skip:
                        return True
        return False

    def read(self, out: Path, told: Told) -> bool:
        """Read the folder of a run that was killed, as anybody may; and where it goes on from."""
        try:
            runfolder.read(out)
            told.resumed.append(int(checkpoint.newest(out / "checkpoints").stem[5:]))
        except Exception as error:
            told.wrong.append(f"the folder does not open: {error}")
        return True


def _watch_progress(clock: Clock) -> None:
    class Watched(cli_run.Progress):
        def update(self, ticks: int) -> None:
            super().update(ticks)
            clock.set(self.done)

    cli_run.Progress = Watched


def _call(argv: Sequence[str]) -> int:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = cli.main(list(argv))
    if code:
        print(said.getvalue(), file=sys.stderr)
    return code


def _fork(argv: Sequence[str]) -> int:
    """Run a command in a fork of this process, which has everything compiled; its number."""
    process = os.fork()
    if not process:
        code = 1
        try:
            code = _call(argv)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return process


def _start(argv: Sequence[str]) -> int:
    """Run a command as a user does; its number."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen([sys.executable, "-m", "cortexsim", *argv], env={**os.environ, "PYTHONPATH": path},
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid


def _wait(process: int) -> int:
    """How a run ends that nobody is to kill: 0 where it does its work."""
    ends = time.monotonic() + LIMIT
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > ends:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitpid(process, 0)[1]


def main(arguments: Sequence[str], say: Callable[[str], None] = print) -> int:
    """Kill and resume; print a row for each graph; the exit status is 1 where any run ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of every graph (default %(default)s)")
    parser.add_argument("--real", type=int, default=3, help="of these, in processes of their own (default %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only graphs whose name begins so")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    found = [case for case in cases() if not options.only or case.name.startswith(tuple(options.only))]
    say(HEAD)
    wrong = kills = 0
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), options.seed)
        for case in found:
            told = harness.torture(case, options.kills, options.real)
            say(told.line())
            for text in told.wrong[1:]:
                say(f"  {text}")
            wrong, kills = wrong + bool(told.wrong), kills + told.kills
    say(f"{kills} kills of {len(found)} graphs; {wrong} of them ended otherwise")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], lambda text: print(text, flush=True)))
