"""The speed benchmark: what it measures is what it says, at sizes that take no time; no figure is judged here."""

from __future__ import annotations

import copy
import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import __main__ as speed
from benchmarks.speed import (
    cases,
    clock,
    compare,
    graphs,
    kernels,
    limit,
    machine,
    memory,
    pc_peers,
    pictures,
    predictive_coding,
    report,
    reservoirs,
    sparse,
)
from benchmarks.speed.peers import _measure as peers
from benchmarks.speed.peers import _problem
from cli_examples import refused
from cortexsim import cli, cli_bench

ROOT = Path(__file__).parents[1]
LIMITS = {(level, 1): 1e9 for level in (*machine.caches(), "memory", "L1", "L2", "L3")}


# --- measuring ---

def test_jobs_are_measured_in_turn():
    order = []
    turns = {name: clock.Turn(lambda n, name=name: order.append((name, n)), 10.0, n=3) for name in "ab"}
    rates = clock.in_turn(turns, rounds=2, seconds=1.0)
    assert order == [("a", 3), ("b", 3)] * 2
    assert all(len(found) == 2 and min(found) > 0 for found in rates.values())


def test_a_job_of_several_threads_is_the_best_of_short_pieces():
    runs = []
    turn = clock.Turn(runs.append, 1.0, threads=2, step=8, n=16)
    assert turn.rate() > 0
    assert runs == [16] * clock.PIECES


def test_repeats_are_found_and_come_in_steps():
    turn = clock.Turn(lambda n: sum(range(1000 * n)), 1.0, step=8)
    turn.prepare(0.002)
    assert turn.n >= 8
    assert turn.n % 8 == 0


def test_spread_and_ratios():
    assert clock.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == {"median": 3.0, "low": 2.0, "high": 4.0, "best": 5.0, "n": 5}
    assert clock.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


@pytest.mark.parametrize("name", limit.loops())
def test_every_loop_of_the_limit_changes_every_weight_once(name):
    array = limit.weights(2048)
    assert array.ctypes.data % 64 == 0
    limit.loops()[name](array, 2, np.float32(2.0), np.float32(0.5))
    assert np.unique(array).tolist() == [5.5]


def test_the_limit_is_the_best_loop_on_as_many_threads_as_asked_for():
    name, turn = limit.limit_turn(4096, threads=2, own=True)
    assert name in limit.loops()
    assert turn.work == 8192
    turn.job(1)
    rows = limit.measure({"levels": {"L1": 8192}}, 1, quick=True)
    assert [row["case"] for row in rows] == [{"level": "L1", "threads": 1}]
    assert rows[0]["rate"]["n"] == 5


def test_the_machine_is_described():
    found = machine.describe()
    sizes = list(found["caches"].values())
    assert sizes == sorted(sizes)
    assert min(sizes) >= 4 << 10
    assert found["levels"]["memory"] > 2 * max(sizes)
    assert machine.level_of(1) == next(iter(found["caches"]))
    assert machine.level_of(1 << 50) == "memory"
    assert found["cores"] >= 1
    assert machine.versions()["numpy"] == np.__version__


# --- the work ---

def test_contexts_are_whole_and_old_enough_for_blocks():
    for regions, units, context in ((3, 16, 16), (2, 8, 32), (1, 256, 512)):
        for row in cases.wiring(regions, units, context):
            assert sum(reading.stop - reading.start for reading in row) == context
            assert all(reading.delay >= cases.DELAY and reading.stop <= units for reading in row)
            assert row[-1].region == -1


def test_the_readme_shows_the_baseline():
    baseline = compare.load(ROOT / "benchmarks" / "baseline.json")
    text = (ROOT / "README.md").read_text()
    shown = text.partition("<!-- speed-table -->\n\n")[2].partition("\n<!-- end of speed-table -->")[0]
    assert shown == report.summary(baseline)
    assert "cortexsim, D = 1" in shown and shown.count("\n") > 5


