"""The folder of a run: claimed before the run, written whole, read again."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from cortexsim import runfolder, runplace
from cortexsim.errors import FileError
from cortexsim.files import write_file
from cortexsim.forecast_table import Forecasts
from cortexsim.graph import RegionGraph
from cortexsim.simulation import Simulation

FACTS = {"command": ["cortexsim", "run", "small"], "seconds": {"run": 0.5}, "odd": math.nan}


def simulation(ticks=200):
    graph = RegionGraph(name="small")
    graph.add_source("x", size=2)
    graph.add_region("next", predicts="x", context=["x@1", "x@2"], learning_rate=0.5)
    graph.add_region("other", predicts="x[0]", context=["next.error@1"], period=2, frozen=True)
    sim = Simulation(graph, seed=3)
    if ticks:
        sim.run({"x": np.random.default_rng(0).normal(size=(ticks, 2))})
    return sim


# --- claim ---

def test_the_first_free_folder_of_the_name_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [str(runplace.claim(None, "my graph/2")) for _ in range(2)] == ["runs/my-graph-2-1", "runs/my-graph-2-2"]
    (tmp_path / "runs" / "x-1").write_text("a file is no free place either")
    assert str(runplace.claim(None, "x")) == "runs/x-2"
    assert list((tmp_path / "runs" / "x-2").iterdir()) == []


def test_a_folder_that_holds_something_is_refused_unless_forced(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match=r"folder .*: is not empty; name another, or add --force"):
        runplace.claim(tmp_path, "x")
    assert runplace.claim(tmp_path, "x", force=True) == tmp_path
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_empty_folder_and_a_new_one_far_down_will_do(tmp_path):
    assert runplace.claim(tmp_path, "x") == tmp_path
    assert runplace.claim(tmp_path / "a" / "b", "x").is_dir()


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file': is a file"):
        runplace.claim(tmp_path / "file", "x")
    with pytest.raises(FileError, match=r"below': cannot be made \(Not a directory\); name another with --out"):
        runplace.claim(tmp_path / "file" / "below", "x")


@pytest.mark.parametrize("new", [True, False])
def test_a_run_that_cannot_write_its_first_files_leaves_nothing(tmp_path, new):
    def full(folder):
        (folder / "graph.toml").write_text("")
        raise FileError("folder", "cannot write 'curves.npz' (No space left on device)")

    (tmp_path / "a").mkdir()
    with pytest.raises(FileError, match="No space left on device"):
        runplace.begin(tmp_path / "a", full, new)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("new", [True, False])
def test_a_run_that_begins_holds_its_folder_until_it_ends(tmp_path, new):
    folder = runplace.claim(tmp_path / "a", "x")
    seen = []
    lock = runplace.begin(folder, lambda place: seen.append(place) or (place / "x").write_text("made"), new)
    assert (seen != [folder]) == new, "all at once, or file by file"
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "x"]
    with pytest.raises(FileError, match="another run is writing to it, process"):
        runplace.Lock(folder)
    lock.release()
    assert [path.name for path in folder.iterdir()] == ["x"] and [path.name for path in tmp_path.iterdir()] == ["a"]


def test_of_two_runs_that_begin_in_one_new_folder_one_is_refused(tmp_path):
    folder = runplace.claim(tmp_path / "a", "x")
    with runplace.begin(folder, lambda place: None, new=True), pytest.raises(FileError, match="is not empty"):
        runplace.begin(folder, lambda place: None, new=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_only_an_empty_folder_is_left_behind_and_removed(tmp_path):
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").write_text("")
    runplace.leave(tmp_path / "empty")
    runplace.leave(tmp_path / "full")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


# --- write and read ---

def test_what_is_written_is_read_again(tmp_path):
    sim = simulation()
    files = runfolder.write(tmp_path, sim, FACTS, {"name": "glimpses", "fovea": 8})
    assert files == ["summary.json", "curves.csv", "curves.npz", "graph.toml", "learning_curves.png", "graph.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    graph, curves, summary = runfolder.read(tmp_path)
    assert graph.graph["stream"] == {"name": "glimpses", "fovea": 8} and sim.graph.graph["stream"] == {}
    graph.graph["stream"] = {}
    assert graph.same(sim.graph)
    assert np.array_equal(curves.acc, sim.curves.acc)
    assert summary["graph"] == "small" and summary["command"] == FACTS["command"]


def test_the_summary_holds_measures_plan_machine_and_no_nan(tmp_path):
    sim = simulation()
    sim.lesion("x.value@2->next")
    runfolder.write(tmp_path, sim, FACTS)
    text = (tmp_path / "summary.json").read_text()
    summary = json.loads(text)
    assert "NaN" not in text and summary["odd"] is None
    assert (summary["ticks"], summary["seed"], summary["threads"]) == (200, 3, 1)
    row = summary["regions"]["next"]
    assert row["skill"] == pytest.approx(sim.curves.final("next")["skill"])
    assert row["hyper"]["learning_rate"] == 0.5 and row["frozen"] is False
    assert summary["regions"]["other"]["frozen"] is True and summary["regions"]["other"]["ticks"] == 99
    assert sum(row["share"] for row in summary["regions"].values()) == pytest.approx(1)
    assert [event["what"] for event in summary["events"]] == ["lesion"]
    assert summary["lesioned"] == ["x.value@2->next"]
    assert summary["plan"]["regions"] == 2 and summary["plan"]["bytes"] > 0 and summary["machine"]["cpus"] >= 1


def test_a_mean_tick_costs_less_than_one_at_which_all_are_due():
    plan = simulation(0).plan
    flops = [cost for cost, _ in plan.costs.values()]
    assert runfolder.cost_per_tick(plan)[0] == plan.costs["next"][0] + plan.costs["other"][0] / 2 < sum(flops)


def test_a_run_of_no_ticks_is_written_too(tmp_path):
    assert len(runfolder.write(tmp_path, simulation(0), {})) == 6


def test_files_of_an_earlier_run_go_and_others_stay(tmp_path):
    values = np.ones((4, 1))
    files = runfolder.write(tmp_path, simulation(), {}, None, Forecasts(["x"], 1, values, values, values, values))
    assert files[-3:] == ["forecast.csv", "forecast_scores.csv", "forecast.png"]
    assert json.loads((tmp_path / "summary.json").read_text())["forecast"]["horizon"] == 1
    (tmp_path / "notes.txt").write_text("mine")
    runfolder.write(tmp_path, simulation(), {})
    left = {path.name for path in tmp_path.iterdir()}
    assert "notes.txt" in left and not left & {"forecast.csv", "forecast_scores.csv", "forecast.png"}


def test_a_full_disk_leaves_the_files_that_were_there(tmp_path, monkeypatch):
    sim = simulation()
    runfolder.write(tmp_path, sim, {"run": 1})

    def full(path, write):
        def broken(file):
            file.write(b"half")
            raise OSError(28, "No space left on device")

        write_file(path, broken)

    monkeypatch.setattr(runfolder, "write_file", full)
    with pytest.raises(FileError, match=r"cannot write 'summary.json' \(No space left on device\)"):
        runfolder.write(tmp_path, sim, {"run": 2})
    assert runfolder.read(tmp_path).summary["run"] == 1
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_short_runs_are_smoothed_more_in_pictures():
    curves = simulation(200).curves
    assert runfolder.smoothing(curves) == 25
    curves.bin_width = 64
    assert runfolder.smoothing(curves) is None


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda folder: [path.unlink() for path in folder.iterdir()], "is not the folder of a run: it holds no curves.npz"),
    (lambda folder: (folder / "graph.toml").unlink(), "is not the folder of a run: it holds no graph.toml"),
    (lambda folder: (folder / "curves.npz").write_bytes(b"x"), "curves.npz': does not hold learning curves"),
    (lambda folder: (folder / "graph.toml").write_text("[[["), "graph.toml': is not TOML"),
    (lambda folder: (folder / "summary.json").write_text("{"), "summary.json': is not a summary of a run"),
    (lambda folder: (folder / "summary.json").write_text("[]"), "summary.json': is not a summary of a run"),
])
def test_a_damaged_folder_says_which_file(tmp_path, spoil, message):
    runfolder.write(tmp_path, simulation(0), {})
    spoil(tmp_path)
    with pytest.raises(FileError, match=re.escape(message)):
        runfolder.read(tmp_path)


def test_a_summary_may_be_missing_a_folder_not(tmp_path):
    runfolder.write(tmp_path, simulation(0), {})
    (tmp_path / "summary.json").unlink()
    assert runfolder.read(tmp_path).summary == {}
    with pytest.raises(FileError, match=r"nowhere': there is no such folder"):
        runfolder.read(tmp_path / "nowhere")
    with pytest.raises(FileError, match=r"graph.png': is a file"):
        runfolder.read(tmp_path / "graph.png")


def test_versions_name_every_library_that_the_results_depend_on():
    found = runfolder.versions()
    assert {"cortexsim", "python", "numpy", "numba", "networkx"} <= set(found)
    assert found["numpy"] == np.__version__
