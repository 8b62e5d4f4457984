"""Checkpoints of ``cortexsim run``, written as it goes, and ``--resume``, which goes on from the newest whole one."""

from __future__ import annotations

import sys
import zlib
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cortexsim import checkpoint, runfolder
from cortexsim.cli_job import FILE_KEYS, Job, feed
from cortexsim.errors import CortexsimError, FileError, InputError
from cortexsim.simulation import Simulation
from cortexsim.sources import SeekableStream

KEEP = 3  #: Checkpoints that stay.
#: Options that go with --resume; all others are as they were.
ALONGSIDE = ("resume", "ticks", "threads", "quiet", "checkpoint_every", "keep", "allow_kind", "debug")
#: What a checkpoint tells ``--resume``, and of which type it must be.
WORDS: dict[str, Any] = {"name": str, "stream": dict, "ticks": int, "said": dict, "seconds": dict, "every": int,
                         "keep": int, "sums": dict}


class Keeper:
    """Writes the checkpoints of a run, and what a reader of its folder finds meanwhile.

    Where that fails, a warning says why, the run goes on, and it is tried again at the next checkpoint.

    Parameters
    ----------
    job : Job
    folder : pathlib.Path
        Of the run.
    every : int
        Ticks between two checkpoints; rounded up to whole trials.
    keep : int
        How many of the newest stay.
    facts : callable
        Gives the facts for summary.json.

    Attributes
    ----------
    saved : int
        The tick of the last checkpoint; -1 where there is none.
    problem : CortexsimError or None
        Why the last one could not be written.
    say : callable
        Prints a line.
    """

    def __init__(self, job: Job, folder: Path, every: int, keep: int, facts: Callable[[], Mapping[str, Any]]) -> None:
        unit = job.sim.plan.trial.length if job.sim.plan.trial else 1
        self.job, self.folder, self.facts = job, folder, facts
        self.every, self.keep = -(-every // unit) * unit, keep
        self.saved, self._tried, self.problem = -1, -1, None
        self.say: Callable[[str], None] = warn
        self._sums = sums(job.table)

    saved: int
    problem: CortexsimError | None

    def went_on(self) -> None:
        """Count the checkpoint from which the run goes on as its last one."""
        self.saved = self._tried = self.job.sim.tick

    def left(self) -> int:
        """Ticks to the next checkpoint, at least 1: they lie at multiples of `every`."""
        return self.every - self.job.sim.tick % self.every

    def look(self) -> None:
        """Write a checkpoint if it is time."""
        if self.job.sim.tick % self.every == 0:
            self.save()

    def save(self) -> None:
        """Write a checkpoint, and what a reader finds; warn where that is not possible."""
        if self.job.sim.tick == self._tried:
            return
        self._tried = self.job.sim.tick
        try:
            self.write(self.folder)
            runfolder.refresh(self.folder, self.job.sim, self.facts(), self.job.table)
        except KeyboardInterrupt:
            self._tried = -1
            raise
        except CortexsimError as error:
            self.problem = error
            self.say(f"cortexsim: warning: at tick {self.job.sim.tick:,}: {error}; {self.last()}, and the run goes on")

    def last(self) -> str:
        """Which checkpoint is the newest, in words."""
        return f"the checkpoint of tick {self.saved:,} is whole" if self.saved >= 0 else "there is no checkpoint"

    def write(self, folder: Path) -> None:
        """Write a checkpoint to the folder of a run.

        Raises
        ------
        FileError
            It cannot be written.
        """
        job = self.job
        told = {} if job.forecaster is None else {"told": job.forecaster.told()}
        extra = {"name": job.name, "stream": job.table, "ticks": job.ticks, "said": job.said, "seconds": job.seconds,
                 "every": self.every, "keep": self.keep, "sums": self._sums}
        checkpoint.save_in(job.sim, folder / runfolder.CHECKPOINTS, self.keep, extra, told)
        self.saved = self._tried = job.sim.tick
        self.problem = None


def warn(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr, flush=True)


def make_keeper(job: Job, folder: Path, options: Namespace, facts: Callable[[], Mapping[str, Any]]) -> Keeper | None:
    """What writes the checkpoints of a run that is to have them.

    Raises
    ------
    InputError
        How many to keep is said, but not how often to write.
    """
    if options.checkpoint_every is None:
        if options.keep is not None:
            raise InputError("option --keep", "is about checkpoints", hint="add --checkpoint-every N")
        return None
    if not isinstance(job.stream, SeekableStream) and not options.quiet:
        warn(f"cortexsim: warning: stream {job.table.get('name')!r} cannot go back to a tick (it has no position and "
             "seek()), so --resume will not be possible; its checkpoints can be loaded in a script")
    return Keeper(job, folder, options.checkpoint_every, options.keep or KEEP, facts)


# --- going on ---

def check_alone(options: Namespace) -> None:
    """Refuse what does not go with ``--resume``.

    Raises
    ------
    InputError
        Naming the first of them.
    """
    if options.name is not None:
        raise InputError("option --resume", f"takes no NAME: the graph is in {options.resume}", options.name)
    for text in options.argv:
        key = text.partition("=")[0]
        if key.startswith("--") and key.removeprefix("--").replace("-", "_") not in ALONGSIDE:
            raise InputError(f"option {key}", "does not go with --resume: the run goes on as it began",
                             hint="cortexsim run NAME begins another")


def check_folder(folder: Path) -> None:
    """Whether there is a run with checkpoints in a folder.

    Raises
    ------
    FileError
        There is none, and why.
    """
    where = f"folder {str(folder)!r}"
    if not folder.is_dir():
        raise FileError(where, "is a file" if folder.exists() else "there is no such folder")
    if checkpoint.checkpoints(folder / runfolder.CHECKPOINTS):
        return
    if not (folder / "graph.toml").is_file():
        raise FileError(where, "is not the folder of a run: it holds no graph.toml")
    raise FileError(where, "has no checkpoints, so the run cannot go on", hint="it was started without "
                    f"--checkpoint-every; begin again: cortexsim run {folder / 'graph.toml'}")


def resume(options: Namespace) -> Job:
    """The run in a folder, as its newest checkpoint left it.

    Parameters
    ----------
    options : argparse.Namespace
        ``checkpoint_every`` and ``keep`` are filled in as they were.

    Returns
    -------
    Job

    Raises
    ------
    FileError
        There is no such folder, it holds no checkpoint that is whole, or one that is none of a run.
    CortexsimError
        The stream cannot be opened again, or cannot go to where it was.
    """
    folder = Path(options.resume)
    path = _newest(folder)
    manifest = checkpoint.read_manifest(path)
    words = _checked(manifest["extra"], path)
    sim = checkpoint.load(Simulation, path, options.threads, options.allow_kind)
    if isinstance(words["said"].get("resumed"), list):
        words["said"]["resumed"].append({"tick": sim.tick, "command": ["cortexsim", *options.argv]})
    ticks = words["ticks"] if options.ticks is None else options.ticks
    if ticks < sim.tick:
        raise InputError("option --ticks", f"must be at least {sim.tick:,}, where the newest checkpoint is", ticks)
    job = feed(words["name"], sim, words["stream"], ticks, words["said"])
    if not isinstance(job.stream, SeekableStream):
        raise InputError(f"stream {job.table.get('name')!r}", "cannot go to where the run was: it has no position and "
                         "seek()", hint="load the checkpoint in a script: Simulation.load")
    job.stream = sim.seek(job.stream)
    if job.forecaster is not None:
        told, now = checkpoint.read_array(path, "told"), job.forecaster.told()
        if (told.dtype, told.shape) != (now.dtype, now.shape):
            raise FileError(f"checkpoint {str(path)!r}", "holds the forecasts of another stream", told.shape)
        job.forecaster.remember(told)
    job.seconds.update({key: float(value) for key, value in words["seconds"].items()
                        if isinstance(value, int | float)})
    for file, found in sums(job.table).items():
        if words["sums"].get(file) != found:
            warn(f"cortexsim: warning: file {file!r} has changed since the run began, so that it ends otherwise")
    _compare(manifest["versions"])
    options.checkpoint_every = options.checkpoint_every or words["every"]
    options.keep = options.keep or words["keep"]
    return job


def _newest(folder: Path) -> Path:
    """The newest checkpoint of a run that is whole; newer ones that are damaged are put aside."""
    inside = folder / runfolder.CHECKPOINTS
    damaged: list[FileError] = []
    path = checkpoint.newest(inside, damaged)
    for error, bad in zip(damaged, reversed(checkpoint.checkpoints(inside)), strict=False):
        warn(f"cortexsim: warning: {error}; {path.name}, which is older, is taken")
        try:
            # one that stayed would count among the newest, and cost an older one that is whole its place
            bad.rename(bad.with_name(f"{bad.name}.damaged"))
        except OSError as problem:
            raise FileError(f"checkpoint {str(bad)!r}", f"is damaged and cannot be put aside ({problem.strerror})",
                            hint="remove it") from problem
    return path


def _checked(extra: Mapping[str, Any], path: Path) -> dict[str, Any]:
    where = f"checkpoint {str(path)!r}"
    for key, kind in WORDS.items():
        value = extra.get(key, ...)
        if not isinstance(value, kind) or isinstance(value, bool) or kind is int and value < 1:
            raise FileError(where, "is not that of a run of the program" if not extra else
                            f"does not tell how the run goes on: {key} is missing or wrong",
                            hint="load it in a script: Simulation.load")
    return dict(extra)


def _compare(versions: Mapping[str, Any]) -> None:
    """Tell of other versions: the last bits may hang on them."""
    now = runfolder.versions()
    changed = [f"{name} {was} -> {now[name]}" for name, was in versions.items() if name in now and now[name] != was]
    if changed:
        warn(f"cortexsim: warning: the checkpoint was written with other versions ({', '.join(changed)}), so the last "
             "bits may differ")


# --- what a checkpoint holds of the program ---

def sums(table: Mapping[str, Any]) -> dict[str, list[int]]:
    """Size and CRC-32 of the files that a ``[stream]`` table names."""
    made = {}
    for key in FILE_KEYS:
        if isinstance(table.get(key), str) and Path(table[key]).is_file():
            crc, size = 0, 0
            with open(table[key], "rb") as file:
                while piece := file.read(1 << 20):
                    crc, size = zlib.crc32(piece, crc), size + len(piece)
            made[table[key]] = [size, crc]
    return made
