"""Hyperparameters, declared once: default, range, scale, unit and meaning, for checks, docs and search alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from cortexsim.errors import KindError, nearest


@dataclass(frozen=True)
class HyperField:
    """What is known of one hyperparameter: the search space, the docs and the checks all come from it."""

    name: str
    default: Any
    low: float | None
    high: float | None
    scale: str
    unit: str
    doc: str
    choices: tuple[str, ...]
    structural: bool

    @property
    def integer(self) -> bool:
        """Whether kernels read it as an integer (bool, int, or the index of a choice)."""
        return bool(self.choices) or isinstance(self.default, (bool, int))

    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if isinstance(self.default, bool):
            return "true or false"
        number = "a whole number" if isinstance(self.default, int) else "a number"
        if self.low is None and self.high is None:
            return number
        low = "-inf" if self.low is None else f"{self.low:g}"
        high = "inf" if self.high is None else f"{self.high:g}"
        return f"{number} in [{low}, {high}]"

    def check(self, value: Any, where: str) -> Any:
        """Return `value` in the field's own type, or raise a :class:`KindError` that says what is allowed."""
        bad = KindError(where, f"{self.name} must be {self.allowed()}", value, f"the default is {self.default!r}")
        if self.choices:
            if value not in self.choices:
                hint = nearest(str(value), self.choices)
                raise KindError(where, f"{self.name} must be {self.allowed()}", value, hint)
            return str(value)
        if isinstance(self.default, bool):
            if not isinstance(value, (bool, np.bool_)):
                raise bad
            return bool(value)
        if isinstance(value, (bool, str)) or not np.isscalar(value):
            raise bad
        try:
            number = float(value)  # type: ignore[arg-type]
        except OverflowError:
            raise bad from None
        if isinstance(self.default, int):
            if not number.is_integer():
                raise bad
            number = int(number)
        outside = (self.low is not None and number < self.low) or (self.high is not None and number > self.high)
        if outside or not np.isfinite(number):
            raise bad
        return number

    def encode(self, value: Any) -> float:
        """The number that kernels see: choices become their index."""
        return float(self.choices.index(value)) if self.choices else float(value)


def hyper(default: Any, doc: str, *, low: float | None = None, high: float | None = None, scale: str = "linear",
          unit: str = "", choices: tuple[str, ...] = (), structural: bool = False) -> Any:
    """Declare one hyperparameter of a kind, once for validation, docs and search.

    Parameters
    ----------
    default : float, int, bool or str
        Its default; the type of the default is the type of the field.
    doc : str
        One line of meaning.
    low, high : float, optional
        The allowed range, both ends included.
    scale : {"linear", "log"}
        How a search should step through the range.
    unit : str
        The unit, such as ``"1/tick"``.
    choices : tuple of str
        For a field of words: the allowed ones. A kernel sees the index.
    structural : bool
        True where the shapes of arrays depend on it: it cannot change during a run.

    Returns
    -------
    dataclasses.Field
        To be assigned in the body of a kind's frozen dataclass ``Hyper``.
    """
    extra = {"doc": doc, "low": low, "high": high, "scale": scale, "unit": unit, "choices": tuple(choices),
             "structural": structural}
    return dataclasses.field(default=default, metadata=extra)


@cache
def hyper_fields(Hyper: type) -> Mapping[str, HyperField]:
    """What a dataclass of hyperparameters declares, by name, in the order of declaration."""
    # found once for each kind: online, regions that may have a notice ask at every tick
    return MappingProxyType({f.name: HyperField(name=f.name, default=f.default, **f.metadata)
                             for f in dataclasses.fields(Hyper)})
