"""One array in which many pieces have their place, each on cache lines of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from cortexsim.errors import GraphError

LINE = 64  # bytes of a cache line: arrays start on one


class Arena:
    """Places many aligned pieces in one array."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.size = 0

    def place(self, count: int, aligned: bool = True) -> int:
        """Reserve `count` elements and return where they start."""
        line = max(1, LINE // self.dtype.itemsize) if aligned else 1
        start = -(-self.size // line) * line
        self.size = start + int(count)
        return start

    def check(self, what: str) -> None:
        """Raise a GraphError where places no longer fit into the driver's tables, which hold 32 bits of each."""
        if self.size >= 1 << 31:
            raise GraphError("graph", f"needs {self.size:,} numbers for {what}, and {(1 << 31) - 1:,} have a place",
                             hint="make its largest signals smaller, or its longest delays shorter")

    def make(self) -> np.ndarray:
        """The array itself, zeroed, starting on a cache line."""
        raw = np.zeros(max(1, self.size) * self.dtype.itemsize + LINE, np.uint8)
        skip = -raw.ctypes.data % LINE
        return raw[skip : skip + max(1, self.size) * self.dtype.itemsize].view(self.dtype)
