"""Learning curves as small multiples: one panel a region, readable for 3 and for 180."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from cortexsim.curves import Curves
from cortexsim.errors import InputError
from cortexsim.plot_style import (
    COLOURS,
    GREY,
    HALO,
    HIGH,
    INK,
    LOW,
    PALE,
    axes_at,
    fit,
    head,
    head_width,
    new_figure,
    quiet,
    short_kind,
    short_number,
    text_width,
)

SKILLS = ("skill", "skill_last", "baseline_skill")
FRACTIONS = ("dead", "saturated", "anomaly")
TITLES = {
    "skill": "Skill over the running mean", "skill_last": "Skill over the last value",
    "baseline_skill": "Skill of the last value over the running mean", "loss": "Loss",
    "loss_last": "Loss of the last value", "loss_mean": "Loss of the running mean", "update": "Update size",
    "dead": "Fraction of dead units", "saturated": "Fraction of saturated units",
    "ticks": "Ticks scored per bin", "learned": "Ticks learned per bin",
    "energy": "Free energy at the end of a trial", "energy_start": "Free energy at the start of a trial",
    "moved": "Last step of the state in a trial", "rate": "Learning rate",
    "anomaly": "Anomaly: share of what came that was not predicted"}


@dataclass(frozen=True)
class _Size:
    """How a panel looks, by how many there are: inches, points, and the places of a curve it can show."""

    width: float
    height: float
    title: float
    across: float
    down: float
    font: float
    places: int

    @property
    def compact(self) -> bool:
        return self.font < 6

    @staticmethod
    def of(count: int, measure: str) -> _Size:
        own = 0.0 if measure in (*SKILLS, *FRACTIONS) else 0.3  # room for the numbers of an axis of its own
        if count <= 2:
            return _Size(5.0, 2.9, 0.40, 0.3 + own, 0.3, 9, 128)
        if count <= 12:
            return _Size(3.1, 1.75, 0.36, 0.2 + own, 0.24, 8, 96)
        if count <= 40:
            return _Size(2.25, 1.3, 0.32, 0.16 + own, 0.2, 7, 64)
        return _Size(1.1, 0.62, 0.13, 0.09, 0.11, 5, 40)


def plot_curves(curves: Curves, regions: Sequence[str] | None = None, measure: str = "skill",
                columns: int | None = None, smooth: int | None = None) -> Figure:
    """Small multiples: the learning curve of each region in its own panel.

    Parameters
    ----------
    curves : Curves
        What a run returned.
    regions : list of str, optional
        Which, in this order; all by default.
    measure : str
        As in :meth:`Curves.curve`. Skills share one axis from -0.5 to 1, where 0 is the running mean and the
        thin grey line the last value; triangles point to what lies outside.
    columns : int, optional
        Panels in a row.
    smooth : int, optional
        Bins pooled around each; by default as many as a panel of this size needs. The bins themselves are
        drawn pale behind, where there is room.

    Returns
    -------
    matplotlib.figure.Figure
        With a dotted line at each event that concerns a region, and its measure over the last tenth of the
        run beside its name.

    Raises
    ------
    InputError
        For a region or measure that the curves do not have.
    """
    names = list(curves.regions if regions is None else regions)
    if not names:
        raise InputError("plot_curves", "there is no region to plot")
    for name in names:
        curves.curve(name, measure)
    count = len(names)
    columns = min(max(columns or _columns(count), 1), count)
    size = _Size.of(count, measure)
    smooth = smooth or max(1, len(curves.ticks) // size.places)
    colours = _colours(curves)
    left, top, foot = 0.62, 0.62, 0.5
    step = size.height + size.title + size.down
    title = f"{TITLES[measure]} · {count} region{'s' * (count != 1)} · {curves.n_ticks:,} ticks"
    width = max(left + columns * (size.width + size.across) - size.across + 0.22,
                head_width(title, _legend(curves, names, colours, measure, True, size)))
    height = top + math.ceil(count / columns) * step - size.down + foot
    figure = new_figure(width, height)
    events, outside = _events_of(curves), False
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        axes = axes_at(figure, left + column * (size.width + size.across),
                       height - top - row * step - size.title - size.height, size.width, size.height)
        _style(axes, curves, measure, size, column == 0, index + columns >= count)
        outside |= _draw_lines(axes, curves, name, measure, smooth, colours[_group(curves, name)], size)
        _draw_title(axes, curves, name, measure, colours[_group(curves, name)], size)
        _draw_events(axes, curves, events[name], events[""], size)
    head(figure, title, _legend(curves, names, colours, measure, outside, size))
    middle = left + (columns * (size.width + size.across) - size.across) / 2
    figure.text(middle / width, 0.1 / height, "tick", ha="center", va="bottom", fontsize=8, color=INK)
    figure.text(0.12 / width, (foot + height - top) / 2 / height, measure.replace("_", " "), rotation=90,
                ha="left", va="center", fontsize=8, color=INK)
    return figure


def _columns(count: int) -> int:
    """Panels in a row: a landscape page with few gaps at its end."""
    if count <= 3:
        return count
    near = math.sqrt(1.2 * count)
    return min(range(max(2, round(near) - 1), round(near) + 2),
               key=lambda columns: (-count % columns / columns + abs(columns - near) / 3))


def _group(curves: Curves, region: str) -> str:
    """What a region's colour stands for: its kind, or, where there are too many, what it scores."""
    row = curves.regions.index(region)
    if len(set(zip(curves.kinds, curves.scores, strict=True))) > len(COLOURS):
        return curves.scores[row]
    return f"{short_kind(curves.kinds[row])} ({curves.scores[row]})"


