"""Full disks, folders that cannot be written to, files that vanish: what is said, and what is still there then."""

from __future__ import annotations

import builtins
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import faulty
from cli_examples import fill_folder, refused, summary
from cortexsim import checkpoint, cli, files, runfolder, runplace
from cortexsim.curves import Curves
from cortexsim.errors import FileError
from cortexsim.simulation import Simulation
from crash.compare import differences

HERE = Path(__file__).parent
NOBODY = 65534


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "faulty.toml").write_text(faulty.GRAPH)
    monkeypatch.setattr(runfolder, "draw", lambda *given: [])
    return fill_folder(tmp_path, monkeypatch)


def run(*argv):
    return cli.main(["run", "faulty.toml", *faulty.ARGV, "--quiet", *argv])


def run_elsewhere(*argv):
    """The same in a process of its own, whose limits are its own."""
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent}:{HERE}"}
    return subprocess.run([sys.executable, "-m", "cortexsim", "run", "faulty.toml", *faulty.ARGV, "--quiet", *argv],
                          capture_output=True, text=True, env=environment)


def same_run(one, other):
    """Whether two runs ended with the same bits; the tables of their streams differ: something happened to one."""
    return [name for name in differences(one, other) if name != "graph.toml"] == []


# --- a full disk ---

def full(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files whose name holds a text be written to a disk that is full."""
    def opened(file, *given, **options):
        return builtins.open("/dev/full" if path in str(file) else file, *given, **options)

    monkeypatch.setattr(files, "open", opened, raising=False)


def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path, monkeypatch):
    files.write_file(tmp_path / "a.txt", lambda file: file.write(b"first"))
    full("a.txt", monkeypatch)
    with pytest.raises(FileError, match=rf"folder '{tmp_path}': cannot write 'a.txt' \(No space left on device\);"):
        files.write_file(tmp_path / "a.txt", lambda file: file.write(b"second" * 10_000))
    assert (tmp_path / "a.txt").read_text() == "first" and len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_is_full_from_the_beginning_costs_no_time(capsys, folder, monkeypatch):
    full(".ckpt", monkeypatch)
    message = refused(capsys, "run", "faulty.toml", *faulty.ARGV, "--out", "a")
    assert re.match(r"folder '.*checkpoints': cannot write 'tick-000000000000.ckpt' \(No space left", message)
    assert not [path for path in folder.iterdir() if path.name == "a" or path.name.endswith(".tmp")]


def test_a_disk_that_is_full_for_a_while_costs_only_the_checkpoints_of_that_while(folder):
    assert run("--out", "whole") == 0
    done = run_elsewhere("--out", "a", "--stream", "happens=full disk", "--stream", "at=250", "--stream", "until=450")
    assert done.returncode == 0, done.stderr
    warning = (r"cortexsim: warning: at tick (\d+): folder 'a/checkpoints': cannot write 'tick-000000000[34]00.ckpt' "
               r"\(File too large\); make room there; the checkpoint of tick 200 is whole, and the run goes on\n")
    assert re.findall(warning, done.stderr) == ["300", "400"]
    assert [path.stem[-3:] for path in checkpoint.checkpoints(folder / "a" / "checkpoints")] == ["200", "500", "600"]
    assert same_run(folder / "whole", folder / "a") and summary(folder / "a")["outcome"] == "finished"


def test_a_disk_that_stays_full_keeps_the_last_checkpoint_and_the_run_goes_on_from_it(folder):
    assert run("--out", "whole") == 0
    done = run_elsewhere("--out", "a", "--stream", "happens=full disk", "--stream", "at=250")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[-2] == ("cortexsim: the results could not be written; the checkpoint of tick 200 is whole, and "
                         "cortexsim run --resume a goes on from it")
    assert re.fullmatch(r"cortexsim: error: folder .a.: cannot write .* \(File too large\); make room there", lines[-1])
    found = runfolder.read("a")
    assert (found.curves.n_ticks, found.summary["outcome"], found.summary["ticks"]) == (200, "running", 200)
    assert not list((folder / "a").rglob("*.tmp"))
    (folder / "room").write_text("")
    assert cli.main(["run", "--resume", "a", "--allow-kind", "faulty:*", "--quiet"]) == 0
    assert same_run(folder / "whole", folder / "a")


def test_curves_that_cannot_be_written_do_not_cost_the_checkpoint(capsys, folder, monkeypatch):
    full(".curves.npz", monkeypatch)
    assert "cannot write 'curves.npz' (No space left on device)" in refused(
        capsys, "run", "faulty.toml", *faulty.ARGV, "--out", "a")
    to_npz, calls = Curves.to_npz, []

    def sometimes(self, path):
        calls.append(path)
        if len(calls) in (3, 7):  # of tick 200, and of the end
            raise FileError("folder 'a'", "cannot write 'curves.npz' (No space left on device)")
        monkeypatch.setattr(files, "open", builtins.open, raising=False)
        to_npz(self, path)

    monkeypatch.setattr(Curves, "to_npz", sometimes)
    assert run("--out", "a", "--keep", "9") == 0
    assert "warning: at tick 200: folder 'a': cannot write 'curves.npz'" in capsys.readouterr().err
    assert len(checkpoint.checkpoints("a/checkpoints")) == 7


def test_a_last_checkpoint_that_cannot_be_written_is_an_error_though_the_results_are_there(capsys, folder, monkeypatch):
    full(".tick-000000000600.ckpt", monkeypatch)
    assert run("--out", "a") == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning.startswith("cortexsim: warning: at tick 600: folder 'a/checkpoints': cannot write")
    assert error.startswith("cortexsim: error: folder 'a/checkpoints': cannot write 'tick-000000000600.ckpt'")
    assert summary(folder / "a")["ticks"] == runfolder.read("a").curves.n_ticks == 600


# --- a folder that cannot be written to ---

def as_nobody(work: Callable[[], None]) -> str:
    """Do something as a user whom the rights of a folder bind, which they do not root; returns what was raised."""
    if os.geteuid():
        try:
            work()
        except Exception as error:
            return str(error)
        return ""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        text = ""
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
        except BaseException as error:
            text = str(error)
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        return file.read()


@pytest.fixture
def shared():
    """A folder to which everybody comes, but nobody may write."""
    place = Path(tempfile.mkdtemp(prefix="cortexsim-rights-"))
    (place / "a").mkdir()
    for path in (place / "a", place):
        path.chmod(0o555)
    yield place
    place.chmod(0o755)
    shutil.rmtree(place)


def test_a_folder_without_the_right_to_write_is_named(shared):
    assert as_nobody(lambda: files.write_file(shared / "a" / "x.txt", lambda file: file.write(b"x"))) == (
        f"folder '{shared}/a': cannot write 'x.txt' (Permission denied); name a folder that exists and can be written "
        "to")
    assert as_nobody(lambda: runplace.claim(shared / "b", "x")) == (
        f"folder '{shared}/b': cannot be made (Permission denied); name another with --out")
    assert as_nobody(lambda: runplace.begin(shared / "a", lambda folder: None, new=False)) == (
        f"folder '{shared}/a': cannot be written to (Permission denied)")
    assert list((shared / "a").iterdir()) == []


def test_only_the_folder_itself_need_be_writable(shared):
    (shared / "a").chmod(0o777)

    def begin():
        with runplace.begin(shared / "a", lambda folder: (folder / "x").write_text("made"), new=True):
            pass

    assert as_nobody(begin) == ""
    assert [path.name for path in (shared / "a").iterdir()] == ["x"]


def test_a_folder_of_checkpoints_below_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    sim = Simulation(faulty_graph())
    with pytest.raises(FileError, match=r"file/below': cannot be made \(Not a directory\)"):
        checkpoint.save_in(sim, tmp_path / "file" / "below")
    with pytest.raises(FileError, match=r"folder '.*/file': cannot write 'x.ckpt' \(Not a directory\); name a folder"):
        sim.save(tmp_path / "file" / "x.ckpt")


def faulty_graph():
    from cortexsim.catalogue import load_toml
    return load_toml(faulty.GRAPH)


# --- files that vanish ---

def test_a_checkpoint_that_vanishes_between_listing_and_reading_is_passed_over(tmp_path, monkeypatch):
    sim = Simulation(faulty_graph())
    for _ in range(3):
        sim.run({"x": np.ones((10, 2))})
        checkpoint.save_in(sim, tmp_path)
    listed = checkpoint.checkpoints

    def vanishing(folder):
        found = listed(folder)
        found[-1].unlink()
        return found

    monkeypatch.setattr(checkpoint, "checkpoints", vanishing)
    assert Simulation.load(tmp_path).tick == 20
    monkeypatch.undo()
    for path in checkpoint.checkpoints(tmp_path):
        path.unlink()
    with pytest.raises(FileError, match=rf"folder '{tmp_path}': holds no checkpoint"):
        Simulation.load(tmp_path)


def test_a_folder_removed_in_the_middle_is_made_again_with_all_that_belongs_in_it(folder):
    assert run("--out", "whole") == 0
    assert run("--out", "a", "--stream", "happens=remove folder", "--stream", "at=250") == 0
    assert same_run(folder / "whole", folder / "a")
    assert cli.main(["run", "faulty.toml", "--out", "b", "--quiet", *faulty.ARGV[2:], "--stream", "at=250", "--stream",
                     "happens=remove folder"]) == 0
    assert runfolder.read("b").curves.n_ticks == 600


def test_a_file_that_vanishes_from_a_run_says_which(folder):
    assert run("--out", "a") == 0
    (folder / "a" / "graph.toml").unlink()
    with pytest.raises(FileError, match="is not the folder of a run: it holds no graph.toml"):
        runfolder.read("a")
