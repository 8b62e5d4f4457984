"""Streams by name, their options, and the shuffling wrapper."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cortexsim.errors import InputError
from cortexsim.sources import (
    SeekableStream,
    Shuffled,
    StreamLike,
    block_rng,
    find_stream,
    list_streams,
    open_stream,
    resolve,
)
from cortexsim.sources.arrays import Stream as ArrayStream
from cortexsim.sources.glimpses import Stream as Glimpses


class Counter:
    """A stream from outside the package: counts, in reads of at most three, and cannot seek."""

    def __init__(self, ticks, step=1):
        self.ticks, self.step, self.tick = ticks, step, 0

    def shapes(self):
        return {"count": (1,), "double": (1,)}

    def read(self, n):
        end = min(self.tick + min(n, 3), self.ticks)
        rows = np.arange(self.tick, end, dtype=np.float32)[:, None] * self.step
        self.tick = end
        return {"count": rows, "double": 2 * rows}


def all_rows(stream, cuts):
    pieces = [stream.read(cut) for cut in cuts]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def test_every_module_of_the_folder_is_a_stream():
    assert {"arrays", "csvfile", "glimpses"} <= set(list_streams())
    for name in list_streams():
        assert find_stream(name).__name__ == "Stream"


def test_a_table_opens_a_stream_with_its_options_and_the_seed():
    stream = open_stream({"name": "glimpses", "fovea": 8, "lengths": [3]}, seed=5)
    assert isinstance(stream, Glimpses) and isinstance(stream, SeekableStream)
    assert (stream.fovea, stream.moves, stream.seed) == (8, ["E3", "N3", "W3", "S3"], 5)


def test_a_seed_in_the_table_stands():
    assert open_stream({"name": "glimpses", "seed": 9}, seed=5).seed == 9


def test_a_table_is_left_as_it_was():
    table = {"name": "glimpses", "fovea": 8}
    open_stream(table, seed=5)
    assert table == {"name": "glimpses", "fovea": 8}


def test_relative_paths_start_at_the_base_folder(tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n2\n")
    stream = open_stream({"name": "csvfile", "path": "x.csv", "columns": ["a"]}, base_dir=tmp_path)
    assert stream.read(5)["a"].tolist() == [[1], [2]]
    assert resolve("stream", tmp_path / "x.csv", "/elsewhere") == tmp_path / "x.csv"


def test_a_dotted_path_reaches_outside_the_package():
    stream = open_stream({"name": f"{__name__}:Counter", "ticks": 2, "step": 5}, allow_streams=[__name__ + ":*"])
    assert isinstance(stream, StreamLike) and not isinstance(stream, SeekableStream)
    assert stream.read(9)["count"].tolist() == [[0], [5]]


@pytest.mark.parametrize(("table", "message"), [
    ({"name": "glimpse"}, "stream 'glimpse': no stream has this name; did you mean 'glimpses'?"),
    ({"fovea": 8}, "[stream] table: needs name = \"...\", the stream's name (got None); known: arrays, changes"),
    ({"name": "glimpses", "foveaa": 8}, "stream 'glimpses': unknown option 'foveaa'; did you mean 'fovea'?"),
    ({"name": "glimpses", "base_dir": "x"}, "stream 'glimpses': unknown option 'base_dir'; known: "),
    ({"name": "csvfile", "columns": ["a"]}, "stream 'csvfile': needs the option 'path'"),
    ({"name": "csvfile", "path": 3}, "stream 'csvfile': needs the path of a file (got 3)"),
    ({"name": "no.such.module"}, "stream 'no.such.module': module 'no.such.module' cannot be imported: No module"),
    ({"name": "..relative"}, "stream '..relative': module '..relative' cannot be imported: "),
    ({"name": f"{__name__}:Count"}, "has no class 'Count'; did you mean 'Counter'?"),
])
def test_bad_tables(table, message):
    with pytest.raises(InputError, match=re.escape(message)):
        open_stream(table, allow_streams=["*"])


def test_random_numbers_differ_by_label_seed_and_index():
    draws = {block_rng(*key).random() for key in [("a", 0, 0), ("b", 0, 0), ("a", 1, 0), ("a", 0, 1)]}
    assert len(draws) == 4
    assert block_rng("a", 3, 7).random() == block_rng("a", 3, 7).random()


def shuffled_counts(seed=0, block=10, ticks=35):
    data = {"kept": np.arange(ticks), "one": np.arange(ticks), "two": np.arange(ticks)[:, None] * [1, -1]}
    return Shuffled(ArrayStream(data), ["one", "two"], seed=seed, block=block)


def test_shuffling_keeps_the_values_of_each_block_and_the_other_sources():
    rows = shuffled_counts().read(35)
    assert rows["kept"][:, 0].tolist() == list(range(35))
    for start in (0, 10, 20, 30):
        block = rows["one"][start:start + 10, 0]
        assert sorted(block) == list(range(start, min(start + 10, 35)))
        assert block.tolist() != sorted(block)
    assert np.array_equal(rows["two"], rows["one"] * [1, -1])  # the same order for both
    orders = {tuple(rows["one"][start:start + 10, 0] - start) for start in (0, 10, 20)}
    assert len(orders) == 3


def test_shuffling_keeps_the_counts_of_the_moves_but_breaks_their_tie_to_the_picture():
    plain, control = Glimpses(seed=2), Shuffled(Glimpses(seed=2), ["saccade", "motor"], seed=2)
    a, b = plain.read(8192), control.read(8192)
    assert np.array_equal(a["motor"].sum(axis=0), b["motor"].sum(axis=0))
    assert np.array_equal(a["fovea"], b["fovea"]) and np.array_equal(a["surround"], b["surround"])
    chance = (a["motor"].mean(axis=0) ** 2).sum()
    assert abs((a["motor"] * b["motor"]).sum(axis=1).mean() - chance) < 0.02
    # motor and saccade still say the same of each other
    vectors = {tuple(row) for row in np.hstack([b["motor"], b["saccade"]]).tolist()}
    assert len(vectors) == len(plain.moves) + 1


@pytest.mark.parametrize("cuts", [[35], [1] * 40, [3, 20, 0, 7, 9], [10, 10, 10, 10]])
def test_shuffled_bits_do_not_depend_on_the_reads(cuts):
    whole, split = shuffled_counts().read(35), all_rows(shuffled_counts(), cuts)
    assert all(np.array_equal(whole[name], split[name]) for name in whole)


def test_shuffled_seeks_ends_and_takes_a_name():
    stream = shuffled_counts()
    whole = stream.read(35)["one"]
    assert stream.length == 35 and stream.position == 35
    assert stream.read(4)["one"].shape == (0, 1)
    for tick in (23, 0, 10, 34):
        stream.seek(tick)
        assert stream.position == tick
        assert np.array_equal(stream.read(12)["one"], whole[tick:tick + 12])
    other = shuffled_counts(seed=1).read(35)["one"]
    assert not np.array_equal(other, whole)
    assert Shuffled(ArrayStream({"x": range(4)}), "x").sources == ["x"]


def test_a_stream_already_under_way_is_shuffled_in_the_same_blocks():
    inner = ArrayStream({"x": range(20)})
    whole = Shuffled(inner, ["x"], block=5).read(20)["x"]
    inner.seek(7)
    late = Shuffled(inner, ["x"], block=5)
    assert late.position == 7 and np.array_equal(late.read(20)["x"], whole[7:])


def test_shuffled_waits_for_a_stream_that_delivers_in_small_pieces():
    rows = Shuffled(Counter(10), ["double"], seed=1, block=8).read(10)
    assert sorted(rows["double"][:8, 0]) == list(range(0, 16, 2))
    assert rows["count"][:, 0].tolist() == list(range(10))


def test_shuffled_refuses_what_it_cannot_do():
    with pytest.raises(InputError, match="Shuffled: the stream has no source 'motr'; did you mean 'motor'"):
        Shuffled(Glimpses(), ["motr"])
    with pytest.raises(InputError, match=r"Shuffled: block must be a whole number of at least 2 \(got 1\)"):
        Shuffled(Counter(5), ["count"], block=1)
    with pytest.raises(InputError, match=r"Shuffled: the wrapped stream cannot seek \(got 'Counter'\)"):
        Shuffled(Counter(5), ["count"]).seek(0)
