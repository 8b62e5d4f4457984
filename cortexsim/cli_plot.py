"""``cortexsim plot``: the pictures of a run, drawn again."""

from __future__ import annotations

import fnmatch
from argparse import Namespace
from pathlib import Path

from cortexsim import runfolder
from cortexsim.errors import InputError, nearest


def plot(options: Namespace) -> int:
    """Draw the pictures of a run again from its curves and its graph.

    Parameters
    ----------
    options : argparse.Namespace
        With ``folder``, ``regions`` and ``measure``.

    Returns
    -------
    int
        The exit code.
    """
    run = runfolder.read(options.folder)
    regions: list[str] | None = None
    if options.regions:
        regions = []
        for pattern in options.regions:
            found = fnmatch.filter(run.curves.regions, pattern)
            if not found:
                raise InputError("option --regions", f"no region matches {pattern!r}",
                                 hint=nearest(pattern, run.curves.regions))
            regions += [name for name in found if name not in regions]
    files = runfolder.draw(Path(options.folder), run.graph, run.curves, regions, options.measure)
    print(f"in {options.folder}: {', '.join(files)}")
    return 0
