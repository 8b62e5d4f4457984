"""Forecasts: the stream of changes, the graph, honest horizons, the baselines, and what is reached on real series."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cortexsim.baselines import rls_autoregression
from cortexsim.errors import CortexsimError
from cortexsim.forecast_scores import nrmse
from cortexsim.forecasting import SHARED_LAGS, ForecastRun, default_lags, forecast_graph, synchronise
from cortexsim.simulation import Simulation
from cortexsim.sources.changes import Stream, names_of


def write_csv(path, **columns):
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(repr(float(v)) for v in row) for row in rows)]) + "\n")
    return path


def series(n=400, seed=0):
    """A level that drifts, a wave, and noise."""
    rng = np.random.default_rng(seed)
    return 50 + np.cumsum(rng.normal(size=n)) * 0.2 + 4 * np.sin(np.arange(n) / 3) + rng.normal(size=n) * 0.2


def forecaster(path, columns, horizon=1, lags=6, **options):
    stream = Stream(path, columns, horizon)
    sim = Simulation(forecast_graph(list(stream.columns), lags, stream.horizons, **options), seed=0, on_bad="skip")
    return ForecastRun(sim, stream)


def forecasts(path, columns, horizon=1, lags=6, ticks=None, **options):
    made = forecaster(path, columns, horizon, lags, **options)
    made.run(made.stream.length if ticks is None else ticks)
    return made.result()


# --- the stream ---

@pytest.mark.parametrize("horizon", [1, 3])
def test_changes_are_scaled_by_their_past_and_come_back_as_values(tmp_path, horizon):
    x = series()
    stream = Stream(write_csv(tmp_path / "x.csv", x=x), "x", horizon)
    names = stream.names["x"]
    told = np.concatenate([stream.read(150)[names.change][:, 0], stream.read(1000)[names.change][:, 0],
                           np.zeros(horizon)]).astype(float)
    assert stream.position == stream.length == len(x)
    back = stream.restore("x", horizon, np.arange(horizon, len(told)), told[horizon:])
    # before there are two changes, and where it was clipped, a change is not told whole
    assert np.abs(back[40 - horizon:-horizon] - x[40:]).max() < 1e-4
    # what lies beyond the data: no more than the mean change from the last values
    assert np.abs(back[-horizon:] - x[-horizon:]).max() < 1
    t = 200
    past = np.array([x[k] - x[k - horizon] for k in range(horizon, t - horizon + 1)])
    assert told[t] == pytest.approx((x[t] - x[t - horizon] - past.mean()) / past.std(), rel=1e-5)


def test_the_step_is_a_source_of_its_own_only_where_the_horizon_is_longer(tmp_path):
    path = write_csv(tmp_path / "x.csv", x=series())
    near, far = Stream(path, "x"), Stream(path, "x", 2)
    assert near.shapes() == {"x-change": (1,)} and set(far.shapes()) == {"x-change", "x-step"}
    assert (near.rows["x-change"] == far.rows["x-step"]).all()
    far.seek(7)
    assert (far.read(1)["x-step"][0] == far.rows["x-step"][7]).all() and far.position == 8


def test_no_source_takes_the_name_of_a_column():
    names = names_of(["a", "a-change", "a-step+"], 2)
    assert names["a"][:2] == ("a-change++", "a-step++")
    every = [*names, *(source for pair in names.values() for source in pair[:2])]
    assert len(set(every)) == len(every) == 9


@pytest.mark.parametrize(("options", "message"), [
    ({"horizon": 0}, "stream 'changes': horizon must be a whole number of at least 1 (got 0)"),
    ({"horizon": 9}, "needs more rows than the horizon, 9 (got 5)"),
    ({"rows": 2, "horizon": 2}, "needs more rows than the horizon, 2 (got 2)"),
    ({"blanks": "kept"}, "blanks must be 'error', 'skip' or 'keep' (got 'kept'); did you mean 'keep'?"),
    ({"horizon": [2, 2]}, "horizons must each come once (got [2, 2])"),
    ({"horizon": []}, "needs a horizon of at least 1 (got [])"),
    ({"report": {"seasons": 3}}, "stream 'changes', report: has no 'seasons'; did you mean 'season'?"),
    ({"report": {"season": 0}}, "season must be a whole number of at least 1 (got 0)"),
    ({"time_of_day": 24}, "'time_of_day' needs timestamps; name their column"),
    ({"columns": "z"}, "has no column 'z'; known: x"),
])
def test_what_the_stream_refuses(tmp_path, options, message):
    path = write_csv(tmp_path / "x.csv", x=np.arange(5))
    with pytest.raises(CortexsimError, match=re.escape(message)):
        Stream(path, **{"columns": "x", **options})


def test_blank_rows_are_left_out_where_asked_for(tmp_path):
    (tmp_path / "x.csv").write_text("week,x\na,1\nb,\nc,3\nd,4\n")
    assert Stream(tmp_path / "x.csv", "x", blanks="skip").values[:, 0].tolist() == [1, 3, 4]
    with pytest.raises(CortexsimError, match=r"line 3, column 'x' is blank"):
        Stream(tmp_path / "x.csv", "x")


# --- the graph ---

@pytest.mark.parametrize("horizon", [1, 4])
def test_nothing_that_a_region_is_told_is_younger_than_the_horizon(horizon):
    graph = forecast_graph(["a", "b"], lags=5, horizon=horizon)
    for column in ("a", "b"):
        told = [(source, data["delay"]) for source, _, data in graph.in_edges(column, data=True)
                if data["role"] == "context"]
        step = names_of(["a", "b"], horizon)[column].step
        assert sorted(told) == sorted([(step, horizon + k) for k in range(5)] + [("shared", horizon)])
    coded = [(source, data["delay"]) for source, _, data in graph.in_edges("shared", data=True)]
    assert len(coded) == 2 * SHARED_LAGS and {delay for _, delay in coded} == set(range(SHARED_LAGS))


def test_one_column_shares_nothing_and_a_column_may_be_called_shared():
    assert forecast_graph(["x"]).regions == ["x"]
    assert forecast_graph(["shared", "x"]).regions == ["shared", "shared+", "x"]
    assert forecast_graph(["a", "b"], shared=False).regions == ["a", "b"]


@pytest.mark.parametrize(("arguments", "message"), [
    (([],), "forecast: needs columns, each of them once (got [])"),
    ((["a", "a"],), "forecast: needs columns, each of them once (got ['a', 'a'])"),
    ((["a"], 0), "forecast: lags must be a whole number of at least 1 (got 0)"),
    ((["a"], 3, 0), "forecast: horizon must be a whole number of at least 1 (got 0)"),
])
def test_what_the_graph_refuses(arguments, message):
    with pytest.raises(CortexsimError, match=re.escape(message)):
        forecast_graph(*arguments)


def test_default_lags_follow_the_rows():
    assert [default_lags(rows) for rows in (1, 120, 10_000)] == [1, 10, 53]


# --- the run ---

def naive(stream, lags, horizon, rate=0.1, floor=0.1):
    """What NLMS tells, in plain numpy: learn from what is known by now, then tell the change `horizon` ahead."""
    names = stream.names["x"]
    step, change = (stream.rows[name][:, 0].astype(float) for name in (names.step, names.change))
    weights, told = np.zeros(lags), np.full(len(step) + horizon, np.nan)

    def recent(tick):
        return np.array([step[tick - k] if tick - k >= 0 else 0.0 for k in range(lags)])

    for tick in range(len(step)):
        z = recent(tick - horizon)
        weights += rate * (change[tick] - weights @ z) * z / (floor + z @ z)
        told[tick + horizon] = weights @ recent(tick)
    return stream.restore("x", horizon, np.arange(horizon, len(told)), told[horizon:])


@pytest.mark.parametrize("horizon", [1, 3])
def test_forecasts_are_those_of_nlms_written_by_hand(tmp_path, horizon):
    stream = Stream(write_csv(tmp_path / "x.csv", x=series()), "x", horizon)
    made = forecasts(tmp_path / "x.csv", "x", horizon)
    assert made.forecast.shape == (1, 400 + horizon, 1) and made.ticks == 400
    assert np.isnan(made.forecast[0, :horizon]).all()
    difference = made.forecast[0, horizon:, 0] - naive(stream, 6, horizon)
    assert np.abs(difference).max() < 1e-3
    assert made.scores()[0]["nrmse"] < 0.7 * made.scores()[0]["nrmse_last"]


@pytest.mark.parametrize("horizon", [1, 3])
def test_what_comes_later_changes_no_forecast_made_before(tmp_path, horizon):
    known, n = 250, 300
    columns = {"a": series(n), "b": series(n, 1)}
    noise = np.random.default_rng(9).normal(size=(2, n - known)) * 30
    other = {name: np.concatenate([x[:known], noise[k]]) for k, (name, x) in enumerate(columns.items())}
    one = forecasts(write_csv(tmp_path / "one.csv", **columns), ["a", "b"], horizon)
    two = forecasts(write_csv(tmp_path / "two.csv", **other), ["a", "b"], horizon)
    for told in ("forecast", "rls", "last"):
        first, second = getattr(one, told)[0], getattr(two, told)[0]
        assert np.array_equal(first[:known + horizon], second[:known + horizon], equal_nan=True)
        assert (first[known + horizon] != second[known + horizon]).all(), "the first forecast that may know of it"


def test_a_region_s_own_prediction_would_not_be_honest_further_ahead(tmp_path):
    # the reason for the copy that runs ahead: a prediction of tick t uses weights that learned up to t - 1
    x = series(300)
    predicted = []
    for later in (0.0, 30.0):
        path = write_csv(tmp_path / "x.csv", x=np.concatenate([x[:250], x[250:] + later]))
        stream = Stream(path, "x", 3)
        sim = Simulation(forecast_graph(["x"], 6, 3))
        probe = sim.record("x.prediction")
        sim.run(stream)
        predicted.append(probe.values[:, 0])
    assert (predicted[0][:251] == predicted[1][:251]).all()
    assert predicted[0][251] != predicted[1][251], "made of values up to tick 248, yet changed by tick 250"


def test_a_forecast_is_what_the_simulation_predicts_ahead(tmp_path):
    made = forecaster(write_csv(tmp_path / "x.csv", x=series()), "x", horizon=3)
    made.run(100)
    nothing = {name: np.zeros((3, 1), np.float32) for name in made.stream.shapes()}
    ahead = made.sim.predict(nothing, ahead=3)["x"][0]
    assert made.told()[0, 102, 0] == pytest.approx(ahead, abs=1e-7)


def test_running_ahead_leaves_the_simulation_as_it_is(tmp_path):
    path = write_csv(tmp_path / "x.csv", x=series(), y=series(seed=1))
    made = forecaster(path, ["x", "y"], horizon=3)
    made.run(200)
    plain = Simulation(forecast_graph(["x", "y"], 6, 3), seed=0)
    plain.run(Stream(path, ["x", "y"], 3), ticks=200)
    for name in plain.plan.sequence:
        for key, array in plain.parameters(name).items():
            assert np.array_equal(array, made.sim.get(f"{name}.{key}"), equal_nan=True), (name, key)
    assert np.array_equal(plain.curves.acc, made.sim.curves.acc)


def test_a_synchronised_copy_goes_on_in_the_same_way(tmp_path):
    stream = Stream(write_csv(tmp_path / "x.csv", x=series()), "x")
    sim = Simulation(forecast_graph(["x"], 6))
    twin = sim.copy()
    sim.run(stream, ticks=200)
    synchronise(sim, twin)
    for each in (sim, twin):
        stream.seek(200)
        each.run(stream, ticks=100)
    assert twin.tick == 300 and np.array_equal(sim.get("x.W"), twin.get("x.W")) and sim.get("x.W").any()


def test_a_run_cut_short_tells_of_what_it_saw(tmp_path):
    path = write_csv(tmp_path / "x.csv", x=series())
    whole, part = forecasts(path, "x"), forecasts(path, "x", ticks=150)
    assert part.ticks == 150 and len(part.truth) == 151
    assert np.allclose(part.forecast[0, 1:], whole.forecast[0, 1:151], atol=1e-6)
    assert (part.scores()[0]["first"], part.scores()[0]["last"]) == (75, 149)


def test_several_horizons_are_what_each_would_be_alone(tmp_path):
    path = write_csv(tmp_path / "x.csv", x=series(), y=series(seed=1))
    together = forecasts(path, ["x", "y"], [1, 3, 5])
    assert together.horizons == (1, 3, 5) and together.forecast.shape == (3, 405, 2)
    for row, h in enumerate((1, 3, 5)):
        alone = forecasts(path, ["x", "y"], h)
        for name in ("forecast", "rls", "last", "seasonal"):
            both = getattr(together, name)[row, :400 + h], getattr(alone, name)[0]
            assert np.allclose(*both, atol=1e-5, equal_nan=True), (name, h)
        assert np.isnan(together.forecast[row, 400 + h:]).all()


def test_values_that_are_absent_are_ticks_without_a_target(tmp_path):
    x = series()
    rows = ["" if t in (50, 51, 390) else repr(float(v)) for t, v in enumerate(x)]
    (tmp_path / "x.csv").write_text("t,x\n" + "\n".join(f"{t},{row}" for t, row in enumerate(rows)) + "\n")
    stream = Stream(tmp_path / "x.csv", "x", [1, 3], blanks="keep")
    run = ForecastRun(Simulation(forecast_graph(["x"], 6, [1, 3]), on_bad="skip"), stream)
    run.run(stream.length)
    made = run.result()
    assert np.isnan(made.truth[[50, 51, 390], 0]).all() and np.isfinite(made.forecast[0, 1:401]).all()
    assert made.last[0, 52, 0] == x[49] and made.scores()[0]["ticks"] == 199
    assert made.scores()[0]["nrmse"] < made.scores()[0]["nrmse_last"]


def test_the_calendar_is_that_of_the_outcome(tmp_path):
    # a day that begins and ends at its hours: nothing of that is in the steps before
    n = 24 * 60
    hours = np.arange(n) % 24
    x = 5.0 * ((hours > 8) & (hours < 18)) + np.random.default_rng(0).normal(size=n) * 0.1
    stamps = np.datetime64("2024-01-01T00") + np.arange(n) * np.timedelta64(1, "h")
    (tmp_path / "x.csv").write_text("when,x\n" + "\n".join(f"{t},{v}" for t, v in zip(stamps, x, strict=True)))
    scores = []
    for day in (0, 24):
        stream = Stream(tmp_path / "x.csv", "x", [1, 3], time="when", time_of_day=day)
        graph = forecast_graph(["x"], 2, [1, 3], calendar={"day": day})
        run = ForecastRun(Simulation(graph), stream)
        run.run(stream.length)
        scores.append([row["nrmse"] for row in run.result().scores()])
    assert (np.array(scores[1]) < 0.8 * np.array(scores[0])).all(), scores


def test_columns_without_a_region_of_their_own_are_left_out(tmp_path):
    path = write_csv(tmp_path / "x.csv", x=series(), y=series(seed=1))
    stream = Stream(path, ["x", "y"])
    assert ForecastRun(Simulation(forecast_graph(["x"])), stream).columns == ["x"]


def test_the_shared_region_matters_to_a_column_that_follows_another(tmp_path):
    rng = np.random.default_rng(0)
    drive = np.zeros(1500)
    for t in range(2, 1500):
        drive[t] = 1.6 * drive[t - 1] - 0.8 * drive[t - 2] + rng.normal()
    rain = np.cumsum(drive) * 0.2
    flow = 0.5 * np.roll(rain, 2) + rng.normal(size=1500) * 0.1
    path = write_csv(tmp_path / "x.csv", rain=rain[5:], flow=flow[5:])
    scores = []
    for cut in (False, True):
        made = forecaster(path, ["rain", "flow"], lags=12)
        if cut:
            made.sim.lesion("shared->flow")
        made.run(made.stream.length)
        scores.append(made.result().scores()[1]["nrmse"])
    assert scores[0] < 0.75 * scores[1]


# --- RLS-AR, scores, pictures ---

@pytest.mark.parametrize("horizon", [1, 3])
def test_rls_has_the_weights_of_ridge_regression_at_every_tick(horizon):
    rng = np.random.default_rng(0)
    step, change, lags, start = rng.normal(size=60), rng.normal(size=60), 4, 2.0
    told = rls_autoregression(step, change, lags, horizon, start=start)
    past = np.array([[step[t - k] if t >= k else 0.0 for k in range(lags)] for t in range(60)])
    for tick in (10, 30, 59):
        z, y = past[:tick + 1 - horizon], change[horizon:tick + 1]
        weights = np.linalg.solve(z.T @ z + np.eye(lags) / start, z.T @ y)
        assert told[tick + horizon] == pytest.approx(weights @ past[tick])
    assert np.isnan(told[:horizon]).all() and len(told) == 60 + horizon


def test_rls_forgets_where_asked_for():
    step = np.random.default_rng(0).normal(size=400)
    change = np.where(np.arange(400) < 200, 1.0, -1.0) * np.concatenate([[0.0], step[:-1]])
    keeps, forgets = (rls_autoregression(step, change, 1, forgetting=share) for share in (1.0, 0.9))
    assert nrmse(change[300:], forgets[300:400]) < 0.01 < 0.5 < nrmse(change[300:], keeps[300:400])


def test_rls_refuses_series_of_two_lengths():
    with pytest.raises(CortexsimError, match=r"RLS-AR: step and change must be of one length \(got \(3, 2\)\)"):
        rls_autoregression([1, 2, 3], [1, 2], 1)


def test_nrmse_is_the_error_in_standard_deviations_of_the_truth():
    truth = np.random.default_rng(0).normal(size=1000) * 7
    assert nrmse(truth, np.full(1000, truth.mean())) == pytest.approx(1.0)
    assert nrmse([1, 3, np.nan], [2, 4, 9]) == pytest.approx(1.0)
    assert np.isnan(nrmse([2, 2], [1, 1])) and np.isnan(nrmse([np.nan], [1]))


def test_the_picture_has_a_panel_for_each_column(tmp_path):
    made = forecasts(write_csv(tmp_path / "x.csv", x=series(), y=series(seed=1)), ["x", "y"], ticks=60)
    figure = made.plot()
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.axes[1].texts][0] == "y · 1 tick ahead"


def test_the_picture_of_many_horizons_ends_with_a_fan(tmp_path):
    made = forecasts(write_csv(tmp_path / "x.csv", x=series()), ["x"], list(range(1, 9)))
    titles = [axes.texts[0].get_text() for axes in made.plot().axes]
    assert titles == ["x · 1 tick ahead", "x · 8 ticks ahead", "x · all that was forecast at the last tick"]
    fan = made.plot().axes[2].lines[1].get_ydata()
    assert fan[0] == made.truth[399, 0] and fan[1:].tolist() == [made.forecast[k, 400 + k, 0] for k in range(8)]


# --- published series ---

@pytest.mark.parametrize(("name", "column", "lags", "goal", "last"), [
    ("sunspots", "SUNACTIVITY", 24, 0.40, 0.602),
    ("co2", "co2", 53, 0.049, 0.052),
])
def test_goals_on_real_series(data_dir, name, column, lags, goal, last):
    stream = Stream(data_dir / "series" / f"{name}.csv", column, blanks="skip")
    made = ForecastRun(Simulation(forecast_graph([column], lags)), stream)
    made.run(stream.length)
    (row,) = made.result().scores()
    print(row)
    assert row["nrmse"] <= goal
    assert row["nrmse_last"] == pytest.approx(last, abs=0.001)
    assert 0.9 < row["nrmse"] / row["nrmse_rls"] < 1.1
