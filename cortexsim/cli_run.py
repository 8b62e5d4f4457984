"""``cortexsim run``: a region graph on its stream, to a table and a folder of results."""

from __future__ import annotations

import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cortexsim import runfolder
from cortexsim.cli_job import Job, prepare
from cortexsim.cli_progress import Interrupts, Progress
from cortexsim.forecast_table import Forecasts
from cortexsim.simulation import Simulation

MANY = 200_000  # forecasts whose scoring takes long enough to say so


def run(options: Namespace) -> int:
    """Run a region graph, and write and print what came out.

    Parameters
    ----------
    options : argparse.Namespace
        As `cortexsim.cli.parser` makes it.

    Returns
    -------
    int
        The exit code: 0, or 128 and the number of the signal that ended the run.
    """
    job = prepare(options)
    folder = runfolder.claim(options.out, job.name, options.force)
    try:
        compile_kernels(job, options.quiet)
        with Interrupts() as interrupts:
            problem = execute(job, options.quiet, interrupts)
            forecasts = score(job, options.quiet)
            files = runfolder.write(folder, job.sim, facts(job, options, interrupts.asked, problem), job.table,
                                    forecasts)
    except BaseException:  # whatever it was, an empty folder helps nobody
        runfolder.leave(folder)
        raise
    if not options.quiet:
        report(job, folder, files, forecasts)
    if problem is not None:
        raise problem
    if interrupts.asked:
        print(f"cortexsim: {'interrupted' if interrupts.asked == signal.SIGINT else 'stopped'} at tick "
              f"{job.sim.tick:,} of {job.ticks:,}; all of it is in {folder}", file=sys.stderr)
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
    job.seconds["compile"] = time.perf_counter() - started
    if sim.engine.why_fallback and not quiet:
        print(f"the slow way is taken: {sim.engine.why_fallback}", file=sys.stderr)


def execute(job: Job, quiet: bool, interrupts: Interrupts) -> Exception | None:
    """Run; an error in the middle is returned, since all ticks before it count.

    Parameters
    ----------
    job : Job
        Its `seconds` are filled in.
    quiet : bool
        No progress.
    interrupts : Interrupts
        Looked at between ticks.

    Returns
    -------
    Exception or None
        What ended the run early, other than an interrupt.
    """
    sim, problem = job.sim, None
    advance = job.forecaster.run if job.forecaster else lambda n: sim.run(job.stream, ticks=n)
    started, progress = time.perf_counter(), Progress(job.ticks, quiet)
    try:
        _drive(sim, advance, job.ticks, progress, interrupts)
    except Exception as error:  # even a bug must not cost what was learned so far
        problem = error
    except KeyboardInterrupt:  # a second Ctrl-C, or one that the stream itself answered
        interrupts.asked = interrupts.asked or signal.SIGINT
    finally:
        progress.close()
    job.seconds["run"] = time.perf_counter() - started
    return problem


def _drive(sim: Simulation, advance: Callable[[int], Any], ticks: int, progress: Progress,
           interrupts: Interrupts) -> None:
    """Run in stretches short enough that an interrupt and the progress bar are answered."""
    unit = sim.plan.trial.length if sim.plan.trial else 1
    stretch = unit
    while sim.tick < ticks and not interrupts.asked:
        before, started = sim.tick, time.perf_counter()
        try:
            advance(min(stretch, ticks - sim.tick))
        finally:
            progress.update(sim.tick - before)
        seconds = time.perf_counter() - started
        if seconds < 0.1:
            stretch = min(2 * stretch, unit << 20)
        elif seconds > 0.4:
            stretch = max(unit, stretch // 2 // unit * unit)


# --- after the run ---

def facts(job: Job, options: Namespace, asked: int, problem: Exception | None) -> Mapping[str, Any]:
    """What summary.json tells of the run beside its results."""
    outcome = "stopped by an error" if problem else "interrupted" if asked else "finished"
    run_seconds = job.seconds["run"]
    return {
        "command": ["cortexsim", *options.argv], "outcome": outcome, "error": str(problem) if problem else None,
        "ticks_asked": job.ticks, "stream": job.table,
        "set": list(options.set), "lesion": list(options.lesion), "freeze": list(options.freeze),
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
