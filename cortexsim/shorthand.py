"""The short notation of a signal, ``"V1.state[0:4]@2"``: which node, which port, which units, how many ticks ago."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from cortexsim.attributes import as_whole_number
from cortexsim.errors import GraphError, nearest
from cortexsim.fields import FIELDS

AUTOMATIC = "auto:"
"""Begins a select that only the plan can work out: it depends on sizes that the graph does not know yet."""

RUN = 1 << 10
"""Edges that one run of delays, ``"retina@1..8"``, may stand for."""

ITEM_OPTIONS = ("delay", "field", "name", "span", "outside", "lesioned", "why", "extra")
"""What an entry of a region's context may say of its edge."""

FIELD_CLASSES = tuple(FIELDS.values())

_NAME = re.compile(r"[\w+-]+")
_REFERENCE = re.compile(
    r"(?P<name>[^.@\[\]]+)(\.(?P<port>[^.@\[\]]+))?(\[(?P<select>[^\[\]]*)\])?(@(?P<delay>-?\d{1,18}))?"
)
_RUN_OF_DELAYS = re.compile(r"(?P<signal>.*@)(?P<first>\d{1,18})\.\.(?P<last>\d{1,18})\s*")
_SPAN_OF_UNITS = re.compile(r"(\d{1,18}):(\d{1,18})")


class Reference(NamedTuple):
    """A signal as somebody wrote it; what was left out is None."""

    name: str
    port: str | None = None
    select: str | None = None
    delay: int | None = None

    def __str__(self) -> str:
        port = "" if self.port is None else f".{self.port}"
        select = "" if self.select is None else f"[{self.select}]"
        delay = "" if self.delay is None else f"@{self.delay}"
        return f"{self.name}{port}{select}{delay}"


def parse_reference(text: str, where: str = "reference") -> Reference:
    """Read ``name.port[select]@delay``, of which only the name is required.

    Parameters
    ----------
    text : str
        The notation.
    where : str
        Named in the error: the region that reads, for example.

    Returns
    -------
    Reference

    Raises
    ------
    GraphError
        The text has another form.

    Examples
    --------
    >>> parse_reference("V1.state[0:4]@2")
    Reference(name='V1', port='state', select='0:4', delay=2)
    >>> str(parse_reference("motor[3]"))
    'motor[3]'
    """
    match = _REFERENCE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not _NAME.fullmatch(match["name"]):
        raise GraphError(where, "a signal is written as name.port[select]@delay", text,
                         "for example 'retina', 'V1.state@2' or 'V1.state[0:4]@1'")
    select = None if match["select"] is None else match["select"].replace(" ", "")
    if select is not None:
        check_select(select, where)
    return Reference(match["name"], match["port"], select, None if match["delay"] is None else int(match["delay"]))


