"""The forecaster for scripts: what it says, what it learns, what it takes, and what it refuses."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import cortexsim as cs
from cortexsim.errors import CortexsimError
from cortexsim.forecaster import Forecaster

T0 = np.datetime64("2024-01-01", "us")


def wave(n=400, noise=0.05, seed=0):
    return 20 + np.sin(np.arange(n) / 3) + noise * np.random.default_rng(seed).normal(size=n)


def hours(n, start=0):
    return T0 + np.arange(start, start + n) * np.timedelta64(1, "h")


def graph(**options):
    made = cs.RegionGraph(name="mine")
    made.add_source("value", size=1)
    made.add_region("next", kind="rls", predicts="value", context=[f"value@{k}" for k in range(1, 7)], **options)
    return made


def test_it_forecasts_what_comes():
    y = wave()
    made = Forecaster(horizon=[1, 3], lags=6).fit(y[:300])
    assert np.abs(made.predict() - y[[300, 302]]).max() < 0.3
    assert made.predict(3).shape == (1,) and made.predict(3)[0] == made.predict()[1]
    assert made.predict().tolist() == made.predict().tolist(), "a forecast changes nothing"
    assert made.score() > 0.95 and 0.9 < made.score(y[300:]) < 1.0
    assert made.simulation.tick == 300, "a score is that of a copy"


@pytest.mark.parametrize("name", ["changes", "own"])
def test_parts_are_the_whole(name):
    y, which = wave(), "changes" if name == "changes" else graph()
    whole = Forecaster(which, horizon=[1, 2], lags=5).fit(y)
    parts = Forecaster(which, horizon=[1, 2], lags=5).fit(y[:100])
    for k in range(100, 150):
        parts.partial_fit(y[k:k + 1])
    parts.partial_fit(y[150:])
    np.testing.assert_array_equal(whole.predict(), parts.predict())
    np.testing.assert_array_equal(whole.history.forecast, parts.history.forecast)
    np.testing.assert_array_equal(whole.predict(quantiles=[0.1, 0.9]), parts.predict(quantiles=[0.1, 0.9]))
    assert whole.score() == parts.score()


def test_what_was_predicted_is_in_the_history():
    y = wave()
    made = Forecaster(graph(), horizon=[1, 4]).fit(y[:200])
    told = made.predict()
    made.partial_fit(y[200:300])
    assert made.history.forecast[0, 200, 0] == pytest.approx(told[0], rel=1e-5)
    assert made.history.forecast[1, 203, 0] == pytest.approx(told[1], rel=1e-5)
    (row, _) = made.history.scores()
    assert row["nrmse"] < 0.3 < row["nrmse_last"]


def test_a_score_of_what_comes_is_that_of_going_on():
    y = wave()
    made = Forecaster(graph(), horizon=2).fit(y[:200])
    said = made.score(y[200:])
    truth, told = y[200:], made.partial_fit(y[200:]).history.forecast[0, 200:400, 0]
    assert said == pytest.approx(1 - np.mean((truth - told) ** 2) / np.var(truth))


def test_quantiles_spread_as_the_errors_do():
    y = wave(2000, noise=0.5)
    made = Forecaster(graph(), horizon=1).fit(y)
    low, middle, high = made.predict(quantiles=[0.1, 0.5, 0.9])[0]
    assert low < middle < high and 0.8 < (high - low) / (2 * 1.2816 * 0.5) < 1.4
    assert made.predict(quantiles=0.5).tolist() == [middle]
    assert made.predict(quantiles=[0.05, 0.9]).shape == (1, 2)


def test_several_columns_have_a_forecast_each():
    y = np.stack([wave(), 5 - 2 * wave(seed=1)], axis=1)
    made = Forecaster(graph(), horizon=[1, 2]).fit(y)
    assert made.predict().shape == (2, 2) and made.predict(quantiles=[0.1, 0.5, 0.9]).shape == (2, 2, 3)
    alone = Forecaster(graph(), horizon=[1, 2]).fit(y[:, 1])
    np.testing.assert_allclose(made.predict()[:, 1], alone.predict(), rtol=1e-6)
    assert made.history.columns == ["y0", "y1"]


def test_lists_arrays_and_pandas_are_alike():
    y = wave(200)
    series = pd.Series(y, index=pd.DatetimeIndex(hours(200)), name="load")
    told = [Forecaster(calendar="day").fit(*data).predict()[0]
            for data in ((series,), (y.tolist(), None, hours(200)), (y, None, [str(t) for t in hours(200)]))]
    assert told[0] == told[1] == told[2]
    made = Forecaster(horizon=2).fit(pd.DataFrame({"rain": y, "flow": y[::-1]}))
    assert made.history.columns == ["rain", "flow"] and made.history.times is None
    assert Forecaster().fit(series).history.times[200] == hours(201)[-1]
    np.testing.assert_array_equal(Forecaster().fit(y).predict(), Forecaster().fit(y[:, None]).predict()[:, 0])


def test_what_is_known_before_is_told_for_the_tick_of_the_outcome():
    rng = np.random.default_rng(0)
    price = rng.normal(size=500)
    sold = 10 + 3 * price + 0.1 * rng.normal(size=500)
    made = Forecaster(graph(), horizon=[1, 3]).fit(sold[:480], X=price[:480])
    history = made.history.forecast
    assert np.isfinite(history[1, 50:480]).all() and np.isnan(history[1, 480:]).all(), "nobody knew X of these"
    told = made.predict(X=price[480:483])
    assert made.history.forecast[1, 482, 0] == told[1] and np.isfinite(made.history.forecast[1, 480:483]).all()
    assert np.abs(told - sold[[480, 482]]).max() < 0.6
    assert made.predict(1, X=[[2.0]])[0] - made.predict(1, X=[[1.0]])[0] == pytest.approx(3, abs=0.2)
    for call, message in ((lambda: made.predict(), "X: must be given if, and only if, it was fitted (got 'none')"),
                          (lambda: made.predict(X=[1.0]), "X: must be at least 3 rows of 1 numbers"),
                          (lambda: made.partial_fit([1.0]), "X: must have 1 numbers a tick, as before (got 0)")):
        with pytest.raises(CortexsimError, match=re.escape(message)):
            call()


@pytest.mark.parametrize("which", ["changes", graph()], ids=["changes", "own"])
def test_what_is_forecast_day_by_day_is_all_in_the_history(which):
    rng = np.random.default_rng(0)
    price = rng.normal(size=160)
    sold = 10 + 3 * price
    made = Forecaster(which, horizon=[1, 3], lags=4).fit(sold[:100], X=price[:100])
    for k in range(100, 150):
        told = made.predict(X=price[k:k + 3])
        made.partial_fit(sold[k:k + 1], X=price[k:k + 1])
        assert made.history.forecast[0, k, 0] == pytest.approx(told[0], rel=1e-5)
    assert np.isfinite(made.history.forecast[0, 5:150]).all() and np.isfinite(made.history.forecast[1, 102:150]).all()


def test_absent_values_and_gaps_are_ticks_without_a_value():
    y, times = wave(300), hours(300)
    holes = y.copy()
    holes[[100, 101, 250]] = np.nan
    kept = np.isfinite(holes)
    told = [Forecaster(graph(), horizon=[1, 2]).fit(holes, times=times),
            Forecaster(graph(), horizon=[1, 2], gaps="fill").fit(y[kept], times=times[kept])]
    np.testing.assert_array_equal(told[0].predict(), told[1].predict())
    np.testing.assert_array_equal(told[0].history.truth, told[1].history.truth)
    assert np.abs(told[0].predict() - (20 + np.sin(np.array([300, 301]) / 3))).max() < 0.3
    told[1].partial_fit(y[:2], times=hours(2, start=305))
    assert told[1].simulation.tick == 307, "hours 300 to 304 are filled in"
    with pytest.raises(CortexsimError, match=re.escape("times: line 0: the timestamp leaves out 5 ticks of 1 hour")):
        told[0].partial_fit(y[:2], times=hours(2, start=305))


def test_a_constant_series_is_forecast_as_it_is():
    for which in ("changes", graph()):
        made = Forecaster(which, horizon=[1, 2]).fit(np.full(60, 7.0))
        assert made.predict().tolist() == [7.0, 7.0] and np.isnan(made.score())
        assert made.predict(quantiles=[0.1, 0.9]).tolist() == [[7.0, 7.0]] * 2


def test_it_can_be_cloned_and_set():
    made = Forecaster(graph(), horizon=[1, 2], calendar="day", seed=3)
    other = clone(made)
    assert other is not made and other.get_params().keys() == made.get_params().keys()
    assert other.horizon == [1, 2] and other.graph.same(made.graph) and other.seed == 3
    assert made.set_params(horizon=4, calendar=None).horizon == 4
    assert repr(clone(Forecaster())) == "Forecaster(graph='changes', horizon=1, seed=0)"
    with pytest.raises(CortexsimError, match="has no parameter 'horison'; did you mean 'horizon'?"):
        made.set_params(horison=1)


def test_a_graph_may_be_a_file_or_a_name(tmp_path):
    from cortexsim.catalogue import save_toml

    y, path = wave(200), tmp_path / "mine.toml"
    save_toml(graph(), path)
    assert Forecaster(path).fit(y).predict() == Forecaster(graph()).fit(y).predict() == Forecaster(str(path)).fit(
        y).predict()
    seasonal = Forecaster("forecast_seasonal", horizon=2).fit(y, times=hours(200))
    assert np.isfinite(seasonal.predict()).all()


@pytest.mark.parametrize(("options", "data", "message"), [
    ({}, [], "Forecaster: y: must be an array [n] or [n, columns] that is not empty (got (0,))"),
    ({}, [1.0], "needs more values than the longest horizon, 1 (got 1)"),
    ({"horizon": [1, 9]}, wave(9), "needs more values than the longest horizon, 9 (got 9)"),
    ({}, ["a", "b"], "y: must be numbers, NaN where a value is absent (got 'list')"),
    ({}, np.zeros((2, 2, 2)), "y: must be an array [n] or [n, columns] that is not empty (got (2, 2, 2))"),
    ({}, [1.0, np.inf], "y: row 1 must be finite, or NaN (got 'infinity')"),
    ({"horizon": 0}, wave(9), "horizon must be a whole number of at least 1 (got 0)"),
    ({"horizon": [2, 2]}, wave(9), "horizons must each come once (got [2, 2])"),
    ({"graph": "forecast_sesonal"}, wave(9), "graph 'forecast_sesonal': is not in the catalogue; did you mean "
                                             "'forecast_seasonal'?"),
    ({"graph": "change"}, wave(9), "is not in the catalogue; did you mean 'changes'?"),
    ({"graph": "glimpses"}, wave(9), "graph 'glimpses': has no source 'value'"),
    ({"graph": 3}, wave(9), "graph must be a name, the path of a TOML file, or a RegionGraph (got 'int')"),
    ({"graph": "forecast_seasonal"}, wave(9), "needs times= for 'time_of_day'; the index of a pandas series serves"),
    ({"calendar": "dayly"}, wave(9), "calendar must be of day, week, year (got 'dayly'); did you mean 'day'?"),
    ({"calendar": ["day"]}, wave(9), "needs times= for 'time_of_day'"),
])
def test_what_cannot_be_fitted(options, data, message):
    with pytest.raises(CortexsimError, match=re.escape(message)):
        Forecaster(**options).fit(data)


@pytest.mark.parametrize(("call", "message"), [
    (lambda made: Forecaster().predict(), "Forecaster: has not been fitted; call fit(y) first"),
    (lambda made: Forecaster().history, "has not been fitted"),
    (lambda made: made.predict(3), "Forecaster.predict: was fitted for the horizons 1, 2 (got 3)"),
    (lambda made: made.predict(quantiles=[2]), "must be numbers above 0 and below 1 (got 2)"),
    (lambda made: made.predict(X=[1]), "X: must be given if, and only if, it was fitted (got 'X')"),
    (lambda made: made.partial_fit(np.zeros((3, 2))), "y: must have 1 columns, as before (got 2)"),
    (lambda made: made.partial_fit([1.0], times=hours(1)), "times: must be given in every call, or in none"),
    (lambda made: made.fit(wave(9), X=[1, 2]), "X: must have 9 rows, as y has (got 2)"),
    (lambda made: made.fit(wave(3), X=[1, np.nan, 2]), "X: row 1 must be finite"),
    (lambda made: made.fit(wave(9), times=hours(8)), "times: must be 9, one for each row of y (got 8)"),
    (lambda made: made.fit(wave(9), times=range(9)), "times: must be timestamps"),
])
def test_what_it_refuses(call, message):
    made = Forecaster(horizon=[1, 2]).fit(wave(50))
    with pytest.raises(CortexsimError, match=re.escape(message)):
        call(made)
