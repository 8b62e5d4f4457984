"""``cortexsim list`` and ``cortexsim show``: what there is to run, and what is in it."""

from __future__ import annotations

import importlib
import inspect
import shutil
import textwrap
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cortexsim import catalogue, runfolder
from cortexsim.errors import CortexsimError, FileError, nearest
from cortexsim.graph import RegionGraph
from cortexsim.kind import Kind, find_kind, list_kinds
from cortexsim.plan import Plan, make_plan
from cortexsim.sources import find_stream, list_streams

FORECAST = "forecasts columns of any numeric CSV file: cortexsim run forecast --data FILE.csv --column NAME"
ROLES = {"target": "predicts", "prior": "prior", "context": "from", "gate": "only when", "feedback": "corrected by",
         "modulator": "driven by"}


# --- list ---

def list_all(options: Namespace) -> int:
    """Print the ready-made graphs, the kinds and the streams, a line each.

    Parameters
    ----------
    options : argparse.Namespace
        Nothing of it is used.

    Returns
    -------
    int
        The exit code.
    """
    graphs = {name: _why(name) for name in catalogue.names()} | {"forecast": FORECAST}
    kinds = {name: _first_line(find_kind(name).doc, name) for name in list_kinds()}
    streams = {name: _first_line(importlib.import_module(find_stream(name).__module__).__doc__, name)
               for name in list_streams()}
    for title, lines, use in (("graphs", graphs, "cortexsim run NAME, cortexsim show NAME"),
                              ("kinds of region", kinds, "cortexsim show NAME"),
                              ("streams", streams, "name = \"NAME\" in the [stream] table of a graph")):
        print(f"{title} ({use})")
        width = max(map(len, lines))
        for name, text in lines.items():
            print(_wrapped(text, f"  {name:<{width}}  "))
        print()
    return 0


def _why(name: str) -> str:
    try:
        graph = catalogue.load(name)
    except CortexsimError as error:  # one bad file must not hide the others
        return f"cannot be read: {error}"
    return _first_sentence(graph.graph.get("why") or "")


def _first_line(doc: str | None, name: str) -> str:
    text = " ".join((doc or "").strip().split("\n\n")[0].split()).replace("``", "").replace("`", "")
    return _first_sentence(text.removeprefix(f"{name}: "))


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].rstrip(".:")


def _wrapped(text: str, first: str) -> str:
    """Wrap a text to the terminal behind its heading."""
    width = max(60, min(120, shutil.get_terminal_size((110, 24)).columns))
    return textwrap.fill(" ".join(str(text).split()), width, initial_indent=first, subsequent_indent=" " * len(first),
                         break_on_hyphens=False, break_long_words=False) or first.rstrip()


# --- show ---

def show(options: Namespace) -> int:
    """Print a graph with its plan, or a kind with its hyperparameters.

    Parameters
    ----------
    options : argparse.Namespace
        With ``name``, a ready-made graph, a TOML file, the folder of a run or a kind; and ``threads``.

    Returns
    -------
    int
        The exit code.
    """
    name = options.name
    if name in list_kinds() or ":" in name:
        print_kind(find_kind(name))
        if name not in catalogue.names():
            return 0
        print("\n\nand the ready-made graph of the same name\n")
    if name == "forecast":
        print(_wrapped(f"{FORECAST}. Its graph is made for the columns asked for, and is written as graph.toml into "
                       "the folder of the run: cortexsim show FOLDER/graph.toml", "forecast  "))
        return 0
    path = name.endswith(".toml") or len(Path(name).parts) > 1
    if name not in catalogue.names() and Path(name).is_dir():
        made = runfolder.read(name)
        rates = {region: row.get("rate") for region, row in made.summary.get("regions", {}).items()}
        print_graph(made.graph, make_plan(made.graph, options.threads), rates)
        return 0
    known = [*catalogue.names(), *list_kinds(), "forecast"]
    if not path and name not in known:
        raise FileError(f"graph or kind {name!r}", "is not known", hint=nearest(name, known))
    graph = catalogue.load(Path(name) if path else name)
    print_graph(graph, make_plan(graph, options.threads))
    return 0


def print_kind(kind: Kind) -> None:
    """Print what a kind is, and a line for each of its hyperparameters."""
    print(inspect.cleandoc(kind.doc or ""))
    print(f"\nroles: {', '.join(kind.roles)}; needs {', '.join(kind.needs)}; writes {', '.join(kind.port_names)}; "
          f"scores its {kind.scores(kind.check_hyper(kind.name, {}))}\n")
    rows = [("hyperparameter", "default", "unit", "allowed", "meaning")]
    rows += [(field.name, _value(field.default), field.unit, field.allowed() + (" (structural)" if field.structural
             else ""), field.doc) for field in kind.hyper_fields().values()]
    print(_table(rows))


