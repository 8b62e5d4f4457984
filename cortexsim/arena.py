"""One array in which many pieces have their place, each on cache lines of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

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

    def make(self) -> np.ndarray:
        """The array itself, zeroed, starting on a cache line."""
        raw = np.zeros(max(1, self.size) * self.dtype.itemsize + LINE, np.uint8)
        skip = -raw.ctypes.data % LINE
        return raw[skip : skip + max(1, self.size) * self.dtype.itemsize].view(self.dtype)
