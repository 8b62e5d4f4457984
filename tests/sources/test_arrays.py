"""What a user may pass to a run, and how it comes out."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from cortexsim.errors import FileError, InputError
from cortexsim.sources import Shuffled
from cortexsim.sources.arrays import Inputs, Stream, first_bad

SOURCES = {"image": (2, 3), "action": (1,)}
IMAGES = np.arange(60, dtype=np.float32).reshape(10, 2, 3)
ACTIONS = np.arange(10)


def as_arrays():
    return {"image": IMAGES, "action": ACTIONS}


def as_flat_lists():
    return {"image": IMAGES.reshape(10, 6).tolist(), "action": [[value] for value in range(10)]}


def as_iterators():
    return {"image": iter(IMAGES), "action": (value for value in range(10))}


def as_mixture():
    return {"image": (image.ravel() for image in IMAGES), "action": lambda tick: tick}


def as_dicts():
    return [{"image": image, "action": value} for image, value in zip(IMAGES, range(10), strict=True)]


def as_dict_iterator():
    return iter(as_dicts())


def as_dict_callable():
    def give(tick):
        if tick == 10:
            raise StopIteration
        return as_dicts()[tick]
    return give


def as_stream():
    return Stream({**as_arrays(), "unused": np.zeros(10)})


WAYS = [as_arrays, as_flat_lists, as_iterators, as_mixture, as_dicts, as_dict_iterator, as_dict_callable, as_stream]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cuts", [[20], [3, 4, 20], [1] * 12])
def test_every_way_gives_the_same_rows_however_they_are_cut(way, cuts):
    data = Inputs(way(), SOURCES)
    blocks = [data.read(cut) for cut in cuts]
    assert sum(block.rows for block in blocks) == 10 and data.position == 10
    assert data.read(1).rows == 0
    for name, expected in (("image", IMAGES.reshape(10, 6)), ("action", ACTIONS[:, None])):
        rows = np.concatenate([block.values[name] for block in blocks])
        assert rows.dtype == np.float32 and np.array_equal(rows, expected)
    assert not any(block.present for block in blocks)


def test_lengths_and_single_ticks():
    known = {way: Inputs(way(), SOURCES) for way in WAYS}
    assert {way.__name__: data.length for way, data in known.items()} == {
        "as_arrays": 10, "as_flat_lists": 10, "as_iterators": None, "as_mixture": None, "as_dicts": 10,
        "as_dict_iterator": None, "as_dict_callable": None, "as_stream": 10}
    assert [way.__name__ for way, data in known.items() if data.needs_single_tick] == [
        "as_mixture", "as_dict_callable"]
    assert Inputs({"image": IMAGES, "action": lambda tick: 0}, SOURCES).length == 10
    late = as_stream()
    late.seek(4)
    assert Inputs(late, SOURCES).length == 6
    assert Inputs(itertools.repeat({}), {}).length is None


def test_arrays_that_fit_are_not_copied():
    data = Inputs({"image": IMAGES, "action": ACTIONS}, SOURCES)
    assert np.shares_memory(data.read(4).values["image"], IMAGES)
    transposed = np.asfortranarray(IMAGES)
    assert np.array_equal(Inputs({"image": transposed}, {"image": (2, 3)}).read(10).values["image"],
                          IMAGES.reshape(10, 6))


def test_callables_are_told_the_tick_of_the_run():
    asked = []
    data = Inputs({"x": lambda tick: asked.append(tick) or tick}, {"x": (1,)}, start=100)
    assert data.read(2).values["x"].tolist() == [[100], [101]]
    data.read(1)
    assert asked == [100, 101, 102] and data.position == 103


def test_a_source_may_deliver_nothing_at_a_tick():
    sources = {"x": (1,), "y": (2,)}
    ways = [
        {"x": [1, None, 3, 4], "y": iter([[1, 1], [2, 2], None, [4, 4]])},
        {"x": lambda tick: [1, None, 3, 4][tick], "y": [[1, 1], [2, 2], None, [4, 4]]},
        iter([{"x": 1, "y": [1, 1]}, {"x": None, "y": [2, 2]}, {"x": 3, "y": None}, {"x": 4, "y": [4, 4]}]),
    ]
    for way in ways:
        data = Inputs(way, sources)
        rows, values, present = data.read(3)
        assert rows == 3
        assert present["x"].tolist() == [True, False, True] and present["y"].tolist() == [True, True, False]
        assert values["x"].tolist() == [[1], [0], [3]] and values["y"].tolist() == [[1, 1], [2, 2], [0, 0]]
        rows, values, present = data.read(1)
        assert (rows, present) == (1, {}) and values["y"].tolist() == [[4, 4]]


def test_data_ends_with_the_first_that_ends():
    data = Inputs({"x": iter([1, 2, 3]), "y": range(5), "z": itertools.count()}, {"x": (1,), "y": (1,), "z": (1,)})
    assert data.length == 5
    rows, values, _ = data.read(4)
    assert rows == 3 and all(len(array) == 3 for array in values.values())

    def stop(tick):
        if tick == 2:
            raise StopIteration
        return 0.0
    assert Inputs({"x": stop}, {"x": (1,)}).read(7).rows == 2


def test_a_graph_without_sources_needs_no_inputs():
    for nothing in (None, {}):
        assert Inputs(nothing, {}).read(5) == (5, {}, {})


def test_what_float32_cannot_hold_is_left_to_the_run():
    for value in (np.array([1.0, 1e300]), iter([1.0, 1e300])):
        assert Inputs({"x": value}, {"x": (1,)}).read(2).values["x"][1, 0] == np.inf


@pytest.mark.parametrize(("inputs", "message"), [
    ({"imag": IMAGES, "action": ACTIONS}, "run: no source is called 'imag'; did you mean 'image'?"),
    ({"image": IMAGES}, "run: source 'action' gets no data; add 'action' to the inputs"),
    (None, "run: inputs must be a dict of source name -> array, iterator or callable; a stream; or one dict per "
     "tick, as a list, an iterator or a callable (got 'NoneType')"),
    ("image", "run: inputs must be a dict of source name -> array, iterator or callable; a stream; or one dict per "
     "tick, as a list, an iterator or a callable (got 'str')"),
    (IMAGES, "(got 'ndarray'); write {'action': ...}"),
    ({"image": np.zeros((10, 3, 2)), "action": ACTIONS}, "run: source 'image', port 'value': needs an array of "
     "shape [ticks, 2, 3] or [ticks, 6] (got (10, 3, 2))"),
    ({"image": IMAGES, "action": np.zeros((10, 2))}, "run: source 'action', port 'value': needs an array of shape "
     "[ticks, 1] (got (10, 2))"),
    ({"image": IMAGES, "action": np.float32(3)}, "needs an array of shape [ticks, 1] (got ())"),
    ({"image": IMAGES[0], "action": ACTIONS}, "needs an array of shape [ticks, 2, 3] or [ticks, 6] (got (2, 3))"),
    ({"image": IMAGES, "action": ["left"] * 10}, "run: source 'action', port 'value': needs real numbers (got "
     "'dtype <U4')"),
    ({"image": IMAGES * 1j, "action": ACTIONS}, "needs real numbers (got 'dtype complex64')"),
    ({"image": IMAGES, "action": [[1], [1, 2]]}, "needs an array of shape [ticks, 1]: setting an array element"),
    ({"image": IMAGES, "action": 5}, "run: source 'action', port 'value': needs an array, an iterator of samples or "
     "a callable from the tick to a sample (got 'int')"),
    ({"image": IMAGES, "action": "left"}, "a callable from the tick to a sample (got 'str')"),
    ({"image": IMAGES, "action": {1, 2}}, "a callable from the tick to a sample (got 'set')"),
    ({"image": IMAGES, "action": ACTIONS[:7]}, "run: arrays must have the same number of ticks, but 'action' has 7 "
     "and 'image' has 10; cut them to the first 7"),
    (Stream({"image": IMAGES, "actoin": ACTIONS}), "run: the stream has no source 'action'; did you mean 'actoin'?"),
    (Stream({"image": IMAGES.reshape(10, 3, 2), "action": ACTIONS}), "run: source 'image', port 'value': the stream "
     "must deliver samples of shape [2, 3] or [6] (got (3, 2))"),
])
def test_bad_inputs(inputs, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Inputs(inputs, SOURCES)


@pytest.mark.parametrize(("inputs", "message"), [
    ({"image": iter([IMAGES[0], IMAGES[0].T])}, "step: source 'image', port 'value': tick 8: needs a sample of shape "
     "[2, 3] or [6] (got (3, 2))"),
    ({"image": lambda tick: [[1, 2, 3], [4]] if tick == 8 else IMAGES[0]}, "tick 8: needs a sample of shape [2, 3] "
     "or [6]: setting an array element"),
    ({"image": lambda tick: "x"}, "step: source 'image', port 'value': tick 7: needs real numbers (got 'dtype <U1')"),
    ([{"image": IMAGES[0]}, {"imge": IMAGES[0]}], "step: tick 8: no source is called 'imge'; did you mean 'image'?"),
    ([{"image": IMAGES[0]}, {}], "step: tick 8: source 'image' gets no data; add 'image' to the inputs"),
    ([{"image": IMAGES[0]}, IMAGES[0]], "step: tick 8 needs a dict of source name -> sample (got 'ndarray')"),
])
def test_bad_samples_are_named_with_their_tick_and_those_before_are_delivered(inputs, message):
    data = Inputs(inputs, {"image": (2, 3)}, where="step", start=7)
    with pytest.raises(InputError, match=re.escape(message)):
        for _ in range(2):
            assert data.read(3).rows == 1
    assert data.position == (8 if "tick 8" in message else 7)


def test_a_bad_sample_in_a_list_with_gaps_is_found_at_once():
    with pytest.raises(InputError, match=r"tick 2: needs a sample of shape \[1\] \(got \(2,\)\)"):
        Inputs({"x": [1, None, [3, 4]]}, {"x": (1,)})


class Crooked:
    """A stream whose blocks are not what its shapes promise."""

    def __init__(self, **rows):
        self.rows = rows

    def shapes(self):
        return {"x": (2,), "y": (1,)}

    def read(self, n):
        return self.rows


def test_streams_that_break_their_promise():
    sources = {"x": (2,), "y": (1,)}
    with pytest.raises(InputError, match=re.escape("run: source 'x', port 'value': tick 0: the stream must deliver "
                                                   "rows of shape [ticks, 2] (got (4, 3))")):
        Inputs(Crooked(x=np.zeros((4, 3)), y=np.zeros((4, 1))), sources).read(4)
    with pytest.raises(InputError, match=re.escape("run: tick 0: the stream must deliver the same number of ticks of "
                                                   "every source, at most 4 (got {'x': 4, 'y': 3})")):
        Inputs(Crooked(x=np.zeros((4, 2)), y=np.zeros((3, 1))), sources).read(4)
    with pytest.raises(InputError, match=r"at most 3 \(got {'x': 4, 'y': 4}\)"):
        Inputs(Crooked(x=np.zeros((4, 2)), y=np.zeros((4, 1))), sources).read(3)


def test_a_shuffled_stream_is_an_input():
    data = Inputs(Shuffled(Stream(as_arrays()), ["action"], block=5), SOURCES)
    rows, values, _ = data.read(20)
    assert rows == 10 and data.length == 10
    assert sorted(values["action"][:5, 0]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_first_bad_names_the_row(bad):
    block = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    assert first_bad(block) is None
    block[31, 6] = block[40, 0] = bad
    assert first_bad(block) == 31
    block[0, 0] = bad
    assert first_bad(block) == 0


def test_first_bad_of_large_numbers_and_of_nothing():
    assert first_bad(np.full((4, 4), 3e38, np.float32)) is None
    assert first_bad(np.zeros((0, 4), np.float32)) is None
    assert first_bad(np.asfortranarray(np.float32([[1, 2], [np.nan, 1]]))) == 1


def test_arrays_from_a_file(tmp_path):
    np.savez(tmp_path / "data.npz", image=IMAGES, action=ACTIONS)
    stream = Stream("data.npz", base_dir=tmp_path)
    assert stream.shapes() == {"action": (1,), "image": (2, 3)} and stream.length == 10
    stream.seek(8)
    assert stream.read(5)["action"].tolist() == [[8], [9]] and stream.position == 10


def test_files_that_are_no_arrays(tmp_path):
    np.save(tmp_path / "one.npy", IMAGES)
    (tmp_path / "text.npz").write_text("text")
    (tmp_path / "empty.npz").write_text("")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and no more")
    np.savez(tmp_path / "objects.npz", x=np.array([{}, None]))
    for name, message in [
        ("none.npz", "none.npz': no such file"),
        ("one.npy", "one.npy': holds one array without a name; save it with numpy.savez"),
        ("text.npz", "text.npz': is not an .npz file of plain arrays: "),
        ("empty.npz", "empty.npz': is not an .npz file of plain arrays: "),
        ("cut.npz", "cut.npz': is not an .npz file of plain arrays: "),
        ("objects.npz", "objects.npz': member 'x': must hold numbers, truth values or words of a fixed length, "),
    ]:
        with pytest.raises(FileError, match="^file '.*" + re.escape(message)):
            Stream(tmp_path / name)
    np.savez(tmp_path / "words.npz", x=np.array(["a", "b"]))
    with pytest.raises(InputError, match=r"words.npz': source 'x', port 'value': needs real numbers"):
        Stream(tmp_path / "words.npz")
    with pytest.raises(InputError, match="stream 'arrays': arrays must have the same number of ticks"):
        Stream({"x": range(3), "y": range(4)})
