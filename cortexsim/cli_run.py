"""``cortexsim run``: a region graph on its stream, to a table and a folder of results."""

from __future__ import annotations

import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cortexsim import runfolder, runplace
from cortexsim.cli_job import Job, prepare
from cortexsim.cli_progress import Interrupts, Progress
from cortexsim.cli_resume import Keeper, check_alone, check_folder, make_keeper, resume, warn
from cortexsim.errors import CortexsimError, FileError, InputError
from cortexsim.forecast_table import Forecasts
from cortexsim.simulation import Simulation

MANY = 200_000  # forecasts whose scoring takes long enough to say so


def run(options: Namespace) -> int:
    """Run a region graph, and write and print what came out; or go on with a run.

    Parameters
    ----------
    options : argparse.Namespace
        As `cortexsim.cli.parse` makes it.

    Returns
    -------
    int
        The exit code: 0, or 128 and the number of the signal that ended the run.

    Raises
    ------
    CortexsimError
        What is wrong with the command line, the graph or the stream; or what could not be written in the end.
    """
    if options.resume is not None:
        return _go_on(options)
    if options.name is None:
        raise InputError("command line of 'cortexsim run'", "the following arguments are required: NAME",
                         hint="cortexsim run --help tells more")
    job = prepare(options)
    new = options.out is None or not Path(options.out).exists()
    folder = runplace.claim(options.out, job.name, options.force)
    try:
        keeper = make_keeper(job, folder, options, lambda: facts(job, "running"))

        def first(place: Path) -> None:
            runfolder.refresh(place, job.sim, facts(job, "running"), job.table)
            if keeper is not None:
                keeper.write(place)

        lock = runplace.begin(folder, first, new)
    except BaseException:  # whatever it was, an empty folder helps nobody
        runplace.leave(folder)
        raise
    try:
        compile_kernels(job, options.quiet)
    except BaseException:
        lock.release()
        runplace.discard(folder)
        raise
    with lock:
        return _run(job, folder, keeper, options)


def _go_on(options: Namespace) -> int:
    """Go on with the run in a folder."""
    check_alone(options)
    folder = Path(options.resume)
    check_folder(folder)
    with runplace.Lock(folder):
        job = resume(options)
        if job.sim.tick >= job.ticks and runfolder.outcome(folder) == "finished":
            if not options.quiet:
                print(f"{folder} is finished, at tick {job.sim.tick:,}; --ticks N goes on to a later one")
            return 0
        keeper = make_keeper(job, folder, options, lambda: facts(job, "running"))
        assert keeper is not None
        keeper.went_on()
        compile_kernels(job, options.quiet)
        return _run(job, folder, keeper, options)


def _run(job: Job, folder: Path, keeper: Keeper | None, options: Namespace) -> int:
    """Run to the end, and write and print what came out."""
    with Interrupts() as interrupts:
        try:
            problem = execute(job, options.quiet, interrupts, keeper)
            forecasts = score(job, options.quiet)
            outcome = "stopped by an error" if problem else "interrupted" if interrupts.asked else "finished"
            files = runfolder.write(folder, job.sim, facts(job, outcome, problem), job.table, forecasts)
        except (FileError, KeyboardInterrupt) as error:
            if keeper is None or not job.sim.tick:
                raise
            warn(f"cortexsim: the results could not be written; {keeper.last()}, and cortexsim run --resume {folder} "
                 "goes on from it")
            if isinstance(error, KeyboardInterrupt):
                return 130
            raise
    if not options.quiet:
        report(job, folder, files, forecasts)
    if problem is not None:
        raise problem
    if keeper is not None and keeper.problem is not None and keeper.saved < job.sim.tick:
        raise keeper.problem
    if interrupts.asked:
        further = f"; cortexsim run --resume {folder} goes on" if keeper else ""
        print(f"cortexsim: {'interrupted' if interrupts.asked == signal.SIGINT else 'stopped'} at tick "
              f"{job.sim.tick:,} of {job.ticks:,}; all of it is in {folder}{further}", file=sys.stderr)
        return 128 + interrupts.asked
    return 0


def score(job: Job, quiet: bool) -> Forecasts | None:
    """Hold the forecasts of a run against the truth and the baselines."""
    if job.forecaster is None or not job.sim.tick:
        return None
    count = job.sim.tick * len(job.forecaster.columns) * len(job.forecaster.stream.horizons)
    if count > MANY and not quiet:
        print(f"scoring {count:,} forecasts", file=sys.stderr, flush=True)
    return job.forecaster.result(**job.forecaster.stream.report)