def _colours(curves: Curves) -> dict[str, str]:
    groups = dict.fromkeys(_group(curves, name) for name in curves.regions)
    return {group: COLOURS[index % len(COLOURS)] for index, group in enumerate(groups)}


def _style(axes: Axes, curves: Curves, measure: str, size: _Size, leftmost: bool, lowest: bool) -> None:
    quiet(axes, size.font - 0.5)
    shared = measure in (*SKILLS, *FRACTIONS) or size.compact
    axes.tick_params(labelbottom=lowest, labelleft=leftmost if shared else True)
    axes.set_xlim(curves.start, curves.start + max(curves.n_ticks, 1))
    axes.xaxis.set_major_locator(MaxNLocator(2 if size.compact else 4, integer=True, prune="upper"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    if size.compact:
        axes.tick_params(length=1.2, width=0.35, pad=1)
        for spine in axes.spines.values():
            spine.set_linewidth(0.35)
    if measure in SKILLS:
        axes.set_ylim(LOW, HIGH)
        axes.set_yticks([0, 1] if size.compact else [LOW, 0, 0.5, HIGH])
        for level, colour in ((1.0, PALE), (0.5, PALE), (0.0, INK)):
            axes.axhline(level, color=colour, linewidth=0.35 if size.compact else 0.6, zorder=1)
    elif measure in FRACTIONS:
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks([0, 1] if size.compact else [0, 0.5, 1])
        axes.axhline(0.5, color=PALE, linewidth=0.5, zorder=1)


def _draw_lines(axes: Axes, curves: Curves, name: str, measure: str, smooth: int, colour: str,
                size: _Size) -> bool:
    """Draw the curve and its baselines; True where something lies outside."""
    thin = 0.5 if size.compact else 0.8
    lines = [(curves.curve(name, measure, smooth), colour, 0.9 if size.compact else 1.5, 4, 8)]
    if measure == "skill":
        lines.append((curves.curve(name, "baseline_skill", smooth), GREY, thin, 3, 3))
    elif measure == "loss":
        lines.append((curves.curve(name, "loss_last", smooth), GREY, thin, 3, 3))
        lines.append((curves.curve(name, "loss_mean", smooth), INK, thin / 2, 3, 3))
    if measure not in (*SKILLS, *FRACTIONS):  # an axis of its own, from 0 to what most of the curves reach
        finite = np.concatenate([values[np.isfinite(values)] for values, *_ in lines])
        axes.set_ylim(0, 1.15 * float(np.quantile(finite, 0.98)) if finite.any() else 1)
        axes.yaxis.set_major_locator(MaxNLocator(1 if size.compact else 3))
    if smooth > 1 and not size.compact:
        axes.plot(*_without_gaps(curves.ticks, curves.curve(name, measure)), color=colour, linewidth=0.5,
                  alpha=0.25, zorder=2)
    outside = False
    for values, own_colour, own_width, order, most in lines:
        x, y = _without_gaps(curves.ticks, values)
        axes.plot(x, y, color=own_colour, linewidth=own_width, zorder=order, solid_joinstyle="round",
                  marker="o" if np.isfinite(y).sum() < 16 else "", markersize=2 * own_width)
        outside |= _mark_outside(axes, x, y, own_colour, size, most)
    if size.compact and measure in SKILLS:
        x, y = _without_gaps(curves.ticks, lines[0][0])
        axes.fill_between(x, 0, y, color=colour, alpha=0.14, linewidth=0, zorder=1)
    return outside


def _without_gaps(x: NDArray[np.float64],
                  y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join the points of a region that is due now and then, but not across a long silence."""
    there = np.flatnonzero(np.isfinite(y))
    if len(there) < 2:
        return x[there], y[there]
    steps = np.diff(there)
    breaks = np.flatnonzero(steps > max(4 * float(np.median(steps)), 1)) + 1
    return np.insert(x[there], breaks, np.nan), np.insert(y[there], breaks, np.nan)


def _mark_outside(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, size: _Size,
                  most: int) -> bool:
    """Point with at most `most` triangles to the parts of a line that leave the panel."""
    (low, high), (first, last) = axes.get_ylim(), axes.get_xlim()
    found = False
    for gone, marker, edge in ((y < low, "v", 0.0), (y > high, "^", 1.0)):
        places = x[gone]
        if len(places):
            found = True
            part = np.clip(((places - first) / (last - first) * most).astype(int), 0, most - 1)
            middles = [places[part == index].mean() for index in np.unique(part)]
            axes.plot(middles, [edge] * len(middles), marker, color=colour,
                      markersize=1.8 if size.compact else 3.2, markeredgewidth=0,
                      transform=axes.get_xaxis_transform(), clip_on=False, zorder=5)
    return found


def _draw_title(axes: Axes, curves: Curves, name: str, measure: str, colour: str, size: _Size) -> None:
    row = curves.regions.index(name)
    final = curves.final(name)[measure]
    value = "" if math.isnan(final) else f"{final:.2f}" if measure in SKILLS else f"{final:.3g}"
    value = "0.00" if value == "-0.00" else value.replace("-", "−")
    place: dict[str, Any] = {"transform": axes.transAxes, "va": "baseline", "fontsize": size.font}
    low = 1 + 0.04 / size.height
    high = low if size.compact else low + 1.3 * size.font / 72 / size.height
    room = size.width - text_width(value, size.font) - 0.06
    axes.text(0, high, fit(name, size.font, room, bold=not size.compact), color=INK,
              fontweight="normal" if size.compact else "bold", **place)
    axes.text(1, high, value, color=colour, ha="right", **place)
    if not size.compact:
        verb = "predicts" if curves.scores[row] == "forecast" else "rebuilds"
        place["fontsize"] = size.font - 1
        words = fit(f"{verb} {curves.predicts[row]}", size.font - 1, size.width)
        axes.text(0, low, words, color=GREY, **place)


def _events_of(curves: Curves) -> dict[str, list[dict[str, Any]]]:
    """The events by the region in whose panel they belong: their own, or where an edge goes; "" for all."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("", *curves.regions)}
    for event in curves.events:
        place = event["where"].split("->")[-1].split(":")[0]
        rows[place if place in rows else ""].append(event)
    return rows


def _draw_events(axes: Axes, curves: Curves, own: Sequence[Mapping[str, Any]],
                 common: Sequence[Mapping[str, Any]], size: _Size) -> None:
    few = len(own) + len(common) <= 4 and not size.compact
    for events, colour in ((common, GREY), (own, INK)):
        places = np.array([event["tick"] for event in events], dtype=np.float64)
        if not few:  # no more than can be told apart
            dots = places * 100 * size.width // max(curves.n_ticks, 1)
            places = places[np.unique(dots, return_index=True)[1]]
        axes.vlines(places, 0, 1 if few else 0.16, transform=axes.get_xaxis_transform(), color=colour,
                    zorder=3, linewidth=0.5 if size.compact else 0.8,
                    linestyle=(0, (1, 1.5)) if few else "-")
    free = -math.inf  # where the next label has room
    for event in sorted((*own, *common), key=lambda event: event["tick"]) if few else []:
        if event["tick"] >= free:
            free = event["tick"] + 0.16 / size.width * max(curves.n_ticks, 1)
            words = fit(event["what"], size.font - 1.5, 0.6 * size.height)
            axes.annotate(words, (event["tick"], 0), (1.5, 3), xycoords=axes.get_xaxis_transform(),
                          textcoords="offset points", rotation=90, va="bottom", ha="left", zorder=6,
                          fontsize=size.font - 1.5, color=INK if event in own else GREY, path_effects=HALO)


def _legend(curves: Curves, names: Iterable[str], colours: Mapping[str, str], measure: str, outside: bool,
            size: _Size) -> list[Line2D]:
    names = list(names)
    here = dict.fromkeys(_group(curves, name) for name in names)
    entries = [Line2D([], [], color=colours[group], linewidth=2.2, label=group) for group in here]
    if measure in ("skill", "loss"):
        entries.append(Line2D([], [], color=GREY, linewidth=1, label="last value"))
        entries.append(Line2D([], [], color=INK, linewidth=0.7, label="running mean"))
    elif measure in SKILLS:
        what = "last value" if measure == "skill_last" else "running mean"
        entries.append(Line2D([], [], color=INK, linewidth=0.7, label=what))
    events = _events_of(curves)
    if any(events[name] for name in ("", *names)):
        mark: dict[str, Any] = {"linewidth": 0, "marker": "|", "markersize": 6} if size.compact else \
            {"linewidth": 1, "linestyle": (0, (1, 1.5))}
        entries.append(Line2D([], [], color=INK, label="event", **mark))
    if outside:
        entries.append(Line2D([], [], color=GREY, linewidth=0, marker="v", markersize=4,
                              label="off the scale"))
    return entries
