"""What a forecast is held against: baselines, measures of error, and quantiles that hold what they say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cortexsim.baselines import Season, filled, find_season, last_value, rls_autoregression, seasonal_naive
from cortexsim.errors import CortexsimError
from cortexsim.forecast_scores import coverage, mape, nrmse, smape
from cortexsim.forecasting import bands, linear_forecasts
from cortexsim.quantiles import LEVELS, Bands, ErrorQuantiles, check_levels
from cortexsim.timestamps import DAY, Step

NAN = np.nan


def column(*values):
    return np.array(values, float)[:, None]


# --- baselines ---

def test_the_last_value_is_the_last_that_is_there():
    made = last_value(column(1, NAN, 3), [1, 2])
    assert made.shape == (2, 5, 1)
    np.testing.assert_equal(made[0, :, 0], [NAN, 1, 1, 3, NAN])
    np.testing.assert_equal(made[1, :, 0], [NAN, NAN, 1, 1, 3])
    np.testing.assert_equal(filled(column(NAN, NAN))[:, 0], [NAN, NAN])


def test_the_seasonal_value_was_known_when_the_forecast_was_made():
    values = column(*range(10))
    near, far = seasonal_naive(values, [2, 5], 3)[:, :, 0]
    # five ticks ahead the value three ticks before is not known yet: that of six before is
    np.testing.assert_equal(near[:12], [NAN, NAN, NAN, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    np.testing.assert_equal(far[:15], [NAN] * 6 + list(range(9)))
    np.testing.assert_equal(seasonal_naive(column(1, 2, NAN, 4, 5), [1], 2)[0, :, 0], [NAN, NAN, 1, 2, 1, 4])
    assert np.isnan(seasonal_naive(values, [1], 0)).all()


def test_rls_of_several_horizons_is_that_of_each():
    rng = np.random.default_rng(0)
    step, change = rng.normal(size=80), rng.normal(size=(3, 80))
    together = rls_autoregression(step, change, 4, [1, 3, 7])
    assert together.shape == (3, 87)
    for row, h in enumerate((1, 3, 7)):
        np.testing.assert_allclose(together[row, :80 + h], rls_autoregression(step, change[row], 4, h), rtol=1e-12)


def test_linear_forecasts_bear_absent_values_and_constant_series():
    x = np.sin(np.arange(300) / 3)
    x[100:103] = NAN
    made = linear_forecasts(x[:, None], [1, 4], 8)
    assert np.isfinite(made[0, 1:301]).all() and nrmse(x[150:], made[0, 150:300, 0]) < 0.1
    assert (linear_forecasts(np.full((50, 1), 7.0), [1, 2], 3)[0, 1:51] == 7).all()
    assert linear_forecasts(np.zeros((0, 1)), [2], 3).shape == (1, 2, 1)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_season_is_found_in_the_data(noise):
    rng = np.random.default_rng(0)
    t = np.arange(400)
    wave = np.sin(2 * np.pi * t / 24) + 0.5 * np.sin(2 * np.pi * t / 12) + 0.01 * t + noise * rng.normal(size=400)
    assert find_season(wave[:, None]) == Season(24, "found by autocorrelation")


@pytest.mark.parametrize("seed", range(5))
def test_no_season_is_found_in_noise_or_in_what_wanders(seed):
    rng = np.random.default_rng(seed)
    assert find_season(rng.normal(size=(300, 1))) == Season(0, "none found")
    assert find_season(np.full((300, 1), 3.0)).ticks == find_season(np.zeros((5, 1))).ticks == 0


def test_timestamps_tell_the_season_and_errors_choose():
    t = np.arange(24 * 7 * 6)
    day = np.sin(2 * np.pi * t / 24)
    week = day * np.where(t // 24 % 7 < 5, 1.0, 0.2)
    noise = 0.3 * np.random.default_rng(0).normal(size=len(t))
    hour = Step("us", DAY // 24)
    assert find_season((week + noise)[:, None], hour) == Season(168, "a week, by the timestamps")
    assert find_season(day[:200, None], hour).ticks == 24, "a week is not in there twice"
    assert find_season(day[:, None], Step("us", 12345)) == Season(24, "found by autocorrelation")


# --- errors ---

def test_measures_are_defined_for_zeros_and_constants():
    zero, one = np.zeros(4), np.ones(4)
    assert np.isnan(nrmse(zero, one)) and np.isnan(mape(zero, one)) and smape(zero, one) == 2.0
    assert smape(zero, zero) == 0.0 and mape(one, one) == 0.0
    assert np.isnan([nrmse([NAN], [1]), mape([], []), smape([1], [NAN]), coverage([NAN], [0], [1])]).all()
    assert mape([1, -3], [2, -2]) == 0.5
    assert coverage([0, 1, 2, NAN], [0, 0, 0, 0], [1, 1, NAN, 1]) == 1.0


# --- quantiles ---

def run_quantiles(errors, **options):
    spread = ErrorQuantiles(LEVELS, **options)
    told = []
    for error in errors.tolist():
        told.append(spread.quantiles())
        spread.add(error, told[-1])
    return np.array(told)


@pytest.mark.parametrize("draw", [lambda rng, n: rng.normal(size=n), lambda rng, n: rng.exponential(size=n)])
def test_quantiles_hold_their_share_of_steady_noise(draw):
    for seed in range(3):
        errors = draw(np.random.default_rng(seed), 4000)
        told = run_quantiles(errors)
        below = [(errors <= told[:, k])[500:].mean() for k in range(len(LEVELS))]
        assert np.abs(np.array(below) - LEVELS).max() < 0.02
        assert abs(coverage(errors[500:], told[500:, 0], told[500:, -1]) - 0.8) < 0.03
        assert (np.diff(told[500:], axis=1) >= 0).all()


def test_quantiles_recover_when_the_errors_grow():
    steered, plain = [], []
    for seed in range(3):
        errors = np.random.default_rng(seed).normal(size=3000)
        errors[1500:] *= 3
        for made, told in ((steered, run_quantiles(errors)), (plain, run_quantiles(errors, rate=0.0))):
            made.append([coverage(errors[part], told[part, 0], told[part, -1])
                         for part in (slice(1500, 1650), slice(1800, 2400))])
    assert np.abs(np.array(steered)[:, 1] - 0.8).max() < 0.04
    assert np.mean(steered, axis=0)[0] > np.mean(plain, axis=0)[0] + 0.2, "a window alone is slow"


def test_too_few_errors_have_no_quantiles():
    spread = ErrorQuantiles([0.1, 0.5])
    seen = []
    for error in range(9):
        seen.append(spread.quantiles())
        spread.add(float(error), seen[-1])
    np.testing.assert_equal(np.isnan(seen)[:, 1], [True] + [False] * 8)
    assert np.isnan(seen)[:, 0].all() and spread.quantiles()[0] <= 0.5
    spread.add(NAN, [0.0, 0.0])
    assert len(spread._order) == 9, "what is absent is no error"


def test_bands_know_no_error_of_what_has_not_come():
    rng = np.random.default_rng(0)
    truth, told = rng.normal(size=300)[:, None], rng.normal(size=(2, 304, 1))
    other = truth.copy()
    other[200:] += 50
    one, two = (bands(values, told, [1, 4], [0.1, 0.9]) for values in (truth, other))
    for row, h in enumerate((1, 4)):
        np.testing.assert_equal(one[row, :200 + h], two[row, :200 + h])
        assert (one[row, 200 + h:300 + h] != two[row, 200 + h:300 + h]).any()
        assert np.isnan(one[row, :h]).all() and np.isfinite(one[row, 100:300 + h]).all()


def test_bands_are_about_the_forecast():
    band = Bands(1, [0.25, 0.75])
    for error in (0.0, 1.0, -1.0, 2.0, 0.0):
        told = band.next(10.0 + error, 10.0)
    assert told[0] < 10 < told[1] and [10 + error for error in band.spread()] == told


@pytest.mark.parametrize(("levels", "message"), [
    ([0.1, 1.0], "quantiles: must be numbers above 0 and below 1 (got 1.0); 0.1 and 0.9 hold a band of 80 %"),
    (["a"], "must be numbers above 0 and below 1 (got 'a')"), ([0.5, 0.5], "must each come once (got 0.5)"),
])
def test_levels_that_are_none(levels, message):
    with pytest.raises(CortexsimError, match=re.escape(message)):
        check_levels(levels)
