"""The table of faults that the tests are tested with: every fault can still be planted, and every law has some."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mutants.faults import FAULTS

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "tests/mutants/run.py"]


@pytest.fixture
def harness(monkeypatch):
    """The command as a module: it lies beside its table."""
    monkeypatch.syspath_prepend(ROOT / "tests" / "mutants")
    return importlib.import_module("run")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "-") for fault in FAULTS])
def test_a_fault_can_be_planted(fault):
    text = (ROOT / fault.file).read_text()
    assert text.count(fault.old) == 1
    assert fault.new != fault.old
    compile(text.replace(fault.old, fault.new), fault.file, "exec")
    assert fault.tests
    for test in fault.tests:
        file, _, name = test.partition("::")
        assert re.search(rf"^def {name.split('[')[0]}\(", (ROOT / file).read_text(), re.MULTILINE), test


def test_every_law_is_broken_by_some_fault():
    assert {f"law {n}" for n in range(1, 9)} <= {fault.breaks for fault in FAULTS}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 24


def test_a_planted_fault_is_seen_and_undone():
    name = "a merge that loses a bin"
    done = subprocess.run([*COMMAND, "--only", name], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^killed +{name} +\d+ s +test_curves.py::test_merging_keeps", done.stdout, re.MULTILINE)
    assert "1 of 1 faults were seen" in done.stdout


def test_a_fault_that_nobody_knows_is_refused():
    done = subprocess.run([*COMMAND, "--only", "nothing"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "there is no fault 'nothing'; --list shows them\n")


@pytest.mark.parametrize(("code", "text", "verdict", "test"), [
    (0, "1 passed", "SURVIVED", ""),
    (1, "...\nFAILED tests/test_plan.py::test_a - assert 1 == 2\n", "killed", "test_plan.py::test_a"),
    (-11, "Fatal Python error", "killed", "a crash"),
    (124, "", "killed", "no end within 900 s"),
    (2, "ERROR tests/test_plan.py\n1 error during collection", "NOT RUN", "1 error during collection"),
    (4, "ERROR: not found: tests/test_plan.py::test_b", "NOT RUN", "not found"),
])
def test_how_a_run_ends_says_what_became_of_the_fault(harness, code, text, verdict, test):
    outcome = harness.judge(CompletedProcess([], code, text), 1.0)
    assert outcome.verdict == verdict and test in outcome.test


def test_cached_code_that_holds_an_edited_file_is_forgotten(harness, tmp_path):
    names = ("driver.work-80.py311.nbi", "delta.tick-310.py311.nbi", "rows._library-90.py311.nbi")

    def left(file: str) -> list[str]:
        for name in names:
            (tmp_path / name).write_text("")
        harness.forget(tmp_path, file, (ROOT / file).read_text())
        return sorted(path.name.split(".")[0] for path in tmp_path.iterdir())

    assert left("cortexsim/plan.py") == ["delta", "driver", "rows"]
    assert left("cortexsim/scoring.py") == ["delta", "rows"]
    assert left("cortexsim/kinds/delta.py") == ["driver", "rows"]
    assert left("cortexsim/weight_rates.py") == []
