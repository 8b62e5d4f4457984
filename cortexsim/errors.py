"""The exceptions of cortexsim: each says where, what, what came, and what would be right.

One template serves them all, so that a message always names its culprit::

    region 'V1': learning_rate must be in [0, 2] (got 3.0); try 0.05
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any

_MISSING = object()


class CortexsimError(Exception):
    """Base of everything that cortexsim raises on purpose.

    Parameters
    ----------
    where : str
        The culprit: a region, edge, port, file or option, named.
    what : str
        What is wrong, and what is allowed.
    got : object, optional
        The value that came.
    hint : str, optional
        The next step: the nearest name, a value that would do.
    """

    def __init__(self, where: str, what: str, got: Any = _MISSING, hint: str = "") -> None:
        self.where = where
        self.what = what
        self.got = None if got is _MISSING else got
        self.hint = hint
        text = f"{where}: {what}"
        if got is not _MISSING:
            text += f" (got {got!r})"
        if hint:
            text += f"; {hint}"
        super().__init__(text)
        self._has_got = got is not _MISSING

    def __reduce__(self):
        # the default pickles only the text, which is one argument where four are needed
        got = self.got if self._has_got else _MISSING
        return (_rebuild, (type(self), self.where, self.what, None if got is _MISSING else got,
                           self._has_got, self.hint))


def _rebuild(cls, where, what, got, has_got, hint):
    return cls(where, what, got, hint) if has_got else cls(where, what, hint=hint)


class GraphError(CortexsimError, ValueError):
    """The region graph, or the plan made from it, is not sound."""


class KindError(CortexsimError, ValueError):
    """A kind, its hyperparameters or its kernels break the contract."""


class InputError(CortexsimError, ValueError):
    """Data, or an argument of a call, is not what the graph needs."""


class FileError(CortexsimError, OSError):
    """A file cannot be read or written, or does not hold what it should."""


class RegionWarning(UserWarning):
    """A region has come to a limit of its own, and says what it does now."""


class SettlingWarning(UserWarning):
    """Regions that settle have diverged, or their free energy rose."""


def users_call() -> int:
    """How many calls above its caller the user's own code is: the ``stacklevel`` of a warning."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and f"{frame.f_globals.get('__name__', '')}.".startswith("cortexsim."):
        frame, level = frame.f_back, level + 1
    return level


def nearest(name: str, options: Iterable[str], limit: int = 8) -> str:
    """Suggest what a misspelt name may have meant.

    Parameters
    ----------
    name : str
        The name that is not known.
    options : iterable of str
        The names that are.
    limit : int
        How many names to list where none is near.

    Returns
    -------
    str
        ``"did you mean 'x'?"``, or the known names.

    Examples
    --------
    >>> nearest("V1.stat", ["V1.state", "V2.state"])
    "did you mean 'V1.state'?"
    >>> nearest("zebra", ["a", "b"])
    'known: a, b'
    """
    known = sorted(str(option) for option in options)
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    if not close:
        lower = {option.lower(): option for option in known}
        close = [lower[key] for key in difflib.get_close_matches(str(name).lower(), list(lower), n=1, cutoff=0.6)]
    if close:
        return f"did you mean {close[0]!r}?"
    if not known:
        return "none is known"
    more = f", ... ({len(known)} in all)" if len(known) > limit else ""
    return "known: " + ", ".join(known[:limit]) + more
