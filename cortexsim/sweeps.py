"""What the functions of :mod:`cortexsim.rows` do, written as machine code.

Two rows are taken at a time, one from each half of the matrix: so memory is read in two long streams, which processors
bring in ahead of time; rows that lie side by side they do not, and a single stream leaves the adders waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from cortexsim.vectors import FLOAT, INT, INT32, LANES, VECTOR, ZERO, Code, Marks, Sums

# vectors of a row in registers while a list of rows goes by
ACROSS = 8
# numbers in a row of which eight no longer lie in the nearest cache, with all that goes with them
LONG = 1024
# the hyperbolic tangent of z between -9 and 9 as z times a quotient of polynomials of z^2, fitted by least squares of
# the relative error: within 4e-7 in float32
TANH_ABOVE = (1.33550583e-08, 2.06094036e-05, 3.49560925e-03, 1.33810440e-01, 9.99999980e-01)
TANH_BELOW = (7.77673089e-07, 3.28566822e-04, 2.58770643e-02, 4.67143596e-01, 1.0)
# weights that stay in the nearest cache
NEAR = 8192


@dataclass(frozen=True)
class _Way:
    """How to go through a matrix: the rows of each half whose lanes are added up together; and whether all rows are
    made of whole vectors, which makes a tighter loop."""

    group: int
    whole: bool = False


class _Sweep:
    """One way through the rows of a matrix: learn, multiply, or both."""

    def __init__(self, code: Code, W: Any, n: Any, learns: Any = None, x: Any = None, out: Any = None) -> None:
        self.code, self.W, self.n, self.learns, self.x, self.out = code, W, n, learns, x, out

    def by(self, count: Any, ways: Sequence[tuple[Any, _Way]], after: Callable[..., None] | None = None) -> None:
        """Go through all rows in the first way whose condition holds; the last one has none.

        ``after(*rows)`` follows when their products are there, and the rows still in the nearest cache.
        """
        (condition, way), *others = ways
        if condition is None:
            self._all(count, way, after)
            return
        with self.code.builder.if_else(condition) as (then, otherwise):
            with then:
                self._all(count, way, after)
            with otherwise:
                self.by(count, others, after)

    def whole(self) -> Any:
        """The condition that a row holds no vector in part."""
        return self.code.builder.icmp_signed("==", self.code.builder.and_(self.n, INT(LANES - 1)), INT(0))

    def longer(self, length: int) -> Any:
        """The condition that a row is longer than so many numbers."""
        return self.code.builder.icmp_signed(">", self.n, INT(length))

    def _rows(self, whole: bool, *numbers: Any) -> list[Any]:
        """Go through some rows side by side; gives a vector for each, whose lanes are still to be added."""
        code, sums = self.code, Sums(self.code, len(numbers)) if self.x else None
        here = [code.at(self.W, code.builder.mul(number, self.n)) for number in numbers]
        if self.learns:
            keep, g, z = self.learns
            steps = [code.splat(code.number(g, number)) for number in numbers]
            kept = None if keep is None else code.splat(keep)

        def step(places, mask):
            (at,) = places
            old = code.load(z, at, mask) if self.learns else None
            right = code.load(self.x, at, mask) if self.x else None
            values = [code.load(row, at, mask) for row in here]
            for q, (row, value) in enumerate(zip(here, values, strict=True)):
                if self.learns:
                    value = value if kept is None else code.times(kept, value)
                    value = code.times_plus(steps[q], old, value)
                    code.store(value, row, at, mask)
                if sums:
                    sums.add(q, value, right)

        code.columns(self.n, step, whole=whole)
        return sums.vectors() if sums else []

    def _all(self, count: Any, way: _Way, after: Callable[..., None] | None) -> None:
        """A group of each half after the other, then one row of each, then a last one."""
        code, builder, group = self.code, self.code.builder, way.group
        half = builder.lshr(count, INT(1))
        many = code.below(half, group)
        waiting = code.room(ir.ArrayType(VECTOR, 2 * group))
        with code.loop(INT(0), many, group) as first:
            sides = first, code.plus_index(first, half)
            with code.loop(INT(0), INT(group), 1) as k:
                for q, vector in enumerate(self._rows(way.whole, *(code.plus_index(side, k) for side in sides))):
                    builder.store(vector, builder.gep(waiting, [INT(0), code.plus_index(k, q * group)]))
            if self.x:
                found = code.totals([builder.load(builder.gep(waiting, [INT(0), INT(k)])) for k in range(2 * group)])
                for q, side in enumerate(sides):
                    code.store(code.shuffle(found, found, range(q * group, (q + 1) * group)), self.out, side)
            if after:
                after(*(code.plus_index(side, k) for side in sides for k in range(group)))
        with code.loop(many, half, 1) as row:
            self._few(way, after, row, code.plus_index(row, half))
        with builder.if_then(builder.trunc(count, ir.IntType(1))):
            self._few(way, after, code.plus_index(count, -1))

    def _few(self, way, after, *numbers):
        vectors = self._rows(way.whole, *numbers)
        if self.x:
            found = self.code.totals(vectors)
            for k, number in enumerate(numbers):
                self.code.builder.store(self.code.builder.extract_element(found, INT32(k)),
                                        self.code.at(self.out, number))
        if after:
            after(*numbers)


def _dot(code, a, b, n):
    sums = Sums(code, 1)
    _each(code, n, lambda load, store: sums.add(0, load(a), load(b)))
    code.builder.ret(sums.total())


def _multiplying(sweep, rows):
    sweep.by(rows, [(sweep.whole(), _Way(8, True)), (None, _Way(8))])
    sweep.code.builder.ret_void()


def _multiply(code, W, rows, n, x, out):
    _multiplying(_Sweep(code, W, n, x=x, out=out), rows)


def _learn(code, W, rows, n, keep, g, z):
    _Sweep(code, W, n, (keep, g, z)).by(rows, [(None, _Way(1))])
    code.builder.ret_void()


def _learn_multiply(code, W, rows, n, keep, g, z, x, out):
    _multiplying(_Sweep(code, W, n, (keep, g, z), x, out), rows)


def _encoding(code, W, rows, n, x, y, out, learns=None):
    def spread(*numbers):
        """Add the rows, still in the nearest cache, times their codes."""
        here = [(code.at(W, code.builder.mul(number, n)), code.splat(code.number(y, number))) for number in numbers]

        def step(places, mask):
            parts = [code.times(value, code.load(row, places[0], mask)) for row, value in here]
            while len(parts) > 1:
                parts = [code.plus(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            code.store(code.plus(code.load(out, places[0], mask), parts[0]), out, places[0], mask)

        code.columns(n, step)

    sweep = _Sweep(code, W, n, learns, x, y)
    with code.builder.if_else(code.builder.icmp_signed(">", code.builder.mul(rows, n), INT(NEAR))) as (large, small):
        with large:
            sweep.by(rows, [(sweep.longer(LONG), _Way(2)), (None, _Way(4))], spread)
        with small:
            # all of it stays in the nearest cache, so the sums can stay in registers meanwhile
            sweep.by(rows, [(None, _Way(8))])
            _across(code, out, n, rows, _numbered(code, W, n, y))
    code.builder.ret_void()


def _encode(code, W, rows, n, x, y, out):
    _encoding(code, W, rows, n, x, y, out)


def _learn_encode(code, W, rows, n, g, z, x, y, out):
    _encoding(code, W, rows, n, x, y, out, (None, g, z))


def _spread(code, W, rows, n, y, out):
    _across(code, out, n, rows, _numbered(code, W, n, y), 2 * ACROSS)
    code.builder.ret_void()


def _numbered(code, W, n, y):
    """The k-th row, and its factor."""
    return lambda k: (code.at(W, code.builder.mul(k, n)), code.number(y, k))


def _across(code, out, n, count, find, together=ACROSS):
    """Add rows to `out`, some columns at a time; ``find(k)`` gives the k-th of them and its factor."""
    def part(places, mask):
        slots = [code.room(VECTOR) for _ in places]
        for at, slot in zip(places, slots, strict=True):
            code.builder.store(code.load(out, at, mask), slot)
        with code.loop(INT(0), count, 1) as k:
            row, factor = find(k)
            value = code.splat(factor)
            for at, slot in zip(places, slots, strict=True):
                code.builder.store(code.times_plus(value, code.load(row, at, mask), code.builder.load(slot)), slot)
        for at, slot in zip(places, slots, strict=True):
            code.store(code.builder.load(slot), out, at, mask)

    code.columns(n, part, together)


def _listed(code, W, n, active, f):
    """The k-th row of a list, and its factor."""
    def find(k):
        number = code.builder.sext(code.number(active, k), INT)
        return code.at(W, code.builder.mul(number, n)), code.number(f, k)

    return find


def _add_rows(code, out, n, W, active, count, f):
    _across(code, out, n, count, _listed(code, W, n, active, f))
    code.builder.ret_void()


def _learn_rows(code, W, n, active, count, keep, f, g):
    kept = code.splat(keep)

    def part(places, mask):
        steps = [code.load(g, at, mask) for at in places]
        with code.loop(INT(0), count, 1) as k:
            row, factor = _listed(code, W, n, active, f)(k)
            share = code.splat(factor)
            for at, value in zip(places, steps, strict=True):
                weight = code.times(kept, code.load(row, at, mask))
                code.store(code.times_plus(share, value, weight), row, at, mask)

    code.columns(n, part, ACROSS)
    code.builder.ret_void()


def _each(code, n, make):
    """``make(load, store)`` for all numbers, a vector at a time."""
    def step(places, mask):
        make(lambda row: code.load(row, places[0], mask), lambda vector, row: code.store(vector, row, places[0], mask))

    code.columns(n, step)


def _blend(code, out, n, keep, a, b):
    kept = code.splat(keep)
    _each(code, n, lambda load, store: store(code.times_plus(load(a), load(b), code.times(kept, load(out))), out))
    code.builder.ret_void()


def _add(code, out, n, a):
    _each(code, n, lambda load, store: store(code.plus(load(out), load(a)), out))
    code.builder.ret_void()


def _subtract(code, out, n, a, b):
    _each(code, n, lambda load, store: store(code.minus(load(a), load(b)), out))
    code.builder.ret_void()


def _approach(code, out, n, rate, a):
    share = code.splat(rate)
    _each(code, n, lambda load, store: store(code.times_plus(share, code.minus(load(a), load(out)), load(out)), out))
    code.builder.ret_void()


def _errors(code, y, p, e, g, b, n, step, bias):
    sums, rate, share = Sums(code, 1), code.splat(step), code.splat(bias)

    def make(load, store):
        error = code.minus(load(y), load(p))
        change = code.times(rate, error)
        store(error, e)
        store(change, g)
        store(code.times_plus(share, change, load(b)), b)
        sums.add(0, error, error)

    _each(code, n, make)
    code.builder.ret(sums.total())


def _track(code, x, last, mean, n, rate, out):
    sums, share = Sums(code, 2), code.splat(rate)

    def make(load, store):
        now, middle = load(x), load(mean)
        far, off = code.minus(now, load(last)), code.minus(now, middle)
        sums.add(0, far, far)
        sums.add(1, off, off)
        store(now, last)
        store(code.times_plus(share, off, middle), mean)

    _each(code, n, make)
    code.store(code.totals(sums.vectors()), out, INT(0))
    code.builder.ret_void()


def _copy(code, out, n, a):
    _each(code, n, lambda load, store: store(load(a), out))
    code.builder.ret_void()


def _list_rows(code, x, rows, n, out):
    width = code.plus_index(n, 1)
    with code.loop(INT(0), rows, 1) as row:
        here, there = code.at(x, code.builder.mul(row, n)), code.at(out, code.builder.mul(row, width))
        found = code.room(INT)
        code.builder.store(INT(0), found)
        with code.loop(INT(0), n, 1) as k:
            # written whether it is active or not: the next one writes over it, and nothing has to be guessed
            count = code.builder.load(found)
            code.builder.store(code.builder.trunc(k, INT32), code.at(there, code.plus_index(count, 1)))
            active = code.builder.fcmp_unordered("!=", code.number(here, k), FLOAT(0.0))
            code.builder.store(code.builder.add(count, code.builder.zext(active, INT)), found)
        code.builder.store(code.builder.trunc(code.builder.load(found), INT32), there)
    code.builder.ret_void()


def _note(code, out, n, a):
    sums = Sums(code, 1)

    def make(load, store):
        value = load(a)
        store(value, out)
        sums.add(0, value, value)

    _each(code, n, make)
    code.builder.ret(sums.total())


def _polynomial(code, u, coefficients):
    """The highest power first."""
    first, *others = [VECTOR([number] * LANES) for number in coefficients]
    for number in others:
        first = code.times_plus(first, u, number)
    return first


def _squash(code, out, n, x, inner, outer, middle):
    scale, height, offset = (code.splat(number) for number in (inner, outer, middle))

    def within(value, limit):
        # in this order a number that is none stays none
        for sign, side in (("<", -limit), (">", limit)):
            edge = VECTOR([side] * LANES)
            value = code.builder.select(code.builder.fcmp_ordered(sign, value, edge), edge, value)
        return value

    def make(load, store):
        z = within(code.times(scale, load(x)), 9.0)
        u = code.times(z, z)
        above = code.times(z, _polynomial(code, u, TANH_ABOVE))
        tanh = within(code.builder.fdiv(above, _polynomial(code, u, TANH_BELOW)), 1.0)
        store(code.times_plus(height, tanh, offset), out)

    _each(code, n, make)
    code.builder.ret_void()


def _zeros(code, a, n):
    ones, counts = VECTOR([1.0] * LANES), Sums(code, 1)

    def step(places, mask):
        zero = code.builder.fcmp_ordered("==", code.load(a, places[0], mask), ZERO)
        if mask is not None:
            zero = code.builder.and_(zero, mask)
        counts.add(0, code.builder.select(zero, ones, ZERO), ones)

    code.columns(n, step)
    code.builder.ret(counts.total())


def _beyond(code, a, n, limit):
    marks, most = Marks(code), code.size(code.splat(limit))

    def step(places, mask):
        marks.add(code.builder.icmp_signed(">", code.size(code.load(a, places[0], mask)), most))

    code.columns(n, step)
    code.builder.ret(marks.any())


def _clear(code, out, n):
    _each(code, n, lambda load, store: store(ZERO, out))
    code.builder.ret_void()


# the functions of the library, by name: what writes each, and its parameters (p a row, l a list, i, f numbers; =f: it
# returns a number)
WRITERS: dict[str, tuple[Callable[..., None], str]] = {
    "dot": (_dot, "ppi=f"), "multiply": (_multiply, "piipp"), "learn": (_learn, "piifpp"),
    "learn_multiply": (_learn_multiply, "piifpppp"), "encode": (_encode, "piippp"),
    "learn_encode": (_learn_encode, "piippppp"), "spread": (_spread, "piipp"), "add_rows": (_add_rows, "piplip"),
    "learn_rows": (_learn_rows, "pilifpp"), "list_rows": (_list_rows, "piil"), "blend": (_blend, "pifpp"),
    "add": (_add, "pip"), "subtract": (_subtract, "pipp"), "approach": (_approach, "pifp"),
    "squash": (_squash, "pipfff"),
    "errors": (_errors, "pppppiff=f"), "track": (_track, "pppifp"), "note": (_note, "pip=f"), "zeros": (_zeros, "pi=f"),
    "beyond": (_beyond, "pif=f"), "copy": (_copy, "pip"), "clear": (_clear, "pi")}
