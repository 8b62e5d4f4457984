"""Encoders and decoders: values of the world as codes that regions can predict, and predictions as values.

An encoder is a set of parameters that never changes. All have

- ``shape``, of one code, and ``size``, its number of units;
- ``encode(values)``: the code of each value, float32 [n, size];
- ``decode(rows)``: the value that each row of weights stands for; ``decode(rows, quantiles=(0.1, 0.9))`` of those for
  numbers in a range: quantiles of what the rows say of the value;
- ``memory``: the ticks of the past that a code depends on (0: none; None: all), and ``start()``: a coder for a series
  that comes in pieces. How it is cut never changes a code, and nothing later ever does.

`cortexsim.sources.encoded` brings them into a region graph.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from cortexsim.encoders._base import Encoder
from cortexsim.encoders.bins import Scalar
from cortexsim.encoders.category import Bytes, Category, Characters
from cortexsim.encoders.past import Difference, Standardise
from cortexsim.encoders.periodic import Calendar, Periodic
from cortexsim.encoders.population import Population
from cortexsim.encoders.random_codes import RandomCodes
from cortexsim.errors import InputError, nearest

__all__ = ["Bytes", "Calendar", "Category", "Characters", "Difference", "Encoder", "Periodic", "Population",
           "RandomCodes", "Scalar", "Standardise", "find_encoder", "list_encoders"]

_NAMED: dict[str, type] = {"bytes": Bytes, "calendar": Calendar, "category": Category, "characters": Characters,
                           "difference": Difference, "periodic": Periodic, "population": Population,
                           "random_codes": RandomCodes, "scalar": Scalar, "standardise": Standardise}


def list_encoders() -> list[str]:
    """List the names of the encoders.

    Examples
    --------
    >>> list_encoders()
    ['bytes', 'calendar', 'category', 'characters', 'difference', 'periodic', 'population', 'random_codes', 'scalar',
     'standardise']
    """
    return sorted(_NAMED)


def find_encoder(name: str, **options: Any) -> Any:
    """Make an encoder from its name and options, as a file of settings holds them.

    Parameters
    ----------
    name : str
        See `list_encoders`; or, from outside, ``"package.module:Class"``.
    **options
        Its parameters. One that is an encoder itself may be a table of its ``encoder`` (the name) and options.

    Returns
    -------
    Encoder

    Raises
    ------
    InputError
        Unknown name or option (the nearest known one is suggested), a needed option is missing, or one is out of range.

    Examples
    --------
    >>> find_encoder("scalar", low=0, high=10, size=12, active=2).shape
    (12,)
    >>> find_encoder("standardise", then={"encoder": "scalar", "low": -10, "high": 10, "size": 101, "active": 9}).shape
    (101,)
    """
    where = f"encoder {name!r}"
    made = _from_outside(where, name) if isinstance(name, str) and ":" in name else _NAMED.get(name)
    if made is None:
        raise InputError(where, "no encoder has this name", hint=nearest(str(name), _NAMED))
    known = inspect.signature(made).parameters
    for key, value in options.items():
        if key not in known:
            raise InputError(where, f"unknown option {key!r}", hint=nearest(key, known))
        if isinstance(value, Mapping) and "encoder" in value:
            inner = dict(value)
            options[key] = find_encoder(inner.pop("encoder"), **inner)
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in options:
            raise InputError(where, f"needs the option {key!r}")
    return made(**options)


def _from_outside(where: str, name: str) -> Any:
    module, _, class_name = name.partition(":")
    try:
        return getattr(importlib.import_module(module), class_name)
    except (ImportError, ValueError) as error:
        raise InputError(where, f"module {module!r} cannot be imported: {error}") from error
    except AttributeError:
        raise InputError(where, f"module {module!r} has no class {class_name!r}") from None
