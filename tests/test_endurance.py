"""The benchmark of long runs: what it runs, what it reads, and that a leak is seen. Its ten million ticks: docs."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

import cortexsim as cs
from benchmarks import endurance
from cortexsim.sources import SeekableStream


@pytest.fixture(autouse=True)
def every(monkeypatch):
    monkeypatch.setattr(endurance.Endless, "every", 2000)
    monkeypatch.setattr(endurance.Endless, "readings", [])


def test_it_runs_twelve_regions_of_every_kind_with_all_that_a_graph_may_have():
    graph = endurance.graph()
    regions = [graph.nodes[name] for name in graph.regions]
    assert len(regions) == 12 and {region["kind"] for region in regions} == set(cs.list_kinds())
    edges = [data for *_, data in graph.edges(data=True)]
    assert {edge["role"] for edge in edges} >= {"context", "target", "prior", "feedback", "gate", "modulator"}
    assert max(edge["delay"] for edge in edges) > 5 and len({region["period"] for region in regions}) > 4


def test_its_stream_never_ends_and_goes_back():
    stream = endurance.Endless(seed=1)
    assert isinstance(stream, SeekableStream) and stream.length is None
    stream.read(700)
    first = stream.read(50)
    stream.seek(700)
    assert all(np.array_equal(rows, first[name]) for name, rows in stream.read(50).items())


@pytest.mark.filterwarnings("ignore:region 'memory'")
def test_memory_is_flat_in_a_short_run_and_the_table_says_so(capsys):
    assert endurance.main(["--way", "run", "--ticks", "60000", "--mark", "20000"]) == 0
    ticks = [tick for tick, *_ in endurance.Endless.readings]
    assert ticks[0] == 0 and ticks[-1] == 60_000 and len(ticks) > 5
    text = capsys.readouterr().out
    assert re.search(r"^run: RegionGraph 'endurance': 5 sources, 12 regions", text)
    assert re.search(r"^after 60,000 ticks \d+\.\d\d MB; it rose by at most \d\.\d\d MB after tick 20,000$", text,
                     re.M)


def test_the_program_is_measured_as_its_users_run_it(tmp_path):
    command = [sys.executable, "-m", "benchmarks.endurance", "--way", "program", "--ticks", "9000", "--mark", "3000",
               "--checkpoint-every", "2000"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("program: ") and "after 6,000 ticks" in done.stdout


def test_a_leak_is_seen(monkeypatch):
    grown = [(0, 90.0, 0.0), (100_000, 100.0, 1.0), (200_000, 104.0, 2.0), (300_000, 106.0, 3.0)]
    monkeypatch.setattr(endurance, "measure", lambda *given: grown)
    assert endurance.main(["--way", "run"]) == 1 and endurance.main(["--way", "run", "--limit", "6"]) == 0
