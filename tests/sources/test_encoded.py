"""Columns of a file and sources of a stream as codes: times with gaps and duplicates, seeking, and errors that tell."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cortexsim as cs
from cortexsim.catalogue import load_toml, to_toml
from cortexsim.encoders import Category, Difference, Periodic, Scalar, Standardise
from cortexsim.errors import FileError, InputError
from cortexsim.sources import SeekableStream, open_stream
from cortexsim.sources.arrays import Stream as Arrays
from cortexsim.sources.encoded import Encoded

HEADER = "timestamp,value,weather,rain\n"
FILE = HEADER + """2014-07-01 00:00:00,10,sun,0.5
2014-07-01 00:30:00,11,sun,0
2014-07-01 01:00:00,13,fog,2.25
2014-07-01 01:30:00,12,sun,1
"""
VALUE = {"value": {"encoder": "scalar", "low": 0, "high": 20, "size": 41, "active": 11}}
SKY = {"column": "weather", "encoder": "category", "names": ["sun", "fog"]}


@pytest.fixture
def write(tmp_path):
    """Write a file; give its path."""
    def write(text=FILE, name="data.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path
    return write


def opened(path, sources=VALUE, **options):
    return open_stream({"name": "encoded", "path": str(path), "sources": sources, **options})


def row(time, value, weather="sun", rain="0"):
    return f"2014-07-01 {time},{value},{weather},{rain}\n"


def test_a_table_of_columns(write):
    stream = opened(write(), {
        **VALUE, "raw": {"column": "rain"}, "sky": SKY,
        "time_of_day": {"encoder": "calendar", "what": "time_of_day", "size": 48, "active": 5},
        "change": {"column": "value", "encoder": "difference"},
        "random": {"column": "weather", "encoder": "random_codes", "symbols": ["fog", "sun"], "size": 64, "active": 4},
    }, time="timestamp")
    assert stream.shapes() == {"value": (41,), "raw": (1,), "sky": (2,), "time_of_day": (48,), "change": (1,),
                               "random": (64,)}
    assert stream.length == 4 and stream.position == 0
    rows = stream.read(10)
    assert {name: values.dtype for name, values in rows.items()} == dict.fromkeys(rows, np.dtype("f4"))
    value = stream.encoders["value"]
    assert np.abs(value.decode(rows["value"]) - [10, 11, 13, 12]).max() <= value.resolution / 2
    assert rows["raw"][:, 0].tolist() == [0.5, 0, 2.25, 1]
    assert stream.encoders["sky"].decode(rows["sky"]) == ["sun", "sun", "fog", "sun"]
    assert stream.encoders["random"].decode(rows["random"]) == ["sun", "sun", "fog", "sun"]
    assert stream.encoders["time_of_day"].decode(rows["time_of_day"]).tolist() == [0, 0.5, 1, 1.5]
    assert rows["change"][:, 0].tolist() == [0, 1, 2, -1] and stream.encoders["raw"] is None
    assert stream.values["value"].tolist() == [10, 11, 13, 12] and str(stream.times[1]) == "2014-07-01T00:30:00.000000"


def test_a_gap_is_filled_with_ticks_without_a_value(write):
    path = write(HEADER + row("00:00", 1) + row("00:30", 2) + row("02:00", 3, "fog") + row("02:30", 4))
    sources = {**VALUE, "raw": {"column": "value"}, "sky": SKY,
               "hour": {"encoder": "calendar", "size": 48, "active": 5}}
    message = f"file {str(path)!r}, column 'timestamp', line 4: the timestamp leaves out 2 ticks of 30 minutes: the one"
    with pytest.raises(InputError, match=re.escape(message.replace(", line", ": line")) + ".*gaps 'fill' puts ticks"):
        opened(path, sources, time="timestamp")
    kept = opened(path, sources, time="timestamp", gaps="keep")
    assert kept.length == 4 and kept.encoders["hour"].decode(kept.read(9)["hour"]).tolist() == [0, 0.5, 2, 2.5]
    filled = opened(path, sources, time="timestamp", gaps="fill")
    rows = filled.read(9)
    assert filled.absent and not kept.absent
    assert filled.length == 6 and np.array_equal(filled.values["value"], [1, 2, np.nan, np.nan, 3, 4], equal_nan=True)
    for name in ("value", "raw", "sky"):
        absent = np.isnan(rows[name])
        assert absent.all(axis=1).tolist() == [False, False, True, True, False, False]
        assert absent.any(axis=1).tolist() == absent.all(axis=1).tolist()
    assert filled.encoders["hour"].decode(rows["hour"]).tolist() == [0, 0.5, 1, 1.5, 2, 2.5]  # the time is known there


def test_duplicates(write):
    text = HEADER + row("00:00", 1) + row("00:30", 2, "fog") + row("00:30", 5) + row("00:30", 11) + row("01:00", 4)
    path = write(text)
    sources = {"raw": {"column": "value"}, "sky": SKY}
    message = ("column 'timestamp': line 4: the timestamp is that of the line before it (got '2014-07-01 00:30:00'); "
               "duplicates 'first', 'last' or 'mean' makes such rows one")
    with pytest.raises(InputError, match=re.escape(message)):
        opened(path, sources, time="timestamp")
    for how, value, sky in (("first", 2, "fog"), ("last", 11, "sun"), ("mean", 6, "fog")):
        stream = opened(path, sources, time="timestamp", duplicates=how)
        rows = stream.read(9)
        assert rows["raw"][:, 0].tolist() == [1, value, 4] and stream.encoders["sky"].decode(rows["sky"])[1] == sky
    kept = opened(path, sources, time="timestamp", duplicates="keep", gaps="keep")
    assert kept.read(9)["raw"][:, 0].tolist() == [1, 2, 5, 11, 4]
    with pytest.raises(InputError, match="duplicates 'keep' needs gaps 'keep'"):
        opened(path, sources, time="timestamp", duplicates="keep", gaps="fill")
    # a gap and a duplicate at once, with a value absent in one of the two
    both = write(HEADER + row("00:00", 1) + row("00:30", "") + row("00:30", 3) + row("01:30", "") + row("01:30", "")
                 + row("02:00", 5))
    stream = opened(both, {"raw": {"column": "value"}}, time="timestamp", duplicates="mean", gaps="fill", blanks="keep")
    assert np.array_equal(stream.read(9)["raw"][:, 0], [1, 3, np.nan, np.nan, 5], equal_nan=True)


def test_blanks(write):
    path = write(HEADER + row("00:00", 1) + row("00:30", "", "fog") + row("01:00", 3, "") + row("01:30", 4))
    sources = {"raw": {"column": "value"}, "sky": SKY}
    with pytest.raises(InputError, match="line 3, column 'value' is blank"):
        opened(path, sources)
    with pytest.raises(InputError, match="line 4, column 'weather' is blank; blanks 'skip' leaves such rows out"):
        opened(path, {"sky": SKY})
    assert opened(path, sources, blanks="skip").read(9)["raw"][:, 0].tolist() == [1, 4]
    rows = opened(path, sources, blanks="keep").read(9)
    assert np.isnan(rows["raw"][:, 0]).tolist() == [False, True, False, False]
    assert np.isnan(rows["sky"]).all(axis=1).tolist() == [False, False, True, False]
    with pytest.raises(InputError, match="every row has a blank cell in these columns"):
        opened(write(HEADER + row("00:00", "") + row("00:30", "")), sources, blanks="skip")


@pytest.mark.parametrize(("text", "sources", "options", "message"), [
    (FILE, {"x": {"column": "vlaue"}}, {}, "data.csv': has no column 'vlaue'; did you mean 'value'?"),
    (FILE, {"value": {"encoder": "scalr"}}, {}, "stream 'encoded', source 'value': encoder 'scalr': no encoder has "
     "this name; did you mean 'scalar'?"),
    (FILE, {"value": {"encoder": "scalar", "low": 0, "hig": 1}}, {}, "source 'value': encoder 'scalar': unknown option "
     "'hig'; did you mean 'high'?"),
    (FILE, {"value": {"low": 0}}, {}, "source 'value': has an option 'low' but no encoder"),
    (FILE, {"value": {"encoder": "scalar", "low": 0, "high": 12}}, {}, "data.csv', line 4, column 'value': lies "
     "outside the range from 0 to 12 (got 13.0); outside='clip' takes the nearest end of it"),
    (FILE, {"value": {"encoder": "scalar", "low": 5, "high": 5}}, {}, "source 'value': encoder Scalar: high must be "
     "above low (5) (got 5)"),
    (FILE, {"sky": {"column": "weather", "encoder": "category", "names": ["sun", "frog"]}}, {}, "data.csv', line 4, "
     "column 'weather': is none of the names (got 'fog'); did you mean 'frog'?"),
    (FILE, {"sky": {"column": "weather"}}, {}, "line 2, column 'weather' must hold a finite number (got 'sun')"),
    (FILE, {"h": {"encoder": "calendar"}}, {}, "source 'h': encoder 'calendar' needs timestamps: name their column"),
    (FILE, {"h": {"encoder": "calendar", "column": "value"}}, {"time": "timestamp"}, "needs timestamps: name their "
     "column in the [stream] table, time = \"...\" (got 'value')"),
    (FILE, {"t": {"encoder": "bytes"}}, {}, "encoder 'bytes' is for a text as a whole; stream 'text' reads one"),
    (FILE, {}, {}, "stream 'encoded': needs a table of sources"),
    (FILE, {"value": 3}, {}, "source 'value': needs a table of column, encoder and its options (got 3)"),
    (FILE, VALUE, {"time": "timestmap"}, "data.csv': has no column 'timestmap'; did you mean 'timestamp'?"),
    (FILE, VALUE, {"gaps": "fil"}, "stream 'encoded': gaps must be one of 'error', 'keep', 'fill' (got 'fil'); did you "
     "mean 'fill'?"),
    (FILE, VALUE, {"duplicates": "drop"}, "duplicates must be one of 'error', 'first', 'last', 'mean', 'keep'"),
    (FILE, VALUE, {"blanks": "no"}, "blanks must be one of 'error', 'skip', 'keep' (got 'no')"),
    (FILE, VALUE, {"tmie": "timestamp"}, "stream 'encoded': unknown option 'tmie'; did you mean 'time'?"),
    (FILE.replace("2014-07-01 01:00:00", "1 July"), VALUE, {"time": "timestamp"}, "column 'timestamp': line 4 must "
     "hold a timestamp as ISO 8601 writes it (got '1 July')"),
    (FILE.replace("01:30:00", "00:10:00"), VALUE, {"time": "timestamp"}, "line 5: timestamps must not go back"),
    (HEADER, VALUE, {}, "data.csv': has no rows of data below the row of names"),
    ("", VALUE, {}, "data.csv': has no rows of data"),
])
def test_what_is_wrong_is_named(write, text, sources, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        opened(write(text), sources, **options)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileError, match="nowhere.csv': no such file"):
        opened(tmp_path / "nowhere.csv")


def test_an_error_in_a_number_made_of_the_past_names_its_line_too(write):
    path = write("x\n" + "\n".join(map(str, [0, 0, 1, 0, 900])))
    table = {"x": {"encoder": "standardise", "then": {"encoder": "scalar", "low": -3, "high": 3}}}
    with pytest.raises(InputError, match="data.csv', line 6, column 'x': lies outside the range from -3 to 3"):
        opened(path, table)


def test_a_constant_series_and_a_single_row(write):
    table = {"x": {"encoder": "standardise"}, "change": {"column": "x", "encoder": "difference"}}
    assert not np.any(list(opened(write("x\n" + "5\n" * 50), table).read(99).values()))
    assert opened(write("x\n5\n"), table).read(99)["x"].tolist() == [[0]]


def random_file(write, n=3000):
    rng = np.random.default_rng(0)
    return write("x,y\n" + "\n".join(f"{a:.4f},{b:.4f}" for a, b in rng.normal(size=(n, 2))))


TABLES = [{"x": {"encoder": "scalar", "low": -9, "high": 9}}, {"x": {"encoder": "difference", "horizon": 3}, "y": {}},
          {"x": {"encoder": "standardise"}, "d": {"column": "y", "encoder": "difference"}, "y": {}}]


@pytest.mark.parametrize("table", TABLES, ids=["now", "short past", "all of the past"])
def test_cuts_and_seeks_change_nothing(write, table):
    stream = opened(random_file(write), table)
    assert isinstance(stream, SeekableStream)
    whole = stream.read(5000)
    assert {len(rows) for rows in whole.values()} == {3000} and len(stream.read(1)["x"]) == 0
    stream.seek(0)
    pieces = [stream.read(n) for n in (1, 0, 4, 1500, 5000)]
    for name, rows in whole.items():
        assert np.array_equal(np.concatenate([piece[name] for piece in pieces]), rows)
    for tick in (2500, 10, 1, 2, 0, 2999, 3000):
        stream.seek(tick)
        assert stream.position == tick
        assert all(np.array_equal(rows, whole[name][tick:tick + 40]) for name, rows in stream.read(40).items())
    stream.seek(10**6)
    assert stream.position == stream.length == 3000


def test_nothing_of_the_future_is_in_a_code(write):
    one = write("x\n" + "\n".join(map(str, range(100))) + "\n" + "7\n" * 100, "one.csv")
    other = write("x\n" + "\n".join(map(str, range(100))) + "\n" + "-900\n" * 100, "other.csv")
    table = {"x": {"encoder": "standardise"}, "d": {"column": "x", "encoder": "difference"}}
    a, b = opened(one, table).read(200), opened(other, table).read(200)
    for name in table:
        assert np.array_equal(a[name][:100], b[name][:100]) and not np.array_equal(a[name][100:], b[name][100:])


# -- in a graph ------------------------------------------------------------------------------------------------------

TOML = """
version = 1
name = "encoded"

