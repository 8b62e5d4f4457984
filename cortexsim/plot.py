"""Pictures: learning curves, heat maps, region graphs, forecasts.

Every function returns a ``matplotlib.figure.Figure`` to save or to show; only ``plot*.py`` use matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from cortexsim.curves import Curves
from cortexsim.errors import InputError
from cortexsim.layout import Drawing, bundle_delays, find_levels, lay_out
from cortexsim.plot_panels import plot_curves
from cortexsim.plot_style import (
    COLOURS,
    GREY,
    HALO,
    HIGH,
    INK,
    LOW,
    PALE,
    SKILL_COLOURS,
    axes_at,
    fit,
    head,
    head_width,
    new_figure,
    quiet,
    save,
    short_kind,
    short_number,
    text_width,
)

__all__ = ["plot_curves", "plot_forecast", "plot_graph", "plot_heat", "save"]

# role -> colour, width in points, dashes; lines differ in more than their colour
ROLES: dict[str, tuple[str, float, Any]] = {
    "target": (INK, 1.5, "-"), "context": ("#8794a6", 0.9, "-"), "prior": ("#0072b2", 1.3, "-"),
    "feedback": ("#d55e00", 1.1, (0, (5, 1.2, 1, 1.2))), "gate": ("#009e73", 1.2, (0, (1, 1.1))),
    "modulator": ("#c0569a", 1.2, (0, (2.5, 1.2)))}
CUT: tuple[str, float, Any] = ("#a3aab3", 0.9, (0, (4, 3)))


# --- heat map ---

def plot_heat(curves: Curves, graph: nx.MultiDiGraph | None = None) -> Figure:
    """The skill of every region over time, a row each, with the skill at the end beside it.

    Parameters
    ----------
    curves : Curves
        What a run returned.
    graph : networkx.MultiDiGraph, optional
        Its region graph: rows then follow the hierarchy, lowest level below. Without it they go by name.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        Where there is no region.
    """
    if not curves.regions:
        raise InputError("plot_heat", "there is no region to plot")
    levels = find_levels(nx.MultiDiGraph(graph)) if graph is not None else {}
    names = sorted(curves.regions, key=lambda name: (-levels.get(name, 0), name))
    count = len(names)
    pitch = max(0.19, 1.3 / count) if count <= 24 else 0.14 if count <= 60 else 0.078
    font = min(7.0, pitch * 72 * 0.92)
    left = 0.3 + max(text_width(name, font) for name in names) + (0.3 if levels else 0)
    width, tall = left + 5.5 + 1.25 + 1.15, count * pitch
    bottom = 0.5
    figure = new_figure(width, bottom + tall + 0.62)
    axes = axes_at(figure, left, bottom, 5.5, tall)
    smooth = max(1, len(curves.ticks) // 100)
    values = np.array([curves.curve(name, "skill", smooth) for name in names])
    if not values.size:
        values = np.full((count, 1), np.nan)
    span = len(curves.ticks) * curves.bin_width
    axes.imshow(SKILL_COLOURS.to_rgba(np.ma.masked_invalid(values)), aspect="auto", interpolation="nearest",
                extent=(curves.start, curves.start + max(span, 1), count, 0))
    axes.set_xlim(curves.start, curves.start + max(curves.n_ticks, 1))
    _label_rows(axes, names, levels, font, pitch)
    _mark_events(axes, curves)
    _draw_ends(axes_at(figure, left + 5.72, bottom, 0.95, tall), curves, names, pitch)
    _colour_bar(figure, width - 0.85, bottom, min(tall, 2.2))
    many = "s" * (count != 1)
    head(figure, f"Skill over the running mean · {count} region{many} · {curves.n_ticks:,} ticks",
         [Patch(color=SKILL_COLOURS.cmap(np.nan), label="not due"),
          Line2D([], [], color=INK, linewidth=0, marker="|", markersize=6, label="last value, at the end"),
          *([Line2D([], [], color=INK, linewidth=0, marker="v", markersize=4, label="event")]
            if curves.events else [])])
    return figure


def _label_rows(axes: Axes, names: Sequence[str], levels: Mapping[str, int], font: float,
                pitch: float) -> None:
    quiet(axes, 7)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axes.set_xlabel("tick", fontsize=8, color=INK)
    axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=font)
    axes.tick_params(axis="y", length=0, pad=3)
    known = [levels.get(name, 0) for name in names] if levels else []
    outer = -(max(text_width(name, font) for name in names) + 0.22) / 5.5
    for level in sorted(set(known)):
        first, last = known.index(level), len(known) - known[::-1].index(level)
        if last < len(names):
            axes.axhline(last, color="white", linewidth=1.5)
        words = f"level {level}" if (last - first) * pitch > 0.4 else str(level)
        axes.text(outer, (first + last) / 2, words, fontsize=7,
                  color=GREY, transform=axes.get_yaxis_transform(), rotation=90, ha="center", va="center")


def _mark_events(axes: Axes, curves: Curves) -> None:
    ticks = [event["tick"] for event in curves.events]
    axes.plot(ticks, [1.0] * len(ticks), "v", color=INK, markersize=3.5, markeredgewidth=0, clip_on=False,
              transform=axes.get_xaxis_transform())


def _draw_ends(axes: Axes, curves: Curves, names: Sequence[str], pitch: float) -> None:
    """Bars of the skill at the end, with a stroke for the last value."""
    ends = [curves.final(name) for name in names]
    places = np.arange(len(names)) + 0.5
    skill = np.clip([end["skill"] for end in ends], LOW, HIGH)
    last = np.array([end["baseline_skill"] for end in ends])
    axes.barh(places, skill, height=0.72, edgecolor=GREY, linewidth=0.3,
              color=SKILL_COLOURS.to_rgba(np.ma.masked_invalid(skill)))
    axes.scatter(np.clip(last, LOW, HIGH), places, marker="|", s=(0.72 * pitch * 72)**2, color=INK,
                 linewidth=0.7)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set(xlim=(LOW, HIGH), ylim=(len(names), 0), yticks=[])
    axes.set_xticks([0, 0.5, HIGH], ["0", "0.5", "1"])
    quiet(axes, 7)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("at the end", fontsize=8, color=INK)


def _colour_bar(figure: Figure, left: float, bottom: float, height: float) -> None:
    bar = figure.colorbar(SKILL_COLOURS, cax=axes_at(figure, left, bottom, 0.13, height), extend="both")
    bar.set_ticks([LOW, 0, 0.25, 0.5, 0.75, HIGH], labels=["−0.5", "0", "0.25", "0.5", "0.75", "1"])
    bar.ax.tick_params(labelsize=7, length=2, width=0.5, color=GREY, labelcolor=INK)
    bar.outline.set_visible(False)
    bar.set_label("skill", fontsize=8, color=INK)


# --- region graph ---

def plot_graph(graph: nx.MultiDiGraph, skills: Mapping[str, float] | None = None,
               curves: Curves | None = None) -> Figure:
    """Draw a region graph, coloured by skill where it is known, by kind where not.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        Node attributes ``type`` ("source" or "region"), ``kind``, ``known``; edge attributes ``role``,
        ``delay``, ``lesioned``, ``auto``.
    skills : mapping of str to float, optional
        Skill of each region.
    curves : Curves, optional
        Where to take the skills from: their last tenth.

    Returns
    -------
    matplotlib.figure.Figure
        Sources are squares at the bottom; regions are round and lie above what they predict and read. Delays
        of 2 and more are written on the edges of small graphs; names are left out of large ones.

    Raises
    ------
    InputError
        Where the graph is empty.
    """
    if not len(graph):
        raise InputError("plot_graph", "the graph has no nodes")
    n_edges, graph = graph.number_of_edges(), bundle_delays(graph)
    if skills is None and curves is not None:
        skills = {name: curves.final(name)["skill"] for name in curves.regions}
    size = _NodeSize(len(graph))
    words = {name: size.words(name, data, skills) for name, data in graph.nodes(data=True)}
    widths = {name: size.width_of(lines) for name, lines in words.items()}
    drawing = lay_out(graph, widths, size.height, size.gap, size.pitch, size.row_limit)
    side = 1.0 if skills is not None else 0.3
    entries = _graph_legend(graph, skills)
    regions = sum(data.get("type") != "source" for _, data in graph.nodes(data=True))
    counts = ((len(graph) - regions, "source"), (regions, "region"), (n_edges, "edge"))
    title = " · ".join([str(graph.graph.get("name") or "Region graph"),
                        *(f"{count:,} {what}{'s' * (count != 1)}" for count, what in counts)])
    width = max(drawing.width + 0.5 + side, head_width(title, entries))
    height = max(drawing.height + 0.62 + 0.55, 2.9)
    figure = new_figure(width, height)
    left = 0.3 + (width - side - 0.5 - drawing.width) / 2
    axes = axes_at(figure, 0, 0, width, height)
    axes.set(xlim=(-left, width - left), ylim=(-0.25, height - 0.25))
    axes.axis("off")
    _draw_edges(axes, graph, drawing, size)
    _draw_nodes(axes, graph, drawing, widths, words, _fills(graph, skills), size)
    if skills is not None:
        _colour_bar(figure, width - 0.75, 0.3, min(drawing.height, 2.2))
    head(figure, title, entries)
    return figure


class _NodeSize:
    """Boxes with words shrink as a graph grows; beyond, the words go and the boxes stay."""

    def __init__(self, count: int) -> None:
        self.font, self.height, self.gap, self.pitch, self.row_limit = (
            (8.0, 0.40, 0.22, 1.05, 10) if count <= 32 else (6.5, 0.33, 0.16, 0.9, 14) if count <= 64 else
            (5.0, 0.17, 0.12, 0.68, 18) if count <= 110 else (0.0, 0.17, 0.19, 0.66, 28))

    def words(self, name: str, data: Mapping[str, Any], skills: Mapping[str, float] | None) -> list[str]:
        """The lines of text in a node."""
        if self.font < 6:
            return [fit(name, self.font, 0.9)] if self.font else []
        if data.get("type") == "source":
            second = "known before" if data.get("known") == "before" else "source"
        else:
            second = short_kind(data.get("kind", "region"))
            if skills is not None and np.isfinite(skills.get(name, np.nan)):
                second += f"  {skills[name]:.2f}".replace("-0.00", "0.00").replace("-", "−")
        return [fit(name, self.font, 1.5, bold=True), second]

    def width_of(self, lines: Sequence[str]) -> float:
        """The width of a box that holds these lines."""
        wide = [text_width(text, self.font - bool(row), bold=not row) for row, text in enumerate(lines)]
        return max(max(wide, default=0.0) + 0.8 * self.height, self.height)


def _fills(graph: nx.MultiDiGraph, skills: Mapping[str, float] | None) -> dict[str, Any]:
    kinds = _kinds(graph)
    fills: dict[str, Any] = {}
    for name, data in graph.nodes(data=True):
        if data.get("type") == "source":
            fills[name] = "white"
        elif skills is None:
            fills[name] = tuple(0.35 * np.array(to_rgb(kinds[str(data.get("kind"))])) + 0.65)
        else:
            fills[name] = SKILL_COLOURS.to_rgba(np.ma.masked_invalid([skills.get(name, np.nan)]))[0]
    return fills


def _kinds(graph: nx.MultiDiGraph) -> dict[str, str]:
    kinds = sorted({str(data.get("kind")) for _, data in graph.nodes(data=True)
                    if data.get("type") != "source"})
    return {kind: COLOURS[index % len(COLOURS)] for index, kind in enumerate(kinds)}


def _draw_nodes(axes: Axes, graph: nx.MultiDiGraph, drawing: Drawing, widths: Mapping[str, float],
                words: Mapping[str, Sequence[str]], fills: Mapping[str, Any], size: _NodeSize) -> None:
    for name, (x, y) in drawing.centres.items():
        source = graph.nodes[name].get("type") == "source"
        shape = "square,pad=0" if source else f"round,pad=0,rounding_size={0.499 * size.height}"
        axes.add_patch(FancyBboxPatch((x - widths[name] / 2, y - size.height / 2), widths[name], size.height,
                                      boxstyle=shape, facecolor=fills[name], zorder=4,
                                      edgecolor=INK if source else GREY, linewidth=0.8 if source else 0.4))
        red, green, blue = to_rgb(fills[name][:3] if not isinstance(fills[name], str) else fills[name])
        ink = INK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.55 else "white"
        for row, text in enumerate(words[name]):
            shift = 0.0 if len(words[name]) == 1 else (0.085 if row == 0 else -0.085) * size.height / 0.4
            axes.text(x, y + shift, text, ha="center", va="center", fontsize=size.font - row, color=ink,
                      fontweight="bold" if row == 0 and len(words[name]) > 1 else "normal", zorder=5)


def _draw_edges(axes: Axes, graph: nx.MultiDiGraph, drawing: Drawing, size: _NodeSize) -> None:
    count = graph.number_of_edges()
    groups: dict[tuple[str, bool], list[NDArray[np.float64]]] = {}
    for low, high, key, data in graph.edges(keys=True, data=True):
        line = drawing.lines[low, high, key]
        groups.setdefault((_style_of(data), bool(data.get("auto"))), []).append(line)
        if _shows_delay(graph, data):
            axes.text(line[-6, 0], line[-6, 1], data.get("delays", f"@{data['delay']}"), fontsize=5.5,
                      color=INK, ha="center", va="center", path_effects=HALO, zorder=3)
    for (role, auto), lines in groups.items():
        colour, width, dashes = CUT if role == "lesioned" else ROLES[role]
        width *= (0.7 if auto else 1.0) * (1.0 if count <= 120 else 0.6)
        alpha = float(np.clip(120 / len(lines), 0.13, 0.95))
        order = 1 if role in ("context", "lesioned") else 2
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, linestyles=[dashes],
                                           alpha=alpha, zorder=order))
        length = 0.085 if count <= 120 else 0.055
        heads = [_arrow_head(line, length) for line in lines] if count <= 600 else []
        axes.add_collection(PolyCollection(heads, facecolors=colour, edgecolors="none", zorder=order + 0.5,
                                           alpha=min(1.5 * alpha, 1.0)))


def _arrow_head(line: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    along = line[-1] - line[-3]
    along = along / max(float(np.hypot(*along)), 1e-9) * length
    across = np.array([-along[1], along[0]]) * 0.36
    return np.array([line[-1], line[-1] - along + across, line[-1] - along - across])


def _style_of(data: Mapping[str, Any]) -> str:
    role = str(data.get("role", "context"))
    return "lesioned" if data.get("lesioned") else role if role in ROLES else "context"


def _shows_delay(graph: nx.MultiDiGraph, data: Mapping[str, Any]) -> bool:
    return graph.number_of_edges() <= 80 and ("delays" in data or int(data.get("delay", 0)) >= 2)


def _graph_legend(graph: nx.MultiDiGraph, skills: Mapping[str, float] | None) -> list[Any]:
    entries: list[Any] = []
    used = {_style_of(data) for *_, data in graph.edges(data=True)}
    for role, (colour, width, dashes) in {**ROLES, "lesioned": CUT}.items():
        if role in used:
            entries.append(Line2D([], [], color=colour, linewidth=width, linestyle=dashes, label=role))
    if any(_shows_delay(graph, data) for *_, data in graph.edges(data=True)):
        entries.append(Line2D([], [], color=INK, linewidth=0, marker="$@$", markersize=6, markeredgewidth=0.1,
                              label="delay in ticks"))
    if skills is None:
        entries += [Patch(facecolor=tuple(0.35 * np.array(to_rgb(colour)) + 0.65), label=short_kind(kind))
                    for kind, colour in _kinds(graph).items()]
    return entries


# --- forecasts ---

def plot_forecast(ticks: ArrayLike, truth: ArrayLike, forecast: ArrayLike, names: Sequence[str] | None = None,
                  title: str = "Forecast") -> Figure:
    """The truth and what was forecast of it, a panel for each column.

    Parameters
    ----------
    ticks : array [T]
        Where on the axis.
    truth, forecast : array [T] or [T, columns]
        NaN where there is none.
    names : list of str, optional
        Of the columns.
    title : str
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        With the root mean squared error of each column over the standard deviation of its truth.

    Raises
    ------
    InputError
        Where the lengths differ.
    """
    x = np.asarray(ticks, dtype=np.float64)
    y, guess = (np.asarray(values, dtype=np.float64) for values in (truth, forecast))
    y, guess = (values[:, None] if values.ndim == 1 else values for values in (y, guess))
    if y.ndim != 2 or y.shape != guess.shape or len(x) != len(y) or not y.size:
        raise InputError("plot_forecast", "ticks, truth and forecast must be of one length, and not empty",
                         (x.shape, y.shape, guess.shape))
    columns = y.shape[1]
    if names is None:
        names = [f"column {column}" for column in range(columns)] if columns > 1 else [""]
    if len(names) != columns:
        raise InputError("plot_forecast", f"names must have one entry per column, {columns}", len(names))
    width, tall = 8.4, 1.6 if columns > 1 else 2.6
    height = 0.62 + columns * (tall + 0.32) + 0.4
    figure = new_figure(width, height)
    for column in range(columns):
        axes = axes_at(figure, 0.62, height - 0.62 - (column + 1) * (tall + 0.32) + 0.1, width - 0.82, tall)
        quiet(axes, 7)
        axes.tick_params(labelbottom=column == columns - 1)
        axes.plot(x, y[:, column], color=INK, linewidth=1.0, zorder=2)
        axes.plot(x, guess[:, column], color=COLOURS[1], linewidth=1.2, alpha=0.9, zorder=3)
        axes.grid(axis="y", color=PALE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.margins(x=0.005)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        both = np.isfinite(y[:, column]) & np.isfinite(guess[:, column])
        spread = float(np.std(y[both, column])) if both.any() else 0.0
        error = float(np.sqrt(np.mean((y - guess)[both, column]**2))) / spread if spread else np.nan
        axes.text(0, 1.02, names[column], transform=axes.transAxes, fontsize=8, fontweight="bold", color=INK)
        axes.text(1, 1.02, f"NRMSE {error:.3f}" if np.isfinite(error) else "", transform=axes.transAxes,
                  fontsize=8, ha="right", color=COLOURS[1])
    figure.text(0.5, 0.1 / height, "tick", ha="center", fontsize=8, color=INK)
    head(figure, title, [Line2D([], [], color=INK, linewidth=1.5, label="truth"),
                         Line2D([], [], color=COLOURS[1], linewidth=1.5, label="forecast")])
    return figure
