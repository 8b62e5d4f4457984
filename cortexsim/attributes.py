"""The attributes of a region graph's nodes and edges: their defaults, and how foreign values become ours.

Values come from Python, from TOML, from JSON (where tuples are lists) and from GraphML (where much is text).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from cortexsim.errors import GraphError, KindError
from cortexsim.fields import Dense, parse_field
from cortexsim.kind import ROLES, Kind, find_kind, kind_name
from cortexsim.trust import json_attribute

SOURCE_DEFAULTS: dict[str, Any] = {
    "type": "source", "shape": None, "known": "after", "imagined_by": None, "sparse": False, "why": "", "cite": "",
}
REGION_DEFAULTS: dict[str, Any] = {
    "type": "region", "kind": "delta", "shape": None, "hyper": {}, "period": 1, "offset": 0,
    "when_closed": "silent", "tags": (), "frozen": False, "on_divergence": "stop", "why": "", "cite": "",
}
EDGE_DEFAULTS: dict[str, Any] = {
    "role": "context", "port": None, "delay": None, "field": Dense(), "select": None, "span": None,
    "outside": "hold", "hyper": None, "mode": "scale", "lesioned": False, "auto": False, "why": "",
}
GRAPH_DEFAULTS: dict[str, Any] = {
    "name": "", "why": "", "cite": "", "tick_ms": None, "stream": {}, "trial": None, "defaults": {}, "version": 1,
}
LONGEST_LIST = 1 << 16
"""Characters of a list that is written as text."""
CHOICES: dict[str, tuple[str, ...]] = {
    "known": ("after", "before"), "when_closed": ("silent", "hold"), "role": ROLES,
    "on_divergence": ("stop", "reset", "freeze"),
    "outside": ("hold", "silent"), "mode": ("scale", "set"),
}


def default_delay(role: str, source: Mapping[str, Any]) -> int:
    """The delay of an edge that names none: 1 into what predict reads, unless the source speaks before the outcome."""
    if role == "modulator":
        return 1
    if role in ("context", "gate"):
        return 0 if source.get("known") == "before" else 1
    return 0


def node_attributes(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the attributes of a node, whatever file they come from.

    Parameters
    ----------
    name : str
        The node.
    given : mapping
        Its attributes; text is read as what it stands for. Hyperparameters may stand beside the others.

    Returns
    -------
    dict
        All attributes of a source or region; unknown ones are kept as they are.

    Raises
    ------
    GraphError
        Neither source nor region, or a value that is not what the attribute holds.
    """
    kind_of_node = given.get("type", "region" if "kind" in given else None)
    if kind_of_node not in ("source", "region"):
        raise GraphError(f"node {name!r}", "needs type='source' or type='region'", kind_of_node)
    where = f"{kind_of_node} {name!r}"
    defaults = SOURCE_DEFAULTS if kind_of_node == "source" else REGION_DEFAULTS
    data = dict(given)
    if "size" in data and data.get("shape") is None:
        data["shape"] = data.pop("size")
    if kind_of_node == "region":
        data["kind"] = kind_name(data.get("kind", "delta"))
        data["hyper"] = _mapping(data.get("hyper") or {}, f"{where}: hyper")
        for key in find_region_kind(name, data["kind"]).hyper_fields().keys() & data.keys() - defaults.keys():
            data["hyper"][key] = data.pop(key)
        data["hyper"] = {key: plain_value(value, f"{where}: {key}") for key, value in data["hyper"].items()}
    data = {key: data.get(key, default) for key, default in defaults.items()} | {
        key: value for key, value in data.items() if key not in defaults
    }
    return {key: _convert(key, value, where) for key, value in data.items()}


