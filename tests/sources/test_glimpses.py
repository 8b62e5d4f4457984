"""The moving eye: what it sees, what it says of its moves, and that both agree."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from cortexsim.errors import FileError, InputError
from cortexsim.sources.glimpses import COMPASS, Stream, load_gray


@pytest.fixture(scope="module")
def glimpses():
    """An eye and its first 9000 ticks: more than two blocks of its walk."""
    eye = Stream(seed=3)
    return eye, eye.read(9000)


@pytest.fixture
def picture(tmp_path):
    """A path to a picture of noise of 60 rows and 70 columns."""
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8)).save(path)
    return path


def test_shapes_and_types(glimpses):
    eye, rows = glimpses
    assert eye.shapes() == {"fovea": (16, 16), "surround": (12, 12), "saccade": (2,), "motor": (9,)}
    for name, shape in eye.shapes().items():
        assert rows[name].shape == (9000, np.prod(shape)) and rows[name].dtype == np.float32
        assert rows[name].flags.c_contiguous


def test_the_photograph_is_gray_and_standardised():
    gray = load_gray()
    assert gray.dtype == np.float32 and gray.shape == (600, 512)
    assert abs(gray.mean(dtype=np.float64)) < 1e-6 and abs(gray.std(dtype=np.float64) - 1) < 1e-6


def test_the_fovea_is_the_picture_at_the_gaze(glimpses):
    eye, rows = glimpses
    for tick in (0, 1, 4095, 4096, 8999):
        (row, column), = eye.gaze(tick)
        assert np.array_equal(rows["fovea"][tick].reshape(16, 16), eye.picture[row:row + 16, column:column + 16])
    assert eye.position == 9000  # gaze() does not move on


def test_the_surround_is_block_means_around_the_same_centre(glimpses):
    eye, rows = glimpses
    for tick in (0, 17, 5000):
        row, column = eye.gaze(tick)[0] + 8 - 24
        window = eye.picture[row:row + 48, column:column + 48].astype(np.float64)
        means = window.reshape(12, 4, 12, 4).mean(axis=(1, 3))
        assert np.allclose(rows["surround"][tick].reshape(12, 12), means, atol=1e-6)


def test_motor_and_saccade_describe_the_move_to_this_fovea(glimpses):
    eye, rows = glimpses
    steps = np.diff(eye.gaze(0, 9000), axis=0)
    motor, saccade = rows["motor"], rows["saccade"]
    assert np.array_equal(motor.sum(axis=1), np.ones(9000)) and set(np.unique(motor)) == {0, 1}
    assert motor[0, -1] == 1
    for k, name in enumerate(eye.moves):
        ticks = np.flatnonzero(motor[1:, k])
        step = np.array(COMPASS[name[0]]) * int(name[1:])
        assert len(ticks) and (steps[ticks] == step).all()
        assert np.array_equal(saccade[1:][ticks], np.tile((step / 5).astype(np.float32), (len(ticks), 1)))
    assert not saccade[motor[:, -1] == 1].any()


def test_consecutive_patches_overlap_by_the_shift(glimpses):
    eye, rows = glimpses
    fovea = rows["fovea"].reshape(-1, 16, 16)
    for tick in range(1, 400):
        move = rows["motor"][tick].argmax()
        if move == len(eye.moves):
            continue
        down, right = (np.array(COMPASS[eye.moves[move][0]]) * int(eye.moves[move][1:])).tolist()
        now = fovea[tick, max(0, -down):16 - max(0, down), max(0, -right):16 - max(0, right)]
        then = fovea[tick - 1, max(0, down):16 + min(0, down), max(0, right):16 + min(0, right)]
        assert now.size and np.array_equal(now, then)


def test_moves_are_drawn_evenly_and_jumps_as_often_as_asked(glimpses):
    _, rows = glimpses
    counts = rows["motor"].sum(axis=0)
    assert abs(counts[-1] / 9000 - 0.02) < 0.005
    assert np.abs(counts[:-1] / counts[:-1].sum() - 1 / 8).max() < 0.015


@pytest.mark.parametrize("cuts", [[1] * 30 + [8970], [4095, 2, 4903], [4096, 4096, 808], [0, 9000]])
def test_bits_do_not_depend_on_the_reads(glimpses, cuts):
    _, whole = glimpses
    eye = Stream(seed=3)
    pieces = [eye.read(cut) for cut in cuts]
    for name, rows in whole.items():
        assert np.array_equal(np.concatenate([piece[name] for piece in pieces]), rows)


def test_seeking_gives_the_same_bits_forward_and_back(glimpses):
    _, whole = glimpses
    eye = Stream(seed=3)
    for tick in (8500, 12, 4090, 0, 8192):
        eye.seek(tick)
        rows = eye.read(20)
        assert eye.position == tick + 20
        assert all(np.array_equal(rows[name], whole[name][tick:tick + 20]) for name in whole)


def test_seeds_walk_differently(glimpses):
    _, whole = glimpses
    assert not np.array_equal(Stream(seed=4).read(50)["motor"], whole["motor"][:50])


def test_the_gaze_stays_inside_a_small_picture(picture):
    eye = Stream(image=picture, seed=1, jump_probability=0)
    rows, gaze = eye.read(5000), eye.gaze(0, 5000)
    assert rows["motor"][:, -1].sum() == 1  # tick 0 only
    assert set(np.unique(gaze[:, 0] - 16)) == set(range(13)) and set(np.unique(gaze[:, 1] - 16)) == set(range(23))
    assert np.isfinite(rows["surround"]).all()
    # moves at a border are drawn evenly among those that stay inside: at the top, none goes north
    at_top = np.flatnonzero(gaze[:-1, 0] == 16) + 1
    counts = dict(zip(eye.moves, rows["motor"][at_top].sum(axis=0), strict=False))
    assert counts["N2"] == counts["N5"] == 0 and min(counts["S2"], counts["S5"], counts["E2"], counts["W2"]) > 0


def test_a_repertoire_that_leads_into_a_corner_jumps_out(picture):
    eye = Stream(image=picture, directions=["SE"], lengths=[4], jump_probability=0)
    rows = eye.read(500)
    assert eye.moves == ["SE4"] and rows["motor"].shape == (500, 2)
    assert 50 < rows["motor"][:, 1].sum() < 450
    assert rows["saccade"][rows["motor"][:, 0] == 1][0].tolist() == [1, 1]


def test_only_jumps(picture):
    rows = Stream(image=str(picture), jump_probability=1).read(100)
    assert rows["motor"][:, -1].all() and not rows["saccade"].any()


def test_gray_weights_and_deep_gray(tmp_path):
    colours = np.zeros((4, 4, 3), np.uint8)
    colours[0, 0], colours[0, 1], colours[0, 2] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    gray = load_gray(tmp_path / "colours.png")
    red, green, blue = gray[0, :3] - gray[3, 3]
    assert np.allclose([red / green, blue / green], [0.299 / 0.587, 0.114 / 0.587], atol=1e-5)
    deep = np.array([[0, 1000], [40000, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.allclose(load_gray(tmp_path / "deep.png"), (deep - deep.mean()) / deep.std(), atol=1e-5)


def test_a_large_picture_is_shrunk(tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 600), np.uint8)).save(path)
    assert load_gray(path, longest_side=200).shape == (100, 200)
    assert load_gray(path, longest_side=0).shape == (300, 600)
    assert load_gray("large.png", base_dir=tmp_path).shape == (300, 600)


def test_the_name_of_the_sample_is_never_a_file_by_chance(tmp_path):
    Image.fromarray(np.eye(90, dtype=np.uint8) * 255).save(tmp_path / "grace_hopper.jpg")
    assert load_gray("grace_hopper.jpg", base_dir=tmp_path).shape == (600, 512)
    assert load_gray("./grace_hopper.jpg", base_dir=tmp_path).shape == (90, 90)
    assert load_gray(tmp_path / "grace_hopper.jpg").shape == (90, 90)


def test_pictures_that_cannot_be_used(tmp_path, picture):
    (tmp_path / "text.jpg").write_text("not a picture")
    Image.fromarray(np.full((80, 80), 7, np.uint8)).save(tmp_path / "flat.png")
    whole = picture.read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:len(whole) // 2])
    hint = "image = 'grace_hopper.jpg' is the photograph that matplotlib carries"
    for name, kind, message in [
        ("none.jpg", FileError, f"none.jpg': no such file; {hint}"),
        ("", FileError, "is a folder, not a picture; "),
        ("text.jpg", FileError, "text.jpg': is not a picture that Pillow can read"),
        ("cut.png", FileError, "cut.png': the picture cannot be read: "),
        ("flat.png", InputError, "flat.png': all pixels have the same value, so there is nothing to see"),
    ]:
        with pytest.raises(kind, match="^image '.*" + re.escape(message)):
            Stream(image=tmp_path / name)


@pytest.mark.parametrize(("options", "message"), [
    ({"fovea": "16"}, "stream 'glimpses': fovea must be a whole number of at least 1 (got '16')"),
    ({"fovea": 0}, "fovea must be a whole number of at least 1 (got 0)"),
    ({"surround": 1.5}, "surround must be a whole number of at least 1 (got 1.5)"),
    ({"surround_span": 8}, "surround_span must be a whole number of at least 16 (got 8)"),
    ({"surround_span": 50}, "surround_span must be a multiple of surround (12) (got 50); try 48"),
    ({"directions": "E"}, "directions must be a list of different values (got 'E')"),
    ({"directions": ["E", "E"]}, "directions must be a list of different values"),
    ({"directions": ["E", "Nw"]}, "stream 'glimpses': unknown direction 'Nw'; did you mean 'N'?"),
    ({"lengths": []}, "lengths must be a list of different values (got [])"),
    ({"lengths": [2, -1]}, "each of lengths must be a whole number of at least 1 (got -1)"),
    ({"jump_probability": 1.5}, "jump_probability must be a number from 0 to 1 (got 1.5)"),
    ({"jump_probability": True}, "jump_probability must be a number from 0 to 1 (got True)"),
    ({"seed": -1}, "seed must be a whole number of at least 0 (got -1)"),
    ({"longest_side": -5}, "longest_side must be a whole number of at least 0 (got -5)"),
    ({"image": 5}, "stream 'glimpses': needs the path of a file (got 5)"),
    ({"surround_span": 60, "lengths": [20]}, "noise.png': too small for a surround_span of 60 pixels and these "
     "moves: needs at least 80 rows and 80 columns (got (60, 70)); use a larger picture, or a smaller"),
])
def test_bad_options(picture, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Stream(**{"image": picture, **options})


def test_seeking_before_the_start():
    with pytest.raises(InputError, match=r"tick must be a whole number of at least 0 \(got -1\)"):
        Stream().seek(-1)
