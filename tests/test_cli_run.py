"""``cortexsim run``: results, changes from the command line, refusals, interrupts, forecasts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cortexsim
from cli_examples import EYE, SERIES, fill_folder, refused, summary
from cortexsim import catalogue, cli, cli_run
from cortexsim.cli_job import parse_value, prepare
from cortexsim.curves import Curves

STREAM = '[stream]\nname = "arrays"\ndata = "x.npz"\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return fill_folder(tmp_path, monkeypatch)


# --- run ---

def test_run_writes_everything_and_prints_a_table(capsys, folder):
    assert cli.main(["run", "eye.toml", "--seed", "4"]) == 0
    out = capsys.readouterr().out
    made = folder / "runs" / "eye-1"
    assert re.search(r"^code +subspace +fovea.value +reconstruction", out, re.M)
    assert re.search(r"^region .* skill +last value +ticks +share of the time$", out, re.M)
    assert f"in {Path('runs/eye-1')}: summary.json, curves.csv, curves.npz, graph.toml, learning_curves.png" in out
    told = summary(made)
    assert (told["ticks"], told["seed"], told["outcome"], told["error"]) == (300, 4, "finished", None)
    assert told["command"] == ["cortexsim", "run", "eye.toml", "--seed", "4"]
    assert told["seconds"]["total"] == pytest.approx(told["seconds"]["compile"] + told["seconds"]["run"])
    assert Curves.from_npz(made / "curves.npz").n_ticks == 300
    assert (made / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["run", "eye.toml", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "") and (folder / "runs" / "eye-2" / "graph.png").exists()


def test_a_run_is_the_same_again_from_its_own_graph(folder):
    changes = ["--set", "n*.learning_rate=.3", "--set", "code.rule=sanger", "--lesion", "saccade->next", "--freeze",
               "slow", "--stream", "lengths=[1, 3]", "--ticks", "200"]
    assert cli.main(["run", "eye.toml", "--seed", "7", "--quiet", "--out", "a", *changes]) == 0
    os.chdir("a")  # wherever it is called from
    assert cli.main(["run", "graph.toml", "--seed", "7", "--quiet", "--out", "../b"]) == 0
    a, b = (Curves.from_npz(folder / name / "curves.npz") for name in "ab")
    assert a.n_ticks == 200 and np.array_equal(a.acc, b.acc)
    graph = catalogue.load(folder / "a" / "graph.toml")
    assert graph.nodes["next"]["hyper"]["learning_rate"] == 0.3 and graph.nodes["code"]["hyper"]["rule"] == "sanger"
    assert graph.edge("saccade.value@0->next")[2]["lesioned"] and graph.nodes["slow"]["frozen"]
    assert graph.graph["stream"]["lengths"] == [1, 3] and graph.graph["stream"]["ticks"] == 200
    assert a.final("slow")["learned"] == 0 < a.final("next")["learned"]
    told = summary(folder / "a")
    assert told["lesioned"] == ["saccade.value@0->next"] and told["set"][0] == "n*.learning_rate=.3"
    assert cli.main(["run", "eye.toml", "--seed", "8", "--quiet", "--out", "../c", *changes]) == 2, "no eye.toml here"
    os.chdir("..")
    assert cli.main(["run", "eye.toml", "--seed", "8", "--quiet", "--out", "c", *changes]) == 0
    assert not np.array_equal(a.acc, Curves.from_npz("c/curves.npz").acc), "another seed"


def test_threads_are_those_of_the_simulation(folder):
    job = prepare(cli.parse(["run", "eye.toml", "--threads", "2", "--seed", "5"]))
    assert (job.sim.threads, job.sim.seed, job.ticks, job.name) == (2, 5, 300, "eye")


def test_data_of_a_known_length_is_run_to_its_end(folder):
    (folder / "elsewhere").mkdir()
    os.chdir("elsewhere")  # the path in the graph starts at the graph's own folder
    assert cli.main(["run", "../series.toml", "--quiet", "--out", "a"]) == 0
    told = summary(folder / "elsewhere" / "a")
    assert told["ticks"] == 400 and told["stream"]["data"] == str(folder / "x.npz")


def test_trials_are_run_whole(capsys, folder):
    (folder / "series.toml").write_text(SERIES + "[trial]\nlength = 3\n")
    assert cli.main(["run", "series.toml", "--quiet", "--out", "a"]) == 0
    assert summary(folder / "a")["ticks"] == 1200, "a row for each trial"
    message = refused(capsys, "run", "series.toml", "--ticks", "100")
    assert message == "ticks: must be a multiple of the trial's 3 (got 100); try 99"


def test_a_photograph_of_one_s_own(folder):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)).save(folder / "mine.png")
    assert cli.main(["run", "eye.toml", "--quiet", "--image", "mine.png", "--out", "a", "--ticks", "50"]) == 0
    assert summary(folder / "a")["stream"]["image"] == str(folder / "mine.png")


@pytest.mark.parametrize(("argv", "message"), [
    (["--set", "next.learning_rat=1"],
     "region 'next' has no hyperparameter 'learning_rat'; did you mean 'learning_rate'?"),
    (["--set", "next.learning_rate=9"], "region 'next': learning_rate must be a number in [0, 2] (got 9)"),
    (["--set", "next.normalise=perhaps"], "region 'next': normalise must be true or false (got 'perhaps')"),
    (["--set", "next.output=linaer"], "output must be one of linear, sigmoid, softmax (got 'linaer'); did you mean"),
    (["--set", "nxt.decay=0"], "option --set: there is no region 'nxt'; did you mean 'next'?"),
    (["--set", "decay=0"], "option --set: must be REGION.HYPER=VALUE (got 'decay=0')"),
    (["--set", "next.decay"], "option --set: must be REGION.HYPER=VALUE (got 'next.decay')"),
    (["--lesion", "sacade->next"], "edge 'sacade->next': matches no edge of the graph; did you mean 'saccade->next'?"),
    (["--freeze", "nekst"], "option --freeze: there is no region 'nekst'; did you mean 'next'?"),
    (["--stream", "foveaa=3"], "stream 'glimpses': unknown option 'foveaa'; did you mean 'fovea'?"),
    (["--stream", "fovea"], "option --stream: must be KEY=VALUE (got 'fovea')"),
    (["--stream", "fovea=5"],
     "source 'fovea', port 'value': the stream must deliver samples of shape [4, 4] or [16] (got (5, 5))"),
    (["--stream", "ticks=0.5"], "ticks: must be a whole number of at least 1 (got 0.5)"),
    (["--image", "none.jpg"], "none.jpg': no such file; image = 'grace_hopper.jpg' is the photograph"),
    (["--horizon", "2"], "option --horizon: belongs to 'cortexsim run forecast'"),
    (["--out", "eye.toml"], "folder 'eye.toml': is a file"),
    (["--out", "eye.toml/below"], "folder 'eye.toml/below': cannot be made (Not a directory)"),
    (["--out", "."], "folder '.': is not empty; name another, or add --force"),
])
def test_what_a_run_refuses_before_it_starts(capsys, folder, monkeypatch, argv, message):
    monkeypatch.setattr(cli_run, "execute", lambda *a: pytest.fail("it started"))
    before = sorted(folder.rglob("*"))
    assert message in refused(capsys, "run", "eye.toml", *argv)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("toml", "message"), [
    (EYE.replace("ticks = 300\n", ""), "option --ticks: is needed: the stream never ends"),
    (SERIES.replace('"x.npz"', '"x.npz"\nticks = 401'), "ticks: must be at most 400, where the data ends (got 401)"),
    (SERIES.replace('"x.npz"', '"y.npz"'), "y.npz': no such file"),
    (SERIES.replace(STREAM, ""), "graph 'series': has no [stream] table, so nothing"),
    (SERIES + "[regions.V2]\npredict = 'x'", "[regions.V2]: unknown key 'predict'; did you mean 'predicts'?"),
    (SERIES + "context = 3", "is not TOML"),
])
def test_what_a_graph_must_say(capsys, folder, toml, message):
    (folder / "series.toml").write_text(toml)
    assert message in refused(capsys, "run", "series.toml")


def test_the_missing_stream_may_come_from_the_command_line(folder):
    (folder / "series.toml").write_text(SERIES.replace(STREAM, ""))
    argv = ["--stream", "name=arrays", "--stream", "data=x.npz", "--quiet", "--out", "a"]
    assert cli.main(["run", "series.toml", *argv]) == 0


def test_force_takes_a_folder_that_is_in_use(folder):
    for force in ([], ["--force"]):
        assert cli.main(["run", "eye.toml", "--quiet", "--out", "a", "--ticks", "9", *force]) == 0
    assert cli.main(["run", "eye.toml", "--quiet", "--out", "a", "--ticks", "9"]) == 2


def test_bad_data_in_the_middle_keeps_all_before_it(capsys, folder):
    assert cli.main(["run", "bad.toml", "--out", "a"]) == 2
    captured = capsys.readouterr()
    assert re.search(r"cortexsim: error: source 'x', port 'value': is not finite at tick 250, component 1 \(read by "
                     r"next\) \(got nan\)", captured.err)
    assert "in a: summary.json" in captured.out
    told = summary(folder / "a")
    assert told["ticks"] == 250 and told["outcome"] == "stopped by an error" and "at tick 250" in told["error"]
    assert Curves.from_npz("a/curves.npz").n_ticks == 250


def test_an_interrupt_that_comes_as_an_exception_keeps_all_before_it(capsys, folder, monkeypatch):
    def interrupted(sim, advance, *rest):
        advance(120)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "_drive", interrupted)
    assert cli.main(["run", "eye.toml", "--out", "a"]) == 130
    assert "cortexsim: interrupted at tick 120 of 300; all of it is in a" in capsys.readouterr().err
    assert summary(folder / "a")["ticks"] == 120 and summary(folder / "a")["outcome"] == "interrupted"


def test_an_interrupt_before_the_first_tick_leaves_nothing(capsys, folder, monkeypatch):
    def interrupted(job, quiet):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "compile_kernels", interrupted)
    assert cli.main(["run", "eye.toml", "--out", "a"]) == 130
    assert "interrupted before anything was written" in capsys.readouterr().err and not (folder / "a").exists()


def test_a_disk_that_fills_up_is_one_clear_line(capsys, folder, monkeypatch):
    def full(self, path):
        raise cortexsim.FileError("folder 'a'", "cannot write 'curves.npz' (No space left on device)")

    monkeypatch.setattr(Curves, "to_npz", full)
    assert "cannot write 'curves.npz' (No space left" in refused(capsys, "run", "eye.toml", "--quiet", "--out", "a")


# --- forecast ---

def test_forecast_of_several_columns_to_a_table_a_csv_and_pictures(capsys, folder):
    argv = ["--data", "rows.csv", "--column", "rain fall", "--column", "flow", "--horizon", "2", "--lags", "5"]
    assert cli.main(["run", "forecast", *argv]) == 0
    out = capsys.readouterr().out
    made = folder / "runs" / "forecast-1"
    assert re.search(r"^column +measure +forecast +last value +seasonal naive +RLS-AR$", out, re.M)
    assert re.search(r"^rain fall +NRMSE +\d\.\d{4} +\d\.\d{4} +(\d\.\d{4}|-) +\d\.\d{4}$", out, re.M)
    assert re.search(r"^beyond the data:\ncolumn +tick +forecast +10% +25% +50% +75% +90%$", out, re.M)
    assert "NRMSE 2 ticks ahead, ticks 60 to 119: root mean squared error" in out
    told = summary(made)
    assert told["forecast"]["horizon"] == 2 and set(told["regions"]) == {"rain_fall", "flow", "shared"}
    for row in told["forecast"]["columns"]:
        assert row["nrmse"] < row["nrmse_last"]
    lines = (made / "forecast.csv").read_text().splitlines()
    assert lines[0] == ("tick,column,horizon,made,truth,forecast,q0.1,q0.25,q0.5,q0.75,q0.9,last value,"
                        "seasonal naive,RLS-AR") and len(lines) == 1 + 2 * 120
    assert (made / "forecast_scores.csv").read_text().startswith("column,horizon,method,nrmse,mape,smape,coverage,")
    assert (made / "forecast.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["run", str(made / "graph.toml"), "--quiet", "--out", "again"]) == 0
    assert (folder / "again" / "forecast.csv").read_text() == (made / "forecast.csv").read_text()


def hourly(folder, n=480, gap=()):
    """A file of hours with a rhythm of the day and one of the week."""
    times = np.datetime64("2024-01-01T00:00") + np.arange(n) * np.timedelta64(1, "h")
    hour, day = np.arange(n) % 24, np.arange(n) // 24 % 7
    x = 50 + 20 * np.sin(2 * np.pi * hour / 24) * np.where(day < 5, 1, 0.5) + np.random.default_rng(0).normal(size=n)
    rows = [f"{t},{v:.4f}" for k, (t, v) in enumerate(zip(times, x, strict=True)) if k not in gap]
    (folder / "hours.csv").write_text("when,load\n" + "\n".join(rows) + "\n")
    return ["run", "forecast", "--data", "hours.csv", "--column", "load"]


@pytest.mark.parametrize("graph", [[], ["--graph", "daily.toml"]])
def test_forecast_of_several_horizons_with_the_calendar(capsys, folder, graph):
    (folder / "daily.toml").write_text(
        'version = 1\nname = "daily"\n[sources.value]\nsize = 1\n[sources.time_of_day]\nsize = 12\nknown = "before"\n'
        '[regions.next]\npredicts = "value"\ncontext = ["value@1", "value@2", "value@24", "time_of_day"]\n')
    argv = [*hourly(folder), "--time", "when", "--calendar", "day,week", "--horizon", "1,3..4", *graph]
    assert cli.main([*argv, "--out", "a", "--quantiles", "0.05,0.95", "--score-from", "200"]) == 0
    out = capsys.readouterr().out
    assert "a season is 24 ticks, a day, by the timestamps" in out
    assert re.search(r"^load +4 +NRMSE +0\.\d{4} ", out, re.M) and re.search(r"^2024-01-21 03:00:00 +\d", out, re.M)
    told = summary(folder / "a")["forecast"]
    assert told["horizons"] == [1, 3, 4] and told["levels"] == [0.05, 0.95] and told["season"]["ticks"] == 24
    assert [row["first"] for row in told["columns"]] == [200] * 3
    assert all(row["nrmse"] < row["nrmse_last"] for row in told["columns"])
    assert 0.7 < told["columns"][0]["coverage"] < 1
    lines = (folder / "a" / "forecast.csv").read_text().splitlines()
    assert lines[0].startswith("tick,column,horizon,made,time,time made,truth,forecast,q0.05,q0.95,last value")
    assert lines[-1].startswith("483,load,4,479,2024-01-21 03:00:00,2024-01-20 23:00:00,,")
    assert len(lines) == 1 + 3 * 480
    assert cli.main(["run", "a/graph.toml", "--quiet", "--out", "again"]) == 0
    for name in ("forecast.csv", "forecast_scores.csv"):
        assert (folder / "again" / name).read_text() == (folder / "a" / name).read_text()


def test_gaps_in_the_timestamps_are_filled_where_asked_for(capsys, folder):
    argv = [*hourly(folder, gap=(100, 101, 300)), "--time", "when", "--quiet"]
    assert "line 102: the timestamp leaves out 2 ticks of 1 hour" in refused(capsys, *argv)
    assert cli.main([*argv, "--gaps", "fill", "--season", "168", "--out", "a"]) == 0
    told = summary(folder / "a")
    assert told["ticks"] == 480 and told["forecast"]["season"] == {"ticks": 168, "how": "as given"}
    assert cli.main([*argv, "--gaps", "keep", "--out", "b"]) == 0 and summary(folder / "b")["ticks"] == 477
    # no truth at hour 300; and none a season before hours 268 and 269, so nobody is scored there
    assert told["forecast"]["columns"][0]["ticks"] == 240 - 3


def test_an_interrupt_keeps_the_forecasts_so_far(capsys, folder, monkeypatch):
    def interrupted(sim, advance, *rest):
        advance(300)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "_drive", interrupted)
    assert cli.main([*hourly(folder), "--horizon", "1,2", "--out", "a"]) == 130
    assert "interrupted at tick 300 of 480" in capsys.readouterr().err
    assert len((folder / "a" / "forecast.csv").read_text().splitlines()) == 1 + 2 * 300


@pytest.mark.parametrize(("argv", "message"), [
    (["--horizon", "3,0"], "argument --horizon: must be whole numbers of at least 1, each once: 3, or 1,3,5, or 1..48 "
                           "(got '3,0')"),
    (["--horizon", "soon"], "(got 'soon')"),
    (["--quantiles", "10"], "quantiles: must be numbers above 0 and below 1 (got 10.0)"),
    (["--graph", "forecast_sesonal"], "option --graph forecast_sesonal: is not in the catalogue; did you mean "
                                      "'forecast_seasonal'?"),
    (["--graph", "change"], "did you mean 'changes'?"),
    (["--graph", "./none.toml"], "none.toml"),
    (["--graph", "glimpses"], "graph 'glimpses': has no source 'value', so there is nothing to forecast"),
    (["--graph", "forecast_seasonal"], "option --time: is needed: graph 'forecast_seasonal' reads 'time_of_day'; name"),
    (["--calendar", "day"], "option --time: is needed: --calendar needs timestamps"),
    (["--calendar", "dya", "--time", "when"], "option --calendar: must be of day, week, year (got 'dya'); did you"),
    (["--time", "wen"], "has no column 'wen'; did you mean 'when'?"),
    (["--time", "load"], "column 'load': line 2 must hold a timestamp as ISO 8601 writes it"),
    (["--gaps", "fill"], "option --gaps: is about timestamps; name their column: --time NAME"),
    (["--gaps", "drop"], "argument --gaps: invalid choice: 'drop'"),
    (["--season", "0"], "must be a whole number of at least 1 (got '0')"),
])
def test_what_the_options_of_forecast_refuse(capsys, folder, argv, message):
    assert message in refused(capsys, *hourly(folder), *argv)
    assert not (folder / "runs").exists()


def test_forecast_takes_only_the_first_rows(folder):
    argv = ["run", "forecast", "--data", "rows.csv", "--column", "flow", "--ticks", "60", "--quiet", "--out", "a"]
    assert cli.main(argv) == 0
    told = summary(folder / "a")
    assert told["ticks"] == 60 and told["plan"]["edges"] == 60 // 12 + 1, "and as many lags as these tell"


@pytest.mark.parametrize(("argv", "message"), [
    ([], "option --data: is needed; cortexsim run forecast --data FILE.csv --column NAME"),
    (["--data", "rows.csv"], "option --column: is needed"),
    (["--data", "row.csv", "--column", "flow"], "row.csv': no such file"),
    (["--data", "rows.csv", "--column", "flaw"], "rows.csv': has no column 'flaw'; did you mean 'flow'?"),
    (["--data", "rows.csv", "--column", "day"], "line 2, column 'day' must hold a finite number (got 'day 0')"),
    (["--data", "rows.csv", "--column", "flow", "--ticks", "500"], "must be at most 120, the rows of rows.csv"),
    (["--data", "rows.csv", "--column", "flow", "--horizon", "120"], "needs more rows than the horizon, 120 (got 120)"),
    (["--data", "empty.csv", "--column", "x"], "empty.csv': has no rows of data below the row of names"),
    (["--data", "gaps.csv", "--column", "x"], "line 3, column 'x' is blank"),
])
def test_what_forecast_refuses(capsys, folder, argv, message):
    (folder / "empty.csv").write_text("day,x\n")
    (folder / "gaps.csv").write_text("day,x\n1,2\n2,\n3,5\n4,4\n")
    assert message in refused(capsys, "run", "forecast", *argv)
    assert not (folder / "runs").exists()


def test_values_need_no_quotes():
    texts = ["0.5", ".5", "3", "true", "[1, 2]", "photo.jpg", "'quoted'", "{a = 1}"]
    assert [parse_value(text) for text in texts] == [0.5, 0.5, 3, True, [1, 2], "photo.jpg", "quoted", {"a": 1}]


# --- processes of their own ---

def start(*argv, **options):
    return subprocess.Popen([sys.executable, "-m", "cortexsim", *argv], text=True, stderr=subprocess.PIPE,
                            stdout=subprocess.PIPE, **options)


def test_ctrl_c_in_the_middle_writes_what_there_is(folder):
    process = start("run", "eye.toml", "--ticks", str(10 ** 9), "--out", "a")
    for line in process.stderr:
        if "ticks/s" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    told = summary(folder / "a")
    assert told["outcome"] == "interrupted" and 0 < told["ticks"] < told["ticks_asked"] == 10 ** 9
    line = f"cortexsim: interrupted at tick {told['ticks']:,} of 1,000,000,000; all of it is in a"
    assert line in err.splitlines()
    assert "in a: summary.json" in out and "Traceback" not in err
    assert Curves.from_npz(folder / "a" / "curves.npz").n_ticks == told["ticks"]
    assert (folder / "a" / "graph.png").exists()


def test_a_graph_that_settles_has_a_picture_of_its_free_energy(capsys, folder):
    assert cli.main(["run", "rao_ballard", "--ticks", "900", "--out", "made"]) == 0
    assert "learning_curves.png, graph.png, free_energy.png" in capsys.readouterr().out
    first = (folder / "made" / "free_energy.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert cli.main(["plot", "made"]) == 0 and (folder / "made" / "free_energy.png").read_bytes() == first
