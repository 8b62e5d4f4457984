"""Numbers in a range and on a ring: round trips, quantiles, what lies outside, and bad parameters."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from cortexsim.encoders import Calendar, Periodic, Population, Scalar
from cortexsim.errors import InputError

RANGES = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)).map(lambda r: (r[0], r[0] + r[1]))
PARTS = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(RANGES, PARTS, st.integers(2, 60), st.integers(1, 59))
def test_a_scalar_comes_back_within_half_a_bin(limits, parts, size, active):
    assume(active < size and limits[1] > limits[0])
    code = Scalar(*limits, size=size, active=active)
    values = np.clip(limits[0] + np.array(parts) * (limits[1] - limits[0]), *limits)
    rows = code.encode(values)
    assert rows.dtype == np.float32 and rows.shape == (len(values), size) == (len(values), *code.shape)
    assert (rows.sum(axis=1) == active).all()
    for decoded in (code.decode(rows), code.decode(rows, quantiles=0.5)[:, 0]):
        assert np.abs(decoded - values).max() <= code.resolution * (0.5 + 1e-6)
    assert (code.decode(rows) >= limits[0]).all() and (code.decode(rows) <= limits[1] + 1e-6 * code.resolution).all()


def test_near_numbers_share_units_and_far_ones_none():
    code = Scalar(0, 100, size=121, active=21)
    rows = code.encode(np.arange(101))
    overlap = rows @ rows.T
    apart = np.abs(np.arange(101)[:, None] - np.arange(101))
    assert np.array_equal(overlap, np.maximum(0, 21 - apart))


@pytest.mark.parametrize("code", [Scalar(-4, 4, size=420, active=20), Scalar(-4, 4, size=200, active=1),
                                  Population(-4, 4, size=33), Population(-4, 4, size=25, normalise=True)])
@pytest.mark.parametrize("factor", [1.0, 0.01])
def test_quantiles_are_those_of_the_distribution_whose_mean_code_it_is(code, factor):
    # two distributions, as the mean of the codes of many values; scale does not matter
    levels = (0.05, 0.1, 0.5, 0.9, 0.95)
    shares = (np.arange(4000) + 0.5) / 4000
    distributions = [stats.norm(0.5, 0.8), stats.uniform(-2, 3)]
    rows = factor * np.array([code.encode(d.ppf(shares)).mean(axis=0) for d in distributions])
    wanted = [d.ppf(levels) for d in distributions]
    told = code.decode(rows, quantiles=levels)
    assert told.shape == (2, 5)
    assert np.abs(told - wanted).max() < (0.02 if isinstance(code, Scalar) else 0.08)
    # the order of levels is the order of columns
    assert np.array_equal(code.decode(rows, quantiles=levels[::-1]), told[:, ::-1])


def test_quantiles_of_probabilities_over_bins():
    # one unit a bin: a softmax region's probabilities
    code = Scalar(0, 3, size=4, active=1)
    assert code.decode([0.1, 0.4, 0.4, 0.1], quantiles=(0.3, 0.5, 0.7)).tolist() == [[1.0, 1.5, 2.0]]
    # negative weights are none, and the ends hold
    assert code.decode([-5, 0, 0, 1], quantiles=(0.001, 0.999)).tolist() == [[pytest.approx(2.501), 3.0]]
    assert (np.diff(code.decode(np.random.default_rng(0).random((50, 4)), (0.1, 0.5, 0.9)), axis=1) >= 0).all()


@given(st.floats(-5, 7), st.integers(4, 40), st.floats(0.5, 3), st.booleans())
def test_a_population_code_comes_back(value, size, width, normalise):
    spacing = 12 / (size - 1)
    code = Population(-5, 7, size=size, width=width * spacing, normalise=normalise)
    rows = code.encode([value])
    assert rows.dtype == np.float32 and rows.shape == (1, size)
    if normalise:
        assert rows.sum() == pytest.approx(1, abs=1e-5)
    assert code.decode(rows)[0] == pytest.approx(value, abs=0.05 * spacing)
    assert code.decode(3.7 * rows)[0] == pytest.approx(value, abs=0.05 * spacing)
    nearest = np.abs(code.centres - value).argmin()
    assert rows[0, nearest] == pytest.approx(rows.max(), rel=1e-5)


@given(st.floats(-1e4, 1e4), st.sampled_from([1.0, 24.0, 168.0, 365.25]),
       st.sampled_from(["bins", "population", "sin_cos"]), st.integers(2, 20))
def test_a_periodic_number_comes_back_but_for_whole_periods(value, period, code, half):
    ring = Periodic(period, code, size=2 * half)
    row, later = ring.encode([value]), ring.encode([value + period])
    assert row.shape == (1, 2 * half) and row.dtype == np.float32
    if code == "bins":
        # a value on the border of two bins may change its bin by rounding
        assert row.sum() == later.sum() == ring.active
    else:
        assert np.allclose(row, later, atol=1e-4)
    decoded = ring.decode(row)[0]
    assert 0 <= decoded < period
    away = abs(decoded - value) % period
    bound = {"bins": 0.5 + 1e-6, "population": 0.6 if half == 1 else 0.1, "sin_cos": 0.1}[code]
    assert min(away, period - away) <= bound * period / ring.size + 1e-6 * period


def test_neighbours_on_a_ring_overlap_across_its_end():
    ring = Periodic(24, size=24, active=5)
    rows = ring.encode([23.0, 0.0, 1.0, 12.0])
    assert (rows @ rows.T)[0].tolist() == [5, 4, 3, 0]
    bump = Periodic(24, "population", size=24, width=2.0).encode([0.0])[0]
    assert bump[1] == pytest.approx(bump[23]) and bump.argmax() == 0


def test_numbers_outside_the_range():
    for make in (Scalar, Population):
        message = (f"encoder {make.__name__}: row 1 lies outside the range from 0 to 10 (got 12.5); outside='clip' "
                   "takes the nearest end of it")
        with pytest.raises(InputError, match=re.escape(message)):
            make(0, 10, size=30).encode([3, 12.5, -8])
        clipping = make(0, 10, size=30, outside="clip")
        assert np.array_equal(clipping.encode([12.5, -8]), clipping.encode([10, 0]))


@pytest.mark.parametrize("code", [Scalar(0, 1), Population(0, 1), Periodic(2), Periodic(2, "population"),
                                  Periodic(2, "sin_cos")])
def test_absent_numbers_bad_numbers_and_rows_that_say_nothing(code):
    rows = code.encode([0.25, np.nan, 0.75])
    assert np.isnan(rows[1]).all() and np.isfinite(rows[[0, 2]]).all()
    assert np.isnan(code.decode(rows)).tolist() == [False, True, False]
    assert np.isnan(code.decode(np.zeros((2, code.size)))).all()
    assert code.encode([]).shape == (0, code.size) and code.decode(code.encode([])).shape == (0,)
    assert np.array_equal(code.encode(np.float32([[0.25], [0.75]])), rows[[0, 2]])
    with pytest.raises(InputError, match=r"row 1 must be finite \(got inf\)"):
        code.encode([0, np.inf])
    with pytest.raises(InputError, match="needs one number for each tick"):
        code.encode([[1, 2], [3, 4]])
    with pytest.raises(InputError, match="needs real numbers"):
        code.encode(["a"])
    with pytest.raises(InputError, match=re.escape(f"decodes rows of shape [n, {code.size}] (got (3, 99))")):
        code.decode(np.ones((3, 99)))
    for quantiles in ((0.1, 1.0), (), "x", [[0.5]]):
        with pytest.raises((InputError, ValueError)):
            code.decode(rows, quantiles)


def test_empty_quantiles_of_nothing_are_nan():
    for code in (Scalar(0, 1), Population(0, 1)):
        told = code.decode(np.zeros((2, code.size)), quantiles=(0.1, 0.9))
        assert told.shape == (2, 2) and np.isnan(told).all()


def test_a_ring_has_no_quantiles():
    with pytest.raises(InputError, match="encoder Periodic: has no quantiles: a ring has no lowest value"):
        Periodic(24).decode(np.ones((1, 24)), quantiles=(0.5,))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Scalar(1, 1), r"encoder Scalar: high must be above low \(1\) \(got 1\)"),
    (lambda: Scalar(0, np.inf), r"high must be a finite number \(got inf\)"),
    (lambda: Scalar(0, "1"), r"high must be a finite number \(got '1'\)"),
    (lambda: Scalar(0, 1, size=5, active=5), r"active must be below size \(5\) \(got 5\)"),
    (lambda: Scalar(0, 1, size=2.5), r"size must be a whole number of at least 2 \(got 2.5\)"),
    (lambda: Scalar(0, 1, outside="wrap"), r"outside must be one of 'error', 'clip' \(got 'wrap'\)"),
    (lambda: Population(0, 10, size=11, width=0.1), r"width must be at least a third of the distance of two centres"),
    (lambda: Population(0, 1, width=-1), r"width must be a finite number of at least 0 \(got -1\)"),
    (lambda: Periodic(0), r"period must be a finite number above 0 \(got 0\)"),
    (lambda: Periodic(1, "wrap"), r"code must be one of 'bins', 'population', 'sin_cos' \(got 'wrap'\)"),
    (lambda: Periodic(1, "sin_cos", size=3), r"size must be even: pairs of sine and cosine \(got 3\)"),
    (lambda: Periodic(1, "sin_cos", active=3), r"active is an option of code 'bins' \(got 3\)"),
    (lambda: Periodic(1, size=4, active=4), r"active must be below size \(4\) \(got 4\)"),
    (lambda: Calendar("time_of_dya"), r"what must be one of .*; did you mean 'time_of_day'\?"),
    (lambda: Calendar("time_of_day", "one_hot"), r"code 'one_hot' is one of day_of_week \(got 'time_of_day'\)"),
    (lambda: Calendar("weekend", size=3), r"size must be 1 here, and active 0"),
])
def test_bad_parameters(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_parameters_are_frozen_and_compared():
    code = Scalar(0, 1)
    with pytest.raises(AttributeError):
        code.low = 3
    assert code == Scalar(0, 1) and code != Scalar(0, 2) and code.start() is code and code.memory == 0


# -- the calendar ----------------------------------------------------------------------------------------------------

MONDAY = np.datetime64("2014-06-30T00:00", "us")


@given(st.integers(0, 4 * 365 * 24 * 60 - 1))
def test_times_come_back(minutes):
    time = MONDAY + np.timedelta64(minutes, "m")
    hour, day = minutes / 60 % 24, minutes / 1440 % 7
    for what, wanted, cycle in (("time_of_day", hour, 24), ("day_of_week", day, 7)):
        for options, bound in (({"size": 48}, 0.51), ({"code": "sin_cos"}, 0.01), ({"code": "population"}, 0.05)):
            code = Calendar(what, **options)
            away = abs(code.decode(code.encode([time]))[0] - wanted)
            assert min(away, cycle - away) <= bound * cycle / code.size
    assert Calendar("day_of_week", "one_hot").encode([time])[0].argmax() == int(day)
    weekend = Calendar("weekend")
    assert weekend.encode([time]).tolist() == [[float(day >= 5)]]
    assert weekend.decode(weekend.encode([time])).tolist() == [day >= 5]


def test_units_of_the_calendar_and_forms_of_times():
    assert [Calendar(what).shape for what in Calendar.CYCLES] == [(24,), (21,), (1,), (24,)]
    texts = ["2014-07-01 00:30:00", "2014-07-01T18:00"]
    day = Calendar("time_of_day")
    assert np.array_equal(day.encode(texts), day.encode(np.array(["2014-07-01T00:30", "2014-07-01T18:00"], "M8[m]")))
    assert Calendar("time_of_year", "sin_cos").decode([[1, 0]]).tolist() == [0.25]
    with pytest.raises(InputError, match="encoder Calendar: .* must hold a timestamp .*yesterday"):
        day.encode(["2014-07-01", "yesterday"])
    with pytest.raises(InputError, match="must be timestamps"):
        day.encode([1.0, 2.0])
