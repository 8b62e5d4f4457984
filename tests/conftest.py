"""What every test stands on: fresh compiled code, no window, no network, the same examples on every run."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).parents[1]
LOOPBACK = ("127.", "::1", "localhost")


def _set_up_environment() -> None:
    # numba looks at one file when it decides whether cached code is old, so a session never meets an earlier
    # session's cache. Workers do not share one either: two that save different signatures of the same function
    # at once can leave an index that names the wrong code.
    base = os.environ.get("CORTEXSIM_TEST_CACHE")
    if base is None:
        base = tempfile.mkdtemp(prefix="cortexsim-test-cache-")
        os.environ["CORTEXSIM_TEST_CACHE"] = base  # which the workers of pytest-xdist inherit
        atexit.register(shutil.rmtree, base, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(Path(base) / os.environ.get("PYTEST_XDIST_WORKER", "main"))
    # a test that starts a program of its own means this checkout, whatever is installed
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["MPLBACKEND"] = "Agg"
    # what is wrapped to the terminal is wrapped alike everywhere
    os.environ["COLUMNS"] = "110"
    # BLAS threads of one worker would stand in the way of the other
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


# at import, so that it comes before the first import of numba
_set_up_environment()

# examples drawn from the test's own source: a failure here is a failure everywhere
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=25, print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("ci"), derandomize=False, max_examples=1000)
# where the tests are tested (tests/mutants) one failure is enough, and nobody reads it: no time goes to making it small
settings.register_profile("mutants", parent=settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate),
                          print_blob=False, report_multiple_bugs=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of outside data, which the package does not ship."""
    folder = os.environ.get("CORTEXSIM_DATA")
    if not folder:
        pytest.skip("outside data is needed: set CORTEXSIM_DATA to its folder")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"CORTEXSIM_DATA is not a folder: {path}")
    return path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that reaches for anything but this machine."""

    def guarded(connect):
        def checked(self, address):
            if self.family != getattr(socket, "AF_UNIX", None) and not str(address[0]).startswith(LOOPBACK):
                raise RuntimeError(f"a test tried to reach the network: {address[0]}")
            return connect(self, address)

        return checked

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
