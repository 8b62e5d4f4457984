"""What all pictures share: colours, text that fits, a heading, and files written whole.

Figures are ``matplotlib.figure.Figure`` objects that belong to nobody: pyplot and its global state are not
touched, so the same call serves scripts, notebooks and machines without a display. Sizes are in inches.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath

from cortexsim.errors import InputError
from cortexsim.files import write_file

INK, GREY, PALE = "#22262b", "#8b929b", "#e4e7ea"
# the colours of M. Okabe and K. Ito, told apart by all common kinds of colour vision, without their yellow,
# which is lost on white
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
LOW, HIGH = -0.5, 1.0  # skills are shown between these
# lightness falls from skill 0 to either end, so the map reads in grey too
SKILL_COLOURS = ScalarMappable(Normalize(LOW, HIGH), LinearSegmentedColormap.from_list("skill", [
    (0.0, "#7a3a00"), (0.17, "#d98b35"), (1 / 3, "#fbf6ec"), (0.5, "#b5dcd8"), (0.7, "#4d9fb3"),
    (0.86, "#1f6291"), (1.0, "#102a54")]).with_extremes(bad="#d3d6da"))
HALO = [withStroke(linewidth=1.8, foreground="white", alpha=0.85)]


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure whole or not at all; the ending of the name says in which format.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : path
        Where to.

    Raises
    ------
    FileError
        Where the folder cannot be written to.
    InputError
        For an ending that is no picture format.
    """
    form = Path(path).suffix.lstrip(".").lower()
    known = figure.canvas.get_supported_filetypes()
    if form not in known:
        raise InputError(f"file {os.fspath(path)!r}", f"must end in one of {sorted(known)}", form)
    write_file(path, lambda file: figure.savefig(file, format=form))


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of this size in inches."""
    return Figure(figsize=(width, height), dpi=150, facecolor="white")


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the lower left corner."""
    whole_width, whole_height = figure.get_size_inches()
    return figure.add_axes((left / whole_width, bottom / whole_height, width / whole_width,
                            height / whole_height))


def quiet(axes: Axes, font: float) -> None:
    """Thin grey axes on the left and below only, with small ticks."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set(color=GREY, linewidth=0.6)
    axes.tick_params(labelsize=font, length=2, width=0.5, color=GREY, labelcolor=INK, pad=2)


def head(figure: Figure, title: str, entries: Sequence[Any]) -> None:
    """A title and one row of legend at the upper left corner; together they take 0.55 inches."""
    width, height = figure.get_size_inches()
    figure.text(0.12 / width, 1 - 0.1 / height, title, fontsize=10, fontweight="bold", color=INK, va="top")
    if entries:
        figure.legend(handles=entries, loc="upper left", bbox_to_anchor=(0.12 / width, 1 - 0.33 / height),
                      ncols=len(entries), frameon=False, fontsize=7.5, borderpad=0, borderaxespad=0,
                      handlelength=1.6, handletextpad=0.5, columnspacing=1.4, labelcolor=INK)


def head_width(title: str, entries: Sequence[Any]) -> float:
    """The width in inches that the title and the legend of `head` need."""
    words = sum(text_width(entry.get_label(), 7.5) + 0.38 for entry in entries)
    return 0.3 + max(text_width(title, 10, bold=True), words)


def short_number(value: float) -> str:
    """A number as an axis shows it.

    Examples
    --------
    >>> [short_number(value) for value in (0, 250, 12_500, 50_000, 2_000_000, -3)]
    ['0', '250', '12.5k', '50k', '2M', '−3']
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g}{unit}".replace("-", "−")
    return f"{value:g}".replace("-", "−")


def text_width(text: str, font: float, bold: bool = False) -> float:
    """The width of a text in inches, at a size in points."""
    if not text.strip():
        return 0.0
    style = FontProperties(weight="bold" if bold else "normal")
    # the corners of the outlines: their true extents differ by little and take ten times as long
    return float(np.ptp(TextPath((0, 0), text, size=font, prop=style).vertices[:, 0])) / 72


def fit(text: str, font: float, room: float, bold: bool = False) -> str:
    """The text, cut to the room there is in inches."""
    if text_width(text, font, bold) <= room:
        return text
    kept = bisect_right(range(1, len(text)), room,
                        key=lambda count: text_width(text[:count] + "…", font, bold))
    return text[:kept] + "…" if kept else ""


def short_kind(kind: object) -> str:
    """The last part of the name of a kind.

    Examples
    --------
    >>> short_kind("delta"), short_kind("mylab.rules:gain")
    ('delta', 'gain')
    """
    return str(kind).split(":")[-1].split(".")[-1]