def test_kernels_alone_learn_as_in_the_graph():
    running = cases.Running(cases.build("delta", 2, 8, 8, **cases.plain(8)), ticks=40)
    assert running.weights() == 2 * 64
    functions, views = cases.kernels_of(running.sim)
    assert len(functions) == len(views) == 2
    before = running.sim.get("r00001.W")
    running.bare()(1)
    assert not np.array_equal(running.sim.get("r00001.W"), before)


@pytest.mark.parametrize(("name", "variant"), [
    (name, variant) for name in peers.list_peers() for variant in peers.find(name).VARIANTS])
def test_peers_compute_the_same_weights(name, variant):
    if not peers.installed(name):
        pytest.skip(f"{peers.find(name).NEEDS} is not installed")
    problem = _problem.make(3, 8, 16)
    run = peers.find(name).start(problem, variant, 1)
    run.run(32)
    found, expected = run.weights(), _by_hand(problem, 32)
    if found is None:
        assert peers.find(name).DIFFERS
    else:
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(found, expected, atol=1e-5)


def _by_hand(problem, ticks):
    """The work in double precision, straight from its description."""
    W = np.zeros((problem.regions, problem.units, problem.context))
    past: list[np.ndarray] = []
    for t in range(ticks):
        x, now = problem.x[t], np.zeros((problem.regions, problem.units))
        for r in range(problem.regions):
            y = np.zeros(problem.context)
            for k, (start, stop, first, delay) in enumerate(problem.parts):
                if t >= delay:
                    other = problem.other[r, k]
                    signal = problem.x[t - delay] if other < 0 else past[t - delay][other]
                    y[start:stop] = signal[first : first + stop - start]
            now[r] = W[r] @ y
            W[r] += problem.rate * np.outer(x - now[r], y)
        past.append(now)
    return W


def test_work_that_cannot_be_cut_evenly_is_refused():
    with pytest.raises(ValueError, match="context of 5 units cannot be cut into equal slices of 4 units"):
        _problem.make(2, 4, 5)


def test_a_peer_with_other_weights_is_found_out():
    assert peers._differs([1.0, 2.0], [1.0, 2.0]) == ""
    assert peers._differs(None, [1.0]) == ""
    assert peers._differs([1.0, 2.1], [1.0, 2.0]) == "its weights differ from the others' by 5.0e-02"


@pytest.mark.parametrize(("moves", "asks", "variants"), [
    (4, False, ("image as context", "image as a region")), (6, True, ("infer",))])
def test_settling_is_the_same_work_for_us_and_for_numpy(moves, asks, variants):
    arrays = pc_peers.Arrays(predictive_coding.Work(moves, asks), "", 1)
    wanted = np.array(predictive_coding.checked(arrays))
    assert np.abs(wanted).max() > 1e-4
    for variant in variants:
        ours = predictive_coding.Ours(predictive_coding.Work(moves, asks), variant, 1)
        error = np.abs(np.array(predictive_coding.checked(ours)) - wanted).max() / np.abs(wanted).max()
        assert error < predictive_coding.TOLERANCE


def test_settling_is_timed_beside_peers_and_told_in_tables():
    chosen = [peer for peer in predictive_coding.ONLINE if peer.kind in ("Ours", "Arrays")]
    gone = predictive_coding.Peer("Scan", "scan over samples", "nobody", "no_such_library")
    rows = list(predictive_coding.job("online", [*chosen, gone], predictive_coding.Work(2), 1, LIMITS, 1, 0.01))
    rows.append(predictive_coding.parts(1, 0.01))
    assert [row["case"].get("peer") for row in rows] == ["cortexsim", "cortexsim", "NumPy by hand", "nobody", None]
    assert all(row["rate"]["median"] > 0 for row in rows[:3]) and rows[3]["error"] == "no_such_library is not installed"
    assert rows[0]["ratio"] > 0 and rows[2]["behind"]["median"] > 0 and "ratio" not in rows[2]
    text = report.settling_table(rows)
    assert "Predictive coding, 784-256-256-10, online, 2 moves of the states" in text
    assert "no_such_library is not installed" in text and "outside kernels" in text
    assert [compare._ours(row) for row in rows] == [True, True, False, False, True]


