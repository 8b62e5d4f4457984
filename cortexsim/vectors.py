"""Vectors, loops and sums as machine code: what the functions of :mod:`cortexsim.rows` are written with.

A sum runs in 16 lanes, what is left over fills up a last vector with zeros, and the lanes are added half to half.
Products and sums are rounded apart. Written down like this, the same sum has the same bits wherever it stands, and on
any processor; a compiler that may reorder sums would choose for each loop anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils

LANES = 16
FLOAT, INT, INT32, VOID = ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.VoidType()
ROW, LIST = FLOAT.as_pointer(), INT32.as_pointer()
VECTOR = ir.VectorType(FLOAT, LANES)
ZERO = VECTOR([0.0] * LANES)
WHOLE = ir.VectorType(INT32, LANES)
# numba puts its fastmath flags on every sum that has no flag; this one means nothing to a sum, and keeps the order
FIXED = ("arcp",)


class Code:
    """Vectors, loops and sums as machine code, on top of a builder."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int) -> Iterator[Any]:
        """A counted loop; gives its counter."""
        with cgutils.for_range_slice(self.builder, start, stop, INT(step), INT) as (at, _):
            yield at

    def room(self, kind: Any) -> Any:
        """Memory on the stack, as the last user left it (numba's own helper would fill it with zeros at every call)."""
        with self.builder.goto_entry_block():
            return self.builder.alloca(kind)

    def below(self, n: Any, step: int) -> Any:
        """The largest multiple of `step` (a power of two) up to `n`."""
        return self.builder.and_(n, INT(-step))

    def plus_index(self, a: Any, b: Any) -> Any:
        """Sum of two whole numbers; `b` may be a plain one."""
        return self.builder.add(a, INT(b) if isinstance(b, int) else b)

    def columns(self, n: Any, step: Callable[[list[Any], Any], None], together: int = 1, whole: bool = False) -> None:
        """``step(places, mask)`` over all of 0..n: `together` vectors at a time, then one, then a last one in part.

        With `whole`, n is known to hold no vector in part.
        """
        done: Any = INT(0)
        for count in dict.fromkeys((together, 1)):
            end = self.below(n, count * LANES)
            with self.loop(done, end, count * LANES) as at:
                step([self.plus_index(at, k * LANES) for k in range(count)], None)
            done = end
        if whole:
            return
        with self.builder.if_then(self.builder.icmp_signed("<", done, n)):
            left = self.builder.trunc(self.builder.sub(n, done), INT32)
            lanes = ir.VectorType(INT32, LANES)
            first = self.builder.insert_element(lanes(ir.Undefined), left, INT32(0))
            limit = self.builder.shuffle_vector(first, first, lanes([0] * LANES))
            step([done], self.builder.icmp_signed("<", lanes(list(range(LANES))), limit))

    def at(self, array: Any, index: Any) -> Any:
        """Pointer to one element."""
        return self.builder.gep(array, [index])

    def load(self, row: Any, at: Any, mask: Any = None) -> Any:
        """A vector of a row; with a mask, zero where it says no."""
        place = self._place(row, at, VECTOR)
        if mask is None:
            return self.builder.load(place, align=4)
        return self._masked("load", VECTOR, [place, INT32(4), mask, ZERO])

    def store(self, vector: Any, row: Any, at: Any, mask: Any = None) -> None:
        """Write a vector into a row, in part if there is a mask."""
        place = self._place(row, at, vector.type)
        if mask is None:
            self.builder.store(vector, place, align=4)
        else:
            self._masked("store", VOID, [vector, place, INT32(4), mask])

    def _masked(self, verb, result, values):
        kind = ir.FunctionType(result, [value.type for value in values])
        name = f"llvm.masked.{verb}.v{LANES}f32.p0"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), values)

    def _place(self, row, at, kind):
        return self.builder.bitcast(self.at(row, at), kind.as_pointer())

    def number(self, row: Any, index: Any) -> Any:
        """One number of a row."""
        return self.builder.load(self.at(row, index))

    def splat(self, value: Any) -> Any:
        """A vector with one number in every lane."""
        vector = self.builder.insert_element(VECTOR(ir.Undefined), value, INT32(0))
        return self.shuffle(vector, vector, [0] * LANES)

    def shuffle(self, a: Any, b: Any, lanes: Sequence[int]) -> Any:
        """The lanes of two vectors, picked by number."""
        return self.builder.shuffle_vector(a, b, ir.VectorType(INT32, len(lanes))(list(lanes)))

    def plus(self, a: Any, b: Any) -> Any:
        """a + b."""
        return self.builder.fadd(a, b, flags=FIXED)

    def minus(self, a: Any, b: Any) -> Any:
        """a - b."""
        return self.builder.fsub(a, b, flags=FIXED)

    def times(self, a: Any, b: Any) -> Any:
        """a b."""
        return self.builder.fmul(a, b, flags=FIXED)

    def times_plus(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, rounded twice: on any processor the same, and quicker than at once where sums follow each other."""
        return self.plus(self.times(a, b), c)

    def size(self, vector: Any) -> Any:
        """The numbers of a vector without their signs, as whole numbers in the same order; NaN comes after infinity."""
        return self.builder.and_(self.builder.bitcast(vector, WHOLE), WHOLE([0x7fffffff] * LANES))

    def totals(self, vectors: Sequence[Any]) -> Any:
        """The sums over the lanes of 1, 2, 4, ... vectors, as the lanes of one vector."""
        found, size = list(vectors), LANES
        while size > 1:
            half = size // 2
            # a vector holds one row after the other, `size` lanes of each: add the upper half of each to the lower
            pairs = list(zip(found[::2], found[1::2], strict=True)) if len(found) > 1 else [(found[0], found[0])]
            width = (2 if len(found) > 1 else 1) * found[0].type.count
            low = [first + k for first in range(0, width, size) for k in range(half)]
            found = [self.plus(self.shuffle(a, b, low), self.shuffle(a, b, [k + half for k in low])) for a, b in pairs]
            size = half
        return found[0]


class Sums:
    """The running sums of some rows, in memory that the compiler turns into registers."""

    def __init__(self, code: Code, rows: int) -> None:
        self.code = code
        self.slots = [code.room(VECTOR) for _ in range(rows)]
        for slot in self.slots:
            code.builder.store(ZERO, slot)

    def add(self, row: int, a: Any, b: Any) -> None:
        """Add the products of two vectors to the sum of a row."""
        builder = self.code.builder
        builder.store(self.code.times_plus(a, b, builder.load(self.slots[row])), self.slots[row])

    def vectors(self) -> list[Any]:
        """One vector for each row, whose lanes are still to be added."""
        return [self.code.builder.load(slot) for slot in self.slots]

    def total(self) -> Any:
        """The sum of the first row, as a number."""
        return self.code.builder.extract_element(self.code.totals(self.vectors()), INT32(0))


class Marks:
    """Whether some lane of some vector was marked, in memory that the compiler turns into a register."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.slot = code.room(WHOLE)
        code.builder.store(WHOLE([0] * LANES), self.slot)

    def add(self, condition: Any) -> None:
        """Mark the lanes for which a condition holds."""
        builder = self.code.builder
        builder.store(builder.or_(builder.load(self.slot), builder.sext(condition, WHOLE)), self.slot)

    def any(self) -> Any:
        """1 where a lane was marked, else 0, as a number."""
        bits = ir.IntType(32 * LANES)
        found = self.code.builder.bitcast(self.code.builder.load(self.slot), bits)
        return self.code.builder.uitofp(self.code.builder.icmp_unsigned("!=", found, bits(0)), FLOAT)
