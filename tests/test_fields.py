"""Fields: text and back, index lists against a plain twin, and every message."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexsim.errors import GraphError
from cortexsim.fields import (
    OUTSIDE,
    Dense,
    OneToOne,
    Sparse,
    Window,
    as_sheet,
    dense,
    field_indices,
    one_to_one,
    parse_field,
    sparse,
    window,
)

lengths = st.integers(1, 9)
strides = st.one_of(st.integers(1, 5), st.sampled_from([0.25, 0.5, 1 / 3, 2 / 3, 1.5]),
                    st.floats(0.01, 50, allow_nan=False))
windows = st.builds(Window, st.one_of(lengths, st.tuples(lengths, lengths)),
                    st.one_of(strides, st.tuples(strides, strides)), st.booleans(), st.booleans())
sparses = st.builds(Sparse, st.floats(0, 1, exclude_min=True), st.integers(0, 2**40))
any_field = st.one_of(st.just(Dense()), st.just(OneToOne()), windows, sparses)
sheets = st.one_of(st.tuples(st.integers(1, 12)), st.tuples(st.integers(1, 7), st.integers(1, 7)),
                   st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)))


def indices_of(field, source, target, seed=0):
    return field_indices(field, source, target, "edge 'a->b'", np.random.default_rng(seed))


# -- text ------------------------------------------------------------------------------------------------------------

@given(any_field)
def test_text_and_back(field):
    assert parse_field(str(field)) == field
    assert parse_field(field) is field
    assert pickle.loads(pickle.dumps(field)) == field
    assert hash(parse_field(str(field))) == hash(field)


@pytest.mark.parametrize(("text", "field"), [
    ("dense", dense()),
    ("dense()", dense()),
    (" window( 5 ,stride = 2 ) ", window(5, stride=2)),
    ("window(5, 2, true, True)", window(5, stride=2, wrap=True, shared=True)),
    ("window((3, 5), stride=(1, 0.5), wrap=false)", window((3, 5), stride=(1, 0.5))),
    ("window([3, 5])", window((3, 5))),
    ("window(kernel=4, stride=2.0)", window(4, stride=2)),
    ("one_to_one", one_to_one()),
    ("sparse(0.1)", sparse(0.1)),
    ("sparse(p=1, seed=3)", sparse(1.0, seed=3)),
])
def test_ways_to_write_a_field(text, field):
    assert parse_field(text) == field


@pytest.mark.parametrize(("field", "text"), [
    (dense(), "dense"),
    (window(5), "window(kernel=5)"),
    (window(5, stride=2, wrap=True, shared=True), "window(kernel=5, stride=2, wrap=true, shared=true)"),
    (window((3, 5), stride=(2, 0.5)), "window(kernel=(3, 5), stride=(2, 0.5))"),
    (one_to_one(), "one_to_one"),
    (sparse(0.1), "sparse(p=0.1)"),
    (sparse(0.1, seed=3), "sparse(p=0.1, seed=3)"),
    (window(np.int64(3), stride=np.float32(0.5)), "window(kernel=3, stride=0.5)"),
])
def test_how_a_field_is_shown(field, text):
    assert str(field) == text


FORM = "a field is written as 'dense' or 'window(5, stride=2)'"
KNOWN = "known: dense, window, one_to_one, sparse"


@pytest.mark.parametrize(("value", "message"), [
    ("dens", "edge 'e': no such field (got 'dens'); did you mean 'dense'?"),
    ("windows(5)", "edge 'e': no such field (got 'windows(5)'); did you mean 'window'?"),
    ("window(5, strid=2)",
     "edge 'e': field window has no argument 'strid' (got 'window(5, strid=2)'); did you mean 'stride'?"),
    ("window()", "edge 'e': field window takes kernel, stride, wrap, shared (got 'window()'); "
                 "try 'window(5, stride=2)'"),
    ("window(5, kernel=5)", "edge 'e': field window takes kernel, stride, wrap, shared (got 'window(5, kernel=5)'); "
                            "try 'window(5, stride=2)'"),
    ("dense(3)", "edge 'e': field dense takes no arguments (got 'dense(3)'); try 'dense'"),
    ("window(0)", "edge 'e': field window: kernel must be a whole number of units, 1 or more, or a pair of them "
                  "(got 0)"),
    ("window(true)", "edge 'e': field window: kernel must be a whole number of units, 1 or more, or a pair of them "
                     "(got True)"),
    ("window(2.5)", "edge 'e': field window: kernel must be a whole number of units, 1 or more, or a pair of them "
                    "(got 2.5)"),
    ("window('5')", "edge 'e': field window: kernel must be a whole number of units, 1 or more, or a pair of them "
                    "(got '5')"),
    ("window((1, 2, 3))", "edge 'e': field window: kernel must be one number or a pair (rows, columns) "
                          "(got (1, 2, 3))"),
    ("window(3, stride=0)", "edge 'e': field window: stride must be a number from 1/4096 to 1048576, or a pair of "
                            "them (got 0); try 1, or 0.5 to up-sample"),
    ("window(3, stride=(1, -1))", "edge 'e': field window: stride must be a number from 1/4096 to 1048576, or a pair "
                                  "of them (got -1); try 1, or 0.5 to up-sample"),
    ("window(3, wrap=1)", "edge 'e': field window: wrap must be true or false (got 1)"),
    ("window(3, shared='yes')", "edge 'e': field window: shared must be true or false (got 'yes')"),
    ("sparse(0)", "edge 'e': field sparse: p must be in (0, 1] (got 0); try 0.1"),
    ("sparse(1.5)", "edge 'e': field sparse: p must be in (0, 1] (got 1.5); try 0.1"),
    ("sparse(0.1, seed=-1)", "edge 'e': field sparse: seed must be a whole number, 0 or more (got -1)"),
    ("sparse(0.1, seed=0.5)", "edge 'e': field sparse: seed must be a whole number, 0 or more (got 0.5)"),
    ("", f"edge 'e': {FORM} (got ''); {KNOWN}"),
    ("window(5", f"edge 'e': {FORM} (got 'window(5'); {KNOWN}"),
    ("window(n)", f"edge 'e': {FORM} (got 'window(n)'); {KNOWN}"),
    ("window(len('abc'))", f"edge 'e': {FORM} (got \"window(len('abc'))\"); {KNOWN}"),
    ("window(**{'kernel': 3})", f"edge 'e': {FORM} (got \"window(**{{'kernel': 3}})\"); {KNOWN}"),
    (5, "edge 'e': a field is a text such as 'window(5, stride=2)' or a cortexsim field (got 5)"),
])
def test_a_bad_field_says_what_is_wrong(value, message):
    with pytest.raises(GraphError) as caught:
        parse_field(value, "edge 'e'")
    assert str(caught.value) == message


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "0.1", None])
def test_a_share_that_is_no_number_is_refused(bad):
    with pytest.raises(GraphError, match=r"field sparse: p must be in \(0, 1\]"):
        sparse(bad)


# -- windows ---------------------------------------------------------------------------------------------------------

def naive_axis(n_source, n_target, kernel, stride, wrap):
    """One axis as the docstring says it: a grid centred on the sheet, halves rounded down, in exact fractions."""
    stride = Fraction(stride).limit_denominator(4096)
    extent = (n_target - 1) * stride + kernel
    rows = []
    for position in range(n_target):
        exact = position * stride + (n_source - extent) / 2
        below = exact.numerator // exact.denominator
        start = below if exact - below <= Fraction(1, 2) else below + 1
        units = [start + k for k in range(kernel)]
        rows.append([u % n_source if wrap else u if 0 <= u < n_source else None for u in units])
    return rows


def naive_window(field, source, target):
    (height, width, features), (rows, columns, _) = as_sheet(source), as_sheet(target)
    kernel = field.kernel if isinstance(field.kernel, tuple) else (
        1 if height == rows == 1 else field.kernel, 1 if width == columns == 1 else field.kernel)
    stride = field.stride if isinstance(field.stride, tuple) else (field.stride, field.stride)
    down = naive_axis(height, rows, kernel[0], stride[0], field.wrap)
    across = naive_axis(width, columns, kernel[1], stride[1], field.wrap)
    return [
        [OUTSIDE if y is None or x is None else (y * width + x) * features + f
         for y in ys for x in xs for f in range(features)]
        for ys in down for xs in across
    ]


@given(windows, sheets, sheets)
def test_windows_equal_their_plain_twin(field, source, target):
    expected = naive_window(field, source, target)
    if any(all(index == OUTSIDE for index in row) for row in expected):
        with pytest.raises(GraphError, match=r"leaves a position of the .* sheet without any unit"):
            indices_of(field, source, target)
        return
    indices, shared = indices_of(field, source, target)
    assert indices.tolist() == expected
    assert indices.dtype == np.int32 and indices.flags.c_contiguous
    assert shared is field.shared


@given(windows, sheets, sheets)
def test_the_window_that_is_suggested_fits(field, source, target):
    try:
        indices_of(field, source, target)
    except GraphError as error:
        better = parse_field(error.hint.removeprefix("try ").strip("'"))
        assert better.kernel == field.kernel
        indices, _ = indices_of(better, source, target)
        assert (indices != OUTSIDE).any(axis=1).all()


def test_a_window_of_stride_one_is_centred_and_sees_zeros_over_the_rim():
    indices, _ = indices_of(window(3), (5,), (5,))
    assert indices.tolist() == [[-1, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, -1]]


def test_a_window_that_wraps_sees_the_opposite_rim():
    indices, _ = indices_of(window(3, wrap=True), (5,), (5,))
    assert indices.tolist() == [[4, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0]]


def test_a_kernel_as_long_as_its_stride_tiles_the_sheet():
    indices, _ = indices_of(window(2, stride=2), (4, 4), (2, 2))
    assert indices.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_features_vary_fastest_and_positions_do_not_count_those_of_the_receiver():
    indices, _ = indices_of(window((1, 2), stride=(1, 2)), (1, 4, 3), (1, 2, 7))
    assert indices.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_half_a_stride_repeats_each_unit_twice():
    indices, _ = indices_of(window(1, stride=0.5), (3, 2), (6, 4))
    assert indices.reshape(6, 4).tolist() == np.arange(6).reshape(3, 2).repeat(2, 0).repeat(2, 1).tolist()


@given(st.integers(2, 8), st.integers(2, 4), st.integers(1, 5))
def test_an_up_sampled_window_is_symmetric(size, factor, kernel):
    indices, _ = indices_of(window(kernel, stride=1 / factor), (size,), (size * factor,))
    # an even kernel at a stride that puts it between two units leans to the left; no symmetry can be asked there
    starts = [Fraction(i, factor) + (size - (size * factor - 1) * Fraction(1, factor) - kernel) / 2
              for i in range(size * factor)]
    if any((start - Fraction(1, 2)).denominator == 1 for start in starts):
        return
    mirrored = np.where(indices == OUTSIDE, OUTSIDE, size - 1 - indices)[::-1, ::-1]
    assert indices.tolist() == mirrored.tolist()


def test_one_number_is_a_stretch_between_lines_and_a_square_between_sheets():
    assert indices_of(window(3), (9,), (9,))[0].shape == (9, 3)
    assert indices_of(window(3), (9, 1), (9, 1))[0].shape == (9, 3)
    assert indices_of(window(3), (1, 9, 2), (1, 9))[0].shape == (9, 6)
    assert indices_of(window(3), (9, 9), (9, 9))[0].shape == (81, 9)
    assert indices_of(window((1, 3)), (9, 9), (9, 9))[0].shape == (81, 3)


def test_a_stride_of_a_third_starts_where_thirds_do():
    indices, _ = indices_of(window(1, stride=1 / 3), (100,), (300,))
    assert indices[:, 0].tolist() == [i // 3 for i in range(300)]


@pytest.mark.parametrize(("field", "source", "target", "hint"), [
    (window(3), (16, 16), (64, 64), "try 'window(kernel=3, stride=0.25)'"),
    (window(2, stride=4), (16,), (8,), "try 'window(kernel=2, stride=2)'"),
    (window(3, shared=True), (4, 8), (16, 16), "try 'window(kernel=3, stride=(0.25, 0.5), shared=true)'"),
    (window(3, stride=3), (9, 1), (9, 1), "try 'window(kernel=3)'"),
    (window(2), (3, 3), (1, 100_000), "try 'dense'"),
])
def test_a_window_outside_the_sheet_says_which_would_fit(field, source, target, hint):
    with pytest.raises(GraphError) as caught:
        indices_of(field, source, target)
    (height, width, _), (rows, columns, _) = as_sheet(source), as_sheet(target)
    assert str(caught.value) == (
        f"edge 'a->b': {field} leaves a position of the {rows} x {columns} sheet without any unit of the "
        f"{height} x {width} sheet it reads; {hint}")


# -- the others ------------------------------------------------------------------------------------------------------

def test_one_to_one_pairs_units_whatever_their_sheets():
    indices, shared = indices_of(one_to_one(), (2, 3), (6,))
    assert indices.tolist() == [[0], [1], [2], [3], [4], [5]]
    assert indices.dtype == np.int32 and shared is False


@pytest.mark.parametrize(("source", "target", "message"), [
    ((8,), (2, 3), "edge 'a->b': field one_to_one needs equal sizes, but 8 units meet 6; "
                   "select a part such as 'name.port[0:6]'"),
    ((4,), (6,), "edge 'a->b': field one_to_one needs equal sizes, but 4 units meet 6; use 'dense'"),
])
def test_one_to_one_needs_equal_sizes(source, target, message):
    with pytest.raises(GraphError) as caught:
        indices_of(one_to_one(), source, target)
    assert str(caught.value) == message


@given(sparses, sheets, sheets)
def test_a_sparse_field_draws_distinct_sorted_units(field, source, target):
    indices, shared = indices_of(field, source, target)
    n_source, n_target = math.prod(source), math.prod(target)
    assert indices.shape == (n_target, max(1, round(field.p * n_source)))
    assert indices.dtype == np.int32 and shared is False
    assert (np.diff(indices, axis=1) > 0).all()
    assert indices.min() >= 0 and indices.max() < n_source


def test_a_sparse_field_is_drawn_by_the_generator_it_is_given():
    field = sparse(0.2)
    assert indices_of(field, (50,), (20,), seed=1)[0].tolist() == indices_of(field, (50,), (20,), seed=1)[0].tolist()
    assert indices_of(field, (50,), (20,), seed=1)[0].tolist() != indices_of(field, (50,), (20,), seed=2)[0].tolist()


def test_a_sparse_field_uses_all_units_alike():
    counts = np.bincount(indices_of(sparse(0.1), (20,), (4000,))[0].ravel(), minlength=20)
    assert counts.sum() == 8000
    assert counts.min() > 320 and counts.max() < 480  # 400 expected, sd 19


def test_a_dense_field_has_no_index_list():
    with pytest.raises(GraphError, match=r"^edge 'a->b': a dense field has no index list \(got 'dense'\)$"):
        indices_of(dense(), (3,), (3,))


def test_shapes_become_sheets():
    assert [as_sheet(shape) for shape in ((7,), (4, 5), (4, 5, 3))] == [(1, 7, 1), (4, 5, 1), (4, 5, 3)]