def test_a_temporal_memory_is_timed_at_every_size_and_told_in_a_table():
    rows = list(memory.measure(LIMITS, True, ((64, 4),), learned=200))
    assert [row["case"] for row in rows] == [{"columns": 64, "cells": 4}]
    parts = rows[0]["microseconds"]
    assert parts["decoded"]["median"] > parts["stream"]["median"] > 0 and rows[0]["ratio"] > 0
    assert "64 x 4" in report.memory_table(rows)


def test_reservoirs_end_with_the_same_readout_and_are_told_in_a_table():
    gone = reservoirs.Peer("Ours", "", "nobody", "none")
    rows = list(reservoirs.measure(LIMITS, True, 20, [*reservoirs.PEERS[:3], gone]))
    assert [row.get("error") for row in rows] == [None, None, None, "none is not installed"]
    assert rows[0]["ratio"] > 0 and rows[1]["behind"]["median"] > 0 and "ratio" not in rows[1]
    text = report.reservoirs_table(rows)
    assert "A reservoir of 20 units" in text and "NumPy by hand, np.outer" in text and "none is not installed" in text


# --- results ---

@pytest.fixture(scope="module")
def result():
    """A result of tiny sizes, with all but what starts processes."""
    rows = limit.measure({"levels": {"L1": 8192}}, 1, quick=True)
    rows += kernels.measure(["delta", "subspace"], True, ((1, 16, 16), (2, 16, 32)))
    rows += graphs.measure(1, True, [(2, 16, 16)])
    rows += graphs.around(LIMITS, True, ((2, 16),))
    rows += sparse.measure(LIMITS, True, (1,), 16, 64)
    return {"format": 1, "date": "2020-01-01T00:00:00+00:00", "quick": True, "machine": machine.describe(),
            "versions": machine.versions(), "rows": rows}


def peer_rows():
    """What the processes would tell."""
    rows = []
    for name, regions, ticks in (("ours", 16, 900.0), ("ours", 180, 80.0), ("numba_loop", 16, 300.0)):
        rows.append({"section": "peers", "case": {"peer": name, "variant": "v", "regions": regions, "units": 48,
                                                  "context": 48, "threads": 1},
                     "name": peers.find(name).NAME, "does": "it", "differs": peers.find(name).DIFFERS,
                     "ticks": clock.spread([ticks]), "rate": clock.spread([ticks * 2304]), "ratio": 0.1})
    broken = copy.deepcopy(rows[-1])
    broken["case"]["peer"], broken["name"] = "jax_scan", "JAX scan"
    for figure in ("ticks", "rate", "ratio"):
        del broken[figure]
    return [*rows, {**broken, "error": "it ended"}]


def test_results_survive_json_and_every_row_has_a_case_and_a_ratio(result):
    assert json.loads(json.dumps(result)) == result
    keys = [compare.key(row) for row in result["rows"]]
    assert len(set(keys)) == len(keys)
    assert {row["section"] for row in result["rows"]} == {"limit", "kernels", "graphs", "around", "sparse"}
    for row in result["rows"]:
        assert row["section"] == "limit" or (math.isfinite(row["ratio"]) and row["ratio"] > 0)


def test_tables_show_every_row(result):
    text = report.tables({**result, "rows": result["rows"] + peer_rows()})
    for part in ("2 x 16x32", "subspace", "Around the kernels", "10 %", "Peers at 16 x 48x48", "3.00x", "it ended",
                 "also scores every region"):
        assert part in text


def test_a_share_above_the_limit_is_called_out(result):
    row = copy.deepcopy(next(row for row in result["rows"] if row["section"] == "kernels"))
    row["share"] = clock.spread([1.2])
    assert "the limit was measured too low for delta 1 x 16x16" in report.kernel_table([row])


