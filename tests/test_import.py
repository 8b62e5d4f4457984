"""What ``import cortexsim`` costs: no compilation, and none of the heavy modules that only some users need."""

from __future__ import annotations

import json
import subprocess
import sys

# pandas is an extra, matplotlib and the parts of scipy are slow to import
NOT_AT_IMPORT = ("matplotlib", "pandas", "PIL", "scipy.sparse", "scipy.stats", "scipy.optimize", "scipy.signal",
                 "pytest", "psutil", "pooch", "requests")

MEASURE = """
import gc, json, sys, time
import numba, numba.core.event
from numba.core.dispatcher import Dispatcher
compiled = numba.core.event.RecordingListener()
numba.core.event.register("numba:compile", compiled)
start = time.perf_counter()
import cortexsim
seconds = time.perf_counter() - start
own = [thing for thing in gc.get_objects() if isinstance(thing, Dispatcher)]
own = [thing for thing in own if thing.py_func.__module__.startswith("cortexsim")]
loaded = sorted(f"{d.py_func.__module__}.{d.py_func.__name__}" for d in own if d.signatures)
print(json.dumps({"seconds": seconds, "events": len(compiled.buffer), "loaded": loaded, "modules": list(sys.modules)}))
"""


def test_import_compiles_nothing_and_brings_only_what_every_run_needs(tmp_path):
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(f"import cortexsim took {found['seconds']:.2f} s beyond numba's own")
    assert found["events"] == 0
    assert found["loaded"] == []
    brought = set(found["modules"])
    assert "cortexsim.simulation" in brought, "the measure is of the whole library"
    assert [name for name in NOT_AT_IMPORT if name in brought] == []


def test_the_measure_sees_a_compilation():
    bad = "import numba\n@numba.njit('int64(int64)')\ndef f(x): return x\nf.py_func.__module__ = 'cortexsim.bad'"
    done = subprocess.run([sys.executable, "-c", MEASURE.replace("import cortexsim\n", bad + "\n")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["events"] > 0
    assert found["loaded"] == ["cortexsim.bad.f"]
