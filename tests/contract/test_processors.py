"""The same bits on other processors: everything is compiled anew, for processors that can do less than this one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cortexsim as cs
from contract.running import Recorded
from cortexsim.native import X86

ROOT = Path(__file__).parents[2]
# features as numba wants them, of processors that have nothing beyond what their name says
PROCESSORS = {"x86-64": "+sse2", "haswell": "+sse2,+sse4.2,+avx,+avx2,+fma"}
SCRIPT = "from contract.test_processors import hash_of_a_run; print(hash_of_a_run())"


def graph() -> cs.RegionGraph:
    """All kinds, with fields, decay, sigmoids, sparse contexts and Sanger's rule, in sizes that fill no vector."""
    made = cs.RegionGraph()
    made.set_trial(4, {"init": (1, 2)})
    made.add_source("x", shape=(6, 7))
    made.add_source("bits", size=40, sparse=True)
    made.add_region("code", kind="subspace", predicts="x", size=11)
    made.add_region("sheet", kind="subspace", predicts={"from": "x", "field": cs.window(3)}, shape=(4, 5, 2))
    made.add_region("ordered", kind="subspace", predicts="x", size=5, rule="sanger", whiten=True)
    made.add_region("next", predicts="code.state", context=["code.state@1", "x@2"])
    made.add_region("chance", predicts="x", context="code.state@1", output="sigmoid", decay=0.01)
    made.add_region("few", predicts="x", context="bits@1", sparse=True)
    made.add_region("near", predicts="x", context=["code.state@1", {"from": "x@1", "field": cs.window(3, wrap=True)}])
    made.add_region("echo", kind="reservoir", predicts="x", context="x@1", size=37, lags=2, squares=True,
                    forgetting=0.999, horizon=2)
    made.add_region("heard", kind="rls", predicts="x", context=["echo.state@1", "x@2"], readout="kalman")
    made.add_region("memory", kind="temporal_memory", predicts="bits", context=["memory.state@1", "bits@1"],
                    cells_per_column=4, activation_threshold=3, min_threshold=2, new_synapses=6)
    made.add_region("slow", predicts="x", context="x@1", step_size="hypergradient")
    made.add_region("seen", kind="predictive_coding", predicts="x", size=42, precision_rate=0.01)
    made.add_region("low", kind="predictive_coding", predicts="seen.state", size=19, activation="sigmoid", rate=0.05,
                    context="code.state@1", state_prior="sparse")
    made.add_region("high", kind="predictive_coding", predicts=["low.state", "seen.state"], size=5, rate=0.05,
                    learning="incremental", learning_rate=0.001, max_norm=1.0, state_prior="laplace")
    return made


def hash_of_a_run() -> str:
    """A hash of every signal, every array and the curves of a run."""
    rng = np.random.default_rng(0)
    x = (0.2 + 0.3 * rng.normal(size=(200, 42))).astype(np.float32)
    bits = (rng.random((200, 40)) < 0.2).astype(np.float32)
    recorded = Recorded(graph(), seed=0)
    recorded.sim.run({"x": x, "bits": bits})
    story = recorded.story()
    digest = hashlib.sha256()
    for part in (story.signals, story.arrays, story.curves):
        for name, values in sorted(part.items()):
            digest.update(name.encode() + values.tobytes())
    return digest.hexdigest()


@pytest.mark.skipif(not X86, reason="code for another x86 processor runs on an x86 processor")
@pytest.mark.parametrize("name", PROCESSORS)
def test_another_processor_gives_the_same_bits(name, tmp_path):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, env={
        **os.environ, "PYTHONPATH": path, "NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": PROCESSORS[name],
        "NUMBA_CACHE_DIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == hash_of_a_run()
