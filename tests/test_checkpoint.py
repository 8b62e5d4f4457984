"""Checkpoints: what goes on from one has the bits of a run that was never stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import cortexsim as cs
from cortexsim import checkpoint, files
from cortexsim.curves import Curves
from cortexsim.sources import open_stream

TICKS, HALF = 600, 271


def mixed() -> cs.RegionGraph:
    """Every kind that needs no trial, with delays, clocks, gates, rates that change, and a modulator."""
    graph = cs.RegionGraph(name="mixed")
    graph.add_source("x", size=5)
    graph.add_source("motor", size=2, known="before")
    graph.add_source("bits", size=9, sparse=True)
    graph.add_region("code", kind="subspace", predicts="x", size=3, why="few numbers for many")
    graph.add_region("next", predicts="code.state", context=["code.state@1", "motor", "slow.state@7"],
                     step_size="hypergradient")
    graph.add_region("slow", kind="subspace", predicts="code.state", size=2, period=3, offset=1)
    graph.add_region("gated", predicts="x", context="bits@1", sparse=True, gate="motor[0]", when_closed="hold")
    graph.add_region("each", predicts="x", context=["x@2", ("x@1", cs.window(3))], step_size="autostep",
                     on_divergence="freeze")
    graph.add_region("squares", kind="rls", predicts="x", context=["x@1", "code.state@1"], forgetting=0.99)
    graph.add_region("echo", kind="reservoir", predicts="x", context="x@1", size=20, horizon=2)
    graph.add_region("memory", kind="temporal_memory", predicts="bits", context="memory.state@1", cells_per_column=4,
                     activation_threshold=1, min_threshold=1, new_synapses=3)
    graph.connect("motor[1]", "gated", "modulator", hyper="learning_rate")
    return graph


def settling() -> cs.RegionGraph:
    """Regions that settle over trials."""
    graph = cs.RegionGraph(name="settling")
    graph.set_trial(5, {"init": (1, 2)})
    graph.add_source("x", size=4)
    graph.add_region("low", kind="predictive_coding", predicts="x", size=4, on_divergence="reset")
    graph.add_region("high", kind="predictive_coding", predicts="low.state", size=3, context="low.state@1",
                     precision_rate=0.01)
    return graph


def inputs(rows: int = TICKS) -> dict[str, np.ndarray]:
    """Rows for either graph."""
    rng = np.random.default_rng(3)
    wave = np.sin(np.arange(rows)[:, None] / np.arange(3, 8)) + 0.1 * rng.standard_normal((rows, 5))
    bits = np.zeros((rows, 9), np.float32)
    bits[np.arange(rows), np.arange(rows) % 7] = 1
    return {"x": wave.astype(np.float32), "motor": rng.uniform(-1, 1, (rows, 2)).astype(np.float32), "bits": bits}


def given(graph: cs.RegionGraph, rows: int = TICKS) -> dict[str, np.ndarray]:
    """The inputs that a graph reads."""
    sizes = {name: int(np.prod(graph.nodes[name]["shape"])) for name in graph.sources}
    return {name: np.ascontiguousarray(values[:, : sizes[name]]) for name, values in inputs(rows).items()
            if name in sizes}


def started(graph: cs.RegionGraph, tmp_path: Path, ticks: int = HALF, **options) -> tuple[cs.Simulation, Path]:
    """A simulation that has run for a while, and its checkpoint."""
    sim = cs.Simulation(graph, seed=4, **options)
    trial = sim.plan.trial.length if sim.plan.trial else 1
    sim.run(given(graph), ticks=ticks // trial * trial)
    path = tmp_path / "half.ckpt"
    sim.save(path)
    return sim, path


def assert_same(one: cs.Simulation, two: cs.Simulation) -> None:
    """Arrays, signals, curves, events and clock agree bit for bit."""
    assert (one.tick, one.skipped) == (two.tick, two.skipped)
    for name in one.plan.regions:
        for key, array in one.parameters(name).items():
            assert array.tobytes() == two.parameters(name)[key].tobytes(), f"{name}.{key}"
    for signal in one.plan.signals:
        assert one.value(signal).tobytes() == two.value(signal).tobytes(), signal
    assert one.curves.acc.tobytes() == two.curves.acc.tobytes()
    assert one.curves.events == two.curves.events
    assert one.learning_rates() == two.learning_rates()


# ---------------------------------------------------------------------- the same bits

@pytest.mark.parametrize("make", [mixed, settling])
@pytest.mark.parametrize("threads", [None, 2])
def test_a_run_goes_on_with_the_same_bits(tmp_path, make, threads):
    sim, path = started(make(), tmp_path)
    again = cs.Simulation.load(path, threads=threads)
    assert_same(sim, again)
    rest = given(make())
    for one in (sim, again):
        one.run(one.seek(rest))
    assert sim.tick == TICKS * (5 if make is settling else 1)
    assert_same(sim, again)
    whole = cs.Simulation(make(), seed=4)
    whole.run(rest)
    assert_same(whole, again)


def test_it_goes_on_one_tick_at_a_time_and_in_any_block_length(tmp_path):
    sim, path = started(mixed(), tmp_path, longest_block=1)
    again, rows = cs.Simulation.load(path), given(mixed())
    for t in range(HALF, HALF + 20):
        sample = {name: values[t] for name, values in rows.items()}
        one, two = sim.step(sample), again.step(sample)
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    assert_same(sim, again)
    assert sim.tick == HALF + 20


def test_what_was_changed_in_the_run_is_in_it(tmp_path):
    sim = cs.Simulation(mixed(), seed=4, on_bad="skip")
    rows = given(mixed())
    rows["x"][5] = np.nan
    sim.run(rows, ticks=100)
    sim.set_hyper("squares", forgetting=0.95)
    sim.lesion("slow->next")
    sim.freeze("code")
    sim.set("next.W", sim.get("next.W") + 1)
    sim.save(tmp_path / "a.ckpt")
    again = cs.Simulation.load(tmp_path / "a.ckpt")
    assert again.graph.same(sim.graph) and again.hyper("squares")["forgetting"] == 0.95
    assert again.skipped == {"x": 1} and again.on_bad == "skip"
    for one in (sim, again):
        one.run({name: values[100:] for name, values in rows.items()})
    assert_same(sim, again)
    again.unfreeze()
    assert not again.graph.nodes["code"]["frozen"]


def test_a_graph_edited_without_a_replan_is_kept_beside_the_one_that_runs(tmp_path):
    sim, _ = started(mixed(), tmp_path)
    sim.graph.add_region("later", predicts="x", context="x@3")
    sim.graph.nodes["gated"]["why"] = "changed"
    sim.save(tmp_path / "a.ckpt")
    again = cs.Simulation.load(tmp_path / "a.ckpt")
    assert "later" in again.graph and "later" not in again.plan.regions
    for one in (sim, again):
        one.replan()
        one.run(one.seek(given(mixed())))
    assert "later" in again.plan.regions
    assert_same(sim, again)


def test_a_simulation_that_has_not_run_and_a_copy_can_be_saved(tmp_path):
    sim = cs.Simulation(mixed(), seed=2**80)
    sim.save(tmp_path / "a.ckpt")
    again = cs.Simulation.load(tmp_path / "a.ckpt")
    assert again.seed == 2**80 and again.tick == 0
    twin = sim.copy()
    for one in (sim, again, twin):
        one.run(given(mixed()), ticks=50)
    assert_same(sim, again)
    assert_same(sim, twin)


def test_a_ready_made_graph_goes_on_with_its_stream(tmp_path):
    graph = cs.load("glimpses")
    table = {key: value for key, value in graph.graph["stream"].items() if key != "ticks"}
    stream, sim = open_stream(table, 1), cs.Simulation(graph, seed=1)
    sim.run(stream, ticks=700)
    sim.save(tmp_path / "a.ckpt")
    again = cs.Simulation.load(tmp_path / "a.ckpt")
    assert again.position == 700 and again.graph.graph["stream"] == graph.graph["stream"]
    sim.run(stream, ticks=300)
    again.run(again.seek(open_stream(table, 1)), ticks=300)
    assert_same(sim, again)


# ---------------------------------------------------------------------- the place in the input

def test_the_place_in_arrays_lists_callables_and_streams(tmp_path):
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("next", predicts="x", context="x@1")
    sim, wave = cs.Simulation(graph), np.sin(np.arange(100) / 3)
    assert sim.position == 0 and sim.seek({"x": wave})["x"] is not None
    sim.run({"x": wave}, ticks=30)
    assert sim.position == 30
    np.testing.assert_array_equal(sim.seek({"x": wave})["x"], wave[30:])
    assert sim.seek([{"x": v} for v in wave])[0] == {"x": wave[30]}
    assert sim.seek(tell := lambda tick: {"x": wave[tick]}) is tell
    sim.run(tell, ticks=10)
    assert sim.position == 40 == sim.tick or sim.position == 10
    stream = open_stream({"name": "chaos"}, 0)
    other = cs.Simulation(stream_graph(stream))
    stream.seek(17)
    other.run(stream, ticks=20)
    stream.read(5)
    assert other.position == 37 and other.seek(stream) is stream and stream.position == 37


def stream_graph(stream) -> cs.RegionGraph:
    """A graph that forecasts the first source of a stream."""
    name, shape = next(iter(stream.shapes().items()))
    graph = cs.RegionGraph()
    graph.add_source(name, shape=shape)
    graph.add_region("next", predicts=name, context=f"{name}@1")
    return graph


def test_a_generator_says_that_it_cannot_go_back(tmp_path):
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("next", predicts="x", context="x@1")
    sim = cs.Simulation(graph)
    sim.run(({"x": [t]} for t in range(50)), ticks=20)
    sim.save(tmp_path / "a.ckpt")
    again = cs.Simulation.load(tmp_path / "a.ckpt")
    assert again.position is None and again.tick == 20
    with pytest.raises(cs.InputError, match="20 rows of an iterator or generator, which cannot go back there; skip"):
        again.seek({"x": np.zeros(50)})
    with pytest.raises(cs.InputError, match="source 'x': a generator cannot go to row 0"):
        cs.Simulation(graph).seek({"x": (t for t in range(9))})


# ---------------------------------------------------------------------- the file

def test_the_file_is_an_npz_without_pickle_as_large_as_its_arrays(tmp_path):
    sim, path = started(mixed(), tmp_path)
    with np.load(path, allow_pickle=False) as data:
        total = sum(data[name].nbytes for name in data.files if name != checkpoint.MANIFEST)
        words = json.loads(data[checkpoint.MANIFEST])
        np.testing.assert_array_equal(data["regions/next/W"], sim.get("next.W"))
    assert total <= path.stat().st_size <= 1.05 * total + 65536
    assert words["format"] == checkpoint.FORMAT and words["schema"] == checkpoint.SCHEMA
    assert words["versions"]["cortexsim"] == cs.__version__ and words["tick"] == HALF


def test_it_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    sim, path = started(mixed(), tmp_path)
    before, order = path.read_bytes(), []
    real = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda place: (order.append("fsync"), real[0](place)))
    monkeypatch.setattr(files.os, "replace", lambda a, b: (order.append("replace"), real[1](a, b)))
    sim.save(path)
    assert order[:2] == ["fsync", "replace"]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    kept = path.read_bytes()
    sim.run(sim.seek(given(mixed())), ticks=1)
    with pytest.raises(cs.FileError, match=r"cannot write 'half.ckpt' \(No space left on device\); make room there"):
        sim.save(path)
    assert path.read_bytes() == kept != b"" and len(before) == len(kept) and os.listdir(tmp_path) == ["half.ckpt"]


def test_the_last_k_are_kept_and_a_damaged_one_is_passed_over(tmp_path):
    sim = cs.Simulation(settling(), seed=1)
    folder = tmp_path / "checkpoints"
    (tmp_path / "checkpoints").mkdir()
    (folder / ".tick-000000000005.ckpt.77.tmp").write_bytes(b"left behind by a kill")
    for _ in range(5):
        sim.run(given(settling(), 2))
        checkpoint.save_in(sim, folder, 3, {"note": sim.tick}, {"own": np.full((2, 3), float(sim.tick))})
    names = [f"tick-{tick:012d}.ckpt" for tick in (30, 40, 50)]
    assert sorted(os.listdir(folder)) == names and [p.name for p in checkpoint.checkpoints(folder)] == names
    assert cs.Simulation.load(folder).tick == 50
    assert checkpoint.read_manifest(folder / names[-1])["extra"] == {"note": 50}
    np.testing.assert_array_equal(checkpoint.read_array(folder / names[-1], "own"), np.full((2, 3), 50.0))
    with pytest.raises(cs.FileError, match="holds no member 'extra/other.npy'"):
        checkpoint.read_array(folder / names[-1], "other")
    (folder / names[2]).write_bytes((folder / names[2]).read_bytes()[:-2000])
    damaged: list = []
    assert checkpoint.newest(folder, damaged).name == names[1] and names[2] in str(damaged[0])
    assert cs.Simulation.load(folder).tick == 40
    for name in names:
        (folder / name).write_bytes(b"PK")
    with pytest.raises(cs.FileError, match="holds no checkpoint that is whole; checkpoint '.*000050.ckpt': is not"):
        cs.Simulation.load(folder)
    with pytest.raises(cs.FileError, match="holds no checkpoint$"):
        cs.Simulation.load(tmp_path)
    with pytest.raises(cs.FileError, match="there is no such file"):
        cs.Simulation.load(tmp_path / "none.ckpt")


def test_curves_of_a_checkpoint_are_those_of_the_run(tmp_path):
    sim, path = started(mixed(), tmp_path, ticks=500)
    again = cs.Simulation.load(path)
    again.curves.to_npz(tmp_path / "curves.npz")
    read = Curves.from_npz(tmp_path / "curves.npz")
    assert read.acc.tobytes() == sim.curves.acc.tobytes() and read.events == sim.curves.events