[stream]
name = "encoded"
path = "series.csv"
time = "t"
gaps = "fill"

[stream.sources.value]
column = "v"
encoder = "scalar"
low = -2
high = 2
size = 40
active = 5

[stream.sources.time_of_day]
encoder = "calendar"
what = "time_of_day"

[sources.value]
size = 40

[sources.time_of_day]
size = 24
known = "before"

[regions.next]
predicts = "value"
context = ["value@1", "time_of_day"]
learning_rate = 0.5
"""


def test_a_graph_in_a_file_runs_with_its_gaps(tmp_path):
    times = np.datetime64("2024-01-01T00:00") + np.arange(1000) * np.timedelta64(1, "h")
    values = np.sin(np.arange(1000) * 2 * np.pi / 24)
    kept = np.r_[0:500, 505:1000]
    (tmp_path / "series.csv").write_text("t,v\n" + "".join(f"{times[k]},{values[k]:.4f}\n" for k in kept))
    graph = load_toml(TOML)
    assert load_toml(to_toml(graph)).graph["stream"] == graph.graph["stream"]
    stream = open_stream(graph.graph["stream"], base_dir=tmp_path)
    sim = cs.Simulation(graph, seed=0, on_bad="skip")
    probe = sim.record("next.prediction")
    curves = sim.run(stream)
    assert sim.tick == stream.length == 1000 and curves.final("next")["skill"] > 0.8
    assert sim.skipped["value"] == 5 and "time_of_day" not in sim.skipped
    told = stream.encoders["value"].decode(probe.values, quantiles=(0.1, 0.5, 0.9))
    assert np.abs(told[600:, 1] - values[600:]).mean() < 0.15


# -- the wrapper -----------------------------------------------------------------------------------------------------

class Endless:
    """Counts, and cannot seek."""

    tick = 0

    def shapes(self):
        return {"n": (1,)}

    def read(self, n):
        self.tick += n
        return {"n": np.arange(self.tick - n, self.tick, dtype=np.float32)[:, None]}


def wrapped():
    data = {"x": np.random.default_rng(2).normal(size=400), "sheet": np.arange(800).reshape(400, 2)}
    return Encoded(Arrays(data), {"x": Scalar(-6, 6, 50, 7), "scaled": ("x", Standardise()),
                                  "ring": ("x", Periodic(2.0)), "step": ("x", Difference(2))})


def test_sources_are_replaced_added_and_passed_on():
    stream = wrapped()
    assert stream.shapes() == {"x": (50,), "sheet": (2,), "scaled": (1,), "ring": (24,), "step": (1,)}
    assert stream.length == 400 and isinstance(stream, SeekableStream)
    values = np.random.default_rng(2).normal(size=400).astype(np.float32)
    rows = stream.read(1000)
    for name, encoder in stream.encoders.items():
        wanted = np.arange(800).reshape(400, 2) if encoder is None else encoder.encode(values)
        assert np.array_equal(rows[name], wanted)
    pieces, again = [], wrapped()
    for n in (1, 5, 0, 300, 300):
        pieces.append(again.read(n))
    for tick in (390, 3, 0, 200):
        again.seek(tick)
        assert all(np.array_equal(found, rows[name][tick:tick + 20]) for name, found in again.read(20).items())
    assert all(np.array_equal(np.concatenate([piece[name] for piece in pieces]), rows[name]) for name in rows)


def test_a_stream_under_way_is_read_again_for_what_needs_its_past():
    inner = Arrays({"x": range(50)})
    inner.seek(20)
    stream = Encoded(inner, {"x": Standardise()})
    assert stream.position == 20
    assert np.array_equal(stream.read(9)["x"], Standardise().encode(np.arange(50))[20:29])


def test_what_cannot_seek_can_be_encoded():
    stream = Encoded(Endless(), {"change": ("n", Difference())})
    assert stream.length is None and stream.read(3)["change"].tolist() == [[0], [1], [1]]
    with pytest.raises(InputError, match=r"Encoded: the wrapped stream cannot seek \(got 'Endless'\)"):
        stream.seek(0)
    high = Encoded(Endless(), {"n": Scalar(0, 6)})
    high.read(5)
    with pytest.raises(InputError, match="Encoded: source 'n', tick 7: lies outside the range from 0 to 6"):
        high.read(5)


@pytest.mark.parametrize(("encoders", "message"), [
    ({"y": Scalar(0, 1)}, "Encoded: the stream has no source 'y'; known: sheet, x"),
    ({"z": ("sheat", Scalar(0, 1))}, "the stream has no source 'sheat'; did you mean 'sheet'?"),
    ({"sheet": Scalar(0, 1)}, "source 'sheet' needs one number a tick, and an encoder of numbers (got ((2,), "),
    ({"x": Category(["a"])}, "source 'x' needs one number a tick, and an encoder of numbers (got ((1,), 'names'))"),
    ({"x": "scalar"}, "source 'x' needs an encoder (got 'str')"),
])
def test_wrappers_that_will_not_do(encoders, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Encoded(Arrays({"x": range(4), "sheet": [[1, 2]] * 4}), encoders)
