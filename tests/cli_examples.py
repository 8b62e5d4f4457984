"""Small graphs and a folder of them, for the tests of the program."""

from __future__ import annotations

import json

import numpy as np

from cortexsim import cli

EYE = """
version = 1
name = "eye"
why = "A small eye. It is for tests."
cite = "A paper."
[stream]
name = "glimpses"
fovea = 4
surround = 2
surround_span = 8
ticks = 300
[sources.fovea]
shape = [4, 4]
why = "what is seen"
[sources.saccade]
size = 2
known = "before"
[regions.code]
kind = "subspace"
predicts = "fovea"
size = 6
[regions.next]
kind = "delta"
predicts = "code.state"
context = ["code.state@1", "saccade"]
learning_rate = 0.2
why = "small steps"
source = "Another paper."
[regions.slow]
kind = "delta"
predicts = "fovea"
context = [{ from = "fovea@2", field = "window(3)" }, "next.error@1"]
gate = "saccade"
period = 2
tags = ["late"]
"""

SERIES = """
name = "series"
[stream]
name = "arrays"
data = "x.npz"
[sources.x]
size = 2
[regions.next]
predicts = "x"
context = ["x@1", "x@2"]
"""


def fill_folder(tmp_path, monkeypatch):
    """A folder with small graphs, in which the program is called."""
    rng = np.random.default_rng(0)
    x = np.sin(np.arange(400)[:, None] / [3, 7]) + 0.1 * rng.normal(size=(400, 2))
    np.savez(tmp_path / "x.npz", x=x)
    x[250, 1] = np.nan
    np.savez(tmp_path / "bad.npz", x=x)
    (tmp_path / "eye.toml").write_text(EYE)
    (tmp_path / "series.toml").write_text(SERIES)
    (tmp_path / "bad.toml").write_text(SERIES.replace("x.npz", "bad.npz"))
    rows = "\n".join(f"day {k},{np.sin(k / 4) * 3 + k / 50:.4f},{np.sin((k - 3) / 4):.4f}" for k in range(120))
    (tmp_path / "rows.csv").write_text(f"day,rain fall,flow\n{rows}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def refused(capsys, *argv):
    """The one line on standard error of a command line that ends with exit code 2."""
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("cortexsim: ")]
    assert len(lines) == 1 and "Traceback" not in captured.err
    return lines[0].removeprefix("cortexsim: error: ")
