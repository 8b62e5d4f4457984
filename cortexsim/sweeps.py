"""What the functions of :mod:`cortexsim.rows` do, written as machine code.

Two rows are taken at a time, one from each half of the matrix: so memory is read in two long streams, which processors
bring in ahead of time; rows that lie side by side they do not, and a single stream leaves the adders waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from cortexsim.vectors import FLOAT, INT, WIDTHS, Code, Sums

# vectors of a row in registers while a list of rows goes by
UNROLLED = 8


def _dot(code, a, b, n):
    sums = Sums(code, 1)
    code.columns(n, lambda at, lanes: sums.add(0, code.load(a, at, lanes), code.load(b, at, lanes)))
    code.builder.ret(sums.totals()[0])


class _Sweep:
    """One way through the rows of a matrix: learn, multiply, or both."""

    def __init__(self, code, W, n, learns=None, x=None, out=None):
        self.code, self.W, self.n, self.learns, self.x, self.out = code, W, n, learns, x, out

    def rows(self, *numbers: Any) -> None:
        """Go through some rows side by side."""
        code, sums = self.code, Sums(self.code, len(numbers)) if self.x else None
        here = [code.at(self.W, code.builder.mul(number, self.n)) for number in numbers]
        if self.learns:
            keep, g, z = self.learns
            steps = [code.number(g, number) for number in numbers]

        def step(at, lanes):
            old = code.load(z, at, lanes) if self.learns else None
            right = code.load(self.x, at, lanes) if self.x else None
            for q, row in enumerate(here):
                value = code.load(row, at, lanes)
                if self.learns:
                    kept = value if keep is None else code.times(code.splat(keep, lanes), value)
                    value = code.times_plus(code.splat(steps[q], lanes), old, kept)
                    code.store(value, row, at)
                if sums:
                    sums.add(q, value, right)

        code.columns(self.n, step)
        for number, total in zip(numbers, sums.totals() if sums else (), strict=False):
            code.builder.store(total, code.at(self.out, number))

    def all(self, count: Any, group: int = 1, after: Callable[..., None] | None = None) -> None:
        """Go through all rows, `group` of each half at a time; ``after(*rows)`` follows each."""
        code = self.code
        half = code.below(code.builder.lshr(count, INT(1)), group)
        with code.loop(INT(0), half, group) as first:
            pairs = [(code.builder.add(first, INT(k)), code.builder.add(code.builder.add(first, half), INT(k)))
                     for k in range(group)]
            for pair in pairs:
                self.rows(*pair)
            if after:
                after(*(row for pair in pairs for row in pair))
        with code.loop(code.builder.shl(half, INT(1)), count, 1) as number:
            self.rows(number)
            if after:
                after(number)


def _keeping(code, keep, write):
    """Write the sweep twice: once for weights that are kept whole, the usual case, which saves a product."""
    with code.either(code.builder.fcmp_ordered("==", keep, FLOAT(1.0))) as (whole, part):
        with whole:
            write(None)
        with part:
            write(keep)
    code.builder.ret_void()


def _multiply(code, W, rows, n, x, out):
    _Sweep(code, W, n, x=x, out=out).all(rows)
    code.builder.ret_void()


def _learn(code, W, rows, n, keep, g, z):
    _keeping(code, keep, lambda kept: _Sweep(code, W, n, (kept, g, z)).all(rows))


def _learn_multiply(code, W, rows, n, keep, g, z, x, out):
    _keeping(code, keep, lambda kept: _Sweep(code, W, n, (kept, g, z), x, out).all(rows))


def _encoding(code, W, rows, n, x, y, out, learns=None):
    def spread(*numbers):
        """Add the rows, still in the nearest cache, times their codes."""
        here = [(code.at(W, code.builder.mul(number, n)), code.number(y, number)) for number in numbers]

        def step(at, lanes):
            total = code.load(out, at, lanes)
            for row, value in here:
                total = code.times_plus(code.splat(value, lanes), code.load(row, at, lanes), total)
            code.store(total, out, at)

        code.columns(n, step)

    _Sweep(code, W, n, learns, x, y).all(rows, 2, spread)
    code.builder.ret_void()


def _encode(code, W, rows, n, x, y, out):
    _encoding(code, W, rows, n, x, y, out)


def _learn_encode(code, W, rows, n, g, z, x, y, out):
    _encoding(code, W, rows, n, x, y, out, (None, g, z))


def _listed(code, W, n, active, count, width, step):
    """``step(row, k, at)`` for the rows of a list: `width` columns at `at`, for one row after the other."""
    with code.loop(INT(0), count, 1) as k:
        number = code.builder.sext(code.number(active, k), INT)
        step(code.at(W, code.builder.mul(number, n)), k, width)


def _add_rows(code, out, n, W, active, count, f):
    def part(at, width):
        lanes = min(width, WIDTHS[0])
        places = [code.builder.add(at, INT(k)) for k in range(0, width, lanes)]
        slots = [cgutils.alloca_once(code.builder, ir.VectorType(FLOAT, lanes)) for _ in places]
        for place, slot in zip(places, slots, strict=True):
            code.builder.store(code.load(out, place, lanes), slot)

        def step(row, k, width):
            factor = code.splat(code.number(f, k), lanes)
            for place, slot in zip(places, slots, strict=True):
                code.builder.store(code.times_plus(factor, code.load(row, place, lanes), code.builder.load(slot)), slot)

        _listed(code, W, n, active, count, width, step)
        for place, slot in zip(places, slots, strict=True):
            code.store(code.builder.load(slot), out, place)

    code.columns(n, part, UNROLLED)
    code.builder.ret_void()


def _learn_rows(code, W, n, active, count, keep, f, g):
    def write(kept):
        def part(at, width):
            lanes = min(width, WIDTHS[0])
            places = [code.builder.add(at, INT(k)) for k in range(0, width, lanes)]
            steps = [code.load(g, place, lanes) for place in places]

            def step(row, k, width):
                factor = code.splat(code.number(f, k), lanes)
                for place, value in zip(places, steps, strict=True):
                    weight = code.load(row, place, lanes)
                    if kept is not None:
                        weight = code.times(code.splat(kept, lanes), weight)
                    code.store(code.times_plus(factor, value, weight), row, place)

            _listed(code, W, n, active, count, width, step)

        code.columns(n, part, UNROLLED)

    _keeping(code, keep, write)


def _blend(code, out, n, keep, a, b):
    def step(at, lanes):
        kept = code.times(code.splat(keep, lanes), code.load(out, at, lanes))
        code.store(code.times_plus(code.load(a, at, lanes), code.load(b, at, lanes), kept), out, at)

    code.columns(n, step)
    code.builder.ret_void()


def _add(code, out, n, a):
    code.columns(n, lambda at, lanes: code.store(code.plus(code.load(out, at, lanes), code.load(a, at, lanes)), out, at))
    code.builder.ret_void()


def _errors(code, y, p, e, g, b, n, step, bias):
    sums = Sums(code, 1)

    def part(at, lanes):
        error = code.minus(code.load(y, at, lanes), code.load(p, at, lanes))
        change = code.times(code.splat(step, lanes), error)
        code.store(error, e, at)
        code.store(change, g, at)
        code.store(code.times_plus(code.splat(bias, lanes), change, code.load(b, at, lanes)), b, at)
        sums.add(0, error, error)

    code.columns(n, part)
    code.builder.ret(sums.totals()[0])


def _track(code, x, last, mean, n, rate, out):
    sums = Sums(code, 2)

    def step(at, lanes):
        now, middle = code.load(x, at, lanes), code.load(mean, at, lanes)
        far, off = code.minus(now, code.load(last, at, lanes)), code.minus(now, middle)
        sums.add(0, far, far)
        sums.add(1, off, off)
        code.store(now, last, at)
        code.store(code.times_plus(code.splat(rate, lanes), off, middle), mean, at)

    code.columns(n, step)
    for k, total in enumerate(sums.totals()):
        code.builder.store(total, code.at(out, INT(k)))
    code.builder.ret_void()


def _copy(code, out, n, a):
    code.columns(n, lambda at, lanes: code.store(code.load(a, at, lanes), out, at))
    code.builder.ret_void()


def _clear(code, out, n):
    code.columns(n, lambda at, lanes: code.store(code.splat(FLOAT(0.0), lanes), out, at))
    code.builder.ret_void()


# the functions of the library, by name: what writes each, and its parameters (p a row, l a list, i, f numbers)
WRITERS: dict[str, tuple[Callable[..., None], str]] = {
    "dot": (_dot, "ppi"), "multiply": (_multiply, "piipp"), "learn": (_learn, "piifpp"),
    "learn_multiply": (_learn_multiply, "piifpppp"), "encode": (_encode, "piippp"),
    "learn_encode": (_learn_encode, "piippppp"), "add_rows": (_add_rows, "piplip"),
    "learn_rows": (_learn_rows, "pilifpp"), "blend": (_blend, "pifpp"), "add": (_add, "pip"),
    "errors": (_errors, "pppppiff"), "track": (_track, "pppifp"), "copy": (_copy, "pip"), "clear": (_clear, "pi")}
