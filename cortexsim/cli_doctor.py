"""``cortexsim doctor``: what is wrong in a run, or in a graph that is run for it, and the remedy."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from cortexsim import catalogue, checkpoint, runfolder
from cortexsim.cli_job import FORECAST, Job, prepare
from cortexsim.doctor import default_ticks, examine, examine_run
from cortexsim.doctor_report import Report
from cortexsim.errors import CortexsimError, InputError
from cortexsim.simulation import Simulation
from cortexsim.sources import SeekableStream, open_stream

LONGEST = 20_000  #: Ticks that a graph is run for, where it says itself that it is to run longer.


def doctor(options: Namespace) -> int:
    """Examine the folder of a run, or a graph after a run, and print what was found.

    Parameters
    ----------
    options : argparse.Namespace
        With ``name``, the folder or graph; ``ticks``, how long a graph is run first; ``edge_ticks``, for how long each
        edge is silenced; ``seed``, ``json``, ``quiet``.

    Returns
    -------
    int
        The exit code: 0 where no problem was found, 1 where there is one.
    """
    report = _folder(options) if _is_folder(options.name) else _graph(options)
    if options.json:
        print(json.dumps(report.to_dict(), indent=1, allow_nan=False))
    elif not options.quiet:
        print(report)
    return 0 if report.ok else 1


def _is_folder(name: str) -> bool:
    """Whether a word is a folder; the name of a ready-made graph is one only where a run is in it."""
    path = Path(name)
    return path.is_dir() and (name not in catalogue.names() or (path / "graph.toml").is_file())


def _say(options: Namespace, text: str) -> None:
    if not options.quiet:
        print(text, file=sys.stderr, flush=True)


# --- the folder of a run ---

def _folder(options: Namespace) -> Report:
    for name in ("ticks", "seed"):
        if getattr(options, name) is not None:
            raise InputError(f"option --{name}", "is for a graph that is run first; that of a folder has run",
                             hint="--edge-ticks tells for how long edges are silenced")
    folder = Path(options.name)
    run = runfolder.read(folder)
    damaged = ""
    if checkpoint.checkpoints(folder / "checkpoints"):
        try:
            sim = Simulation.load(folder / "checkpoints")
            return _examine_loaded(options, folder, sim, run.graph.graph.get("stream"))
        except CortexsimError as error:
            damaged = f"the weights: {error}"
    report = examine_run(run.graph, run.curves, run.summary)
    if damaged:
        report.unchecked.insert(0, damaged)
    return report


def _examine_loaded(options: Namespace, folder: Path, sim: Simulation, table: Any) -> Report:
    """A simulation from its checkpoint, with the stream that fed it."""
    problem, stream = "", None
    try:
        stream = _stream_of(sim, folder, table, options.edge_ticks)
    except CortexsimError as error:
        problem = f"edges that nobody uses, units, inputs: the run's stream cannot be opened again ({error})"
    report = examine(sim, stream, options.edge_ticks if stream is not None else None,
                     False if options.quiet else None)
    if problem:
        report.unchecked[:] = [problem, *(text for text in report.unchecked if "no inputs were given" not in text)]
    return report


def _stream_of(sim: Simulation, folder: Path, table: Any, edge_ticks: int | None) -> SeekableStream:
    """The stream of a run, where its checkpoint left it; where the data has ended, at its last part."""
    if not table:
        raise InputError("graph.toml", "it has no [stream] table")
    stream = open_stream({key: value for key, value in table.items() if key != "ticks"}, sim.seed, folder)
    if not isinstance(stream, SeekableStream):
        raise InputError(f"stream {table.get('name')!r}", "cannot go back to a tick")
    sim.seek(stream)
    return _with_room(stream, sim, edge_ticks)


def _with_room(stream: SeekableStream, sim: Simulation, edge_ticks: int | None) -> SeekableStream:
    """A stream that holds enough rows to silence edges for; where the data has ended, its last part again."""
    length = getattr(stream, "length", None)
    rows = (edge_ticks or default_ticks(sim.plan)) // (sim.plan.trial.length if sim.plan.trial else 1)
    if length is not None and stream.position + rows > length:
        stream.seek(max(0, length - rows))
    return stream


# --- a graph ---

def _graph(options: Namespace) -> Report:
    """Run a graph on its stream for a while, and examine it."""
    if options.name == FORECAST:
        raise InputError("doctor", "cannot run 'forecast' itself", hint="cortexsim run forecast ... --out DIR "
                         "--checkpoint-every N, then cortexsim doctor DIR")
    job = prepare(Namespace(name=options.name, ticks=options.ticks, seed=options.seed or 0, threads=1, stream=[],
                            image=None, set=[], lesion=[], freeze=[], argv=list(options.argv)))
    unit = job.sim.plan.trial.length if job.sim.plan.trial else 1
    ticks = job.ticks if options.ticks is not None else max(unit, min(job.ticks, LONGEST) // unit * unit)
    _say(options, f"{job.sim.graph}; running it for {ticks:,} ticks first")
    _run(job, ticks, not options.quiet)
    inputs: Any = job.stream
    if isinstance(inputs, SeekableStream):
        inputs = _with_room(inputs, job.sim, options.edge_ticks)
    else:
        # what it brings cannot be read twice, so the next rows are kept here
        rows = inputs.read((options.edge_ticks or default_ticks(job.sim.plan)) // unit)
        inputs = {name: rows[name] for name in job.sim.plan.sources}
    return examine(job.sim, inputs, options.edge_ticks, False if options.quiet else None)


def _run(job: Job, ticks: int, progress: bool) -> None:
    if job.forecaster is None:
        job.sim.run(job.stream, ticks=ticks, progress=progress)
    else:
        job.forecaster.run(ticks)
