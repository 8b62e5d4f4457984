"""tm_conformance: scenarios of an HTM temporal memory, operation by operation, on a region of ``temporal_memory``.

Every test that the file holds is run; a test passes if all its expectations hold, exactly (permanences to the tolerance
that it names). Nothing in it is drawn at random.
"""

from __future__ import annotations

import json

from benchmarks.experiments._memory_scenarios import run_scenario
from benchmarks.experiments._series import data_file
from benchmarks.measures import Goal, Result

SEEDS = 1
GOALS = {"scenarios": Goal("all of them", "higher", "conformance scenarios of an HTM temporal memory that are passed, "
                           "of all that the data holds",
                           citation="operations and expected values of htm-community/htm.core's unit tests")}


def run(seed: int) -> dict[str, Result]:
    """Run every scenario of ``conformance/htm_temporal_memory.json``."""
    path = data_file("conformance", "htm_temporal_memory.json")
    tests = json.loads(path.read_text(encoding="utf-8"))["tests"]
    passed = sum(not run_scenario(test) for test in tests)
    return {"scenarios": Result(passed, goal=len(tests))}
