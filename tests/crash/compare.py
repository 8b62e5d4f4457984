"""Whether two runs ended with the same bits: the newest checkpoints, the curves and the forecasts in their folders."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim import checkpoint

#: What a checkpoint tells of the process and not of the run.
OF_THE_PROCESS = ("versions", "threads", "extra")


def differences(one: Path, other: Path) -> list[str]:
    """What is not the same in the folders of two runs; [] where all is.

    Parameters
    ----------
    one, other : pathlib.Path
        Folders of runs that have ended.

    Returns
    -------
    list of str
    """
    found = _of_checkpoints(*(checkpoint.checkpoints(folder / "checkpoints")[-1] for folder in (one, other)))
    with np.load(one / "curves.npz") as a, np.load(other / "curves.npz") as b:
        found += [f"curves.npz: {name}" for name in sorted({*a.files} | {*b.files})
                  if name not in a.files or name not in b.files or a[name].tobytes() != b[name].tobytes()]
    for name in ("curves.csv", "forecast.csv", "forecast_scores.csv", "graph.toml"):
        texts = [(folder / name).read_bytes() if (folder / name).exists() else None for folder in (one, other)]
        found += [name] * (texts[0] != texts[1])
    return found


def _of_checkpoints(one: Path, other: Path) -> list[str]:
    found = []
    with zipfile.ZipFile(one) as a, zipfile.ZipFile(other) as b:
        names = sorted({*a.namelist()} | {*b.namelist()})
        found += [name for name in names if name not in a.namelist() or name not in b.namelist()
                  or name.endswith(".npy") and _bits(a, name) != _bits(b, name)]
        words = [json.loads(file.read("manifest.json")) for file in (a, b)]
    return found + _of_words(words[0], words[1])


def _bits(file: zipfile.ZipFile, name: str) -> bytes:
    if name != "status.npy":
        return file.read(name)
    status = np.load(io.BytesIO(file.read(name)))
    # how long the regions took
    status[:, [d.CYCLES, d.TIMED]] = 0
    return status.tobytes()


def _of_words(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    # as text: NaN is not NaN
    return [f"manifest.json: {key}" for key in sorted({*one, *other} - set(OF_THE_PROCESS))
            if json.dumps(one.get(key), sort_keys=True) != json.dumps(other.get(key), sort_keys=True)]