def edge_attributes(where: str, given: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the attributes of an edge, whatever file they come from.

    Parameters
    ----------
    where : str
        The edge, named in errors.
    given : mapping
        Its attributes; text is read as what it stands for.
    source : mapping
        The attributes of the node it reads, which decide over the default port and delay.

    Returns
    -------
    dict
        All attributes of an edge; unknown ones are kept as they are.

    Raises
    ------
    GraphError
        A value that is not what the attribute holds, or a region read without naming a port.
    """
    data = EDGE_DEFAULTS | dict(given)
    if data["delay"] is None:
        data["delay"] = default_delay(data["role"], source)
    if data["port"] is None:
        data["port"] = default_port(source, where)
    data["hyper"] = data["hyper"] or None  # TOML has no word for nothing but ""
    return {key: _convert(key, value, where) for key, value in data.items()}


def default_port(source: Mapping[str, Any], where: str) -> str:
    """``"value"`` of a source; a region has several ports, of which one must be named."""
    if source.get("type") == "source":
        return "value"
    ports = find_kind(source["kind"]).port_names
    raise GraphError(where, "reads a region, so it must name a port", hint=f"try .{' or .'.join(ports)}")


def find_region_kind(name: str, kind: str) -> Kind:
    """The kind of a region; where there is none, the error names the region too."""
    try:
        return find_kind(kind)
    except KindError as error:
        what = str(error).removeprefix(f"{error.where}:").removesuffix(f"; {error.hint}")
        raise GraphError(f"region {name!r}", f"{error.where}{what}", hint=error.hint) from error


def plain_value(value: Any, where: str) -> Any:
    """A bool, int, float, str, or a list of them: what every file format can hold."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain_value(item, where) for item in value]
    raise GraphError(where, "must be a number, a word, true or false, or a list of them", type(value).__name__)


def as_shape(value: Any, where: str) -> tuple[int, ...]:
    """One to three whole numbers from 1 up; a single one may stand alone."""
    items = _unpack(value)
    items = tuple(items) if isinstance(items, list | tuple | np.ndarray) else (items,)
    try:
        shape = tuple(as_whole_number(item, where) for item in items)
    except GraphError:
        shape = ()
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise GraphError(where, "must be one to three whole numbers, 1 or more: units, or (height, width, features)",
                         value)
    return shape


def as_whole_number(value: Any, where: str) -> int:
    """An int, from a text or a float that is whole too."""
    try:
        if isinstance(value, bool | np.bool_) or int(value) != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise GraphError(where, "must be a whole number", value) from None
    return int(value)


def _convert(key: str, value: Any, where: str) -> Any:
    """One attribute in the form in which the graph holds it."""
    place = f"{where}: {key}"
    if key == "field":
        return parse_field(value, place)
    if key == "shape":
        return None if value is None or isinstance(value, str) and not value else as_shape(value, place)
    if key == "tags":
        return _tags(value, place)
    if key in ("delay", "period", "offset"):
        return as_whole_number(value, place)
    if key in ("sparse", "frozen", "lesioned", "auto"):
        return _truth(value, place)
    if key in ("select", "span", "imagined_by"):
        return None if value in (None, "") else str(value)
    return value


def _tags(value: Any, where: str) -> tuple[str, ...]:
    items = _unpack(value)
    if isinstance(items, str):
        items = [items] if items else []
    if isinstance(items, set | frozenset):
        items = sorted(items, key=str)
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise GraphError(where, "must be a list of words", value)
    return tuple(items)


def _truth(value: Any, where: str) -> bool:
    words = {"true": True, "false": False, "1": True, "0": False}
    text = str(value).strip().lower()
    if text not in words:
        raise GraphError(where, "must be true or false", value)
    return words[text]


def _unpack(value: Any) -> Any:
    """Read a list that a file format made a text of; other values pass through."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "("):
        try:
            return value if len(value) > LONGEST_LIST else ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # the last two: nested too deep
            return value
    return value


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str):
        value = json_attribute(value, where)
    if not isinstance(value, Mapping):
        raise GraphError(where, "must be a table of names and values", value)
    return dict(value)
