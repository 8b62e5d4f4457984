"""Rates of single weights in ``delta``: IDBD and Autostep as published, bounded, kept through edits of the graph."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs
from cortexsim.weight_rates import RULES

Rows = dict[str, np.ndarray]


def one_region(rule: str, inputs: int = 4, units: int = 2, sparse: bool = False, **hyper: object) -> cs.RegionGraph:
    """A region that predicts y from x, known before."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=inputs, known="before", sparse=sparse)
    graph.add_source("y", size=units)
    graph.add_region("map", kind="delta", predicts="y", context=["x"], step_size=rule, sparse=sparse, **hyper)
    return graph


def task(ticks: int, inputs: int = 4, units: int = 2, seed: int = 0) -> Rows:
    """The first input of all tells the targets, by a weight that turns its sign now and then."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ticks, inputs)).astype(np.float32)
    sign = np.where(np.arange(ticks) // 40 % 2, 1.0, -1.0)[:, None]
    y = sign * x[:, :1] * np.ones(units) + 0.1 * rng.standard_normal((ticks, units))
    return {"x": x, "y": y.astype(np.float32)}


def test_two_steps_of_idbd_are_those_of_the_paper():
    sim = cs.Simulation(one_region("idbd", 2, 1, normalise=False, bias=False, learning_rate=0.05, meta_rate=0.1))
    sim.run({"x": np.float32([[1, 2]]), "y": np.float32([[1]])})
    np.testing.assert_allclose(sim.get("map.W"), [[0.05, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(sim.get("map.W_trace"), [[0.05, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(sim.get("map.W_rate"), [[0.05, 0.05]], rtol=1e-6)
    # the error is .95, so the first logarithm grows by .1 * .95 * 1 * .05 = .00475, and the rate to .0502381
    sim.run({"x": np.float32([[1, 0]]), "y": np.float32([[1]])})
    np.testing.assert_allclose(sim.get("map.W_rate"), [[0.0502381, 0.05]], rtol=1e-6)
    np.testing.assert_allclose(sim.get("map.W"), [[0.0977262, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(sim.get("map.W_trace"), [[0.0952143, 0.1]], rtol=1e-6)


def published_idbd(x: np.ndarray, y: np.ndarray, rate: float, meta: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights and rates of one unit by the equations of Sutton (1992)."""
    w, beta, h = np.zeros(x.shape[1]), np.full(x.shape[1], np.log(rate)), np.zeros(x.shape[1])
    for now, target in zip(x.astype(float), y.astype(float), strict=True):
        error = target - w @ now
        beta += meta * error * now * h
        w += np.exp(beta) * error * now
        h = h * np.maximum(0, 1 - np.exp(beta) * now**2) + np.exp(beta) * error * now
    return w, np.exp(beta)


