"""The folder of a run: what was run, what came out, and pictures of it.

===================  ==============================================================================================
summary.json         measures of every region, events, plan, seed, versions, command line, machine, times
curves.csv           the learning curves as a table: a line for each region and bin
curves.npz           the same, exact, for ``Curves.from_npz``
graph.toml           the graph as it ran, with the edges cut, regions frozen and constants set from the command line
learning_curves.png  a panel for each region that a baseline can be held against (for each, if there is none)
free_energy.png      a panel for each region that settles
learning_rates.png   a panel for each region whose learning rate changes
anomaly.png          a panel for each region that tells how much of what came was not predicted
graph.png            the graph, coloured by skill
forecast.csv         of ``run forecast``: every forecast with its quantiles, the truth, and the baselines
forecast_scores.csv  their errors: a line for each column, horizon and method
forecast.png         forecasts and truth as a picture
checkpoints          of a run with checkpoints: a folder of the newest, see `cortexsim.checkpoint`
===================  ==============================================================================================

Every file is written whole or not at all. The first two, graph.toml and checkpoints are there from the beginning, and
are written again at every checkpoint: a run that is killed leaves a folder that can be read.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cortexsim import __version__
from cortexsim.catalogue import load_toml, save_toml
from cortexsim.curves import Curves
from cortexsim.errors import CortexsimError, FileError
from cortexsim.files import TEMPORARY, write_file
from cortexsim.forecast_table import Forecasts
from cortexsim.graph import RegionGraph
from cortexsim.graph_io import read_bytes
from cortexsim.simulation import Simulation
from cortexsim.trust import importing_only, read_json

FORMAT = 1  #: Of summary.json; raised when what it holds changes.
PICTURES = ("learning_curves.png", "graph.png")
ENERGY, RATES, ANOMALY = "free_energy.png", "learning_rates.png", "anomaly.png"
FILES = ("summary.json", "curves.csv", "curves.npz", "graph.toml", *PICTURES, ENERGY, RATES, ANOMALY,
         "forecast.csv", "forecast_scores.csv", "forecast.png")
CHECKPOINTS = "checkpoints"
LIBRARIES = ("numpy", "numba", "networkx", "scipy", "matplotlib", "tqdm", "tomlkit")


class Run(NamedTuple):
    """What `read` finds in a folder.

    Attributes
    ----------
    graph : RegionGraph
        As it ran.
    curves : Curves
    summary : dict
        See the text of this module.
    """

    graph: RegionGraph
    curves: Curves
    summary: dict[str, Any]


# --- writing ---

def write(folder: Path, sim: Simulation, facts: Mapping[str, Any], stream: Mapping[str, Any] | None = None,
          forecasts: Forecasts | None = None) -> list[str]:
    """Write everything about a run; files of an earlier run that this one does not have are removed.

    Parameters
    ----------
    folder : pathlib.Path
        Made where it is missing.
    sim : Simulation
        After the run.
    facts : mapping
        More for summary.json: command line, versions, times.
    stream : mapping, optional
        The ``[stream]`` table that feeds the graph again in the same way.
    forecasts : Forecasts, optional
        Of ``run forecast``.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    FileError
        A file cannot be written; those before it are there.
    """
    write_graph(folder, sim, stream)
    sim.curves.to_npz(folder / "curves.npz")
    files = ["summary.json", "curves.csv", "curves.npz", "graph.toml"]
    try:
        sim.curves.to_csv(folder / "curves.csv")
        if forecasts is not None:
            forecasts.to_csv(folder / "forecast.csv")
            forecasts.scores_to_csv(folder / "forecast_scores.csv")
            files += ["forecast.csv", "forecast_scores.csv"]
        files += draw(folder, sim.graph, sim.curves)
        if forecasts is not None and forecasts.ticks:
            save_picture(forecasts.plot(), folder / "forecast.png")
            files.append("forecast.png")
    finally:
        # last, since it says that the run has ended; but a picture that cannot be drawn must not cost the figures
        write_json(folder / "summary.json", summarise(sim, facts, forecasts))
    for path in [*(folder / name for name in set(FILES) - set(files)), *folder.glob(TEMPORARY)]:
        path.unlink(missing_ok=True)
    return [name for name in FILES if name in files]


def refresh(folder: Path, sim: Simulation, facts: Mapping[str, Any], stream: Mapping[str, Any] | None = None) -> None:
    """Write what a reader of the folder of a run needs, while the run goes on: graph, curves, summary.

    Parameters
    ----------
    folder, sim, facts, stream
        As in `write`.

    Raises
    ------
    FileError
        A file cannot be written; those before it are there.
    """
    if not (folder / "graph.toml").exists():
        # it does not change as the run goes on, but somebody may have removed the folder
        write_graph(folder, sim, stream)
    sim.curves.to_npz(folder / "curves.npz")
    write_json(folder / "summary.json", summarise(sim, facts))


def write_graph(folder: Path, sim: Simulation, stream: Mapping[str, Any] | None) -> None:
    """Write the graph of a simulation, with the ``[stream]`` table that feeds it again in the same way."""
    graph = sim.graph.copy()
    if stream is not None:
        graph.graph["stream"] = dict(stream)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"folder {str(folder)!r}", f"cannot be made ({error.strerror or error})") from error
    save_toml(graph, folder / "graph.toml")


def draw(folder: Path, graph: RegionGraph, curves: Curves, regions: Sequence[str] | None = None,
         measure: str = "skill") -> list[str]:
    """Draw the pictures of a run; see `cortexsim.plot.plot_curves` for `regions` and `measure`.

    Returns
    -------
    list of str
        Names of the files.
    """
    from cortexsim.plot import plot_graph  # matplotlib is slow to import, and not every command draws
    files = []
    if curves.regions:
        shown = regions or _with(curves, measure) or None
        save_picture(curves.plot(shown, measure, smooth=smoothing(curves)), folder / PICTURES[0])
        files.append(PICTURES[0])
    save_picture(plot_graph(graph, curves=curves if curves.n_ticks else None), folder / PICTURES[1])
    files.append(PICTURES[1])
    for name, measure in ((ENERGY, "energy"), (RATES, "rate"), (ANOMALY, "anomaly")):
        having = _with(curves, measure)
        if measure == "rate":
            having = [region for region in having if _moves(curves.curve(region, measure))]
        if having:
            save_picture(curves.plot(having, measure, smooth=smoothing(curves)), folder / name)
            files.append(name)
    return files


def _moves(values: np.ndarray) -> bool:
    """Whether a curve is not one constant: sums of one number differ in their last bits."""
    values = values[np.isfinite(values)]
    return len(values) > 0 and float(np.ptp(values)) > 1e-6 * float(np.abs(values).max())


def _with(curves: Curves, measure: str) -> list[str]:
    """The regions that have a measure at all."""
    return [name for name in curves.regions if np.isfinite(curves.curve(name, measure)).any()]


def smoothing(curves: Curves) -> int | None:
    """Bins to pool in a picture; None, the picture's own choice, unless a bin holds too few ticks to tell a skill."""
    bins = len(curves.ticks)
    return max(1, bins // 96, min(bins // 8, -(-32 // curves.bin_width))) if curves.bin_width < 32 else None


def save_picture(figure: Any, path: Path) -> None:
    """Save a figure whole or not at all."""
    from cortexsim.plot import save
    save(figure, path)


def summarise(sim: Simulation, facts: Mapping[str, Any], forecasts: Forecasts | None = None) -> dict[str, Any]:
    """What summary.json holds, in plain values.

    Parameters
    ----------
    sim : Simulation
        After the run.
    facts : mapping
        Put in as they are.
    forecasts : Forecasts, optional
        Their scores are put in.

    Returns
    -------
    dict
        None stands for NaN and infinity, which JSON cannot hold.
    """
    plan, shares, curves, rates = sim.plan, sim.time_shares(), sim.curves.to_dict(), sim.learning_rates()
    for name, row in curves["regions"].items():
        row["share"] = shares.get(name)
        row["hyper"] = sim.hyper(name)
        row["rate"] = rates.get(name)
        row["frozen"] = bool(sim.graph.nodes[name]["frozen"])
    flops, size = cost_per_tick(plan)
    made = {
        "format": FORMAT, "graph": sim.graph.graph.get("name") or "graph", **facts, "seed": sim.seed,
        "threads": sim.threads, "ticks": sim.tick, "machine": machine(),
        "plan": {"sources": len(plan.sources), "regions": len(plan.regions), "edges": len(plan.edges),
                 "block": plan.block, "limited_by": plan.order.limit, "levels": len(plan.parts),
                 "bytes": plan.memory(), "flops_per_tick": flops, "bytes_per_tick": size,
                 "fallback": sim.engine.why_fallback},
        "lesioned": sorted(name for *_, name, data in sim.graph.edges(keys=True, data=True) if data["lesioned"]),
        "skipped": dict(sim.skipped),
        **{key: curves[key] for key in ("final_fraction", "bin_width", "regions", "events", "events_dropped")},
    }
    if forecasts is not None:
        made["forecast"] = {
            "horizon": forecasts.horizon, "horizons": list(forecasts.horizons), "levels": list(forecasts.levels),
            "season": forecasts.season._asdict(), "lags": forecasts.lags, "columns": forecasts.scores()}
    return made


def cost_per_tick(plan: Any) -> tuple[float, float]:
    """Estimated flops and bytes of a mean tick: a region on a slower clock counts for its share, gates as open."""
    shares = [(cost, plan.regions[name].data["period"]) for name, cost in plan.costs.items()]
    return sum(flops / period for (flops, _), period in shares), sum(size / period for (_, size), period in shares)


def machine() -> dict[str, Any]:
    """What the run ran on."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return {"cpus": os.cpu_count(), "cpus_usable": len(affinity(0)) if affinity else os.cpu_count(),
            "architecture": platform.machine(), "system": platform.system()}


def versions() -> dict[str, str]:
    """Versions of cortexsim, Python and the libraries."""
    return {"cortexsim": __version__, "python": platform.python_version(),
            **{name: metadata.version(name) for name in LIBRARIES}}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values as JSON, a null for what JSON cannot hold.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    text = json.dumps(_plain(values), indent=1, allow_nan=False, default=str) + "\n"
    write_file(path, lambda file: file.write(text.encode()))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- reading ---

def read(folder: str | os.PathLike[str], allow_kinds: Iterable[str] = ()) -> Run:
    """Read what `write` or `refresh` wrote.

    Parameters
    ----------
    folder : path
        Of a run.
    allow_kinds : iterable of str
        Kinds outside the package that the graph may import, wildcards allowed.

    Returns
    -------
    Run

    Raises
    ------
    FileError
        There is no such folder, it is not that of a run, or a file is damaged; the message names it.
    """
    folder = Path(folder)
    where = f"folder {str(folder)!r}"
    if not folder.is_dir():
        raise FileError(where, "is a file" if folder.exists() else "there is no such folder")
    missing = [name for name in ("curves.npz", "graph.toml") if not (folder / name).is_file()]
    if missing:
        raise FileError(where, f"is not the folder of a run: it holds no {missing[0]}")
    with importing_only(allow_kinds):
        graph = load_toml(folder / "graph.toml")
    return Run(graph, Curves.from_npz(folder / "curves.npz"), _read_json(folder / "summary.json"))


def outcome(folder: Path) -> str:
    """What summary.json tells of the end of a run: ``"running"`` before it; "" where it tells nothing."""
    try:
        return str(_read_json(folder / "summary.json").get("outcome", ""))
    except FileError:
        return ""


def _read_json(path: Path) -> dict[str, Any]:
    where = f"file {str(path)!r}"
    if not path.exists():
        return {}
    try:
        summary = read_json(read_bytes(path), where)
    except CortexsimError as error:
        why = str(error).removeprefix(f"{where}: ")
        raise FileError(where, f"is not a summary of a run ({why})") from error
    if not isinstance(summary, dict):
        raise FileError(f"file {str(path)!r}", "is not a summary of a run")
    return summary