def print_graph(graph: RegionGraph, plan: Plan, rates: Mapping[str, float | None] | None = None) -> None:
    """Print sources, regions, edges and plan of a graph; `rates` are its learning rates after a run."""
    attributes = graph.graph
    print(_wrapped(attributes.get("why") or "", f"{attributes.get('name') or 'graph'}  "))
    if attributes.get("cite"):
        print(_wrapped(attributes["cite"], "  source  "))
    if attributes.get("stream"):
        stream = ", ".join(f"{key} = {_value(value)}" for key, value in attributes["stream"].items())
        print(_wrapped(stream, "  stream  "))
    print("\nsources")
    width = max((len(name) for name in graph.sources), default=0)
    for name in graph.sources:
        data = graph.nodes[name]
        known = ", known before the outcome" if data["known"] == "before" else ""
        print(_wrapped(f"{_shape(data['shape'])}{known}" + (f": {data['why']}" if data["why"] else ""),
                       f"  {name:<{width}}  "))
    print("\nregions, in the order in which they run")
    for name in plan.sequence:
        _print_region(graph, plan, name)
    if rates is None:
        rates = {name: region.hyper.get("learning_rate") for name, region in plan.regions.items()}
    if told := rates_text(rates):
        print()
        print(_wrapped(told, "learning rates  "))
    print("\nedges")
    _print_edges(graph)
    flops, size = runfolder.cost_per_tick(plan)
    print(f"\n{plan}\n\nmemory: about {plan.memory() / 2**20:.2f} MiB of weights and signals")
    print(f"cost of a mean tick, with all gates open: about {flops / 1e6:.3f} Mflop, {size / 1e6:.3f} MB of weights "
          "read and written")


def rates_text(rates: Mapping[str, float | None]) -> str:
    """The learning rate of every region that has one, the largest first; those of one rate together.

    Examples
    --------
    >>> rates_text({"region 13": 1.244, "region 72": 1.851, "region 5": None})
    '1.85 in region 72, 1.24 in region 13'
    """
    groups: dict[str, list[str]] = {}
    for name, rate in sorted(rates.items(), key=lambda item: -(item[1] or 0.0)):
        if rate:
            groups.setdefault(f"{rate:.3g}", []).append(name)
    return ", ".join(f"{rate} in {_together(names, len(rates))}" for rate, names in groups.items())


def _together(names: list[str], regions: int) -> str:
    if len(names) > 3 and regions > 12:
        return f"{len(names)} regions"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _print_region(graph: RegionGraph, plan: Plan, name: str) -> None:
    data, region = graph.nodes[name], plan.regions[name]
    shapes = ", ".join(f"{port} {_shape(shape)}" for port, shape in region.ports.items())
    clock = f"every {data['period']} ticks from tick {data['offset']}" if data["period"] > 1 else "every tick"
    frozen = ", frozen" if data["frozen"] else ""
    print(f"  {name}: {data['kind']}, {clock}{frozen}; {shapes}")
    told = {role: _signals(graph, name, role) for role in ROLES}
    explained = ", ".join(part.source for part in region.shapes.predicts)
    told["target"] = ", ".join(filter(None, (told["target"], explained)))
    for role, text in told.items():
        if text:
            print(_wrapped(text, f"      {ROLES[role]:<13}"))
    given = data["hyper"]
    print(_wrapped(", ".join(f"{key} = {_value(value)}" for key, value in given.items()) or "all as the kind has them",
                   "      constants    "))
    rest = {key: value for key, value in region.hyper.items() if key not in given}
    if rest:
        print(_wrapped(", ".join(f"{key} = {_value(value)}" for key, value in rest.items()), "      by default   "))
    for key, heading in (("why", "why"), ("cite", "source")):
        if data[key]:
            print(_wrapped(data[key], f"      {heading:<13}"))
    flops, size = plan.costs[name]
    print(f"      cost         {flops:,.0f} flop and {size:,.0f} bytes a tick that it is due")


def _signals(graph: RegionGraph, region: str, role: str) -> str:
    """The signals that reach a region in a role; delays of one signal that follow each other are drawn together."""
    groups: dict[tuple[str, str], list[int]] = {}
    for source, _, data in graph.in_edges(region, data=True):
        if data["role"] != role:
            continue
        port = "" if graph.nodes[source]["type"] == "source" else f".{data['port']}"
        select = f"[{data['select']}]" if data["select"] and not data["auto"] else ""
        notes = [text for text in (
            "" if str(data["field"]) == "dense" else str(data["field"]),
            f"{data['mode']} {data['hyper']}" if data["hyper"] else "",
            f"in span {data['span']}" if data["span"] else "", "cut" if data["lesioned"] else "") if text]
        alike = f"{source}{port}{select}", f" ({', '.join(notes)})" if notes else ""
        groups.setdefault(alike, []).append(data["delay"])
    return ", ".join(f"{signal}@{delays}{notes}" for (signal, notes), group in groups.items()
                     for delays in _runs(sorted(group)))


def _runs(delays: Sequence[int]) -> list[str]:
    """Whole numbers as runs.

    Examples
    --------
    >>> _runs([1, 2, 3, 7])
    ['1..3', '7']
    """
    runs: list[list[int]] = []
    for delay in delays:
        if runs and delay == runs[-1][-1] + 1:
            runs[-1].append(delay)
        else:
            runs.append([delay])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs]


def _print_edges(graph: RegionGraph) -> None:
    rows = [("name", "role", "delay", "field", "")]
    for _, _, name, data in sorted(graph.edges(keys=True, data=True), key=_place):
        notes = ", ".join(filter(None, ("automatic" if data["auto"] else "", "cut" if data["lesioned"] else "",
                                        data["why"])))
        rows.append((name, data["role"], str(data["delay"]), str(data["field"]), notes))
    print(_table(rows, "  "))


def _place(edge: tuple[str, str, str, Mapping[str, Any]]) -> tuple[str, str, str, int, str]:
    source, target, name, data = edge
    return target, source, data["role"], data["delay"], name


def _table(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join((indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
                     for row in rows)


def _shape(shape: Sequence[int] | None) -> str:
    if shape is not None and len(shape) == 1:
        return f"{shape[0]} value{'s' * (shape[0] > 1)}"
    return " x ".join(map(str, shape or ()))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
