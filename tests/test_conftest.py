"""The ground that the tests stand on is itself tested."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numba
import pytest


def test_no_test_reaches_the_network():
    with pytest.raises(RuntimeError, match=r"a test tried to reach the network: 192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            assert client.getpeername() == server.getsockname()


def test_compiled_code_of_this_session_is_cached_apart():
    # the folder is new, and of this worker alone
    folder = Path(numba.config.CACHE_DIR)
    assert folder == Path(os.environ["CORTEXSIM_TEST_CACHE"]) / os.environ.get("PYTEST_XDIST_WORKER", "main")


def test_plots_need_no_window():
    assert os.environ["MPLBACKEND"] == "Agg"
