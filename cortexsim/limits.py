"""Room: what a plan needs and this machine has, and a bound on what reading a file may take."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from cortexsim.errors import GraphError


def physical_memory() -> int | None:
    """Bytes of this machine's memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def check_room(plan: Any) -> None:
    """Refuse a plan whose weights and signals, by its own estimate, this machine cannot hold.

    Raises
    ------
    GraphError
        Naming what takes most.
    """
    needed, there = plan.memory(), physical_memory()
    if there is None or needed <= there:
        return
    sizes = {f"region {name!r}": size / 2 for name, (_, size) in plan.costs.items()}
    for signal, shape in plan.signals.items():
        where = f"signal {signal!r}"
        sizes[where] = 4.0 * plan.slots(signal)
        for length in shape:
            sizes[where] *= length
    most = max(sizes, key=lambda name: sizes[name])
    raise GraphError(most, f"takes about {sizes[most] / 2**30:,.1f} of the {needed / 2**30:,.1f} GiB that the graph "
                     f"needs, and this machine has {there / 2**30:,.1f}", hint="make it smaller")


@contextlib.contextmanager
def bounded(size: int) -> Iterator[None]:
    """Let nothing in a ``with`` block take more than so many bytes of new memory: a MemoryError ends what would.

    Where the system has no such bound, there is none.
    """
    try:
        import resource  # not on every system

        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        former = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError, ValueError):
        yield
        return
    limit = used + size if former[0] == resource.RLIM_INFINITY else min(former[0], used + size)
    resource.setrlimit(resource.RLIMIT_AS, (limit, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, former)
