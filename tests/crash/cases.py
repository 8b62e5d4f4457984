"""What is killed and resumed: a graph for every kind, every ready-made graph, and forecasts, as command lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import cortexsim as cs
from contract.test_kinds import graph_of, inputs_of
from cortexsim import catalogue


@dataclass(frozen=True)
class Case:
    """A run of the program.

    `make` writes what it needs into a folder, for so many ticks, and returns the command line after ``run``. `ticks`
    are those of a short run; with `scaled` False there are always so many.
    """

    name: str
    make: Callable[[Path, int], list[str]]
    ticks: int = 2000
    unit: int = 1
    scaled: bool = True


def cases() -> list[Case]:
    """Every kind and every ready-made graph, found by listing them, and forecasts of several horizons."""
    found = [Case(f"kind {kind}", lambda folder, ticks, kind=kind: _of_kind(folder, ticks, kind))
             for kind in cs.list_kinds()]
    for name in catalogue.names():
        graph = catalogue.load(name)
        trial = (graph.graph.get("trial") or {}).get("length", 1)
        if graph.graph.get("stream"):
            found.append(Case(name, lambda folder, ticks, name=name: [name, "--ticks", str(ticks)],
                              _base(trial), trial))
        elif "value" in graph:
            found.append(Case(name, lambda folder, ticks, name=name: _forecast(folder, ticks, "1", name), 400))
        else:
            found.append(Case(name, lambda folder, ticks, name=name: _of_arrays(folder, name, ticks),
                              _base(trial), trial))
    found.append(Case("forecast 1", lambda folder, ticks: _forecast(folder, ticks, "1"), 400))
    found.append(Case("forecast 1..3, 6", lambda folder, ticks: _forecast(folder, ticks, "1,2,3,6"), 400, scaled=False))
    return found


def _base(trial: int) -> int:
    return max(300 // trial, 20) * trial


def _of_kind(folder: Path, ticks: int, kind: str) -> list[str]:
    graph = graph_of(kind)
    # company, so that two threads have work
    for k in range(3):
        graph.add_region(f"n{k}", predicts="x", context=[f"x@{k + 1}", "r.error@2"], learning_rate=0.05)
    graph.add_region("slow", kind="subspace", predicts="x", size=2, period=3, decay_updates=50.0)
    return _fed(folder, graph, inputs_of(graph, ticks), ticks)


def _of_arrays(folder: Path, name: str, ticks: int) -> list[str]:
    graph, rng = catalogue.load(name), np.random.default_rng(3)
    trial = (graph.graph.get("trial") or {}).get("length", 1)
    rows = {source: rng.random((ticks // trial, *graph.nodes[source]["shape"])) for source in graph.sources}
    # gates: some open, some closed
    rows = {source: (values > 0.6).astype(float) if graph.nodes[source]["known"] == "before" else values
            for source, values in rows.items()}
    return _fed(folder, graph, rows, ticks)


def _fed(folder: Path, graph: cs.RegionGraph, rows: dict[str, Any], ticks: int) -> list[str]:
    np.savez(folder / "rows.npz", **rows)
    graph.graph["stream"] = {"name": "arrays", "data": "rows.npz"}
    catalogue.save_toml(graph, folder / "case.toml")
    return [str(folder / "case.toml"), "--ticks", str(ticks)]


def _forecast(folder: Path, ticks: int, horizons: str, name: str | None = None) -> list[str]:
    """Half hours with a rhythm of the day, and some values missing."""
    times = np.datetime64("2024-01-01T00:00") + np.arange(ticks) * np.timedelta64(30, "m")
    rng = np.random.default_rng(0)
    values = 50 + 20 * np.sin(2 * np.pi * np.arange(ticks) / 48) + rng.normal(size=ticks)
    cells = ["" if missing else f"{value:.4f}" for value, missing in zip(values, rng.random(ticks) < 0.01, strict=True)]
    cells[0] = f"{values[0]:.4f}"
    (folder / "rows.csv").write_text("when,load\n" + "".join(f"{t},{v}\n" for t, v in zip(times, cells, strict=True)))
    graph = [] if name is None else ["--graph", name]
    return ["forecast", "--data", str(folder / "rows.csv"), "--column", "load", "--time", "when", "--calendar",
            "day,week", "--blanks", "keep", "--horizon", horizons, "--lags", "6", *graph]