def published_autostep(x: np.ndarray, y: np.ndarray, rate: float, meta: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights and rates of one unit by the equations of Mahmood et al. (2012)."""
    m = x.shape[1]
    w, alpha, h, v = np.zeros(m), np.full(m, rate), np.zeros(m), np.zeros(m)
    for now, target in zip(x.astype(float), y.astype(float), strict=True):
        error = target - w @ now
        g = error * now * h
        v = np.maximum(np.abs(g), v + alpha * now**2 / 1e4 * (np.abs(g) - v))
        alpha = alpha * np.exp(meta * np.divide(g, v, out=np.zeros(m), where=v > 0))
        alpha /= max(1.0, alpha @ now**2)
        w += alpha * error * now
        h = h * (1 - alpha * now**2) + alpha * error * now
    return w, alpha


@pytest.mark.parametrize(("rule", "published"), [("idbd", published_idbd), ("autostep", published_autostep)])
def test_two_hundred_steps_are_those_of_the_paper_unit_by_unit(rule, published):
    rows = task(200)
    sim = cs.Simulation(one_region(rule, normalise=False, bias=False, learning_rate=0.1, meta_rate=0.05))
    sim.run(rows)
    for unit in range(2):
        weights, rates = published(rows["x"], rows["y"][:, unit], 0.1, 0.05)
        np.testing.assert_allclose(sim.get("map.W")[unit], weights, rtol=2e-3, atol=2e-4)
        np.testing.assert_allclose(sim.get("map.W_rate")[unit], rates, rtol=2e-3)


@pytest.mark.parametrize("rule", ["idbd", "autostep"])
def test_the_input_that_matters_gets_the_largest_rate(rule):
    sim = cs.Simulation(one_region(rule, bias=False, meta_rate=0.02))
    sim.run(task(8000))
    rates = sim.get("map.W_rate")
    assert (rates[:, 0] > 10 * rates[:, 1:].max(axis=1)).all()


@pytest.mark.parametrize("rule", ["idbd", "autostep"])
def test_sparse_weights_learn_what_dense_ones_do(rule):
    rows = task(300)
    rows["x"] *= np.random.default_rng(1).random(rows["x"].shape) < 0.4
    dense, sparse = (cs.Simulation(one_region(rule, sparse=sparse, meta_rate=0.05)) for sparse in (False, True))
    for sim in (dense, sparse):
        sim.run(rows)
    np.testing.assert_allclose(sparse.get("map.Wt").T, dense.get("map.W"), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(sparse.get("map.Wt_rate").T, dense.get("map.W_rate"), rtol=1e-3)


@pytest.mark.parametrize("rule", ["idbd", "autostep"])
@pytest.mark.parametrize("large", [1e3, 1e8, 1e16])
def test_no_input_is_so_large_that_learning_breaks(rule, large):
    rows = task(600)
    rows["x"][100:110] *= np.float32(large)
    rows["y"][200:210] *= np.float32(large)
    sim = cs.Simulation(one_region(rule))
    sim.run({name: values[:300] for name, values in rows.items()})
    assert all(np.isfinite(array).all() for array in sim.parameters("map").values())
    sim.run({name: values[300:] for name, values in rows.items()})
    assert all(np.isfinite(array).all() for array in sim.parameters("map").values())
    assert np.abs(sim.get("map.W")).max() < 10 * large


def test_published_idbd_diverges_where_its_rates_are_too_large_and_the_bound_holds_it():
    rows = task(400, inputs=200)
    hyper = {"learning_rate": 0.5, "meta_rate": 0.01}
    with pytest.warns(cs.RegionWarning, match="diverged"):
        cs.Simulation(one_region("idbd", 200, normalise=False, **hyper)).run(rows)
    bounded = cs.Simulation(one_region("idbd", 200, **hyper)).run(rows)
    assert bounded.final("map")["loss"] < 10 * np.square(rows["y"]).mean()


@pytest.mark.parametrize("rule", ["idbd", "autostep"])
def test_a_frozen_region_keeps_rates_and_traces(rule):
    sim, rows = cs.Simulation(one_region(rule)), task(100)
    sim.run(rows)
    sim.freeze()
    before = {name: array.copy() for name, array in sim.parameters("map").items() if name[:2] in ("W_", "b_", "W")}
    sim.run(rows)
    assert all(np.array_equal(array, sim.parameters("map")[name]) for name, array in before.items())
    assert before["W_trace"].any()


@pytest.mark.parametrize("rule", ["idbd", "autostep"])
def test_the_rates_of_an_edge_stay_when_another_edge_comes(rule):
    graph, rows = one_region(rule), task(200)
    sim = cs.Simulation(graph)
    sim.run(rows)
    before = sim.get("map.W_rate").copy()
    sim.graph.connect("y@1", "map")
    sim.replan()
    after = sim.get("map.W_rate")
    assert after.shape == (2, 6)
    kept = [any(np.array_equal(column, old) for old in before.T) for column in after.T]
    assert sum(kept) == 4
    # the new weights begin with the rate that is set
    np.testing.assert_array_equal(after.T[~np.array(kept)], np.float32(0.05))


def test_the_curve_s_rate_is_the_share_of_the_error_that_a_step_takes_away():
    sim, rows = cs.Simulation(one_region("idbd", bias=False)), task(50)
    sim.run({name: values[:-1] for name, values in rows.items()})
    sim.run({name: values[-1:] for name, values in rows.items()})
    share = (sim.get("map.W_rate") * rows["x"][-1] ** 2).sum(axis=1).mean()
    assert sim.learning_rates()["map"] == pytest.approx(share, rel=1e-5)


def test_the_rules_of_the_driver_come_first():
    assert cs.find_kind("delta").hyper_fields()["step_size"].choices == RULES
    assert RULES[:3] == ("fixed", "decayed", "hypergradient")
    with pytest.raises(cs.KindError, match="did you mean 'autostep'"):
        cs.Simulation(one_region("autosteps"))
