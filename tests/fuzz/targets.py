"""What is fuzzed: a reader for each format, and what its file is used for once it is read."""

from __future__ import annotations

import math
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cortexsim import catalogue, checkpoint, runfolder
from cortexsim.curves import Curves
from cortexsim.errors import CortexsimError
from cortexsim.graph import RegionGraph
from cortexsim.plan import make_plan
from cortexsim.simulation import Simulation
from cortexsim.sources import arrays, csvfile
from fuzz.mutate import Step, mutant
from fuzz.seeds import seeds

SECONDS = 5.0
MEMORY = 1 << 30

PLACES = ("region", "source", "edge", "trial", "graph", "kind", "node", "file", "stream", "checkpoint", "folder", "[")
"""How the place of an error begins that is found only when a graph is used."""


class Target(NamedTuple):
    """One format: how its files are damaged, their name, the reader, and what is done with what it gives."""

    how: str
    file: str
    read: Callable[[Path], Any]
    use: Callable[[Any], Any]


def _use_graph(graph: RegionGraph) -> None:
    graph.check()
    if graph.regions:
        make_plan(graph)


def _use_curves(curves: Curves) -> None:
    repr(curves)
    curves.to_dict()


def _use_stream(stream: Any) -> None:
    stream.shapes()
    stream.read(8)


def _use_simulation(sim: Simulation) -> None:
    """What was read goes on: compiled code follows the numbers that came from the file."""
    if sum(source.size for source in sim.plan.sources.values()) < 1000 and sim.plan.memory() < 1 << 24:
        sim.run({name: np.ones((3, *source.shape), np.float32) for name, source in sim.plan.sources.items()})


def _read_run(path: Path) -> Any:
    """A run folder with a damaged summary: its other files have targets of their own."""
    (path.parent / "graph.toml").write_bytes(seeds("toml")[0])
    (path.parent / "curves.npz").write_bytes(seeds("curves")[0])
    return runfolder.read(path.parent)


TARGETS = {
    "toml": Target("toml", "g.toml", catalogue.load_toml, _use_graph),
    "json": Target("text", "g.json", RegionGraph.from_json, _use_graph),
    "graphml": Target("text", "g.graphml", RegionGraph.from_graphml, _use_graph),
    "curves": Target("archive", "curves.npz", Curves.from_npz, _use_curves),
    "npz": Target("archive", "x.npz", arrays.Stream, _use_stream),
    "csv": Target("text", "x.csv", lambda path: csvfile.Stream(path, blanks="keep"), _use_stream),
    "checkpoint": Target("archive", "tick-000000000040.ckpt", lambda path: checkpoint.load(Simulation, path),
                         _use_simulation),
    "summary": Target("text", "summary.json", _read_run, repr),
}


class Outcome(NamedTuple):
    """What became of one input.

    Attributes
    ----------
    what : {"loaded", "refused", "failed"}
    words : str
        The error; of a failure, what is wrong.
    seconds : float
        Processor time.
    """

    what: str
    words: str
    seconds: float


def make(name: str, recipe: list[Step], first: int) -> bytes:
    """The input that a recipe makes."""
    return mutant(seeds(name), TARGETS[name].how, recipe, first)


def feed(name: str, content: bytes, folder: Path) -> Outcome:
    """Give one input to its reader.

    Parameters
    ----------
    name : str
        Of a target.
    content : bytes
        The file.
    folder : pathlib.Path
        Where it is put.

    Returns
    -------
    Outcome
    """
    target, path = TARGETS[name], folder / TARGETS[name].file
    path.write_bytes(content)
    before, start = _peak(), time.process_time()
    what, words, read = "loaded", "", False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = target.read(path)
            read = True
            target.use(made)
    except CortexsimError as error:
        what, words = "refused", str(error)
        if str(path) not in words and str(folder) not in words and not (read and error.where.startswith(PLACES)):
            what, words = "failed", f"names no place: {words}"
    except Exception as error:
        what, words = "failed", f"{type(error).__name__}: {error}"
    seconds, grown = time.process_time() - start, _peak() - before
    if what != "failed" and seconds > SECONDS:
        what, words = "failed", f"took {seconds:.1f} s"
    if what != "failed" and grown > MEMORY:
        what, words = "failed", f"took {grown / 2**20:.0f} MiB"
    return Outcome(what, words, seconds if math.isfinite(seconds) else 0.0)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
