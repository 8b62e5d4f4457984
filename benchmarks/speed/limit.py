"""The machine's own limit: how many float32 weights a second can be read, changed and written back.

Every learning rule that touches all its weights at each tick must do at least that. The limit at a size is the best of
several loops over an array of that size: plain, with 2 and 4 streams, and, where the processor has them, with vectors
of 512 bits, which numba's compiler avoids on its own, in 1 and 2 streams. A loop in C, compiled for the same processor,
is no faster.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic

from benchmarks.speed.clock import Turn, in_turn, spread

FLAGS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"reassoc", "contract", "nsz"},
                         "error_model": "numpy"}
UNROLLED = 8


@njit(**FLAGS)
def plain(a, n, keep, add):
    """One stream."""
    for _ in range(n):
        for i in range(a.shape[0]):
            a[i] = keep * a[i] + add


@njit(**FLAGS)
def two_streams(a, n, keep, add):
    """Both halves at once."""
    half = a.shape[0] // 2
    one, two = a[:half], a[half:]
    for _ in range(n):
        for i in range(half):
            one[i] = keep * one[i] + add
            two[i] = keep * two[i] + add


@njit(**FLAGS)
def four_streams(a, n, keep, add):
    """All four quarters at once."""
    part = a.shape[0] // 4
    one, two, three, four = a[:part], a[part : 2 * part], a[2 * part : 3 * part], a[3 * part :]
    for _ in range(n):
        for i in range(part):
            one[i] = keep * one[i] + add
            two[i] = keep * two[i] + add
            three[i] = keep * three[i] + add
            four[i] = keep * four[i] + add


@intrinsic
def _change_wide(typingctx, address, other, keep, add):
    """Change 16 x `UNROLLED` weights by vectors of 512 bits, from `address` on and from `other` on in turn."""

    def codegen(context, builder, signature, args):
        wide = ir.VectorType(ir.FloatType(), 16)
        starts = [builder.inttoptr(arg, wide.as_pointer()) for arg in args[:2]]

        def filled(value):
            one = builder.insert_element(ir.Constant(wide, ir.Undefined), value, ir.IntType(32)(0))
            return builder.shuffle_vector(one, ir.Constant(wide, ir.Undefined),
                                          ir.Constant(ir.VectorType(ir.IntType(32), 16), [0] * 16))

        keep_wide, add_wide = filled(args[2]), filled(args[3])
        places = [builder.gep(starts[k % 2], [ir.IntType(64)(k // 2)]) for k in range(UNROLLED)]
        # all loads before the first store, or one would wait for a store whose address ends in the same bits
        for place, value in [(place, builder.load(place, align=64)) for place in places]:
            value = builder.fadd(builder.fmul(value, keep_wide, flags=("arcp",)), add_wide, flags=("arcp",))
            builder.store(value, place, align=64)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32, types.float32), codegen


@njit(**FLAGS)
def wide_vectors(a, n, keep, add):
    """One stream by vectors of 512 bits."""
    address, step = a.ctypes.data, 64 * UNROLLED
    for _ in range(n):
        for i in range(4 * a.shape[0] // step):
            _change_wide(address + i * step, address + i * step + step // 2, keep, add)


@njit(**FLAGS)
def wide_halves(a, n, keep, add):
    """Both halves at once by vectors of 512 bits."""
    address, step = a.ctypes.data, 64 * UNROLLED
    half = 2 * a.shape[0]
    for _ in range(n):
        for i in range(2 * half // step):
            _change_wide(address + i * step // 2, address + half + i * step // 2, keep, add)


def loops(count: int = 32 * UNROLLED) -> dict[str, Any]:
    """The loops that are tried for so many weights, by name; each changes all of them."""
    found: dict[str, Any] = {"plain": plain, "2 streams": two_streams, "4 streams": four_streams}
    if binding.get_host_cpu_features().get("avx512f"):
        if count % (16 * UNROLLED) == 0:
            found["512 bits"] = wide_vectors
        if count % (32 * UNROLLED) == 0:
            found["512 bits, 2 streams"] = wide_halves
    return found


def weights(count: int) -> np.ndarray:
    """So many float32 values of 1, starting on a cache line."""
    raw = np.empty(count + 16, np.float32)
    skip = (-raw.ctypes.data % 64) // 4
    raw[:] = 1.0
    return raw[skip : skip + count]


def limit_job(loop: Any, arrays: list[np.ndarray]) -> Any:
    """The job of going through each array, one thread for each."""
    one, zero = np.float32(1.0), np.float32(0.0)
    if len(arrays) == 1:
        return lambda n: loop(arrays[0], n, one, zero)
    pool = ThreadPoolExecutor(len(arrays))
    return lambda n: list(pool.map(lambda array: loop(array, n, one, zero), arrays))


def best_loop(count: int, seconds: float = 0.005, rounds: int = 5) -> tuple[str, Any]:
    """The fastest loop over `count` weights on one thread, and its name."""
    array, tried = weights(count), loops(count)
    rates = in_turn({name: Turn(limit_job(loop, [array]), count) for name, loop in tried.items()}, rounds, seconds)
    name = max(rates, key=lambda key: spread(rates[key])["median"])
    return name, tried[name]


def limit_turn(count: int, threads: int = 1, own: bool = False) -> tuple[str, Turn]:
    """The limit at a size, to be measured in turn with what it limits.

    Parameters
    ----------
    count : int
        Weights.
    threads : int
        That share them.
    own : bool
        Let each thread have so many of its own.

    Returns
    -------
    str
        The name of the loop that was best.
    Turn
    """
    name, loop = best_loop(count if own else count // threads)
    each = count if own else count // threads
    arrays = [weights(each) for _ in range(threads)]
    return name, Turn(limit_job(loop, arrays), each * threads, threads)


def measure(machine: dict[str, Any], threads: int, quick: bool) -> list[dict[str, Any]]:
    """The limit at each level of the caches and in memory, on 1 to `threads` threads.

    Parameters
    ----------
    machine : dict
        As :func:`benchmarks.speed.machine.describe` gives it.
    threads : int
        The most threads.
    quick : bool

    Returns
    -------
    list of dict
        Rows of the report.
    """
    rows = []
    for level, size in machine["levels"].items():
        own = level in ("L1", "L2")
        found = {k: limit_turn(size // 4, k, own) for k in range(1, threads + 1)}
        rates = in_turn({str(k): turn for k, (_, turn) in found.items()}, 5 if quick else 11, 0.02)
        for k, (loop, turn) in found.items():
            rows.append({"section": "limit", "case": {"level": level, "threads": k}, "bytes": int(4 * turn.work),
                         "loop": loop, "rate": spread(rates[str(k)])})
    return rows
