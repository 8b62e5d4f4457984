"""Sound files of every format, made anew each time; beside them those written by hand."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

import cortexsim as cs
from cortexsim import catalogue
from cortexsim.graph import RegionGraph
from fuzz import nasty
from graph_examples import pair, random_graph

SMALL = """
name = "small"
why = "every table once"
tick_ms = 10.0
[stream]
name = "csvfile"
path = "x.csv"
[trial]
length = 6
score_at = 0
[trial.spans]
minus = [0, 4]
plus = [4, 6]
[defaults.kind.delta]
learning_rate = 0.05
[defaults.tag.early]
shape = [3, 3]
[sources.eye]
shape = [3, 3]
imagined_by = "next.prediction"
[sources.hand]
size = 2
known = "before"
sparse = true
[regions.V1]
kind = "subspace"
predicts = "eye"
tags = ["early"]
[regions.next]
predicts = "eye"
context = ["eye@1..3", "hand[1]", { from = "V1.state@2", field = "window(2)", span = "minus", outside = "silent" }]
period = 2
offset = 1
on_divergence = "freeze"
[regions.code]
kind = "rls"
predicts = "V1.state"
context = { from = "V1.state@1", field = "sparse(0.5, seed=3)", name = "back" }
gate = "hand[0]@1"
when_closed = "hold"
[[edges]]
from = "hand[0]@1"
to = "next"
role = "modulator"
hyper = "learning_rate"
mode = "set"
[[edges]]
name = "back"
lesioned = true
"""


def files(folder: Path, ending: str) -> list[bytes]:
    """The contents of the files of an ending, by name."""
    return [path.read_bytes() for path in sorted(folder.glob(f"*.{ending}"))]


def often(sound: list[bytes], broken: tuple[str, ...]) -> list[bytes]:
    """Sound files so often that they are most of all: what is broken from the beginning is soon refused."""
    return sound * (1 + 4 * len(broken) // len(sound)) + [text.encode() for text in broken]


def simulations() -> list[cs.Simulation]:
    """Small ones that have run: of plain kinds, and of one whose compiled code follows lists of its own."""
    plain = RegionGraph(name="plain")
    plain.add_source("x", size=3)
    plain.add_region("a", predicts="x", context="x@1", step_size="decayed")
    plain.add_region("b", kind="subspace", predicts="x", size=2, on_divergence="freeze")
    lists = RegionGraph(name="lists")
    lists.add_source("x", size=6, sparse=True)
    lists.add_region("m", kind="temporal_memory", predicts="x", context="m.state@1", cells_per_column=3,
                     activation_threshold=1, min_threshold=1, new_synapses=4, max_synapses=4, max_segments=64)
    lists.add_region("next", predicts="x", context="m.state@1", sparse=True)
    rng = np.random.default_rng(0)
    made = []
    for graph, rows in ((plain, rng.normal(size=(40, 3))), (lists, np.eye(6)[np.arange(40) % 4])):
        sim = cs.Simulation(graph, seed=1)
        sim.run({"x": rows})
        sim.lesion("x->a" if graph is plain else "m->next")
        made.append(sim)
    return made


@cache
def graphs() -> list[RegionGraph]:
    """Graphs that every format can hold: those that come with cortexsim, small ones and a random one."""
    made = [catalogue.load_toml(SMALL), pair(), random_graph(6, 1)]
    return made + [catalogue.load(name) for name in ("reservoir", "sequence_memory", "rao_ballard")]


@cache
def seeds(name: str) -> list[bytes]:
    """The seeds of a format.

    Parameters
    ----------
    name : str
        Of a target, see `fuzz.targets`.

    Returns
    -------
    list of bytes
    """
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        return MAKERS[name](folder)


def _toml(folder: Path) -> list[bytes]:
    return often([SMALL.encode(), *(catalogue.to_toml(graph).encode() for graph in graphs())], nasty.GRAPHS)


def _json(folder: Path) -> list[bytes]:
    for number, graph in enumerate(graphs()):
        graph.to_json(folder / f"{number}.json")
    return often(files(folder, "json"), nasty.JSONS)


def _graphml(folder: Path) -> list[bytes]:
    for number, graph in enumerate(graphs()):
        graph.to_graphml(folder / f"{number}.graphml")
    return often(files(folder, "graphml"), nasty.XMLS) + [nasty.XMLS[3].encode("utf-16")]


def _curves(folder: Path) -> list[bytes]:
    for number, sim in enumerate(simulations()):
        sim.curves.to_npz(folder / f"{number}.npz")
        with np.load(folder / f"{number}.npz") as held:
            np.savez(folder / f"{number}-stored.npz", **held)
    return files(folder, "npz")


def _npz(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=(20, 3)), "y": rng.integers(0, 9, 20), "z": rng.normal(size=(20, 2, 2)) > 0}
    np.savez(folder / "a.npz", **data)
    np.savez_compressed(folder / "b.npz", **data)
    np.savez(folder / "c.npz", x=np.zeros((4, 0)), w=np.array(["a", "bc"]), o=np.asfortranarray(data["x"]))
    np.savez_compressed(folder / "d.npz", x=np.zeros((1 << 13, 4)))
    return files(folder, "npz")


def _csv(folder: Path) -> list[bytes]:
    rows = np.random.default_rng(0).normal(size=(30, 3))
    for mark in ",;\t ":
        text = "\n".join(mark.join(f"{value:.3f}" for value in row) for row in rows)
        head = mark.join(("a", "b", '"c d"' if mark != " " else "c"))
        (folder / f"{ord(mark)}.csv").write_text(f"{head}\n{text}\n")
    days = "".join(f"2020-01-{k:02},{k * 1.5}\n" for k in range(1, 28))
    (folder / "dates.csv").write_text("# of a station\nt,x\n" + days)
    (folder / "gaps.csv").write_bytes("\ufeffx,y\r\n1,NA\r\n,2\r\n3,.\r\n".encode())
    return often(files(folder, "csv"), nasty.TABLES) + ["a\n1\n".encode("utf-16")]


def _checkpoint(folder: Path) -> list[bytes]:
    for number, sim in enumerate(simulations()):
        sim.save(folder / f"{number}.ckpt")
    return files(folder, "ckpt")


def _summary(folder: Path) -> list[bytes]:
    return [b'{"format": 1, "ticks": 40, "regions": {"a": {"skill": 0.5}}, "events": []}', b"{}", b"[]",
            *(text.encode() for text in nasty.JSONS)]


MAKERS = {"toml": _toml, "json": _json, "graphml": _graphml, "curves": _curves, "npz": _npz, "csv": _csv,
          "checkpoint": _checkpoint, "summary": _summary}
