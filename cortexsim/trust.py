"""What a file from outside may do: name things of the package, and import nothing else unless its reader allows it.

And what values it may hold: numbers, words and tables that every part of the package can take.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from cortexsim.errors import FileError, GraphError, InputError, KindError

DEEPEST = 32
"""How deep tables and lists may lie in each other."""
LARGEST = 1 << 63
"""Whole numbers lie below this, above or below zero: TOML promises no more, and no array holds more."""

# names and the call that allows more; None: nothing is being read, it is the caller's own program that names a kind
_allowed: ContextVar[tuple[tuple[str, ...], str] | None] = ContextVar("allowed", default=None)

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


@contextmanager
def importing_only(allowed: Iterable[str] = (), call: str = "") -> Iterator[None]:
    """While a file is read: what it names outside the package is imported only where it is allowed.

    Parameters
    ----------
    allowed : iterable of str
        Names as the file writes them, ``"mylab.rules:gain"``; ``*``, ``?`` and ``[...]`` are wildcards: ``"mylab.*"``.
        Where nothing is named, what an outer reader allows goes on to be allowed.
    call : str
        How to call the reader so that it allows more, for the message, where no outer reader says it.

    Raises
    ------
    InputError
        `allowed` holds something else than names.

    Examples
    --------
    >>> from cortexsim.kind import find_kind
    >>> with importing_only(["mylab.*"]):
    ...     find_kind("colorsys:hls_to_rgb")
    Traceback (most recent call last):
    cortexsim.errors.KindError: kind 'colorsys:hls_to_rgb': is outside the package, ...
    """
    try:
        names = (allowed,) if isinstance(allowed, str) else tuple(allowed)
    except TypeError:
        names = (allowed,)  # type: ignore[assignment]
    for name in names:
        if not isinstance(name, str):
            raise InputError("allow_kinds", "must hold names, such as 'mylab.rules:gain' or 'mylab.*'", name)
    outer = _allowed.get()
    token = _allowed.set((names, call) if outer is None else (names or outer[0], outer[1]))
    try:
        yield
    finally:
        _allowed.reset(token)


@contextmanager
def importing_what_it_likes() -> Iterator[None]:
    """While code runs that was allowed: what it names is its own."""
    token = _allowed.set(None)
    try:
        yield
    finally:
        _allowed.reset(token)


def check_import(name: str, what: str, error: type[KindError] | type[InputError] = KindError) -> None:
    """Refuse a name outside the package while a file is read that may not import it.

    Parameters
    ----------
    name : str
        As the file writes it; a name without a dot and a colon is one of the package.
    what : {"kind", "stream", "encoder"}
        What it names, for the message.
    error : type
        What is raised.

    Raises
    ------
    KindError or InputError
        It is not among what the reader allows.
    """
    found = _allowed.get()
    if found is None or "." not in name and ":" not in name:
        return
    allowed, call = found
    if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
        words = f"{'allow_kinds' if what == 'kind' else 'allow_streams'}=[{name!r}]"
        hint = f"{call}, {words})" if call else f"{words}, on the command line --allow-kind {name}"
        raise error(f"{what} {name!r}", "is outside the package, and a file may not import it",
                    hint=f"allow it: {hint}")


def check_plain(value: Any, where: str, depth: int = 0) -> None:
    """Refuse values of a file that some part of the package could not take.

    Parameters
    ----------
    value : object
        Parsed: tables, lists, words, numbers.
    where : str
        Its place, which the message names.
    depth : int
        How deep it lies.

    Raises
    ------
    GraphError
        Tables or lists too deep in each other, a whole number of more than 64 bits, or a word with half a character.
    """
    if isinstance(value, str):
        if _HALF_A_PAIR.search(value):
            raise GraphError(where, "holds a character that no text can hold", value[:100])
    elif isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise GraphError(where, "must be a whole number of at most 64 bits")
    elif isinstance(value, Mapping | list | tuple):
        if depth == DEEPEST:
            raise GraphError(where, f"lies more than {DEEPEST} tables and lists deep")
        table = isinstance(value, Mapping)
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            if table:
                check_plain(key, where, DEEPEST)
            # a key may be as long as the file; what comes first names the file
            check_plain(item, f"{where}: {str(key)[:50]}" if table else where, depth + 1)


def json_attribute(text: str, where: str) -> Any:
    """Parse an attribute of a graph that is written as JSON; a GraphError names it where it is none."""
    try:
        return read_json(text, where)
    except FileError as error:
        raise GraphError(where, error.what, text[:100]) from None


def read_json(text: str | bytes, where: str) -> Any:
    """Parse JSON of unknown origin.

    Parameters
    ----------
    text : str or bytes
    where : str
        The file or attribute, named in errors.

    Returns
    -------
    object
        Tables, lists, words and numbers that `check_plain` takes.

    Raises
    ------
    FileError
        It is not JSON, or nested too deep.
    GraphError
        See `check_plain`.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise FileError(where, "is JSON that is nested too deep") from None
    except ValueError as error:  # not JSON, not text, or a number of thousands of digits
        raise FileError(where, f"is not JSON ({error})") from error
    check_plain(found, where)
    return found
