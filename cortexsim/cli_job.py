"""What ``cortexsim run`` is to run: the graph, its stream and their changes, from the command line."""

from __future__ import annotations

import fnmatch
import os
import tomllib
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortexsim import catalogue
from cortexsim.errors import FileError, GraphError, InputError, nearest
from cortexsim.forecast_graphs import calendar_of, expand
from cortexsim.forecasting import ForecastRun, default_lags, forecast_graph
from cortexsim.graph import RegionGraph
from cortexsim.hyperparameter import HyperField
from cortexsim.kind import find_kind
from cortexsim.simulation import Simulation
from cortexsim.sources import StreamLike, open_stream
from cortexsim.sources._series import UNITS, Series
from cortexsim.sources.arrays import Inputs
from cortexsim.sources.glimpses import SAMPLE
from cortexsim.timestamps import CYCLES

FORECAST = "forecast"  #: The one name that is no graph of the catalogue: its graph is made for the columns asked for.
FILE_KEYS = ("path", "data", "image")  #: Of the [stream] table: these name a file.
FORECAST_OPTIONS = ("data", "column", "horizon", "graph", "time", "calendar", "gaps", "blanks", "season", "lags",
                    "quantiles", "score_from")
CHANGES = "changes"  #: The graph that forecasts where no other is named.


@dataclass
class Job:
    """A run that is ready to start.

    Attributes
    ----------
    name : str
    sim : Simulation
    stream : StreamLike
        What feeds it.
    table : dict
        The ``[stream]`` table that opens the same stream from any folder.
    ticks : int
        At which it ends.
    forecaster : ForecastRun or None
        Where the stream brings time series to forecast.
    said : dict
        What the command line said, for summary.json: ``command``, ``set``, ``lesion``, ``freeze``, ``resumed``.
    seconds : dict
        What took how long: ``compile`` and ``run``.
    """

    name: str
    sim: Simulation
    stream: StreamLike
    table: dict[str, Any]
    ticks: int
    forecaster: ForecastRun | None = None
    said: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def prepare(options: Namespace) -> Job:
    """Everything that can fail without a tick being run.

    Raises
    ------
    CortexsimError
        Naming the option, file, region or edge that is not right.
    """
    graph, base = load_graph(options)
    table = stream_table(graph, options, base)
    ticks = options.ticks if options.ticks is not None else table.get("ticks")
    for assignment in options.set:
        set_constant(graph, assignment)
    for pattern in options.lesion:
        graph.lesion(pattern)
    for pattern in options.freeze:
        freeze(graph, pattern)
    sim = Simulation(graph, seed=options.seed or 0, threads=options.threads or 1)
    said = {"command": ["cortexsim", *options.argv], "set": options.set, "lesion": options.lesion,
            "freeze": options.freeze, "resumed": []}
    return feed(graph.graph.get("name") or Path(options.name).stem, sim, table, ticks, said, base)


def feed(name: str, sim: Simulation, table: dict[str, Any], ticks: Any, said: dict[str, Any],
         base: Path | None = None) -> Job:
    """Open the stream of a simulation.

    Parameters
    ----------
    name : str
    sim : Simulation
    table : dict
        The ``[stream]`` table.
    ticks : int or None
        At which the run is to end; None: with the data.
    said : dict
        See `Job`.
    base : pathlib.Path, optional
        Where relative paths of the table start.

    Returns
    -------
    Job
        Its stream is at its first row.

    Raises
    ------
    CortexsimError
        The stream cannot be opened, does not fit the graph, or is too short.
    """
    stream = open_stream({key: value for key, value in table.items() if key != "ticks"}, sim.seed, base)
    if getattr(stream, "absent", False):
        # holes in a file are ticks at which a source brings nothing
        sim.on_bad = "skip"
    # names and shapes are compared before anything is compiled
    Inputs(stream, {name: source.shape for name, source in sim.plan.sources.items()},
           f"stream {table.get('name')!r}")
    ticks = count_ticks(ticks, stream, sim)
    forecaster = ForecastRun(sim, stream) if isinstance(stream, Series) else None
    if forecaster is not None and not forecaster.columns:
        forecaster = None
    return Job(name, sim, stream, {**table, "ticks": ticks}, ticks, forecaster, said)


