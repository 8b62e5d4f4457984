"""``cortexsim run --checkpoint-every`` and ``--resume``: the same end with the same bits, whatever came between."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import faulty
from cli_examples import SERIES, fill_folder, refused, summary
from cortexsim import checkpoint, cli, cli_resume, cli_run, runfolder, runplace
from cortexsim.errors import FileError
from cortexsim.forecasting import ForecastRun
from crash.compare import differences

HERE = Path(__file__).parent
DRAW = runfolder.draw


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "faulty.toml").write_text(faulty.GRAPH)
    # they take longer than the runs
    monkeypatch.setattr(runfolder, "draw", lambda *given: [])
    return fill_folder(tmp_path, monkeypatch)


def run(*argv):
    return cli.main(["run", *argv, "--quiet"])


def ticks_of(folder):
    return [int(path.stem[5:]) for path in checkpoint.checkpoints(folder / "checkpoints")]


def interrupted_at(monkeypatch, tick):
    """Let the next run be interrupted at a tick."""
    drive = cli_run._drive

    def driven(sim, advance, ticks, *rest):
        monkeypatch.setattr(cli_run, "_drive", drive)
        drive(sim, advance, tick, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "_drive", driven)


# --- checkpoints ---

def test_checkpoints_lie_at_multiples_and_at_the_end_and_the_newest_stay(folder):
    assert run("eye.toml", "--checkpoint-every", "70", "--out", "a") == 0
    assert ticks_of(folder / "a") == [210, 280, 300]
    assert run("eye.toml", "--checkpoint-every", "70", "--keep", "9", "--out", "b") == 0
    assert ticks_of(folder / "b") == [0, 70, 140, 210, 280, 300]
    assert run("eye.toml", "--out", "c") == 0
    assert not (folder / "c" / "checkpoints").exists()
    assert differences(folder / "a", folder / "b") == []
    assert (folder / "a" / "curves.npz").read_bytes() == (folder / "c" / "curves.npz").read_bytes()


def test_checkpoints_come_after_whole_trials(folder):
    (folder / "series.toml").write_text(SERIES + "[trial]\nlength = 3\n")
    assert run("series.toml", "--ticks", "60", "--checkpoint-every", "10", "--keep", "9", "--out", "a") == 0
    assert ticks_of(folder / "a") == [0, 12, 24, 36, 48, 60]


def test_the_number_kept_needs_checkpoints(capsys, folder):
    message = refused(capsys, "run", "eye.toml", "--keep", "2", "--out", "a")
    assert message == "option --keep: is about checkpoints; add --checkpoint-every N"
    assert not (folder / "a").exists()


def test_each_checkpoint_brings_the_curves_up_to_date(folder, monkeypatch):
    seen = []

    def look(self):
        kept(self)
        found = runfolder.read(self.folder)
        seen.append((found.curves.n_ticks, found.summary["outcome"], found.summary["ticks"]))

    kept = cli_resume.Keeper.save
    monkeypatch.setattr(cli_resume.Keeper, "save", look)
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "a") == 0
    assert seen == [(100, "running", 100), (200, "running", 200), (300, "running", 300), (300, "running", 300)]
    assert summary(folder / "a")["outcome"] == "finished"


def test_a_checkpoint_that_was_interrupted_is_written_at_the_end(folder, monkeypatch):
    write, calls = checkpoint.save_in, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(*given)

    monkeypatch.setattr(checkpoint, "save_in", interrupted)
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "a") == 130
    assert ticks_of(folder / "a") == [0, 100, 200]


# --- from the first moment ---

@pytest.mark.parametrize("options", [[], ["--checkpoint-every", "100"]])
def test_the_folder_opens_before_the_first_tick(folder, monkeypatch, options):
    def look(job, quiet):
        found = runfolder.read("a")
        assert (found.curves.n_ticks, found.summary["outcome"], len(found.graph.regions)) == (0, "running", 3)
        assert found.graph.graph["stream"]["ticks"] == 300
        monkeypatch.setattr(runfolder, "draw", DRAW)
        assert cli.main(["plot", "a"]) == 0
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "compile_kernels", look)
    assert run("eye.toml", "--out", "a", *options) == 130
    assert not (folder / "a").exists()


def test_a_folder_that_was_there_keeps_its_rights_and_what_is_in_it(folder):
    (folder / "a").mkdir(mode=0o750)
    made = (folder / "a").stat()
    assert run("eye.toml", "--out", "a", "--ticks", "9") == 0
    assert (folder / "a").stat().st_ino == made.st_ino
    (folder / "a" / "notes.txt").write_text("mine")
    assert run("eye.toml", "--out", "a", "--ticks", "9", "--checkpoint-every", "3", "--force") == 0
    assert run("eye.toml", "--out", "a", "--ticks", "8", "--force") == 0
    assert (folder / "a" / "notes.txt").read_text() == "mine"
    assert not (folder / "a" / "checkpoints").exists(), "those of an earlier run"


def test_a_current_folder_will_do(folder, monkeypatch):
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    assert run("../eye.toml", "--out", ".", "--ticks", "9") == 0 and Path("summary.json").exists()


# --- resume ---

@pytest.mark.parametrize("tick", [1, 120, 299])
def test_an_interrupted_run_goes_on_to_the_same_bits(capsys, folder, monkeypatch, tick):
    assert run("eye.toml", "--seed", "5", "--checkpoint-every", "100", "--out", "whole") == 0
    interrupted_at(monkeypatch, tick)
    assert run("eye.toml", "--seed", "5", "--checkpoint-every", "100", "--out", "a") == 130
    assert capsys.readouterr().err.endswith(f"interrupted at tick {tick} of 300; all of it is in a; cortexsim run "
                                            "--resume a goes on\n")
    assert ticks_of(folder / "a")[-1] == tick
    assert run("--resume", "a", "--threads", "2") == 0
    assert differences(folder / "whole", folder / "a") == []
    told = summary(folder / "a")
    assert told["resumed"] == [{"tick": tick, "command": ["cortexsim", "run", "--resume", "a", "--threads", "2",
                                                          "--quiet"]}]
    assert told["command"][2] == "eye.toml" and (told["ticks"], told["outcome"]) == (300, "finished")


def test_changes_from_the_command_line_are_those_of_the_run(folder, monkeypatch):
    argv = ["eye.toml", "--set", "next.learning_rate=0.3", "--lesion", "saccade->next", "--freeze", "code", "--stream",
            "lengths=[1, 3]", "--checkpoint-every", "100"]
    assert run(*argv, "--out", "whole") == 0
    interrupted_at(monkeypatch, 150)
    assert run(*argv, "--out", "a") == 130
    assert run("--resume", "a") == 0
    assert differences(folder / "whole", folder / "a") == []
    told = summary(folder / "a")
    assert (told["set"], told["lesion"], told["freeze"]) == (["next.learning_rate=0.3"], ["saccade->next"], ["code"])


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(folder, monkeypatch):
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "whole") == 0
    with pytest.raises(SystemExit), monkeypatch.context() as patch:
        patch.setattr(cli_run, "compile_kernels", lambda *given: (_ for _ in ()).throw(SystemExit(9)))
        patch.setattr(runplace, "discard", lambda folder: None)
        cli_run.run(cli.parse(["run", "eye.toml", "--checkpoint-every", "100", "--out", "a", "--quiet"]))
    assert ticks_of(folder / "a") == [0]
    assert run("--resume", "a") == 0
    assert differences(folder / "whole", folder / "a") == []


def test_a_finished_run_says_so_and_goes_on_to_a_later_end(capsys, folder):
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "a") == 0
    assert cli.main(["run", "--resume", "a"]) == 0
    assert capsys.readouterr().out == "a is finished, at tick 300; --ticks N goes on to a later one\n"
    assert run("--resume", "a", "--ticks", "450", "--checkpoint-every", "60", "--keep", "2") == 0
    assert ticks_of(folder / "a") == [420, 450]
    assert run("eye.toml", "--checkpoint-every", "100", "--ticks", "450", "--out", "whole") == 0
    assert differences(folder / "whole", folder / "a") == []
    message = refused(capsys, "run", "--resume", "a", "--ticks", "440")
    assert message == "option --ticks: must be at least 450, where the newest checkpoint is (got 440)"


def test_a_run_killed_while_it_wrote_its_results_writes_them(folder):
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "a") == 0
    sim = checkpoint.load(cli_resume.Simulation, folder / "a" / "checkpoints")
    runfolder.refresh(folder / "a", sim, {"outcome": "running"})
    (folder / "a" / "curves.csv").unlink()
    assert run("--resume", "a") == 0
    assert (folder / "a" / "curves.csv").exists() and summary(folder / "a")["outcome"] == "finished"


@pytest.mark.parametrize("horizons", ["1", "1,3"])
def test_forecasts_go_on_to_the_same_bits(folder, monkeypatch, horizons):
    argv = ["forecast", "--data", "rows.csv", "--column", "rain fall", "--column", "flow", "--horizon", horizons,
            "--lags", "5", "--checkpoint-every", "25"]
    assert run(*argv, "--out", "whole") == 0
    interrupted_at(monkeypatch, 60)
    assert run(*argv, "--out", "a") == 130
    assert run("--resume", "a") == 0
    assert differences(folder / "whole", folder / "a") == []


def test_an_interrupt_between_a_tick_and_its_forecasts_loses_none(folder, monkeypatch):
    argv = ["forecast", "--data", "rows.csv", "--column", "flow", "--horizon", "2", "--checkpoint-every", "50"]
    assert run(*argv, "--out", "whole") == 0
    ahead = ForecastRun.ahead

    def broken(self, *given, **options):
        if self.sim.tick == 70 and not broken.once:
            broken.once = True
            raise KeyboardInterrupt
        return ahead(self, *given, **options)

    broken.once = False
    monkeypatch.setattr(ForecastRun, "ahead", broken)
    assert run(*argv, "--out", "a") == 130 and ticks_of(folder / "a")[-1] == 70
    assert run("--resume", "a") == 0
    assert differences(folder / "whole", folder / "a") == []


def test_data_that_has_changed_is_told_of(capsys, folder, monkeypatch):
    interrupted_at(monkeypatch, 100)
    assert run("series.toml", "--checkpoint-every", "50", "--out", "a") == 130
    capsys.readouterr()
    np.savez(folder / "x.npz", x=np.ones((400, 2)))
    assert run("--resume", "a") == 0
    err = capsys.readouterr().err
    assert re.search(r"warning: file '.*x.npz' has changed since the run began, so that it ends otherwise\n", err)


# --- what is refused, and what is put right ---

@pytest.mark.parametrize(("argv", "message"), [
    (["--seed", "3"], "option --seed: does not go with --resume: the run goes on as it began; cortexsim run NAME"),
    (["--set", "next.decay=0"], "option --set: does not go with --resume"),
    (["--out=b"], "option --out: does not go with --resume"),
    (["--checkpoint-every", "0"], "argument --checkpoint-every: must be a whole number of at least 1 (got '0')"),
    (["eye.toml"], "option --resume: takes no NAME: the graph is in a (got 'eye.toml')"),
])
def test_what_does_not_go_with_resume(capsys, folder, argv, message):
    assert message in refused(capsys, "run", "--resume", "a", *argv)


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda a: None, "folder 'a': there is no such folder"),
    (lambda a: a.write_text(""), "folder 'a': is a file"),
    (lambda a: a.mkdir(), "folder 'a': is not the folder of a run: it holds no graph.toml"),
    (lambda a: run("eye.toml", "--ticks", "9", "--out", "a"), "folder 'a': has no checkpoints, so the run cannot go "
     "on; it was started without --checkpoint-every; begin again: cortexsim run a/graph.toml"),
])
def test_where_nothing_can_go_on(capsys, folder, spoil, message):
    spoil(folder / "a")
    before = sorted(folder.rglob("*"))
    assert refused(capsys, "run", "--resume", "a") == message
    assert sorted(folder.rglob("*")) == before


def test_a_checkpoint_of_a_script_says_how_it_is_loaded(capsys, folder):
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "a") == 0
    sim = checkpoint.load(cli_resume.Simulation, folder / "a" / "checkpoints")
    sim.save(folder / "a" / "checkpoints" / "tick-000000000900.ckpt")
    assert "is not that of a run of the program; load it in a script: Simulation.load" in refused(
        capsys, "run", "--resume", "a")


@pytest.mark.parametrize("spoil", [
    lambda path: path.write_bytes(path.read_bytes()[:-500]),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(bytes([*path.read_bytes()[:3000], 255 - path.read_bytes()[3000],
                                         *path.read_bytes()[3001:]])),
])
def test_a_damaged_checkpoint_is_put_aside_and_the_one_before_it_is_taken(capsys, folder, monkeypatch, spoil):
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "whole") == 0
    interrupted_at(monkeypatch, 250)
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "a") == 130
    spoil(folder / "a" / "checkpoints" / "tick-000000000250.ckpt")
    capsys.readouterr()
    assert run("--resume", "a", "--keep", "1") == 0
    err = capsys.readouterr().err
    assert re.search(r"cortexsim: warning: .*'a/checkpoints/tick-000000000250.ckpt'.*; tick-000000000200.ckpt, which "
                     r"is older, is taken", err)
    assert ticks_of(folder / "a") == [300]
    assert (folder / "a" / "checkpoints" / "tick-000000000250.ckpt.damaged").exists()
    assert differences(folder / "whole", folder / "a") == []


def test_without_a_whole_checkpoint_the_error_names_the_newest(capsys, folder):
    assert run("eye.toml", "--checkpoint-every", "300", "--keep", "1", "--out", "a") == 0
    (folder / "a" / "checkpoints" / "tick-000000000300.ckpt").write_bytes(b"PK")
    message = refused(capsys, "run", "--resume", "a")
    assert "holds no checkpoint that is whole" in message and "tick-000000000300.ckpt" in message


def test_two_runs_at_once_do_not_share_a_folder(capsys, folder):
    assert run("eye.toml", "--checkpoint-every", "100", "--out", "a") == 0
    with runplace.Lock(folder / "a"):
        message = refused(capsys, "run", "--resume", "a")
        assert re.fullmatch(r"folder 'a': another run is writing to it, process \d+; wait for its end, or stop it",
                            message)
        assert "another run is writing" in refused(capsys, "run", "eye.toml", "--out", "a", "--force", "--quiet")
    assert not (folder / "a" / ".lock").exists()
    (folder / "a" / ".lock").write_text("4194304\n")  # of a run that was killed: the system has let it go
    assert cli.main(["run", "--resume", "a"]) == 0 and not (folder / "a" / ".lock").exists()


def test_a_lock_that_was_removed_in_the_meantime_is_not_taken_for_one(tmp_path, monkeypatch):
    answers = iter([False, True])
    monkeypatch.setattr(runplace.Lock, "_is_there", lambda self: next(answers))
    with runplace.Lock(tmp_path), pytest.raises(FileError, match="another run"):
        runplace.Lock(tmp_path)


# --- killed ---

def test_runs_that_are_killed_at_random_moments_end_with_the_same_bits(tmp_path):
    """All graphs, fifty times each: python tests/crash/run.py --kills 50."""
    done = subprocess.run([sys.executable, str(HERE / "crash" / "run.py"), "--kills", "3", "--real", "1", "--only",
                           "kind delta", "kind subspace", "forecast 1.."], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "9 kills of 3 graphs; 0 of them ended otherwise"