def compile_kernels(job: Job, quiet: bool) -> None:
    """Compile all that the run needs, or load it from the cache, so that the times of the two are told apart."""
    started, sim = time.perf_counter(), job.sim
    if not quiet:
        print(f"{sim.graph}; compiling what is not in the cache", file=sys.stderr, flush=True)
    sim.engine.prepare()
    sim.engine.run(sim.tick, sim.tick, sim.plan.block)  # no tick: only the driver is compiled
    job.seconds["compile"] = job.seconds.get("compile", 0.0) + time.perf_counter() - started
    if sim.engine.why_fallback and not quiet:
        print(f"the slow way is taken: {sim.engine.why_fallback}", file=sys.stderr)


def execute(job: Job, quiet: bool, interrupts: Interrupts, keeper: Keeper | None = None) -> Exception | None:
    """Run; an error in the middle is returned, since all ticks before it count.

    Parameters
    ----------
    job : Job
        Its `seconds` are filled in.
    quiet : bool
        No progress.
    interrupts : Interrupts
        Looked at between ticks.
    keeper : Keeper, optional
        Writes a checkpoint now and then, and in any case one at the end.

    Returns
    -------
    Exception or None
        What ended the run early, other than an interrupt.
    """
    sim, problem = job.sim, None
    advance = job.forecaster.run if job.forecaster else lambda n: sim.run(job.stream, ticks=n)
    progress = Progress(job.ticks, quiet, done=sim.tick)
    if keeper is not None:
        keeper.say = progress.say
    started = time.perf_counter() - job.seconds.get("run", 0.0)

    def advance_and_count(ticks: int) -> None:
        try:
            advance(ticks)
        finally:
            job.seconds["run"] = time.perf_counter() - started

    job.seconds.setdefault("run", 0.0)
    try:
        _drive(sim, advance_and_count, job.ticks, progress, interrupts, keeper)
    except Exception as error:  # even a bug must not cost what was learned so far
        problem = _named(error, job)
    except KeyboardInterrupt:  # a second Ctrl-C, or one that the stream itself answered
        interrupts.asked = interrupts.asked or signal.SIGINT
    finally:
        progress.close()
    if keeper is not None:
        keeper.save()
    return problem


def _named(error: Exception, job: Job) -> Exception:
    """An error of the stream's own code as one that names the stream; any other as it is."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_locals.get("self") is not job.stream:
        trace = trace.tb_next
    if trace is None or isinstance(error, CortexsimError):
        return error
    found = InputError(f"stream {job.table.get('name')!r}", f"failed at tick {job.sim.tick:,}: {type(error).__name__}: "
                       f"{error}", hint="all ticks before it have run")
    found.__cause__ = error
    return found


def _drive(sim: Simulation, advance: Callable[[int], Any], ticks: int, progress: Progress,
           interrupts: Interrupts, keeper: Keeper | None) -> None:
    """Run in stretches short enough that an interrupt and the progress bar are answered, and to each checkpoint."""
    unit = sim.plan.trial.length if sim.plan.trial else 1
    stretch = unit
    while sim.tick < ticks and not interrupts.asked:
        before, started = sim.tick, time.perf_counter()
        interrupts.waiting = True
        try:
            advance(min(stretch, ticks - sim.tick, keeper.left() if keeper else ticks))
        finally:
            interrupts.waiting = False
            progress.update(sim.tick - before)
        seconds = time.perf_counter() - started
        if seconds < 0.1:
            stretch = min(2 * stretch, unit << 20)
        elif seconds > 0.4:
            stretch = max(unit, stretch // 2 // unit * unit)
        if keeper is not None:
            keeper.look()


# --- after the run ---

def facts(job: Job, outcome: str, problem: Exception | None = None) -> Mapping[str, Any]:
    """What summary.json tells of the run beside its results."""
    run_seconds = job.seconds.get("run")
    return {
        "command": job.said.get("command"), "outcome": outcome, "error": str(problem) if problem else None,
        "ticks_asked": job.ticks, "stream": job.table,
        **{key: job.said.get(key, []) for key in ("set", "lesion", "freeze", "resumed")},
        "seconds": {**job.seconds, "total": sum(job.seconds.values())},
        "ticks_per_second": job.sim.tick / run_seconds if run_seconds else None,
        "versions": runfolder.versions(),
    }


def report(job: Job, folder: Path, files: list[str], forecasts: Forecasts | None) -> None:
    """Print what came out, and where it is."""
    sim, seconds = job.sim, job.seconds
    print(sim.curves.table_text(sim.time_shares()))
    if forecasts is not None:
        print(f"\n{forecasts.table_text()}")
    rate = f", {sim.tick / seconds['run']:,.0f} ticks/s" if seconds["run"] else ""
    print(f"\n{sim.tick:,} ticks in {seconds['run']:.1f} s{rate}; compiled or loaded in {seconds['compile']:.1f} s; "
          f"seed {sim.seed}")
    print(f"in {folder}: {', '.join(files)}")