def test_a_kind_that_cannot_be_measured_is_told_and_the_others_go_on():
    rows = list(kernels.measure(["tests_have_no_such_kind", "delta"], True, ((1, 8, 8),)))
    assert "is not known" in rows[0]["error"]
    assert "is not known" in report.kernel_table(rows)
    assert rows[1]["ratio"] > 0


def test_pictures_are_drawn(result, tmp_path):
    files = pictures.draw({**result, "rows": result["rows"] + peer_rows()}, tmp_path / "new")
    assert [file.name for file in files] == ["limit.png", "peers.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert pictures.draw({**result, "rows": []}, tmp_path) == []


# --- comparing ---

def made_up(**ratios):
    rows = [{"section": "kernels", "case": {"kind": kind}, "ratio": ratio} for kind, ratio in ratios.items()]
    return {"format": 1, "date": "2020-01-01T00:00:00+00:00", "rows": rows}


def test_compare_shows_what_got_slower_first():
    old = made_up(delta=0.9, other=0.5, gone=0.5, third=0.4)
    new = made_up(third=0.41, delta=0.45, other=0.6, fresh=1.0)
    assert [what.split()[-1] for what, *_ in compare.changes(old, new)] == ["delta", "third", "other"]
    text = compare.text(old, new)
    assert "1 of 3 slower by more than 10%, 1 faster" in text
    delta, third, other = text.splitlines()[4:]
    assert delta.split()[-2:] == ["0.50x", "slower"]
    assert third.split()[-1] == "1.02x"
    assert other.split()[-2:] == ["1.20x", "faster"]
    assert compare.text(made_up(a=1.0), made_up(b=1.0)) == "The two results have nothing in common.\n"


def test_compare_leaves_out_peers_and_threads_that_had_to_share():
    def two(free):
        rows = [{"section": "limit", "case": {"level": "L1", "threads": k}, "rate": {"median": rate}}
                for k, rate in ((1, 1.0), (2, 2.0 * free))]
        rows.append({"section": "graphs", "case": {"threads": 2}, "ratio": 1.0})
        rows.append({"section": "peers", "case": {"peer": "numba_loop"}, "ratio": 1.0})
        return {"format": 1, "rows": rows}

    assert [what for what, *_ in compare.changes(two(1.0), two(1.0))] == ["graphs: threads 2"]
    assert compare.changes(two(1.0), two(0.5)) == []


@pytest.mark.parametrize(("text", "message"), [
    (None, "cannot be read: No such file"),
    ("{", "is not JSON"),
    ('{"format": 2}', "is no result of this benchmark"),
])
def test_files_that_are_no_results_are_refused(tmp_path, text, message):
    file = tmp_path / "old.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SystemExit, match=message):
        speed.main(["--compare", str(file)])


def test_the_command_shows_writes_and_draws_a_result(result, tmp_path, capsys):
    old, new = tmp_path / "old.json", tmp_path / "deep" / "new.json"
    old.write_text(json.dumps(result))
    assert speed.main(["--show", str(old), "--json", str(new), "--pictures", str(tmp_path), "--compare", str(old)]) == 0
    assert json.loads(new.read_text()) == result
    text = capsys.readouterr().out
    assert "The machine's limit" in text
    assert "0 of" in text
    assert (tmp_path / "limit.png").exists()


# --- cortexsim bench ---

def test_bench_runs_the_benchmark_of_the_checkout(monkeypatch):
    ran = {}

    def run(command, env):
        ran.update(command=command, env=env)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(cli_bench.subprocess, "run", run)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert cli.main(["bench", "--quick", "--json", "new.json", "--compare", "old.json"]) == 3
    assert ran["command"][1:] == ["-m", "benchmarks", "--quick", "--json", "new.json", "--compare", "old.json"]
    assert ran["env"]["OPENBLAS_NUM_THREADS"] == "1"
    assert ran["env"]["PYTHONPATH"].startswith(str(cli_bench.CHECKOUT))


def test_bench_says_that_it_needs_a_checkout(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli_bench, "FOLDER", tmp_path / "benchmarks")
    assert "bench: needs a checkout of cortexsim" in refused(capsys, "bench")
