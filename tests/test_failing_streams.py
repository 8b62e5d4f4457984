"""Streams that fail, block or cannot go back, and the signals that end a run which waits for one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import faulty
from cli_examples import fill_folder, refused, summary
from cortexsim import checkpoint, cli, runfolder
from cortexsim.cli_progress import Interrupts
from cortexsim.engine import Uninterrupted
from crash.compare import differences

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "faulty.toml").write_text(faulty.GRAPH)
    # pictures take longer than the runs
    monkeypatch.setattr(runfolder, "draw", lambda *given: [])
    return fill_folder(tmp_path, monkeypatch)


def run(*argv):
    return cli.main(["run", *argv, "--quiet"])


def last_tick(folder):
    return int(checkpoint.checkpoints(folder / "checkpoints")[-1].stem[5:])


def start(*argv):
    return subprocess.Popen([sys.executable, "-m", "cortexsim", "run", *argv], text=True, stderr=subprocess.PIPE,
                            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": f"{HERE.parent}:{HERE}"})


def test_a_stream_that_fails_in_the_middle_loses_nothing(capsys, folder):
    assert run("faulty.toml", *faulty.ARGV, "--out", "whole") == 0
    happens = ["--stream", "happens=fail once", "--stream", "at=250"]
    assert cli.main(["run", "faulty.toml", *faulty.ARGV, *happens, "--out", "a"]) == 2
    captured = capsys.readouterr()
    assert captured.err.endswith("cortexsim: error: stream 'faulty:Stream': failed at tick 250: OSError: the line is "
                                 "dead; all ticks before it have run\n")
    told = summary(folder / "a")
    assert (told["ticks"], told["outcome"]) == (250, "stopped by an error") and "the line is dead" in told["error"]
    assert last_tick(folder / "a") == 250
    assert "stream 'faulty:Stream': is outside the package" in refused(capsys, "run", "--resume", "a")
    assert run("--resume", "a", "--allow-kind", "faulty:Stream") == 0
    assert [name for name in differences(folder / "whole", folder / "a") if name != "graph.toml"] == []


def test_a_stream_from_outside_needs_leave(capsys, folder):
    message = refused(capsys, "run", "faulty.toml", "--out", "a")
    assert message.startswith("stream 'faulty:Stream': is outside the package") and "--allow-kind faulty" in message
    assert run("faulty.toml", "--ticks", "9", "--out", "a", "--stream", "name=faulty:Stream") == 0, "the caller's own"


def test_a_stream_that_cannot_go_back_is_told_of_and_refused(capsys, folder):
    argv = ["faulty.toml", *faulty.ARGV, "--stream", "name=faulty:Blind"]
    assert cli.main(["run", *argv, "--out", "a"]) == 0
    assert "warning: stream 'faulty:Blind' cannot go back to a tick" in capsys.readouterr().err
    message = refused(capsys, "run", "--resume", "a", "--ticks", "700", "--allow-kind", "faulty:*")
    assert message.startswith("stream 'faulty:Blind': cannot go to where the run was: it has no position and seek()")


def test_a_stream_that_blocks_is_left_at_the_second_signal(folder):
    process = start("faulty.toml", *faulty.ARGV, "--stream", "happens=block", "--stream", "at=250", "--out", "a")
    while not (folder / "blocked").exists():
        assert process.poll() is None, process.communicate()
    assert runfolder.read("a").curves.n_ticks == 200
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "cortexsim: stopped at tick 250 of 600; all of it is in a; cortexsim run --resume a goes on" in err
    assert last_tick(folder / "a") == 250 and summary(folder / "a")["outcome"] == "interrupted"


def test_a_stream_that_blocks_is_left_even_without_a_second_signal():
    with pytest.raises(KeyboardInterrupt), Interrupts(patience=0.05) as interrupts:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert interrupts.asked == signal.SIGTERM, "but not while it writes files"
        interrupts.waiting = True
        signal.raise_signal(signal.SIGALRM)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    with pytest.raises(KeyboardInterrupt), Interrupts(patience=0.05) as interrupts:
        interrupts.waiting = True
        signal.raise_signal(signal.SIGINT)
        time.sleep(600)


def test_no_second_signal_comes_between_ticks_and_their_count():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        counted = False
        with Uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            counted = True
        raise AssertionError("it came too late")
    assert counted and interrupts.asked == signal.SIGTERM
