"""Timestamps: what is read, what a gap or a duplicate becomes, how a series goes on, and its place in a cycle."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pytest

from cortexsim.errors import CortexsimError
from cortexsim.sources.series import Stream
from cortexsim.timestamps import DAY, Step, as_times, find_step, phases, place, read_times, seasons, shown, shown_all

HALF_HOURS = np.datetime64("2014-07-01T00:00", "us") + np.arange(6) * np.timedelta64(30, "m")


def stamps(*texts):
    return np.array(texts, "datetime64[us]")


@pytest.mark.parametrize("text", ["2014-07-01 00:30:00", "2014-07-01T00:30", "2014-07-01 00:30:00.000",
                                  "2014-07-01T02:30:00+02:00", "2014-07-01T00:30:00Z"])
def test_iso_8601_is_read(text):
    assert read_times([text], [1], "file")[0] == np.datetime64("2014-07-01T00:30")


def test_dates_and_months_are_read():
    assert read_times(["2014-07-01", "2014-08"], [1, 2], "file").tolist() == [
        datetime.datetime(2014, 7, 1), datetime.datetime(2014, 8, 1)]


@pytest.mark.parametrize(("texts", "message"), [
    (["2014-07-01", "1.7.2014"], "file: line 3 must hold a timestamp as ISO 8601 writes it (got '1.7.2014'); for"),
    (["20140701"], "file: line 2 must hold a timestamp"),
    ([""], "file: line 2 must hold a timestamp"),
    (["2014-07-01T00:00Z", "2014-07-01T01:00"], "line 3: timestamps must all have an offset from UTC, or none"),
])
def test_what_is_no_timestamp_is_named(texts, message):
    with pytest.raises(CortexsimError, match=re.escape(message)):
        read_times(texts, range(2, 2 + len(texts)), "file")


def test_scripts_bring_times_in_several_forms():
    wanted = HALF_HOURS[:2]
    for times in (wanted, wanted.astype("datetime64[ns]"), wanted.tolist(), ["2014-07-01 00:00", "2014-07-01 00:30"]):
        assert (as_times(times, "times") == wanted).all()
    for times, message in (([1.0, 2.0], "must be timestamps"), ([[1]], "one timestamp for each value"),
                           (stamps("NaT"), "row 0 has no timestamp")):
        with pytest.raises(CortexsimError, match=message):
            as_times(times, "times")


@pytest.mark.parametrize(("times", "step", "words"), [
    (HALF_HOURS, Step("us", DAY // 48), "30 minutes"),
    (stamps("2020-01-01", "2020-01-02", "2020-01-03"), Step("us", DAY), "1 day"),
    (stamps("2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"), Step("M", 1), "1 month"),
    (stamps("2019-01-01", "2020-01-01", "2021-01-01", "2022-01-01"), Step("M", 12), "12 months"),
    (stamps("2020-01-01", "2020-04-01", "2020-07-01", "2020-10-01"), Step("M", 3), "3 months"),
    (stamps("2020-01-01") + np.arange(9) * np.timedelta64(28, "D"), Step("us", 28 * DAY), "28 days"),
])
def test_the_step_is_found(times, step, words):
    assert find_step(times) == step and step.text() == words
    grid = place(times, "error", "file", range(len(times)))
    assert (grid.times == times).all() and grid.tick.tolist() == list(range(len(times)))


def test_months_go_on_to_their_ends():
    after = Step("M", 1).after(np.datetime64("2023-12-31T06:00", "us"), np.array([1, 2, 3]))
    assert after.astype("datetime64[h]").astype(str).tolist() == ["2024-01-31T06", "2024-02-29T06", "2024-03-31T06"]


def test_gaps_and_duplicates_are_named_or_filled_or_kept():
    times = HALF_HOURS[[0, 1, 4, 4, 5]]
    lines = [2, 3, 4, 5, 6]
    with pytest.raises(CortexsimError, match=re.escape(
            "f: line 4: the timestamp leaves out 2 ticks of 30 minutes: the one before is 2014-07-01 00:30:00 "
            "(got '2014-07-01 02:00:00'); gaps 'fill' puts ticks without a value there, 'keep' takes")):
        place(times, "error", "f", lines, Step("us", DAY // 48))
    with pytest.raises(CortexsimError, match="line 5: the timestamp comes twice .*02:00:00.*'fill' keeps the first"):
        place(times[2:], "error", "f", lines[2:])
    filled = place(times, "fill", "f", lines)
    assert (filled.times == HALF_HOURS).all()
    assert filled.tick.tolist() == [0, 1, 4, 5] and filled.kept.tolist() == [0, 1, 2, 4]
    assert place(times, "keep", "f", lines).tick.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("times", "gaps", "message"), [
    (HALF_HOURS[[1, 0]], "keep", "line 1: timestamps must not go back, the one before is 2014-07-01 00:30:00 (got "
                                 "'2014-07-01')"),
    (HALF_HOURS[[0, 0]], "keep", "needs two timestamps that differ"),
    (HALF_HOURS + np.array([0, 0, 1, 0, 0, 0]) * np.timedelta64(60, "s"), "fill",
     "line 2: the timestamp lies between two ticks, which are 30 minutes apart (got '2014-07-01 01:01:00')"),
    (np.append(HALF_HOURS, np.datetime64("2024-07-01")), "fill", "would become 175,345 ticks of 30 minutes"),
    (HALF_HOURS, "drop", "gaps must be one of 'error', 'keep', 'fill' (got 'drop')"),
])
def test_what_has_no_place(times, gaps, message):
    with pytest.raises(CortexsimError, match=re.escape(message)):
        place(times, gaps, "f", range(len(times)))


def test_the_place_in_a_cycle():
    times = stamps("2024-01-01T00:00", "2024-01-07T18:00", "2024-07-02T00:00")
    assert phases(times, "day").tolist() == [0, 0.75, 0]
    assert phases(times, "week").tolist() == [0, 6.75 / 7, 1 / 7]
    assert phases(times, "year").tolist() == [0, 6.75 / 366, 0.5]
    with pytest.raises(CortexsimError, match=r"must be of day, week, year \(got 'weak'\); did you mean 'week'"):
        phases(times, "weak")


def test_seasons_have_whole_numbers_of_ticks():
    assert seasons(Step("us", DAY // 24)) == [("week", 168), ("day", 24)]
    assert seasons(Step("us", DAY)) == [("week", 7)]
    assert seasons(Step("M", 12)) == []
    assert seasons(Step("us", DAY // 24 * 5)) == []


def test_times_are_written_in_one_way():
    assert shown(HALF_HOURS[0]) == "2014-07-01" and shown(HALF_HOURS[1]) == "2014-07-01 00:30:00"
    assert shown_all(HALF_HOURS[:2]) == ["2014-07-01 00:00:00", "2014-07-01 00:30:00"]


# --- in a file ---

def write(path, rows):
    path.write_text("when,x\n" + "\n".join(rows) + "\n")
    return path


def test_a_file_with_gaps_is_filled_with_ticks_without_a_value(tmp_path):
    rows = [f"2024-01-{day:02d},{day}" for day in (1, 2, 3, 5, 6)]
    with pytest.raises(CortexsimError, match=r"column 'when': line 5: the timestamp leaves out 1 tick of 1 day"):
        Stream(write(tmp_path / "x.csv", rows), "x", time="when")
    stream = Stream(tmp_path / "x.csv", "x", time="when", gaps="fill")
    assert stream.length == 6 and np.isnan(stream.values[3, 0]) and np.isnan(stream.rows["value"][3, 0])
    assert Stream(tmp_path / "x.csv", "x", time="when", gaps="keep").values[:, 0].tolist() == [1, 2, 3, 5, 6]
    assert stream.times_of(5, 3).astype("datetime64[D]").astype(str).tolist() == [
        "2024-01-06", "2024-01-07", "2024-01-08"]


def test_blank_cells_beside_timestamps(tmp_path):
    rows = ["2024-01-01,1", "2024-01-02,", "2024-01-03,3", "2024-01-04,4"]
    path = write(tmp_path / "x.csv", rows)
    with pytest.raises(CortexsimError, match=r"line 3, column 'x' is blank"):
        Stream(path, "x", time="when")
    assert np.isnan(Stream(path, "x", time="when", blanks="keep").values[1, 0])
    assert np.isnan(Stream(path, "x", time="when", blanks="skip", gaps="fill").values[1, 0]), "left out, then filled"
    with pytest.raises(CortexsimError, match="line 4: the timestamp leaves out 1 tick"):
        Stream(path, "x", time="when", blanks="skip")


def test_what_is_known_before_goes_on_beyond_the_data(tmp_path):
    rows = [f"2024-01-{day:02d},{day}" for day in range(1, 15)]
    stream = Stream(write(tmp_path / "x.csv", rows), "x", [1, 7], time="when", day_of_week=7)
    known = stream.known(0, 21)["day_of_week"]
    assert known.shape == (21, 7) and np.allclose(known[:7], known[14:])
    assert known.argmax(axis=1)[:7].tolist() == list(range(7)), "2024 began on a Monday"
    stream.seek(3)
    assert np.array_equal(stream.read(2)["day_of_week"], known[3:5]) and stream.position == 5
    with pytest.raises(CortexsimError, match="has no column 'whn'; did you mean 'when'?"):
        Stream(tmp_path / "x.csv", "x", time="whn")
