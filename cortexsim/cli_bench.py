"""``cortexsim bench``: how fast it is here, beside what the machine allows and what others reach."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from cortexsim.errors import InputError

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / "benchmarks"


def bench(options: Namespace) -> int:
    """Run the benchmark of the checkout in a process of its own, where BLAS keeps to one thread.

    Parameters
    ----------
    options : argparse.Namespace
        With ``quick``, ``json``, ``pictures`` and ``compare``.

    Returns
    -------
    int
        The exit code of the benchmark.

    Raises
    ------
    InputError
        There is no checkout: the benchmark is not part of an installed package.
    """
    if not (FOLDER / "__main__.py").is_file():
        raise InputError("bench", "needs a checkout of cortexsim: the benchmark is not part of the installed package",
                         got=str(FOLDER), hint='clone the repository and run pip install -e ".[peers]" in it')
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "benchmarks", *arguments(options)]
    return subprocess.run(command, env=environment).returncode


def arguments(options: Namespace) -> list[str]:
    """The command line of the benchmark.

    Examples
    --------
    >>> arguments(Namespace(quick=True, json="new.json", pictures=None, compare="old.json"))
    ['--quick', '--json', 'new.json', '--compare', 'old.json']
    """
    given = ["--quick"] if options.quick else []
    for name in ("json", "pictures", "compare"):
        value = getattr(options, name)
        if value is not None:
            given += [f"--{name}", value]
    return given
