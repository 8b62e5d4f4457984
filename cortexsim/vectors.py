"""Vectors, loops and sums as machine code: what the functions of :mod:`cortexsim.rows` are written with.

A sum runs in 16 lanes, what is left over in 4 and then in 1, and the lanes are added in one order. Written down like
this, the same sum has the same bits wherever it stands, and on any processor; a compiler that may reorder sums would
choose for each loop anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils

WIDTHS = (16, 4, 1)
FLOAT, INT, INT32, VOID = ir.FloatType(), ir.IntType(64), ir.IntType(32), ir.VoidType()
ROW, BYTES, LIST = FLOAT.as_pointer(), ir.IntType(8).as_pointer(), INT32.as_pointer()
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

    def below(self, n: Any, step: int) -> Any:
        """The largest multiple of `step` (a power of two) up to `n`."""
        return self.builder.and_(n, INT(-step))

    def columns(self, n: Any, step: Callable[[Any, int], None], unrolled: int = 1) -> None:
        """``step(at, lanes)`` over all of 0..n; with `unrolled`, so many vectors of 16 lanes as one step where it fits."""
        done: Any = INT(0)
        for lanes in WIDTHS if unrolled == 1 else (unrolled * WIDTHS[0], *WIDTHS):
            end = self.below(n, lanes)
            with self.loop(done, end, lanes) as at:
                step(at, lanes)
            done = end

    def at(self, array: Any, index: Any) -> Any:
        """Pointer to one element."""
        return self.builder.gep(array, [index])

    def load(self, row: Any, at: Any, lanes: int) -> Any:
        """A vector of a row."""
        return self.builder.load(self._place(row, at, lanes), align=4)

    def store(self, vector: Any, row: Any, at: Any) -> None:
        """Write a vector into a row."""
        self.builder.store(vector, self._place(row, at, vector.type.count), align=4)

    def _place(self, row, at, lanes):
        return self.builder.bitcast(self.at(row, at), ir.VectorType(FLOAT, lanes).as_pointer())

    def number(self, row: Any, index: Any) -> Any:
        """One number of a row."""
        return self.builder.load(self.at(row, index))

    def splat(self, value: Any, lanes: int) -> Any:
        """A vector with one number in every lane."""
        vector = self.builder.insert_element(ir.VectorType(FLOAT, lanes)(ir.Undefined), value, INT32(0))
        return self.shuffle(vector, vector, [0] * lanes)

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
        """a b + c, rounded once where the processor can."""
        kind = ir.FunctionType(a.type, [a.type] * 3)
        name = f"llvm.fmuladd.v{a.type.count}f32"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, c])

    @contextmanager
    def either(self, condition: Any) -> Iterator[Any]:
        """Two branches: gives a pair of contexts."""
        with self.builder.if_else(condition) as (then, otherwise):
            yield then, otherwise


class Sums:
    """The running sums of some rows (1, 2 or 4), in memory that the compiler turns into registers."""

    def __init__(self, code: Code, rows: int) -> None:
        self.code = code
        self.slots: dict[int, list[Any]] = {}
        for lanes in WIDTHS:
            zero = ir.VectorType(FLOAT, lanes)([0.0] * lanes)
            self.slots[lanes] = [cgutils.alloca_once(code.builder, zero.type) for _ in range(rows)]
            for slot in self.slots[lanes]:
                code.builder.store(zero, slot)

    def add(self, row: int, a: Any, b: Any) -> None:
        """Add the products of two vectors to the sum of a row."""
        slot, builder = self.slots[a.type.count][row], self.code.builder
        builder.store(self.code.times_plus(a, b, builder.load(slot)), slot)

    def totals(self) -> list[Any]:
        """The sums, one number for each row."""
        vector = self._joined(WIDTHS[0])
        for lanes in WIDTHS[1:]:
            vector = self.code.plus(self._folded(vector, lanes), self._joined(lanes))
        return [self.code.builder.extract_element(vector, INT32(k)) for k in range(vector.type.count)]

    def _joined(self, lanes):
        vectors = [self.code.builder.load(slot) for slot in self.slots[lanes]]
        while len(vectors) > 1:
            count = 2 * vectors[0].type.count
            vectors = [self.code.shuffle(a, b, range(count)) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    def _folded(self, vector, lanes):
        rows = len(self.slots[lanes])
        while vector.type.count > rows * lanes:
            size = vector.type.count // rows
            low = [row * size + k for row in range(rows) for k in range(size // 2)]
            vector = self.code.plus(self.code.shuffle(vector, vector, low),
                                    self.code.shuffle(vector, vector, [k + size // 2 for k in low]))
        return vector
