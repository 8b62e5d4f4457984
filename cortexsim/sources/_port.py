"""What the samples of one source must look like, and the checks of samples, arrays and names against it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cortexsim.errors import InputError, nearest

Shape = tuple[int, ...]


class Port:
    """The shape that a source's samples must have, and who asks.

    Samples may come in this shape or flattened in C order; those of size 1 as plain numbers.

    Parameters
    ----------
    where : str
        The caller, for error messages.
    name : str
        The source.
    shape : tuple of int
        Of one sample.
    """

    def __init__(self, where: str, name: str, shape: Shape) -> None:
        self.label = f"{where}: source {name!r}, port 'value'"
        self.shape = tuple(shape)
        self.size = math.prod(self.shape)
        self._wanted = self.wanted()
        self._shapes = {self.shape, (self.size,)} | ({()} if self.size == 1 else set())

    def takes(self, shape: Shape) -> bool:
        """Tell whether samples of `shape` fit."""
        return tuple(shape) in self._shapes

    def wanted(self, *first: str) -> str:
        """Name the shapes that fit, each with `first` before its own numbers."""
        shapes = [self.shape] if self.shape == (self.size,) else [self.shape, (self.size,)]
        return " or ".join("[" + ", ".join((*first, *map(str, shape))) + "]" for shape in shapes)

    def sample(self, sample: Any, tick: int) -> np.ndarray:
        """Check one sample; give its values, float32 and flat."""
        needs = f"tick {tick}: needs a sample of shape {self._wanted}"
        try:
            values = np.asarray(sample)
        except ValueError as error:  # rows of different lengths
            raise InputError(self.label, f"{needs}: {error}") from None
        if values.dtype.kind not in "biuf":
            raise InputError(self.label, f"tick {tick}: needs real numbers", got=f"dtype {values.dtype}")
        if values.shape not in self._shapes:
            raise InputError(self.label, needs, got=values.shape)
        return _as_float32(values).ravel()

    def rows(self, array: Any) -> np.ndarray:
        """Check an array [ticks, *shape]; give it as float32 [ticks, size], uncopied where possible."""
        needs = f"needs an array of shape {self.wanted('ticks')}"
        try:
            values = np.asarray(array)
        except ValueError as error:  # rows of different lengths
            raise InputError(self.label, f"{needs}: {error}") from None
        if values.dtype.kind not in "biuf":
            raise InputError(self.label, "needs real numbers", got=f"dtype {values.dtype}")
        if values.ndim == 0 or values.shape[1:] not in self._shapes:
            raise InputError(self.label, needs, got=values.shape)
        return _as_float32(values).reshape(len(values), self.size)


def _as_float32(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.float32 and values.flags.c_contiguous:
        return values
    # what float32 cannot hold becomes infinite, which the run reports with its tick
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32)


def check_names(given: Mapping[str, Any], sources: Mapping[str, Any], where: str) -> None:
    """Raise InputError unless `given` has exactly the names of `sources`."""
    for name in given:
        if name not in sources:
            raise InputError(where, f"no source is called {name!r}", hint=nearest(str(name), sources))
    for name in sources:
        if name not in given:
            raise InputError(where, f"source {name!r} gets no data", hint=f"add {name!r} to the inputs")


def common_length(lengths: Mapping[str, int], where: str) -> int | None:
    """Give the number of ticks that all arrays have, None where there is no array."""
    if not lengths:
        return None
    short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    if lengths[short] != lengths[long]:
        raise InputError(where, f"arrays must have the same number of ticks, but {short!r} has "
                         f"{lengths[short]} and {long!r} has {lengths[long]}",
                         hint=f"cut them to the first {lengths[short]}")
    return lengths[short]
