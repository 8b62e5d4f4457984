"""Whole graphs: ticks per second for numbers and sizes of regions, block lengths and threads; and the time around the
kernels, from a kind whose kernels do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.speed import cases, machine
from benchmarks.speed.clock import Turn, in_turn, ratios, spread
from benchmarks.speed.limit import limit_turn

BLOCKS = (1, 8)
REGIONS = (1, 16, 180, 1000, 5000)
# units, context
WIDTHS = ((16, 16), (48, 48), (256, 512), (384, 384))
QUICK = ((180, 16, 16), (16, 48, 48), (180, 48, 48), (1000, 48, 48), (180, 256, 512))
NOOPS = ((180, 16), (180, 48), (180, 384), (1000, 48), (5000, 48))


def sizes(quick: bool) -> list[tuple[int, int, int]]:
    """Regions, units, context of every graph that fits in a tenth of this machine's memory."""
    if quick:
        return list(QUICK)
    room = machine.memory_bytes() / 10
    return [(n, units, context) for units, context in WIDTHS for n in REGIONS if 4.0 * n * units * context < room]


def measure(threads: int, quick: bool, wanted: list[tuple[int, int, int]] | None = None) -> Iterator[dict[str, Any]]:
    """One row for each graph, block length and number of threads.

    Parameters
    ----------
    threads : int
        The most threads.
    quick : bool
    wanted : list of (regions, units, context), optional

    Yields
    ------
    dict
    """
    for regions, units, context in wanted or sizes(quick):
        yield from one(regions, units, context, threads, quick)


def one(regions: int, units: int, context: int, threads: int, quick: bool) -> list[dict[str, Any]]:
    """One graph at all block lengths and threads, all measured in turn, beside its kernels alone and the limit."""
    work = regions * units * context
    seconds, rounds = (0.04, 5) if quick else (0.06, 7)
    if 4 * work > machine.LARGE:
        rounds = 3  # each sample takes long enough to be steady
    counts = [k for k in range(1, threads + 1) if k == 1 or regions > 1]
    runs = {}
    for block in BLOCKS:
        graph = cases.build("delta", regions, units, context, **cases.plain(context))
        runs[block] = cases.Running(graph, threads, block, ticks=tick_count(units))
    turns = {"kernel": Turn(runs[1].bare(), work)}
    for k in counts:
        turns[f"limit/{k}"] = limit_turn(min(work, machine.LARGE // 4), k)[1]
    for block, running in runs.items():
        for k in counts:
            turns[f"{block}/{k}"] = Turn(running.run(k), work, k, step=block)
    rates = in_turn(turns, rounds, seconds)
    rows = []
    for block, running in runs.items():
        for k in counts:
            rate, alone = rates[f"{block}/{k}"], rates[f"{block}/1"]
            share = spread(ratios(rate, rates[f"limit/{k}"]))
            rows.append({
                "section": "graphs", "case": {"regions": regions, "units": units, "context": context,
                                              "block": block, "threads": k},
                "block_found": running.sim.plan.block, "rate": spread(rate), "ticks": spread([r / work for r in rate]),
                "limit": spread(rates[f"limit/{k}"]), "share": share, "ratio": share["median"],
                "kernel": spread(ratios(rate, rates["kernel"])) if k == 1 else None,
                "block_gain": spread(ratios(rate, rates[f"1/{k}"])),
                "efficiency": spread(ratios(rate, [k * r for r in alone])) if k > 1 else None,
                "bytes": running.bytes(), "weight_bytes": 4 * running.weights()})
    return rows


def tick_count(units: int) -> int:
    """Ticks of data at a time: at most 16 MiB of it."""
    return min(4096, max(64, (4 << 20) // units))


def around(limits: dict[tuple[str, int], float], quick: bool,
           wanted: tuple[tuple[int, int], ...] = NOOPS) -> Iterator[dict[str, Any]]:
    """Nanoseconds per region and tick around a kernel that does nothing, one thread.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    quick : bool
    wanted : tuple of (regions, units)

    Yields
    ------
    dict
    """
    for regions, units in wanted[:3] if quick else wanted:
        runs = {block: cases.Running(cases.build(cases.NOOP, regions, units, units), 1, block, ticks=tick_count(units))
                for block in BLOCKS}
        turns = {str(block): Turn(running.run(), regions, step=block) for block, running in runs.items()}
        rates = in_turn(turns, 5 if quick else 11, 0.03)
        for block in BLOCKS:
            times = [1e9 / rate for rate in rates[str(block)]]
            yield {"section": "around", "case": {"regions": regions, "units": units, "block": block},
                   "nanoseconds": spread(times), "ratio": spread(rates[str(block)])["median"] / limits["L1", 1]}
