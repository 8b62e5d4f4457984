"""Each kind's kernel alone, at sizes for each cache level, beside the limit at the same size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.speed import cases, machine
from benchmarks.speed.clock import Turn, in_turn, ratios, spread
from benchmarks.speed.limit import limit_turn
from cortexsim.errors import CortexsimError

# kinds whose tick is a sweep over all their weights; those of the others depend on what is active or clamped, and they
# have sections of their own
KINDS = ["delta", "subspace"]
# regions, units, context
SIZES = ((1, 64, 64), (1, 256, 512), (1, 1024, 1024), (1, 2048, 2048), (180, 256, 512))


def measure(kinds: list[str], quick: bool, sizes: tuple[tuple[int, int, int], ...] = SIZES) -> Iterator[dict[str, Any]]:
    """One row for each kind and size.

    Parameters
    ----------
    kinds : list of str
    quick : bool
    sizes : tuple of (regions, units, context)

    Yields
    ------
    dict
        With the rate and the limit, both in weight updates per second, and their ratio, taken round by round.
    """
    for kind in kinds:
        for regions, units, context in sizes:
            try:
                yield one(kind, regions, units, context, 9 if quick else 25)
            except CortexsimError as error:  # a kind that no graph of one source can hold: the others go on
                case = {"kind": kind, "regions": regions, "units": units, "context": context}
                yield {"section": "kernels", "case": case, "error": str(error)}


def one(kind: str, regions: int, units: int, context: int, rounds: int) -> dict[str, Any]:
    """One kind at one size."""
    hyper = cases.plain(context) if kind == "delta" else {}
    running = cases.Running(cases.build(kind, regions, units, context, **hyper), ticks=32)
    work = regions * units * context
    loop, limit = limit_turn(work)
    rates = in_turn({"limit": limit, "kernel": Turn(running.bare(), work)}, rounds, 0.01)
    share = spread(ratios(rates["kernel"], rates["limit"]))
    return {"section": "kernels", "case": {"kind": kind, "regions": regions, "units": units, "context": context},
            "level": machine.level_of(4 * work), "rate": spread(rates["kernel"]), "limit": spread(rates["limit"]),
            "loop": loop, "share": share, "ratio": share["median"]}
