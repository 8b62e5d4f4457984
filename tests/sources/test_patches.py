"""Patches of a photograph: where they are cut, what filter and window do, and that only places with contrast come."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

import cortexsim as cs
from cortexsim.errors import FileError, InputError
from cortexsim.sources import SeekableStream, open_stream
from cortexsim.sources.glimpses import load_gray
from cortexsim.sources.patches import Stream, difference_of_gaussians

NAMES = ("left", "middle", "right")


@pytest.fixture(scope="module")
def patches():
    """The stream and its first 3000 samples: almost three of its blocks."""
    eye = Stream(seed=3)
    return eye, eye.read(3000)


@pytest.fixture
def picture(tmp_path):
    """A path to a picture of 40 rows and 60 columns: noise at the left, a plain wall at the right."""
    pixels = np.full((40, 60), 128, np.uint8)
    pixels[:, :30] = np.random.default_rng(0).integers(0, 256, (40, 30))
    Image.fromarray(pixels).save(tmp_path / "half.png")
    return tmp_path / "half.png"


def gaussian(deviation, reach=20):
    """Weights of a Gaussian over the pixels -reach to reach, straight from its formula."""
    weights = np.exp(-np.arange(-reach, reach + 1) ** 2 / (2 * deviation**2))
    return weights / weights.sum()


# -- what is delivered -----------------------------------------------------------------------------------------------

def test_shapes_and_types(patches):
    eye, rows = patches
    assert isinstance(eye, SeekableStream) and eye.length is None
    assert eye.shapes() == dict.fromkeys(NAMES, (16, 16)) and tuple(rows) == NAMES
    for name in NAMES:
        assert rows[name].shape == (3000, 256) and rows[name].dtype == np.float32 and rows[name].flags.c_contiguous
    assert {name: empty.shape for name, empty in Stream().read(0).items()} == dict.fromkeys(NAMES, (0, 256))


def test_patches_are_the_picture_at_the_gaze_times_the_window(patches):
    eye, rows = patches
    across = np.arange(16) - 7.5
    window = np.exp(-(across[:, None] ** 2 + across**2) / (2 * 5.0**2))
    for tick in (0, 1, 1023, 1024, 2999):
        (row, column), = eye.gaze(tick)
        for k, name in enumerate(NAMES):
            seen = eye.picture[row:row + 16, column + 5 * k:column + 5 * k + 16]
            assert np.allclose(rows[name][tick].reshape(16, 16), seen * window, atol=1e-6)
    assert eye.position == 3000  # gaze() does not move on


def test_without_a_window_neighbours_share_their_columns():
    rows = {name: seen.reshape(-1, 16, 16) for name, seen in Stream(window=0, shift=6).read(50).items()}
    assert np.array_equal(rows["left"][:, :, 6:], rows["middle"][:, :, :-6])
    assert np.array_equal(rows["left"][:, :, 12:], rows["right"][:, :, :-12])


def test_sources_have_the_names_and_the_number_asked_for():
    one = Stream(sources=["eye"], side=9, window=0)
    assert one.shapes() == {"eye": (9, 9)} and one.field == (9, 9)
    four = Stream(sources=["a", "b", "c", "d"], side=8, shift=3)
    assert four.field == (8, 17) and list(four.read(2)) == ["a", "b", "c", "d"]
    together = Stream(sources=("a", "b"), shift=0).read(3)
    assert np.array_equal(together["a"], together["b"])


# -- filter and contrast ---------------------------------------------------------------------------------------------

def test_the_filter_turns_a_dot_into_a_centre_and_a_surround():
    dot = np.zeros((41, 41))
    dot[20, 20] = 1
    wanted = np.outer(gaussian(0.7), gaussian(0.7)) - np.outer(gaussian(2.0), gaussian(2.0))
    # scipy cuts a Gaussian off at four standard deviations
    assert np.allclose(difference_of_gaussians(dot), wanted, atol=1e-4)
    sharp = difference_of_gaussians(dot, centre=0, surround=3.0)
    assert sharp[20, 20] == pytest.approx(1 - gaussian(3.0)[20] ** 2, abs=1e-4)
    assert np.abs(difference_of_gaussians(np.full((9, 9), 7.0))).max() < 1e-12


def test_each_of_many_pictures_is_filtered_alone():
    pictures = np.random.default_rng(1).standard_normal((3, 2, 12, 15))
    alone = [[difference_of_gaussians(one) for one in row] for row in pictures]
    assert np.array_equal(difference_of_gaussians(pictures), alone)


def test_the_photograph_is_filtered_and_divided_by_its_deviation(patches):
    eye, _ = patches
    filtered = difference_of_gaussians(load_gray())
    assert eye.picture.dtype == np.float32 and eye.scale == filtered.std()
    assert np.allclose(eye.picture, filtered / filtered.std(), atol=1e-6)


@pytest.mark.parametrize(("side", "shift"), [(8, 4), (7, 2), (5, 0)])
def test_places_with_little_contrast_are_left_out_and_no_others(picture, side, shift):
    eye = Stream(picture, side=side, shift=shift, contrast=0.5)
    fields = np.lib.stride_tricks.sliding_window_view(eye.picture.astype(np.float64), eye.field)
    wanted = {tuple(place) for place in np.argwhere(fields.std(axis=(2, 3)) >= 0.5)}
    assert 0 < len(wanted) < fields.shape[0] * fields.shape[1]
    assert {tuple(place) for place in eye.gaze(0, 40_000)} == wanted


def test_no_contrast_asked_for_leaves_every_place(picture):
    gaze = Stream(picture, contrast=0).gaze(0, 40_000)
    rows, columns = (set(places.tolist()) for places in gaze.T)
    assert (rows, columns) == (set(range(25)), set(range(35)))


def test_places_are_drawn_evenly(picture):
    _, counts = np.unique(Stream(picture, contrast=0, seed=2).gaze(0, 87_500), axis=0, return_counts=True)
    assert len(counts) == 25 * 35
    assert counts.var() == pytest.approx(100, rel=0.2), "as Poisson has it"


# -- pictures of one's own -------------------------------------------------------------------------------------------

def test_any_picture_will_do(picture, tmp_path):
    assert Stream("half.png", base_dir=tmp_path).read(5)["left"].any()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 600, 3), np.uint8)).save(tmp_path / "large.jpg")
    assert Stream(str(tmp_path / "large.jpg"), longest_side=200).picture.shape == (100, 200)


def test_drawn_pictures_are_seen_like_the_photograph(patches):
    eye, rows = patches
    gray = load_gray().astype(np.float64)
    # with 16 pixels around it the field does not know where the picture ends
    inside = [tick for tick, (row, column) in enumerate(eye.gaze(0, 300)) if 16 <= row < 568 and 16 <= column < 454]
    cut = [gray[row - 16:row + 32, column - 16:column + 42] for row, column in eye.gaze(0, 300)[inside]]
    seen = eye.see(np.array(cut))
    assert len(inside) > 200
    for name in NAMES:
        assert seen[name].dtype == np.float32 and np.allclose(seen[name], rows[name][inside], atol=1e-5)
    assert eye.see(np.zeros((4, 16, 26)))["middle"].shape == (4, 256)


@pytest.mark.parametrize("shape", [(16, 26), (2, 15, 26), (2, 16, 25), (1, 2, 16, 26)])
def test_pictures_that_do_not_hold_a_field(shape):
    message = ("stream 'patches': pictures must be an array [n, height, width] of at least 16 rows and 26 columns "
               f"(got {shape})")
    with pytest.raises(InputError, match=re.escape(message)):
        Stream().see(np.zeros(shape))


# -- the same again --------------------------------------------------------------------------------------------------

def test_the_seed_makes_the_patches(patches):
    _, whole = patches
    again, other = Stream(seed=3).read(3000), Stream(seed=4).read(3000)
    assert all(np.array_equal(again[name], whole[name]) for name in NAMES)
    assert not any(np.array_equal(other[name], whole[name]) for name in NAMES)


@pytest.mark.parametrize("cuts", [[1] * 30 + [2970], [1023, 2, 1975], [1024, 1024, 952], [0, 3000]])
def test_bits_do_not_depend_on_the_reads(patches, cuts):
    _, whole = patches
    eye = Stream(seed=3)
    pieces = [eye.read(cut) for cut in cuts]
    for name, rows in whole.items():
        assert np.array_equal(np.concatenate([piece[name] for piece in pieces]), rows)


def test_seeking_gives_the_same_bits_forward_and_back(patches):
    _, whole = patches
    eye = Stream(seed=3)
    for tick in (2500, 12, 1020, 0, 2048):
        eye.seek(tick)
        rows = eye.read(20)
        assert eye.position == tick + 20
        assert all(np.array_equal(rows[name], whole[name][tick:tick + 20]) for name in whole)
    with pytest.raises(InputError, match=r"tick must be a whole number of at least 0 \(got -1\)"):
        eye.seek(-1)


def test_the_ready_made_graph_takes_a_sample_a_trial():
    graph = cs.load("rao_ballard")
    table = {key: value for key, value in graph.graph["stream"].items() if key != "ticks"}
    assert graph.graph["stream"]["ticks"] % graph.graph["trial"]["length"] == 0
    eye = open_stream(table, seed=1)
    sim = cs.Simulation(graph, seed=1)
    sim.run(eye, trials=10)
    assert (eye.position, sim.tick) == (10, 10 * graph.graph["trial"]["length"])


# -- what is refused -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("options", "message"), [
    ({"side": "16"}, "stream 'patches': side must be a whole number of at least 1 (got '16')"),
    ({"side": 0}, "side must be a whole number of at least 1 (got 0)"),
    ({"shift": -1}, "shift must be a whole number of at least 0 (got -1)"),
    ({"sources": "left"}, "sources must be a list of different names (got 'left')"),
    ({"sources": []}, "sources must be a list of different names (got [])"),
    ({"sources": ["a", "a"]}, "sources must be a list of different names (got ['a', 'a'])"),
    ({"sources": ["a", 2]}, "sources must be a list of different names (got ['a', 2])"),
    ({"centre": -0.1}, "stream 'patches': centre must be a number of at least 0 (got -0.1)"),
    ({"centre": True}, "centre must be a number of at least 0 (got True)"),
    ({"surround": "2"}, "surround must be a number of at least 0 (got '2')"),
    ({"surround": 0.7}, "surround must be larger than centre (0.7) (got 0.7)"),
    ({"window": float("nan")}, "window must be a number of at least 0 (got nan)"),
    ({"contrast": float("inf")}, "contrast must be a number of at least 0 (got inf)"),
    ({"contrast": 9}, "stream 'patches': contrast must be at most 1."),
    ({"centre": 0, "surround": 1e-9}, "half.png': nothing is left of it after a filter of centre 0 and surround 1e-09"),
    ({"seed": -1}, "stream 'patches': seed must be a whole number of at least 0 (got -1)"),
    ({"longest_side": -5}, "stream 'patches': longest_side must be a whole number of at least 0 (got -5)"),
    ({"image": 5}, "stream 'patches': needs the path of a file (got 5)"),
    ({"side": 30, "shift": 20}, "half.png': too small for these patches: needs at least 30 rows and 70 columns "
     "(got (40, 60)); use a larger picture, or a smaller side or shift"),
])
def test_bad_options(picture, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Stream(**{"image": picture, **options})


def test_a_contrast_that_no_place_has_names_the_most_there_is(picture):
    with pytest.raises(InputError) as refused:
        Stream(picture, contrast=9)
    most = float(re.search(r"at most (\S+), the most that a place of image '.*half.png' has \(got 9.0\)",
                           str(refused.value))[1])
    assert len(Stream(picture, contrast=most).gaze(0)) == 1
    with pytest.raises(InputError):
        Stream(picture, contrast=most + 0.002)


def test_pictures_that_cannot_be_used(tmp_path):
    with pytest.raises(FileError, match=re.escape("none.jpg': no such file; image = 'grace_hopper.jpg' is")):
        Stream(tmp_path / "none.jpg")
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(FileError, match=re.escape("text.jpg': is not a picture that Pillow can read")):
        Stream(tmp_path / "text.jpg")


@pytest.mark.parametrize(("option", "hint"), [("shfit", "shift"), ("surrond", "surround"), ("source", "sources")])
def test_a_misspelt_option_gets_the_nearest(option, hint):
    with pytest.raises(InputError, match=f"stream 'patches': unknown option '{option}'; did you mean '{hint}'"):
        open_stream({"name": "patches", option: 3})