def check_name(name: object, where: str) -> str:
    """Return the name of a node, or raise a GraphError where the short notation could not hold it."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise GraphError(where, "a name is made of letters, digits, '_', '-' and '+'", name)
    return name


def check_select(select: str, where: str) -> None:
    """Raise a GraphError unless a select is ``"3"``, ``"0:16"`` or ``"0,2,5"``."""
    select_units(select, where)


def select_units(select: str, where: str) -> range | list[int]:
    """The units that a select names; a GraphError where it has another form."""
    hint = "for example '3', '0:16' or '0,2,5'"
    span = _SPAN_OF_UNITS.fullmatch(select)
    if span:
        start, stop = int(span[1]), int(span[2])
        if start < stop:
            return range(start, stop)
        raise GraphError(where, "a select start:stop must have start < stop", select, hint)
    parts = select.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise GraphError(where, "a select is one unit, a span of units, or a list of them", select, hint)
    units = [int(part) for part in parts]
    if len(set(units)) < len(units):
        raise GraphError(where, "a select names each unit once", select)
    return units


def select_indices(select: str | None, size: int, where: str) -> np.ndarray | None:
    """Indices of the selected units of a signal.

    Parameters
    ----------
    select : str or None
        ``"3"``, ``"0:16"``, ``"0,2,5"``, or None for all.
    size : int
        Units of the signal.
    where : str
        The edge, named in the error.

    Returns
    -------
    numpy.ndarray, int32, shape (n_selected,), or None
        None stands for all units, in their order.

    Raises
    ------
    GraphError
        A unit that the signal does not have.

    Examples
    --------
    >>> select_indices("0,2", 3, "edge").tolist()
    [0, 2]
    """
    if select is None:
        return None
    check_select_fits(select, size, where)
    units = select_units(select, where)
    if isinstance(units, range):
        return np.arange(units.start, units.stop, dtype=np.int32)
    return np.array(units, dtype=np.int32)


def check_select_fits(select: str, size: int, where: str) -> None:
    """Raise a GraphError where a select names a unit that a signal of `size` units does not have."""
    units = select_units(select, where)
    last = units[-1] if isinstance(units, range) else max(units)
    if last >= size:
        raise GraphError(where, f"selects unit {last} of a signal that has {size}", select,
                         f"units are counted from 0 to {size - 1}")


def edge_name(source: Reference, target: str, role: str) -> str:
    """The name an edge gets where the user gives none.

    Examples
    --------
    >>> edge_name(Reference("V1", "state", None, 1), "V2", "context")
    'V1.state@1->V2'
    >>> edge_name(Reference("V1", "state", "0:4", 0), "V2", "target")
    'V1.state[0:4]@0->V2:target'
    """
    return f"{source}->{target}" + ("" if role == "context" else f":{role}")


def parse_item(item: Any, where: str) -> tuple[Reference, dict[str, Any]]:
    """Read one entry of a region's ``context`` (or predicts, gate, prior, feedback).

    Parameters
    ----------
    item : str, dict or pair
        ``"V1.state@2"``; ``{"from": "V1.state@2", "field": "window(5)"}``; or ``("V1.state@2", "window(5)")``.
    where : str
        The region and argument, named in errors.

    Returns
    -------
    reference : Reference
        What is read.
    options : dict
        The attributes of the edge that were given, ``name`` among them.

    Raises
    ------
    GraphError
        Another form, or an option that edges do not have.
    """
    if isinstance(item, str):
        return parse_reference(item, where), {}
    if isinstance(item, Mapping):
        options = {str(key): value for key, value in item.items()}
        for key in options:
            if key not in ("from", *ITEM_OPTIONS):
                raise GraphError(where, f"an edge has no {key!r}", hint=nearest(key, ("from", *ITEM_OPTIONS)))
        if "from" not in options:
            raise GraphError(where, "an edge given as a table needs 'from'", dict(item), "try from='V1.state@2'")
        reference = parse_reference(options.pop("from"), where)
        delay = options.pop("delay", None)
        return with_delay(reference, delay, where), options
    if isinstance(item, tuple) and len(item) == 2:
        return parse_reference(item[0], where), {"field": item[1]}
    raise GraphError(where, "a signal is given as a text, a table with 'from', or a pair (text, field)", item)


def parse_items(items: Any, where: str) -> list[tuple[Reference, dict[str, Any]]]:
    """Read one entry or a sequence of them; see `parse_item`.

    ``"retina@1..3"`` stands for three of them: ``"retina@1"``, ``"retina@2"`` and ``"retina@3"``.

    Examples
    --------
    >>> [str(reference) for reference, _ in parse_items(["price@1..3", "day"], "region 'next'")]
    ['price@1', 'price@2', 'price@3', 'day']
    """
    if items is None:
        return []
    if isinstance(items, str | Mapping) or _is_pair_with_field(items):
        items = [items]
    if not isinstance(items, Iterable):
        raise GraphError(where, "must be a signal or a list of signals", items, "try ['V1.state@1', 'saccade']")
    return [parse_item(one, where) for item in items for one in _each_delay(item, where)]


def _each_delay(item: Any, where: str) -> list[Any]:
    """An entry as it is, or the entries that ``@first..last`` stands for."""
    text = item
    if isinstance(item, Mapping):
        text = item.get("from")
    elif isinstance(item, tuple) and item:
        text = item[0]
    match = _RUN_OF_DELAYS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return [item]
    first, last = int(match["first"]), int(match["last"])
    if first > last:
        raise GraphError(where, "a run of delays @first..last must have first <= last", text)
    if last - first >= RUN:
        raise GraphError(where, f"a run of delays @first..last may stand for {RUN:,} edges", text)
    signals = [f"{match['signal']}{delay}" for delay in range(first, last + 1)]
    if isinstance(item, str):
        return list(signals)
    if isinstance(item, tuple):
        return [(signal, *item[1:]) for signal in signals]
    if "name" in item and len(signals) > 1:
        raise GraphError(where, "a run of delays makes several edges, which cannot share one name", item["name"])
    return [{**item, "from": signal} for signal in signals]


def run_length(item: Any) -> int:
    """How many edges an entry stands for through a run of delays; 0 where it has none."""
    text = item.get("from") if isinstance(item, Mapping) else item
    match = _RUN_OF_DELAYS.fullmatch(text) if isinstance(text, str) else None
    return 0 if match is None else max(0, int(match["last"]) - int(match["first"]) + 1)


def _is_pair_with_field(items: Any) -> bool:
    # ("V1.state", "V2.state") is two signals, ("V1.state", "window(5)") one signal and its field
    if not (isinstance(items, tuple) and len(items) == 2 and isinstance(items[0], str)):
        return False
    return isinstance(items[1], FIELD_CLASSES) or isinstance(items[1], str) and "(" in items[1]


def with_delay(reference: Reference, delay: Any, where: str) -> Reference:
    """The reference with a delay that was given beside it; two different delays raise a GraphError."""
    if delay is None:
        return reference
    delay = as_whole_number(delay, f"{where}: delay")
    if reference.delay is not None and reference.delay != delay:
        raise GraphError(where, f"{str(reference)!r} already says a delay of {reference.delay}", delay)
    return reference._replace(delay=delay)
