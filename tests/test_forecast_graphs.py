"""A graph for the next value becomes one for several columns and horizons, and its forecasts stay honest."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cortexsim as cs
from cortexsim.errors import CortexsimError
from cortexsim.forecast_graphs import calendar_of, expand
from cortexsim.forecasting import ForecastRun
from cortexsim.sources.series import Values
from cortexsim.timestamps import DAY, Step

HOUR = Step("us", DAY // 24)


def little(kind="delta", **options):
    """A value, the time of day, a region between, and one that forecasts."""
    graph = cs.RegionGraph(name="little")
    graph.add_source("value", size=1)
    graph.add_source("time_of_day", size=6, known="before")
    graph.add_region("code", kind="subspace", predicts=["value", "value@1"], size=1)
    graph.add_region("out", kind=kind, predicts="value",
                     context=["value@1", "value@3", "code.state@1", "time_of_day"], **options)
    return graph


def told_of(graph, region):
    return sorted((source, data["delay"]) for source, _, data in graph.in_edges(region, data=True)
                  if data["role"] == "context")


def series(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return 20 + 3 * np.sin(np.arange(n) / 4) + np.cumsum(rng.normal(size=n)) * 0.1 + rng.normal(size=n) * 0.2


def feed(horizons, *columns, n=300, times=True):
    values = np.stack([series(300, seed)[:n] for seed in range(len(columns))], axis=1)
    made = Values(dict(zip(columns, columns, strict=True)), horizons, {"day": 6} if times else {}, HOUR)
    made.add(values, np.datetime64("2024-01-01", "us") + np.arange(n) * np.timedelta64(1, "h"))
    return made


def run(graph, stream, ticks=None, **options):
    made = ForecastRun(cs.Simulation(graph, seed=0, on_bad="skip", **options), stream)
    made.run(stream.length if ticks is None else ticks)
    return made


def test_what_is_told_gets_older_and_what_is_known_before_does_not():
    graph = expand(little(), ["x"], [1, 4])
    assert graph.regions == ["code", "out-1", "out-4"] and graph.sources == ["time_of_day", "value"]
    assert told_of(graph, "out-1") == [("code", 1), ("time_of_day", 0), ("value", 1), ("value", 3)]
    assert told_of(graph, "out-4") == [("code", 4), ("time_of_day", 0), ("value", 4), ("value", 6)]
    assert graph.nodes["out-4"]["tags"] == ("horizon-4",) and graph.nodes["code"]["tags"] == ()
    assert "value.value@6->out-4" in graph.edge_names()
    assert expand(little(), ["x"], [4]).regions == ["code", "out"], "one horizon keeps the names"
    assert calendar_of(graph) == {"day": 6}


def test_each_column_has_a_copy_of_all():
    graph = expand(little(), ["rain", "flow"], [2])
    assert graph.regions == ["code-flow", "code-rain", "out-flow", "out-rain"]
    assert told_of(graph, "out-rain") == [("code-rain", 2), ("time_of_day", 0), ("value-rain", 2), ("value-rain", 4)]
    assert run(graph, feed([2], "rain", "flow"), 50).columns == ["rain", "flow"]


def test_a_kind_that_keeps_earlier_weights_is_told_its_horizon():
    graph = expand(little("rls"), ["x"], [1, 4])
    assert [graph.nodes[name]["hyper"]["horizon"] for name in ("out-1", "out-4")] == [1, 4]


def test_regions_that_feed_the_last_one_get_a_copy_too():
    graph = cs.RegionGraph(name="two")
    graph.add_source("value", size=1)
    graph.add_region("first", predicts="value", context=["value@1", "first.error@1"])
    graph.add_region("second", predicts="value", context=["first.prediction@0", "value@1"])
    graph.add_region("watch", predicts="first.error", context="value@1")
    made = expand(graph, ["x"], [3])
    assert made.regions == ["first-1", "first-3", "second-1", "second-3", "watch"]
    assert told_of(made, "second-3") == [("first-3", 0), ("value", 3)]
    assert told_of(made, "first-3") == [("first-3", 3), ("value", 3)], "an error is known with its outcome"
    assert made.has_edge("first-1", "watch") and [made.nodes[name]["tags"] for name in ("second-1", "second-3")] == [
        (), ("horizon-3",)]
    run(made, feed([3], "x", times=False), 30)


@pytest.mark.parametrize(("kind", "honest"), [("delta", False), ("rls", True)])
def test_forecasts_know_nothing_of_what_comes_later(kind, honest):
    known, horizons = 200, [1, 2, 5]
    graph = expand(little(kind), ["x"], horizons)
    one, two = feed(horizons, "x"), feed(horizons, "x", n=known)
    later = np.random.default_rng(1).normal(size=(100, 1)) * 30
    two.add(later, np.datetime64("2024-01-01", "us") + np.arange(known, 300) * np.timedelta64(1, "h"))
    first, second = run(graph, one), run(graph, two)
    assert bool(first._probes) == honest
    a, b = first.result(), second.result()
    for row, h in enumerate(horizons):
        for name in ("forecast", "quantiles", "rls", "last"):
            np.testing.assert_equal(getattr(a, name)[row, :known + h], getattr(b, name)[row, :known + h])
        assert a.forecast[row, known + h, 0] != b.forecast[row, known + h, 0]
        assert np.isfinite(a.forecast[row, 20:300 + h]).all()


def test_earlier_weights_and_a_copy_that_runs_ahead_say_the_same():
    horizons = [1, 2, 5]
    graph, stream = expand(little("rls"), ["x"], horizons), feed(horizons, "x")
    fast = run(graph, stream)
    stream.seek(0)
    slow = ForecastRun(cs.Simulation(graph, seed=0), stream)
    assert slow._probes
    slow._probes = {}
    slow.run(stream.length)
    np.testing.assert_allclose(fast.forecasts(), slow.forecasts(), rtol=1e-5)


def test_a_run_in_pieces_is_a_run():
    horizons = [1, 3]
    for kind in ("delta", "rls"):
        graph = expand(little(kind), ["x"], horizons)
        whole, stream = run(graph, feed(horizons, "x")), feed(horizons, "x")
        pieces = ForecastRun(cs.Simulation(graph, seed=0), stream)
        for ticks in (1, 7, 0, 92, 200):
            pieces.run(ticks)
            pieces.told()  # a look changes nothing
        np.testing.assert_equal(whole.told(), pieces.told())


def test_calendar_and_numbers_of_a_script_are_added_where_asked_for():
    graph = cs.RegionGraph(name="bare")
    graph.add_source("value", size=1)
    graph.add_region("next", predicts="value", context="value@1")
    made = expand(graph, ["x"], [2], ["week"], extra=3)
    assert told_of(made, "next") == [("X", 0), ("day_of_week", 0), ("value", 2)]
    assert calendar_of(made) == {"week": 14} and made.nodes["X"]["known"] == "before"


def wrong(change):
    graph = little()
    change(graph)
    return graph


@pytest.mark.parametrize(("graph", "message"), [
    (lambda g: g.remove_node("out"), "has no region that predicts 'value.value'; predicts = \"value\""),
    (lambda g: g.add_source("time_of_dy", size=2), "source 'time_of_dy': is none that forecasting feeds; did you mean "
                                                   "'time_of_day'?"),
    (lambda g: g.add_source("X", size=2, known="before"), "source 'X': needs X with 2 numbers a tick (got 'no X')"),
    (lambda g: g.add_source("day_of_week", size=7), "source 'day_of_week': must be declared as known before"),
    (lambda g: g.nodes["value"].update(shape=(2,)), "source 'value': must have one unit, known after its tick"),
    (lambda g: g.add_region("more", predicts="value", context="value@1"), "has several regions that predict "
                                                                        "'value.value': more, out; call the one"),
    (lambda g: g.set_trial(10), "has trials, in which a tick is no step of the series"),
])
def test_what_cannot_forecast(graph, message):
    with pytest.raises(CortexsimError, match=re.escape(message)):
        expand(wrong(graph), ["x"], [1])


def test_a_graph_of_something_else_cannot_forecast():
    graph = cs.RegionGraph(name="other")
    graph.add_source("valve", size=1)
    graph.add_region("next", predicts="valve", context="valve@1")
    with pytest.raises(CortexsimError, match="graph 'other': has no source 'value', .*; did you mean 'valve'?"):
        expand(graph, ["x"], [1])


def test_of_several_regions_the_one_called_forecast_is_meant():
    graph = little()
    graph.add_region("forecast", predicts="value", context="value@1")
    assert expand(graph, ["x"], [3]).nodes["forecast"]["tags"] == ("horizon-3",)


def test_the_ready_made_graph_forecasts(data_dir):
    path = data_dir / "nab" / "data" / "realKnownCause" / "nyc_taxi.csv"
    values = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=1)[:2000]
    stream = Values({"x": "x"}, [1, 5], {"day": 12, "week": 14}, Step("us", DAY // 48))
    stream.add(values[:, None], np.datetime64("2014-07-01", "us") + np.arange(2000) * np.timedelta64(30, "m"))
    made = run(expand(cs.load("forecast_seasonal"), ["x"], [1, 5]), stream)
    for row in made.result().scores():
        assert row["nrmse"] < 0.85 * row["nrmse_rls"] < row["nrmse_last"], row
