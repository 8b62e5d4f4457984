"""The picture of forecasts: truth, forecast and quantiles over the last stretch, and what lies beyond the data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from cortexsim.errors import InputError
from cortexsim.plot_style import (
    COLOURS,
    GREY,
    INK,
    PALE,
    axes_at,
    fit,
    head,
    new_figure,
    quiet,
    short_number,
    text_width,
)

if TYPE_CHECKING:
    from cortexsim.forecast_table import Forecasts

WIDTH, LEFT, RIGHT = 8.4, 0.62, 0.2
FORECAST, BAND = COLOURS[0], ("#cfe3f1", "#9fc7e3")  # the outer and the inner band
STRETCH = 168  #: Ticks of the data that are shown, at least.
PANELS = 6  #: At most; the shortest and the longest horizons come first.


def plot_forecasts(forecasts: Forecasts) -> Figure:
    """Draw forecasts of the last ticks beside the truth, a panel for each column and up to three horizons.

    Parameters
    ----------
    forecasts : Forecasts
        Of a run.

    Returns
    -------
    matplotlib.figure.Figure
        Shaded are the quantiles that each forecast was told with. Where there are more horizons than panels, a last
        panel for each column shows all that was forecast at the last tick, as a fan.

    Raises
    ------
    InputError
        No column, or no tick has run.
    """
    if not forecasts.columns or not forecasts.ticks:
        raise InputError("plot_forecasts", "there is no forecast to plot")
    panels = _choose(forecasts)
    tall = 2.6 if len(panels) == 1 else 1.75 if len(panels) <= 3 else 1.35
    fans = any(row is None for _, row in panels)
    pitch = tall + (0.52 if fans else 0.34)  # a panel above a fan has an axis of its own
    height = 0.62 + len(panels) * pitch + 0.3
    figure = new_figure(WIDTH, height)
    span = _span(forecasts)
    for place, (column, row) in enumerate(panels):
        bottom = height - 0.62 - place * pitch - tall - 0.2
        axes = axes_at(figure, LEFT, bottom, WIDTH - LEFT - RIGHT, tall)
        _style(axes, forecasts, labels=fans or place == len(panels) - 1)
        if row is None:
            _draw_fan(axes, forecasts, column, span)
        else:
            _draw_horizon(axes, forecasts, column, row, span)
    if forecasts.times is None:
        figure.text(0.5, 0.08 / height, "tick", ha="center", fontsize=8, color=INK)
    head(figure, f"Forecast · {_ahead(forecasts.horizons)} · the last {forecasts.ticks - span.start:,} of "
         f"{forecasts.ticks:,} ticks, and beyond", _legend(forecasts))
    return figure


def _ahead(horizons: tuple[int, ...]) -> str:
    if len(horizons) > 3:
        return f"{horizons[0]} to {horizons[-1]} ticks ahead"
    words = ", ".join(map(str, horizons))
    return f"{words} tick{'s' * (words != '1')} ahead"


def _choose(forecasts: Forecasts) -> list[tuple[int, int | None]]:
    """Column and place of the horizon (None: the fan of all of them) of every panel."""
    count, columns = len(forecasts.horizons), len(forecasts.columns)
    each = max(1, min(3, PANELS // columns))
    rows: list[int | None] = [*range(count)]
    if count > 3 and each > 1 and _coming(forecasts).any():
        rows = [*[0, count - 1][:each - 1], None]
    elif count > each:
        rows = list[int | None](sorted([0, count - 1, count // 2][:each]))
    return [(column, row) for column in range(columns) for row in rows]


def _coming(forecasts: Forecasts) -> NDArray[np.bool_]:
    """Of which columns and horizons there is a forecast that was made at the last tick."""
    places = [forecasts.ticks - 1 + h for h in forecasts.horizons]
    return np.isfinite(forecasts.forecast[np.arange(len(places)), places])


def _span(forecasts: Forecasts) -> slice:
    """The ticks that are shown."""
    ticks, season = forecasts.ticks, forecasts.season.ticks
    stretch = max(STRETCH, min(season, 3 * STRETCH), 3 * forecasts.horizon)
    return slice(max(0, ticks - stretch), len(forecasts.truth))


def _style(axes: Axes, forecasts: Forecasts, labels: bool) -> None:
    quiet(axes, 7)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.margins(x=0.005)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(round(value, 9))))
    axes.tick_params(labelbottom=labels)
    if forecasts.times is not None:
        locator = AutoDateLocator(minticks=4, maxticks=9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.xaxis.get_offset_text().set(fontsize=7, color=INK)


def _axis(forecasts: Forecasts, span: slice) -> NDArray[Any]:
    return np.arange(len(forecasts.truth))[span] if forecasts.times is None else forecasts.times[span]


def _shade(axes: Axes, x: NDArray[Any], quantiles: NDArray[np.float64]) -> None:
    """The bands between the lowest and the highest level, the second lowest and the second highest."""
    pairs = quantiles.shape[1] // 2
    for k in range(min(2, pairs)):
        low, high = quantiles[:, k], quantiles[:, -1 - k]
        axes.fill_between(x, low, high, color=BAND[k], linewidth=0, zorder=1 + 0.1 * k)


def _beyond(axes: Axes, forecasts: Forecasts, x: NDArray[Any]) -> None:
    """Mark where the data ends."""
    axes.axvline(x[-forecasts.horizon - 1], color=GREY, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1.5)


def _draw_horizon(axes: Axes, forecasts: Forecasts, column: int, row: int, span: slice) -> None:
    assert forecasts.quantiles is not None
    x = _axis(forecasts, span)
    _shade(axes, x, forecasts.quantiles[row, span, column])
    axes.plot(x, forecasts.truth[span, column], color=INK, linewidth=0.9, zorder=3)
    axes.plot(x, forecasts.forecast[row, span, column], color=FORECAST, linewidth=1.2, zorder=2.5)
    _beyond(axes, forecasts, x)
    score = forecasts.scores()[column * len(forecasts.horizons) + row]
    others = [("last value", "nrmse_last"), ("seasonal naive", "nrmse_seasonal"), ("RLS-AR", "nrmse_rls")]
    _title(axes, forecasts, column, _ahead((forecasts.horizons[row],)),
           "" if math.isnan(score["nrmse"]) else f"NRMSE {score['nrmse']:.3f}",
           "".join(f"    {name} {score[key]:.3f}" for name, key in others if not math.isnan(score[key])))


def _draw_fan(axes: Axes, forecasts: Forecasts, column: int, span: slice) -> None:
    assert forecasts.quantiles is not None
    # as many ticks before the end as make the fan a third of the panel
    span = slice(max(span.start, forecasts.ticks - 2 * forecasts.horizon), span.stop)
    x = _axis(forecasts, span)
    places = np.array([forecasts.ticks - 1 + h for h in forecasts.horizons])
    rows = np.arange(len(places))
    # from the last value on, which is known
    told = np.concatenate([forecasts.truth[forecasts.ticks - 1, column:column + 1],
                           forecasts.forecast[rows, places, column]])
    quantiles = np.concatenate([np.full((1, len(forecasts.levels)), told[0]),
                                forecasts.quantiles[rows, places, column]])
    at = _axis(forecasts, slice(0, len(forecasts.truth)))[[forecasts.ticks - 1, *places]]
    _shade(axes, at, quantiles)
    axes.plot(x, forecasts.truth[span, column], color=INK, linewidth=0.9, zorder=3)
    axes.plot(at, told, color=FORECAST, linewidth=1.4, zorder=2.5)
    _beyond(axes, forecasts, x)
    _title(axes, forecasts, column, "all that was forecast at the last tick", "", "")


def _title(axes: Axes, forecasts: Forecasts, column: int, what: str, ours: str, others: str) -> None:
    room = WIDTH - LEFT - RIGHT
    # TextPath leaves out blanks at the end of a text, so the gap goes to the left
    width = text_width(others.strip(), 7.5) + 0.16 * bool(others)
    axes.text(0, 1.03, fit(f"{forecasts.columns[column]} · {what}", 8, room / 2, bold=True), transform=axes.transAxes,
              fontsize=8, fontweight="bold", color=INK)
    axes.text(1, 1.03, others.strip(), transform=axes.transAxes, fontsize=7.5, ha="right", color=GREY)
    axes.text(1 - width / room, 1.03, ours, transform=axes.transAxes, fontsize=7.5, ha="right", color=FORECAST)


def _legend(forecasts: Forecasts) -> list[Any]:
    entries: list[Any] = [Line2D([], [], color=INK, linewidth=1.5, label="truth"),
                          Line2D([], [], color=FORECAST, linewidth=1.5, label="forecast")]
    levels = forecasts.levels
    for k in range(min(2, len(levels) // 2)):
        entries.append(Patch(color=BAND[k], label=f"{levels[k]:.0%} to {levels[-1 - k]:.0%}"))
    return [*entries, Line2D([], [], color=GREY, linewidth=1, linestyle=(0, (2, 2)), label="the data ends")]