def load_graph(options: Namespace) -> tuple[RegionGraph, Path]:
    """The graph that a command line names, and the folder in which its relative paths start."""
    given = [f"--{key.replace('_', '-')}" for key in FORECAST_OPTIONS if getattr(options, key, None) is not None]
    if options.name == FORECAST:
        return _forecast(options), Path()
    if given:
        raise InputError(f"option {given[0]}", "belongs to 'cortexsim run forecast'", hint=f"leave it out of "
                         f"'cortexsim run {options.name}'")
    return find_graph(options.name)


def find_graph(name: str) -> tuple[RegionGraph, Path]:
    """A ready-made graph, or that of a TOML file, and its folder.

    Raises
    ------
    FileError
        There is none; the nearest name is suggested.
    """
    if name.endswith(".toml") or len(Path(name).parts) > 1:
        return catalogue.load_toml(Path(name)), Path(name).parent
    known = catalogue.names()
    if name not in known:
        raise FileError(f"graph {name!r}", "is not in the catalogue", hint=nearest(name, [*known, FORECAST]) + (
            f"; a file is written ./{name}.toml" if Path(f"{name}.toml").exists() else ""))
    path = catalogue.find(name)
    return catalogue.load_toml(path), path.parent


def _forecast(options: Namespace) -> RegionGraph:
    """The graph that forecasts the columns asked for, with the ``[stream]`` table that feeds it."""
    for key in ("data", "column"):
        if not getattr(options, key):
            raise InputError(f"option --{key}", "is needed",
                             hint="cortexsim run forecast --data FILE.csv --column NAME")
    if options.gaps is not None and options.time is None:
        raise InputError("option --gaps", "is about timestamps", hint="name their column: --time NAME")
    horizons = options.horizon or [1]
    chosen = None if options.graph in (None, CHANGES) else _chosen(options.graph)
    calendar = _calendar(options, chosen)
    table: dict[str, Any] = {
        "name": CHANGES if chosen is None else "series", "path": options.data, "columns": options.column,
        "horizon": horizons if len(horizons) > 1 else horizons[0], "blanks": options.blanks or "error",
        **({"time": options.time, "gaps": options.gaps or "error"} if options.time else {}),
        **{CYCLES[cycle]: size for cycle, size in calendar.items()}}
    report = {"season": options.season, "lags": options.lags, "first": options.score_from, "levels": options.quantiles}
    report = {key: value for key, value in report.items() if value is not None}
    if report:
        table["report"] = report
    if options.ticks is not None:
        table["rows"] = options.ticks
    stream = open_stream(table)
    assert isinstance(stream, Series)
    if options.ticks is not None and options.ticks > stream.length:
        raise InputError("option --ticks", f"must be at most {stream.length:,}, the rows of {options.data}",
                         options.ticks)
    columns = list(stream.columns)
    graph = expand(chosen, columns, stream.horizons, options.calendar or []) if chosen is not None else forecast_graph(
        columns, options.lags or default_lags(stream.length), stream.horizons, calendar=calendar)
    graph.graph["stream"] = table
    return graph


def _chosen(name: str) -> RegionGraph:
    """A graph that is to forecast, by its name or file."""
    try:
        return find_graph(name)[0]
    except FileError as error:
        if name.endswith(".toml") or len(Path(name).parts) > 1:
            raise
        raise FileError(f"option --graph {name}", "is not in the catalogue",
                        hint=nearest(name, [*catalogue.names(), CHANGES])) from error


def _calendar(options: Namespace, graph: RegionGraph | None) -> dict[str, int]:
    """The cycles that forecasts are told of, and the units of their sources."""
    for cycle in options.calendar or []:
        if cycle not in CYCLES:
            raise InputError("option --calendar", f"must be of {', '.join(CYCLES)}", cycle, nearest(cycle, CYCLES))
    declared = {} if graph is None else calendar_of(graph)
    made = {cycle: declared.get(cycle, UNITS[cycle]) for cycle in CYCLES
            if cycle in declared or cycle in (options.calendar or [])}
    if made and options.time is None:
        what = f"graph {options.graph!r} reads {CYCLES[next(iter(made))]!r}" if declared else "--calendar"
        raise InputError("option --time", f"is needed: {what}{'' if declared else ' needs timestamps'}",
                         hint="name the column of timestamps")
    return made


