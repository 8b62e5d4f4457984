"""Where in its input a simulation is, so that a stream, or arrays, can be put there again after a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cortexsim.errors import InputError
from cortexsim.sources import SeekableStream, StreamLike
from cortexsim.sources.arrays import Inputs


@dataclass(frozen=True)
class Place:
    """A place in an input.

    Attributes
    ----------
    row : int or None
        The row that the next tick (or trial) reads; None: no input was read yet, and the clock tells.
    again : bool
        Whether anybody can go back there: an iterator cannot.
    """

    row: int | None = None
    again: bool = True


def place_after(data: Inputs, rows: int) -> Place:
    """The place when so many rows of an input have run."""
    return Place(rows, False) if data.first_row is None else Place(data.first_row + rows)


def seek(inputs: Any, place: Place, now: int) -> Any:
    """Put an input where a simulation goes on.

    Parameters
    ----------
    inputs : mapping, stream, sequence or callable
        As :class:`cortexsim.sources.arrays.Inputs` takes them.
    place : Place
    now : int
        The tick (or trial) of the simulation.

    Returns
    -------
    object
        The stream itself; of arrays and lists what is left; callables as they are, since they are told the tick.

    Raises
    ------
    InputError
        For an iterator or generator, and after a run that read one.
    """
    row = now if place.row is None else place.row
    if not place.again:
        raise InputError("seek", f"the run read {row} rows of an iterator or generator, which cannot go back there",
                         hint="skip what it has read yourself, or give arrays, or a stream with position and seek()")
    if isinstance(inputs, SeekableStream):
        inputs.seek(row)
        return inputs
    if isinstance(inputs, Mapping):
        return {name: _rest(values, row, f"source {name!r}") for name, values in inputs.items()}
    if isinstance(inputs, StreamLike):
        raise InputError(f"stream {type(inputs).__name__!r}", f"cannot go to row {row}: it has no seek()",
                         hint="open it anew and read as many rows, or give it position and seek()")
    return _rest(inputs, row, "seek")


def _rest(values: Any, row: int, where: str) -> Any:
    listed = isinstance(values, Sequence) and not isinstance(values, (str, bytes))
    if listed or hasattr(values, "__array__"):
        return values[row:]
    if callable(values):
        return values
    raise InputError(where, f"a {type(values).__name__} cannot go to row {row}",
                     hint="give arrays, lists, callables from the tick, or a stream with position and seek()")
