"""Learning curves as files: exact, whole or not at all, refused where they are not what they should be."""

from __future__ import annotations

import csv
import json
import math
import os
import sys

import numpy as np
import pytest

from cortexsim.curves import Curves
from cortexsim.errors import FileError, InputError
from cortexsim.measures import FIELDS, MEASURES
from test_curves import make


def assert_same(one: Curves, two: Curves) -> None:
    assert {**vars(one), "acc": None} == {**vars(two), "acc": None}
    np.testing.assert_array_equal(one.acc, two.acc)


def test_npz_round_trip_is_exact(tmp_path):
    curves, _ = make(11, start=7)
    curves.acc *= math.pi
    curves.add_event(3, "lesion", "V1 ✂", "naïve")
    curves.to_npz(tmp_path / "curves.npz")
    back = Curves.from_npz(tmp_path / "curves.npz")
    assert_same(curves, back)
    assert back.acc.flags.c_contiguous
    assert back.acc.flags.writeable
    assert os.listdir(tmp_path) == ["curves.npz"]


def test_csv_has_a_line_per_region_and_bin(tmp_path):
    curves, _ = make(8)
    curves.to_csv(tmp_path / "curves.csv")
    with open(tmp_path / "curves.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["tick", "region", "kind", "scores", *MEASURES]
    assert len(lines) == 8 + 3 + 8
    mine = [line for line in lines if line["region"] == "V1-next"]
    assert [float(line["tick"]) for line in mine] == [0, 3, 6]
    wanted = curves.curve("V1-next", "skill")
    assert [float(line["skill"]) for line in mine] == wanted[[0, 3, 6]].tolist()
    assert {line["loss_last"] for line in lines if line["region"] == "words"} == {""}


def test_pandas_has_the_same_columns(tmp_path):
    pandas = pytest.importorskip("pandas")
    curves, _ = make(8)
    curves.to_csv(tmp_path / "curves.csv")
    frame = curves.to_pandas()
    assert frame.dtypes["skill"] == np.float64
    pandas.testing.assert_frame_equal(frame, pandas.read_csv(tmp_path / "curves.csv"), check_dtype=False)
    assert Curves([], [], [], [], []).to_pandas().empty


def test_without_pandas_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = r'to_pandas: pandas is not installed; pip install "cortexsim\[pandas\]"'
    with pytest.raises(InputError, match=message):
        make(4)[0].to_pandas()


@pytest.mark.parametrize("method", ["to_csv", "to_npz"])
def test_an_unwritable_folder_is_named(tmp_path, method):
    curves, _ = make(4)
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(FileError, match=rf"folder '{folder}': cannot write 'c.x' \(.*\); name a folder"):
            getattr(curves, method)(folder / "c.x")
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_keeps_the_last_good_file(tmp_path, monkeypatch):
    curves, _ = make(4)
    path = tmp_path / "curves.csv"
    curves.to_csv(path)
    good = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    curves.n_ticks = 2
    with pytest.raises(FileError, match=r"cannot write 'curves.csv' \(No space left on device\)"):
        curves.to_csv(path)
    assert path.read_bytes() == good
    assert os.listdir(tmp_path) == ["curves.csv"]


def test_bad_npz_files_are_refused(tmp_path):
    with pytest.raises(FileError, match=r"file '.*none.npz': there is no such file"):
        Curves.from_npz(tmp_path / "none.npz")
    bad = tmp_path / "bad.npz"
    bad.write_text("not a zip")
    with pytest.raises(FileError, match=r"file '.*bad.npz': does not hold learning curves"):
        Curves.from_npz(bad)
    np.savez(bad, other=np.zeros(3))
    with pytest.raises(FileError, match=r"bad.npz': does not hold learning curves \(.*words"):
        Curves.from_npz(bad)
    make(4)[0].to_npz(bad)
    bad.write_bytes(bad.read_bytes()[:-200])
    with pytest.raises(FileError, match=r"bad.npz': does not hold learning curves"):
        Curves.from_npz(bad)


@pytest.mark.parametrize(("older", "fields", "without"), [(1, 8, "energy"), (2, 12, "anomaly"), (2, 12, "rate")])
def test_files_of_an_older_format_are_read_as_curves_without_what_came_later(tmp_path, older, fields, without):
    path, curves = tmp_path / "c.npz", make(4)[0]
    curves.to_npz(path)
    with np.load(path) as data:
        acc, words = data["acc"], json.loads(str(data["words"]))
    np.savez(path, acc=acc[..., :fields], words=np.array(json.dumps(words | {"format": older})))
    read = Curves.from_npz(path)
    np.testing.assert_array_equal(read.acc[..., :fields], curves.acc[..., :fields])
    np.testing.assert_array_equal(read.curve("V1", "skill"), curves.curve("V1", "skill"))
    assert np.isnan(read.curve("V1", without)).all()


@pytest.mark.parametrize(("words", "message"), [
    ({"format": 99}, r"holds curves of another format than this version reads, 3 \(got 99\)"),
    ({"regions": ["V1"]}, r"holds incomplete curves \(missing \[\], sums of shape \(3, 8, 15\)\)"),
    ({"score": ["mse", "mse", "dB"]}, r"does not hold learning curves \(curve of 'words': must score one of"),
    (None, r"holds incomplete curves \(missing \['events'\], sums"),
])
def test_npz_files_with_wrong_words_are_refused(tmp_path, words, message):
    path = tmp_path / "c.npz"
    make(4)[0].to_npz(path)
    with np.load(path) as data:
        acc, good = data["acc"], json.loads(str(data["words"]))
    good.update(words) if words else good.pop("events")
    np.savez(path, acc=acc, words=np.array(json.dumps(good)))
    with pytest.raises(FileError, match=message):
        Curves.from_npz(path)


@pytest.mark.parametrize("name", ["ticks", "learned", "energy_ticks", "anomaly_ticks"])
@pytest.mark.parametrize("count", [np.nan, np.inf, -1.0, 1e19])
def test_npz_files_whose_counts_are_none_are_refused(tmp_path, name, count):
    path, curves = tmp_path / "c.npz", make(4)[0]
    curves.acc[1, 2, FIELDS.index(name)] = count
    curves.to_npz(path)
    with pytest.raises(FileError, match=f"holds curves whose {name} are no count"):
        Curves.from_npz(path)