def stream_table(graph: RegionGraph, options: Namespace, base: Path) -> dict[str, Any]:
    """The graph's ``[stream]`` table with the options of the command line; files by their full path."""
    table = dict(graph.graph.get("stream") or {})
    for key, value in table.items():
        if isinstance(value, str) and key != "name" and (base / value).is_file():
            table[key] = os.path.abspath(base / value)
    given = dict(parse_pair(text, "--stream", "KEY=VALUE") for text in options.stream)
    if options.image is not None:
        given["image"] = options.image
    for key, text in given.items():
        value = parse_value(text)
        # on the command line a path starts here, in the table at the graph's own folder
        path = key in FILE_KEYS and value != SAMPLE or Path(text).is_file()
        table[key] = os.path.abspath(text) if isinstance(value, str) and path else value
    if "name" not in table:
        raise GraphError(f"graph {graph.graph.get('name') or options.name!r}",
                         "has no [stream] table, so nothing feeds it",
                         hint="write one, or add --stream name=NAME; cortexsim list names the streams")
    return table


def count_ticks(ticks: Any, stream: StreamLike, sim: Simulation) -> int:
    """How many ticks to run: as asked for, or to the end of the data.

    Raises
    ------
    InputError
        No number of ticks for a stream that never ends, or one that does not fit the data or the trial.
    """
    length = getattr(stream, "length", None)
    trial = sim.plan.trial.length if sim.plan.trial else 1
    if ticks is None:
        if length is None:
            raise InputError("option --ticks", "is needed: the stream never ends, and the graph's [stream] table has "
                             "no ticks")
        return length * trial
    if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 1:
        raise InputError("ticks", "must be a whole number of at least 1", ticks)
    if length is not None and ticks > length * trial:
        raise InputError("ticks", f"must be at most {length * trial:,}, where the data ends", ticks)
    if ticks % trial:
        raise InputError("ticks", f"must be a multiple of the trial's {trial}", ticks,
                         f"try {max(1, round(ticks / trial)) * trial}")
    return ticks


def parse_pair(text: str, option: str, form: str) -> tuple[str, str]:
    """Cut ``KEY=VALUE`` in two."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise InputError(f"option {option}", f"must be {form}", text)
    return key.strip(), value.strip()


def parse_value(text: str) -> Any:
    """A value as TOML or Python writes it; what is none is a text, so that words need no quotes.

    Examples
    --------
    >>> [parse_value(text) for text in (".5", "[2, 5]", "true", "photo.jpg")]
    [0.5, [2, 5], True, 'photo.jpg']
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return float(text)  # TOML wants a digit before the dot
    except ValueError:
        return text


def set_constant(graph: RegionGraph, assignment: str) -> None:
    """Set a hyperparameter from ``REGION.HYPER=VALUE``; a region may be a wildcard, and is then one of many.

    Raises
    ------
    InputError
        Badly written, or no region matches.
    KindError
        No such hyperparameter, or a value out of its range.
    """
    left, text = parse_pair(assignment, "--set", "REGION.HYPER=VALUE")
    pattern, dot, key = left.rpartition(".")
    if not dot:
        raise InputError("option --set", "must be REGION.HYPER=VALUE", assignment)
    matching = matching_regions(graph, pattern, "--set")
    fields = {name: find_kind(graph.nodes[name]["kind"]).hyper_fields() for name in matching}
    having = [name for name in matching if key in fields[name]]
    if not having:
        known = sorted({name for group in fields.values() for name in group})
        raise InputError(f"option --set {assignment}", f"region {pattern!r} has no hyperparameter {key!r}",
                         hint=nearest(key, known))
    for name in having:
        value = typed(text, fields[name][key])
        find_kind(graph.nodes[name]["kind"]).check_hyper(name, {**graph.nodes[name]["hyper"], key: value})
        graph.nodes[name]["hyper"][key] = value


def typed(text: str, about: HyperField) -> Any:
    """A value in the type of its hyperparameter, as far as the text allows: the kind's check does the rest."""
    return text if about.choices else parse_value(text.lower() if isinstance(about.default, bool) else text)


def matching_regions(graph: RegionGraph, pattern: str, option: str) -> list[str]:
    """Names of the regions that a name or wildcard means.

    Raises
    ------
    InputError
        None does; the nearest name is suggested.
    """
    found = [name for name in graph.regions if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        raise InputError(f"option {option}", f"there is no region {pattern!r}", hint=nearest(pattern, graph.regions))
    return found


def freeze(graph: RegionGraph, pattern: str) -> None:
    """Let the regions that match not learn."""
    for name in matching_regions(graph, pattern, "--freeze"):
        graph.nodes[name]["frozen"] = True
