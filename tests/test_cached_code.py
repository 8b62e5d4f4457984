"""numba's cache on disk: a warm start compiles nothing, and an edit of native.py is never answered with old code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cortexsim"

RUN = """
import gc, json
import numpy as np
from numba.core.dispatcher import Dispatcher
import cortexsim as cs
graph = cs.RegionGraph()
graph.add_source("eye", size=3)
graph.add_region("code", kind="subspace", predicts="eye", size=2)
graph.add_region("next", kind="delta", predicts="code.state", context=["code.state@1"])
cs.Simulation(graph, seed=0).run({"eye": np.ones((8, 3), np.float32)}, ticks=8)
stats = {}
for thing in gc.get_objects():
    ours = ("cortexsim.driver", "cortexsim.kinds", "cortexsim.rows")
    if isinstance(thing, Dispatcher) and thing.py_func.__module__.startswith(ours):
        hits, misses = stats.get(thing.py_func.__qualname__, (0, 0))
        stats[thing.py_func.__qualname__] = (hits + sum(thing.stats.cache_hits.values()),
                                             misses + sum(thing.stats.cache_misses.values()))
print(json.dumps({"hits": sorted(name for name, (hits, misses) in stats.items() if hits),
                  "misses": sorted(name for name, (hits, misses) in stats.items() if misses)}))
"""


def run_in(folder: Path) -> dict[str, list[str]]:
    """Run a small graph with the copy of the package in `folder`; say what numba found in its cache and what not."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache"),
                   "CORTEXSIM_NATIVE": "1"}
    done = subprocess.run([sys.executable, "-c", RUN], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def warmed(tmp_path_factory) -> Path:
    """A folder with a copy of the package and a cache that a cold run has filled."""
    folder = tmp_path_factory.mktemp("cached")
    shutil.copytree(PACKAGE, folder / "cortexsim", ignore=shutil.ignore_patterns("__pycache__"))
    assert run_in(folder)["misses"] != [], "nothing was compiled, so this test sees nothing"
    return folder


def edit(folder: Path, name: str) -> None:
    with (folder / "cortexsim" / name).open("a") as file:
        file.write("\n# edited\n")


# what these files give becomes part of the machine code of their callers, but numba looks at the caller's file alone:
# without a trace of them in what the cache is asked for, an upgrade would go on running the old code
def test_a_warm_start_loads_all_code_and_an_edit_of_what_they_hold_none(warmed):
    warm = run_in(warmed)
    assert warm["misses"] == []
    assert warm["hits"] != []
    edit(warmed, "scoring.py")
    assert "work" in warm["hits"] and "work" not in run_in(warmed)["hits"]
    for name in ("views.py", "sweeps.py"):
        edit(warmed, name)
        assert run_in(warmed)["hits"] == [], name
    # what several kinds share is no part of the library of row functions
    edit(warmed, "segments.py")
    assert run_in(warmed)["hits"] == ["_library"]
