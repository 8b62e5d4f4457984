"""``cortexsim doctor``: folders of runs with and without checkpoints, graphs that are run first, exit codes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cli_examples import SERIES, fill_folder, refused
from cortexsim import cli
from cortexsim.doctor import examine
from cortexsim.simulation import Simulation
from cortexsim.sources.arrays import Stream


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = fill_folder(tmp_path, monkeypatch)
    rng = np.random.default_rng(0)
    np.savez(folder / "noise.npz", x=rng.normal(size=(3000, 2)))
    np.savez(folder / "waves.npz", x=np.sin(np.arange(3000)[:, None] / [3, 7]) + 0.1 * rng.normal(size=(3000, 2)))
    for name in ("noise", "waves"):
        (folder / f"{name}.toml").write_text(SERIES.replace("x.npz", f"{name}.npz"))
    return folder


def test_a_sound_graph_ends_with_0_and_one_with_a_problem_with_1(capsys, folder):
    assert cli.main(["doctor", "waves.toml"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("series after 3,000 ticks: 0 problems, 0 notes\n")
    assert "running it for 3,000 ticks first" in captured.err
    assert cli.main(["doctor", "noise.toml", "--ticks", "2000"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("series after 2,000 ticks: 1 problem") and "no better than the running mean" in out
    assert cli.main(["doctor", "noise.toml", "--quiet"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_json_is_one_object(capsys, folder):
    assert cli.main(["doctor", "noise.toml", "--json", "--quiet", "--edge-ticks", "100"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["graph"] == "series" and not told["ok"] and told["findings"][0]["where"] == "region 'next'"
    assert [row["edge"] for row in told["edges"]] == ["x.value@1->next", "x.value@2->next"]


def test_a_run_with_checkpoints_is_examined_whole(capsys, folder):
    assert cli.main(["run", "waves.toml", "--ticks", "2000", "--checkpoint-every", "1000", "--out", "a",
                     "--quiet"]) == 0
    assert cli.main(["doctor", "a", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    sim = Simulation.load(folder / "a" / "checkpoints")
    stream = Stream(folder / "waves.npz")
    stream.seek(2000)
    assert told == examine(sim, stream).to_dict() and told["tick"] == 2000 and len(told["edges"]) == 2


def test_where_the_data_has_ended_its_last_part_is_taken(capsys, folder):
    assert cli.main(["run", "waves.toml", "--checkpoint-every", "1000", "--out", "a", "--quiet"]) == 0
    assert cli.main(["doctor", "a", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["edges"]) == 2


def test_a_run_without_checkpoints_is_examined_by_its_curves(capsys, folder):
    assert cli.main(["run", "noise.toml", "--out", "a", "--quiet"]) == 0
    assert cli.main(["doctor", "a"]) == 1
    out = capsys.readouterr().out
    assert "no better than the running mean" in out and "--checkpoint-every N" in out


def test_damaged_checkpoints_and_a_lost_stream_are_told_of(capsys, folder):
    assert cli.main(["run", "waves.toml", "--ticks", "1500", "--checkpoint-every", "1500", "--out", "a",
                     "--quiet"]) == 0
    (folder / "waves.npz").rename(folder / "elsewhere.npz")
    assert cli.main(["doctor", "a"]) == 0
    assert "the run's stream cannot be opened again" in " ".join(capsys.readouterr().out.split())
    for path in (folder / "a" / "checkpoints").glob("*.ckpt"):
        path.write_bytes(path.read_bytes()[:-100])
    assert cli.main(["doctor", "a"]) == 0
    assert "the weights: " in capsys.readouterr().out


def test_forecasts_are_examined_by_their_folder(capsys, folder):
    assert "cortexsim doctor DIR" in refused(capsys, "doctor", "forecast")
    assert cli.main(["run", "forecast", "--data", "rows.csv", "--column", "flow", "--lags", "3", "--out", "a",
                     "--checkpoint-every", "50", "--quiet"]) == 0
    assert cli.main(["doctor", "a"]) in (0, 1)
    assert "flow" in capsys.readouterr().out


@pytest.mark.parametrize(("argv", "message"), [
    (["nothing"], "graph 'nothing': is not in the catalogue"),
    (["."], "is not the folder of a run: it holds no curves.npz"),
    (["waves.toml", "--edge-ticks", "0"], "must be a whole number of at least 1"),
    (["waves.toml", "--tick", "3"], "option --tick: is not known"),
])
def test_refusals_are_one_line(capsys, folder, argv, message):
    assert message in refused(capsys, "doctor", *argv)


def test_the_ticks_of_a_folder_have_run(capsys, folder):
    assert cli.main(["run", "waves.toml", "--ticks", "500", "--out", "a", "--quiet"]) == 0
    assert "--edge-ticks" in refused(capsys, "doctor", "a", "--ticks", "100")
