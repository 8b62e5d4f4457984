"""Codes that depend on the past: round trips, no look ahead, and any cut of a series gives the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexsim.encoders import Category, Difference, Scalar, Standardise
from cortexsim.errors import InputError
from cortexsim.sources.csvfile import RunningScale

BINS = Scalar(-10, 10, size=220, active=20)
WIDE = Scalar(-2000, 2000, size=4020, active=20)
MADE = [Difference(), Difference(3), Difference(2, WIDE), Standardise(), Standardise(4), Standardise(2, then=BINS)]
SERIES = st.lists(st.one_of(st.floats(-1000, 1000, width=32), st.just(float("nan"))), min_size=1, max_size=30)


@pytest.mark.parametrize("encoder", MADE, ids=repr)
@given(series=SERIES, cuts=st.lists(st.integers(0, 7), max_size=12))
def test_cuts_never_change_a_bit(encoder, series, cuts):
    whole = encoder.encode(series)
    assert whole.shape == (len(series), encoder.size) and whole.dtype == np.float32
    coder, pieces, at = encoder.start(), [], 0
    for cut in [*cuts, len(series)]:
        pieces.append(coder.encode(series[at:at + cut]))
        at += cut
    assert np.array_equal(np.concatenate(pieces), whole, equal_nan=True)
    assert np.array_equal(encoder.encode(series), whole, equal_nan=True)  # nothing is left of it


@pytest.mark.parametrize("encoder", MADE, ids=repr)
@given(series=SERIES, future=SERIES, at=st.integers(0, 29))
def test_the_future_never_changes_a_code_or_a_decoded_value(encoder, series, future, at):
    at = min(at, len(series))
    other = [*series[:at], *future]
    rows = encoder.encode(series)
    assert np.array_equal(encoder.encode(other)[:at], rows[:at], equal_nan=True)
    # a prediction for tick t is decoded by what was known at t - horizon
    ticks = min(at + encoder.horizon, len(series))
    told = encoder.decode(rows[:ticks], past=series[:at])
    assert np.array_equal(encoder.decode(rows, past=series)[:ticks], told, equal_nan=True)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_values_come_back(horizon):
    series = np.cumsum(np.random.default_rng(horizon).normal(size=300)) + 50
    for encoder, first in ((Difference(horizon), horizon), (Standardise(horizon, clip=1000), horizon + 1)):
        decoded = encoder.decode(encoder.encode(series), past=series[:-horizon])
        assert np.isnan(decoded[:first]).all()
        assert np.allclose(decoded[first:], series[first:], atol=1e-3)
    coarse = Standardise(horizon, then=BINS)
    decoded = coarse.decode(coarse.encode(series), past=series)[horizon + 1:]
    _, sd = coarse.scale(series, 300)
    inside = np.abs(coarse.decode(coarse.encode(series), past=series)) < np.inf
    assert inside[horizon + 1:].all()
    away = np.abs(decoded - series[horizon + 1:])
    # half a bin of 0.1 standard deviations, but for what was clipped
    clipped = np.abs(Standardise(horizon).encode(series)[horizon + 1:, 0]) >= 10
    assert (away <= 0.0501 * sd[horizon + 1:])[~clipped].all()


def test_standardise_is_the_running_scale():
    series = np.random.default_rng(1).normal(3, 2, 100)
    assert np.array_equal(Standardise(3).encode(series), RunningScale(1, 3).apply(series[:, None]).values.astype("f4"))


def test_differences_of_absent_and_early_values():
    nan = np.nan
    assert np.array_equal(Difference(1).encode([1, nan, 4, 6])[:, 0], [0, nan, nan, 2], equal_nan=True)
    assert np.array_equal(Difference(2).encode([nan, 1, 4])[:, 0], [nan, 0, nan], equal_nan=True)


def test_constant_and_short_series():
    assert not Standardise().encode([7.0] * 20).any() and not Difference().encode([7.0] * 20).any()
    assert Standardise().decode(np.zeros((4, 1)), past=[7.0] * 4).tolist()[2:] == [7, 7]
    for encoder in MADE:
        assert encoder.encode([]).shape == (0, encoder.size) and encoder.encode([1.0]).shape == (1, encoder.size)


def test_quantiles_are_scaled_back():
    series = np.random.default_rng(0).normal(100, 5, 4000)
    encoder = Standardise(then=BINS)
    expected = encoder.encode(series)[100:].mean(axis=0)  # what a region predicts that knows nothing but the mean
    told = encoder.decode(np.tile(expected, (4001, 1)), quantiles=(0.1, 0.5, 0.9), past=series)
    assert told.shape == (4001, 3)
    assert np.abs(told[-1] - [100 - 5 * 1.2816, 100, 100 + 5 * 1.2816]).max() < 0.4
    change = Difference(then=WIDE)
    told = change.decode(change.encode([3.0, 5.0]), quantiles=(0.5,), past=[3.0])
    assert told[1, 0] == pytest.approx(5.0, abs=0.5)


def test_refused():
    rows = np.zeros((5, 1))
    for call, message in [
        (lambda: Difference().decode(rows), "encoder Difference: needs past: the series from its first tick"),
        (lambda: Difference(2).decode(rows, past=[1, 2]), r"of 5 rows at least 3 values \(got 2\)"),
        (lambda: Standardise().decode(rows, (0.5,), past=[1] * 5), "has no quantiles: its code is a number"),
        (lambda: Difference(0), r"horizon must be a whole number of at least 1 \(got 0\)"),
        (lambda: Difference(then=Standardise()), r"needs no past \(got 'Standardise'\)"),
        (lambda: Difference(then=Category(["a"])), r"then must be an encoder of numbers .*\(got 'Category'\)"),
        (lambda: Standardise(clip=0), r"clip must be a finite number above 0 \(got 0\)"),
        (lambda: Standardise(then=Scalar(-1, 1)).encode([0, 0, 1, 9]), "row 3 lies outside the range from -1 to 1"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
