"""The two pictures: fraction of the limit by size, and ticks per second against regions beside the others."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

Row = dict[str, Any]
LIMIT_FILE, PEERS_FILE = "limit.png", "peers.png"


def draw(result: Row, target: Path) -> list[Path]:
    """Draw what a result has the figures for.

    Parameters
    ----------
    result : dict
        As ``--json`` writes it.
    target : Path
        A folder, made if it is not there.

    Returns
    -------
    list of Path
    """
    target.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in result["rows"]:
        rows[row["section"]].append(row)
    files = []
    if rows["kernels"]:
        files.append(_limit(rows["kernels"], result["machine"], target / LIMIT_FILE))
    if any("ticks" in row for row in rows["peers"]):
        files.append(_peers(rows["peers"], target / PEERS_FILE))
    return files


def _axes(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, columns, figsize=(width, height), layout="constrained", squeeze=False)
    for one in axes[0]:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", color="#dddddd", linewidth=0.7)
        one.set_axisbelow(True)
    return figure, axes[0]


def _limit(rows: list[Row], machine: Row, file: Path) -> Path:
    figure, (axes,) = _axes(7.0, 4.0)
    kinds: dict[str, list[Row]] = defaultdict(list)
    for row in (row for row in rows if "share" in row):
        kinds[row["case"]["kind"]].append(row)
    for kind, found in sorted(kinds.items()):
        found.sort(key=_bytes)
        share = [row["share"] for row in found]
        middle = [one["median"] for one in share]
        errors = [[one["median"] - one["low"] for one in share], [one["high"] - one["median"] for one in share]]
        axes.errorbar([_bytes(row) for row in found], middle, errors, marker="o", capsize=3, label=kind)
    top = max(1.1, *(1.04 * row["share"]["high"] for row in rows if "share" in row))
    axes.set_xscale("log", base=2)
    for level, size in machine["caches"].items():
        axes.axvline(size, color="#999999", linewidth=0.8, linestyle=":")
        axes.text(size, top - 0.02, f"{level} ", ha="right", va="top", color="#666666", fontsize=8)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_ylim(0.0, top)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.xaxis.set_major_formatter(lambda value, _: _size(value))
    axes.set_xlabel("size of the weights")
    axes.set_ylabel("share of the machine's limit")
    axes.set_title("Kernels beside the limit at their size, one thread", loc="left", fontsize=10)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120)
    return file


def _peers(rows: list[Row], file: Path) -> Path:
    sizes = sorted({(row["case"]["units"], row["case"]["context"]) for row in rows if "ticks" in row})
    figure, all_axes = _axes(5.0 * len(sizes) + 2.0, 4.2, len(sizes))
    names = sorted({row["name"] for row in rows}, key=lambda name: (name != "cortexsim", name))
    for axes, (units, context) in zip(all_axes, sizes, strict=True):
        for k, name in enumerate(names):
            best = best_of([row for row in rows if row["name"] == name and row["case"]["units"] == units
                            and row["case"]["context"] == context])
            regions = sorted(best)
            axes.plot(regions, [best[n]["ticks"]["median"] for n in regions], marker="o", color=f"C{k}", label=name,
                      linewidth=2.4 if name == "cortexsim" else 1.2)
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks = sorted({row["case"]["regions"] for row in rows if row["case"]["units"] == units})
        axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
        axes.minorticks_off()
        axes.set_xlabel("regions")
        axes.set_title(f"regions of {units}x{context}", loc="left", fontsize=10)
    all_axes[0].set_ylabel("ticks per second, best setting of each")
    all_axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(file, dpi=120)
    return file


def best_of(rows: list[Row]) -> dict[int, Row]:
    """Regions -> the fastest row among the variants and threads."""
    best: dict[int, Row] = {}
    for row in rows:
        n = row["case"]["regions"]
        if "ticks" in row and (n not in best or row["ticks"]["median"] > best[n]["ticks"]["median"]):
            best[n] = row
    return best


def _bytes(row: Row) -> int:
    return 4 * row["case"]["regions"] * row["case"]["units"] * row["case"]["context"]


def _size(number: float) -> str:
    for unit, scale in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if number >= 1 << scale:
            return f"{number / (1 << scale):.3g} {unit}"
    return f"{number:.0f} B"
