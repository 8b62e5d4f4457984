"""Numbers from text files, and scales that do not look ahead."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cortexsim.errors import FileError, InputError
from cortexsim.sources import open_stream
from cortexsim.sources.csvfile import RunningScale, Stream, read_csv


@pytest.fixture
def write(tmp_path):
    """Write a file; give its path."""
    def write(text, name="data.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path
    return write


def test_columns_by_name_in_the_order_asked_for(write):
    path = write("date,a,b\n2020-01-01,1,10\n2020-01-02,-2.5e1,20\n")
    names, values, info = read_csv(path, ["b", "a"])
    assert names == ["b", "a"] and values.dtype == np.float64
    assert values.tolist() == [[10, 1], [20, -25]]
    assert info == {"path": str(path), "columns": ["date", "a", "b"], "header": True, "rows": 2, "blanks": 0,
                    "skipped": 0}
    assert read_csv(path, "a").values.tolist() == [[1], [-25]]


def test_without_columns_every_one_of_numbers(write):
    names, values, _ = read_csv(write("date,a,note,b,c\nx,1,,2,\ny,3,n/a,4,5\n"), blanks="keep")
    assert names == ["a", "b", "c"]
    assert np.array_equal(values, [[1, 2, np.nan], [3, 4, 5]], equal_nan=True)


@pytest.mark.parametrize("text", [
    "1,2\n3,4\n", "1;2\n3;4\n", "1\t2\n3\t4\n", "1 2\n3   4\n", '"1","2"\n3,4\n',
    "# made by hand\n1, 2\n\n  # more\n3, 4", "1,2\r\n3,4\r\n", "\ufeff1,2\n3,4\n",
])
def test_files_without_names(write, text):
    names, values, info = read_csv(write(text))
    assert names == ["column1", "column2"] and not info["header"]
    assert values.tolist() == [[1, 2], [3, 4]]


def test_headers(write):
    assert read_csv(write("\ufeffa b,c\n1,2\n"), "a b").values.tolist() == [[1]]
    # an index without a name, as pandas writes it
    assert read_csv(write(",x\n0,5\n1,6\n")).names == ["column1", "x"]
    # dates in the first column of a file without names
    table = read_csv(write("1958-03-29,316.1\n1958-04-05,317.3\n"), "column2")
    assert not table.info["header"] and len(table.values) == 2


def test_blank_cells(write):
    path = write("a,b\n1,x\n,x\n3,x\n NaN ,x\nNA,x\n")
    table = read_csv(path, ["a"], blanks="skip")
    assert table.values.tolist() == [[1], [3]]
    assert (table.info["rows"], table.info["blanks"], table.info["skipped"]) == (2, 3, 3)
    kept = read_csv(path, ["a"], blanks="keep")
    assert np.isnan(kept.values[:, 0]).tolist() == [False, True, False, True, True]
    assert (kept.info["rows"], kept.info["blanks"], kept.info["skipped"]) == (5, 3, 0)
    message = "line 3, column 'a' is blank (blank cells in all: 3, in 3 rows); blanks=\"skip\" leaves such rows out"
    with pytest.raises(InputError, match=re.escape(message)):
        read_csv(path, ["a"])


@pytest.mark.parametrize(("text", "options", "message"), [
    ("co2,t\n1,2\n", {"columns": ["C02"]}, "data.csv': has no column 'C02'; did you mean 'co2'?"),
    ("a\n1\nbad\n", {"columns": ["a"]}, "data.csv': line 3, column 'a' must hold a finite number (got 'bad')"),
    ("# c\n\na\n1\ninf\n", {"columns": ["a"]}, "line 5, column 'a' must hold a finite number (got 'inf')"),
    ("a\n1_000\n", {"columns": ["a"]}, "line 2, column 'a' must hold a finite number (got '1_000')"),
    ("a;b\n1,5;2\n", {"columns": ["a"]}, "(got '1,5'); write decimals with a dot"),
    ("a,b\n", {}, "data.csv': has no rows of data below the row of names"),
    ("", {}, "data.csv': has no rows of data"),
    ("# only\n\n", {}, "data.csv': has no rows of data"),
    ("a\nNA\n", {"columns": ["a"], "blanks": "skip"}, "every row has a blank cell in these columns (got ['a'])"),
    ("a,b\n1,2\n1,2,3\n", {}, "data.csv': line 3 has 3 cells where the first row has 2"),
    ("a,b\nx,y\n", {}, "data.csv': has no column of numbers; columns: a, b"),
    ("a,b\n1,2\n", {"columns": []}, "data.csv': no column is asked for; columns: a, b"),
    ("a,a\n1,2\n", {"columns": ["a"]}, "data.csv': has 2 columns called 'a'; rename one in the file"),
    ("a,b\n1,2\n", {"columns": ["a", "a"]}, "data.csv': column 'a' is asked for twice"),
    ("a\n1\n", {"blanks": "skp"}, "blanks must be one of 'error', 'skip', 'keep' (got 'skp'); did you mean 'skip'?"),
])
def test_bad_files(write, text, options, message):
    with pytest.raises(InputError, match="^file '.*" + re.escape(message)):
        read_csv(write(text), **options)


def test_files_that_cannot_be_read(tmp_path, write):
    with pytest.raises(FileError, match=r"^file '.*none.csv': no such file$"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(FileError, match=r"^file '.*': cannot be read: Is a directory$"):
        read_csv(tmp_path)
    with pytest.raises(FileError, match=r"data.csv': is not text in UTF-8: "):
        read_csv(write("größe\n1\n", encoding="latin-1"))
    with pytest.raises(InputError, match=r"data.csv': line 1 cannot be read: field larger than field limit"):
        read_csv(write("a," + "b" * 200_000))


def test_a_stream_has_one_source_for_each_column(write):
    stream = Stream(write("t,CO2 (ppm),CO2-ppm,CO2 [ppm]\n0,1,2,3\n0,4,5,6\n0,7,8,9\n"),
                    ["CO2 (ppm)", "CO2-ppm", "CO2 [ppm]"])
    assert stream.columns == {"CO2_ppm": "CO2 (ppm)", "CO2-ppm": "CO2-ppm", "CO2_ppm_2": "CO2 [ppm]"}
    assert stream.shapes() == {"CO2_ppm": (1,), "CO2-ppm": (1,), "CO2_ppm_2": (1,)} and stream.length == 3
    rows = stream.read(2)
    assert rows["CO2-ppm"].tolist() == [[2], [5]] and rows["CO2-ppm"].dtype == np.float32
    assert stream.position == 2 and stream.read(5)["CO2_ppm"].tolist() == [[7]]
    assert stream.read(5)["CO2_ppm"].shape == (0, 1)
    stream.seek(1)
    assert stream.read(1)["CO2_ppm_2"].tolist() == [[6]]


def naive_scale(series, horizon, clip=10.0):
    rows = []
    for tick, value in enumerate(series):
        past = [x for x in series[:max(0, tick - horizon + 1)] if not np.isnan(x)]
        if len(past) < 2:
            rows.append((0 * value, np.nan, np.nan))
        else:
            mean, sd = np.mean(past), np.std(past) or 1.0
            rows.append((np.clip((value - mean) / sd, -clip, clip), mean, sd))
    return np.array(rows).T


@pytest.mark.parametrize("horizon", [1, 3])
def test_running_scale_is_mean_and_deviation_of_what_was_known(horizon):
    series = 1e4 + np.cumsum(np.random.default_rng(1).standard_normal(60))
    series[[0, 20]] = np.nan
    got = RunningScale(1, horizon).apply(series[:, None])
    for mine, twin in zip(got, naive_scale(series, horizon), strict=True):
        assert np.allclose(mine[:, 0], twin, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_running_scale_is_blind_to_the_last_values():
    series = np.random.default_rng(2).standard_normal((50, 2))
    other = series.copy()
    other[40:] = 99
    a, b = RunningScale(2, horizon=5).apply(series), RunningScale(2, horizon=5).apply(other)
    assert np.array_equal(a.mean[:45], b.mean[:45], equal_nan=True)
    assert np.array_equal(a.sd[:45], b.sd[:45], equal_nan=True)
    assert not np.array_equal(a.mean[45], b.mean[45])


def test_running_scale_does_not_depend_on_the_cuts_and_goes_back():
    series = np.random.default_rng(3).standard_normal((40, 3)) * [1, 10, 100]
    whole, split = RunningScale(3, horizon=2).apply(series), RunningScale(3, horizon=2)
    pieces = [split.apply(part) for part in (series[:1], series[1:1], series[1:17], series[17:])]
    for k in range(3):
        assert np.array_equal(np.concatenate([piece[k] for piece in pieces]), whole[k], equal_nan=True)
    assert np.allclose((whole.values * whole.sd + whole.mean)[3:], series[3:])
    assert np.isnan(whole.mean[:3]).all() and not whole.values[:3].any()


def test_running_scale_of_still_and_wild_series():
    assert RunningScale(1).apply(np.array([[5.0], [5], [5], [6]])).values[:, 0].tolist() == [0, 0, 0, 1]
    wild = np.array([[0.0], [1e-9], [3]])
    assert RunningScale(1).apply(wild).values[2, 0] == 10
    assert RunningScale(1, clip=np.inf).apply(wild).values[2, 0] > 1e8


def test_running_scale_refuses():
    with pytest.raises(InputError, match=r"RunningScale: needs rows of shape \[n, 2\] \(got \(4,\)\)"):
        RunningScale(2).apply(np.zeros(4))
    with pytest.raises(InputError, match=r"RunningScale: clip must be above 0 \(got 0\)"):
        RunningScale(2, clip=0)
    with pytest.raises(InputError, match=r"RunningScale: horizon must be a whole number of at least 1 \(got 0\)"):
        RunningScale(2, horizon=0)


def test_a_scaled_stream(write):
    path = write("a\n3\n5\n6\n10\n")
    stream = Stream(path, "a", scale="running")
    values = stream.read(4)["a"]
    assert np.allclose(values[:, 0], [0, 0, 2, (10 - 14 / 3) / np.std([3, 5, 6])])
    assert np.allclose((values * stream.sd + stream.mean)[2:, 0], [6, 10])
    plain = Stream(path, "a")
    assert not plain.mean.any() and (plain.sd == 1).all()


def test_bad_options_of_the_stream(write):
    path = str(write("a\n3\n"))
    for options, message in [
        ({"scale": "runing"}, "stream 'csvfile': scale must be 'none' or 'running' (got 'runing')"),
        ({"horizon": 0}, "stream 'csvfile': horizon must be a whole number of at least 1 (got 0)"),
        ({"column": "a"}, "stream 'csvfile': unknown option 'column'; did you mean 'columns'?"),
    ]:
        with pytest.raises(InputError, match=re.escape(message)):
            open_stream({"name": "csvfile", "path": path, **options})


def test_the_sunspots_and_the_co2_as_they_come(data_dir):
    sunspots = read_csv(data_dir / "series" / "sunspots.csv", "SUNACTIVITY")
    assert len(sunspots.values) == 309 and sunspots.values[1, 0] == 11
    co2 = read_csv(data_dir / "series" / "co2.csv", "co2", blanks="skip")
    assert (co2.info["rows"], co2.info["skipped"]) == (2225, 59)
    with pytest.raises(InputError, match=r"column 'co2' is blank \(blank cells in all: 59, in 59 rows\)"):
        read_csv(data_dir / "series" / "co2.csv", "co2")
