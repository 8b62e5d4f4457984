"""The kinds ``reservoir`` and ``rls``: exact answers, horizons, absent targets, what winds up; the chaotic series."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs
import naive
import naive_squares
import reference
from benchmarks.experiments._chaos import lagged, online_rls
from contract.running import Recorded
from cortexsim.kinds.reservoir import spectral_radius
from cortexsim.kinds.rls import notices
from cortexsim.sources.chaos import GROWTH, LOSS, Stream

RNG = np.random.default_rng(0)
SERIES = np.sin(np.arange(400) / 3) + 0.3 * RNG.normal(size=400)


def linear(context: list[str] | None = None, **hyper) -> cs.RegionGraph:
    """A region of kind ``rls`` that predicts x from what came before it."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("r", kind="rls", predicts="x", context=context or ["x@1", "x@2"], **hyper)
    return graph


def echo(targets: bool = True, **hyper) -> cs.RegionGraph:
    """A reservoir of 20 units, with or without something to predict."""
    graph = cs.RegionGraph()
    graph.add_source("u", size=2, known="before")
    graph.add_source("y", size=1)
    graph.add_region("r", kind="reservoir", context="u", size=20, **({"predicts": "y"} if targets else {}) | hyper)
    return graph


def told(graph: cs.RegionGraph, **inputs) -> np.ndarray:
    """The predictions of region r in a run."""
    sim = cs.Simulation(graph)
    probe = sim.record("r.prediction")
    sim.run(inputs)
    return probe.values


# ---------------------------------------------------------------------- least squares

def test_without_forgetting_the_weights_are_those_of_ridge_regression():
    sim = cs.Simulation(linear(ridge=0.3))
    x = SERIES.astype(np.float32)
    sim.run({"x": x})
    z = np.column_stack([lagged(x, [1, 2]), np.ones(len(x))])
    right = np.linalg.solve(z.T @ z + 0.3 * np.eye(3), z.T @ x)
    np.testing.assert_allclose([*sim.get("r.W")[0], sim.get("r.b")[0]], right, atol=1e-6)
    np.testing.assert_allclose(sim.get("r.P"), np.linalg.inv(z.T @ z + 0.3 * np.eye(3))[:2, :2], atol=1e-8)
    assert (sim.get("r.P") == sim.get("r.P").T).all()


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_forecast_is_made_with_the_weights_of_its_horizon_ago(horizon):
    x = SERIES.astype(np.float32)
    lags = [horizon, horizon + 3]
    ours = told(linear([f"x@{lag}" for lag in lags], horizon=horizon, forgetting=0.99, ridge=0.2, ceiling=1e6), x=x)
    plain = online_rls(lagged(x, lags), x, horizon, np.float32(0.99), np.float32(0.2))
    np.testing.assert_allclose(ours[:, 0], plain, atol=1e-5)
    assert horizon == 1 or np.abs(ours[:, 0] - online_rls(lagged(x, lags), x, 1, 0.99, 0.2)).max() > 1e-3


def test_a_horizon_outlasts_a_reset():
    sim = cs.Simulation(linear(["x@5"], horizon=5))
    sim.run({"x": SERIES})
    sim.reset()
    probe = sim.record("r.prediction")
    sim.run({"x": SERIES[:8]})
    W, b = sim.get("r.W")[0, 0], sim.get("r.b")[0]
    assert probe.values[1, 0] == pytest.approx(b, abs=0.05) and abs(b) > 0.001
    assert probe.values[6, 0] == pytest.approx(W * SERIES[1] + b, abs=0.05)


def test_targets_share_one_matrix_and_learn_as_if_alone():
    graph = cs.RegionGraph()
    graph.add_source("x", size=2)
    for name, target in (("both", "x"), ("first", "x[0]"), ("second", "x[1]")):
        graph.add_region(name, kind="rls", predicts=target, context=["x@1", "x@2"], forgetting=0.999)
    sim = cs.Simulation(graph)
    sim.run({"x": np.column_stack([SERIES, SERIES[::-1]])})
    np.testing.assert_array_equal(sim.get("both.W"), np.vstack([sim.get("first.W"), sim.get("second.W")]))
    assert sim.get("both.P").shape == (4, 4)


@pytest.mark.parametrize("hyper", [{}, {"forgetting": 0.9}, {"readout": "kalman", "drift": 0.01}, {"readout": "nlms"}])
def test_what_is_put_off_has_the_bits_of_what_is_learned_at_once(hyper):
    whole, parted = (cs.Simulation(linear(ceiling=1e3, **hyper)) for _ in range(2))
    whole.run({"x": SERIES})
    for k in range(0, 400, 50):
        parted.run({"x": SERIES[k:k + 50]})
        parted.parameters("r")  # whoever looks finds everything learned
    assert all((array == parted.get(f"r.{name}")).all() for name, array in whole.parameters("r").items()
               if name in ("W", "b", "P", "c", "d", "counts"))


def test_products_find_what_is_quadratic():
    x = np.zeros(600)
    x[0] = 1.0
    for t in range(599):
        x[t + 1] = 1 - 1.4 * x[t] ** 2 + 0.3 * (x[t - 1] if t else 0)
    errors = [np.abs(told(linear(products=products, ridge=1e-6), x=x)[-100:, 0] - x[-100:]).max()
              for products in (False, True)]
    assert errors[0] > 0.5 and errors[1] < 1e-4


def test_a_kalman_readout_follows_weights_that_drift():
    rng = np.random.default_rng(3)
    u, weight = rng.normal(size=(4000, 1)), np.cumsum(0.05 * rng.normal(size=4000))
    y = weight * u[:, 0] + 0.1 * rng.normal(size=4000)
    losses = {}
    for readout in ("rls", "kalman"):
        graph = cs.RegionGraph()
        graph.add_source("u", size=1, known="before")
        graph.add_source("y", size=1)
        # the unit of variances is that of the noise
        graph.add_region("r", kind="rls", predicts="y", context="u", readout=readout, drift=0.05**2 / 0.1**2)
        losses[readout] = cs.Simulation(graph).run({"u": u, "y": y}).final("r")["loss"]
    assert 0.01 < losses["kalman"] < 0.025 < 5 * losses["kalman"] < losses["rls"]


def test_a_new_edge_changes_nothing_until_it_learns():
    sim = cs.Simulation(linear(bias=True))
    sim.run({"x": SERIES + 5})
    before = sim.predict()["r"]
    sim.graph.connect("x@3", "r")
    sim.replan()
    assert sim.predict()["r"] == before and abs(sim.get("r.b")[0]) > 0.1
    sim.run({"x": SERIES[:50] + 5})
    assert np.count_nonzero(sim.get("r.W")) == 3


# ---------------------------------------------------------------------- what winds up, and what is too large

def test_a_constant_series_stays_bounded_for_a_million_ticks():
    sim = cs.Simulation(linear(forgetting=0.9))
    curves = sim.run({"x": np.full(1_000_000, 0.7, np.float32)})
    assert np.trace(sim.get("r.P")) <= 2 / 0.1 and curves.final("r")["loss"] < 1e-12
    assert sim.get("r.counts")[0] > 900_000 and sim.get("r.counts")[1] == 0
    end = sim.run({"x": SERIES}).final("r", fraction=1e-4)
    assert end["loss"] < 0.5  # and it still learns


@pytest.mark.filterwarnings("ignore:region")
def test_a_matrix_that_lost_its_meaning_starts_anew_and_is_counted():
    sim = cs.Simulation(linear(ridge=1e-6))
    rng = np.random.default_rng(0)
    sim.run({"x": (rng.normal(size=50) * 10.0 ** rng.integers(-6, 14, 50)).astype(np.float32)})
    counts = sim.get("r.counts")
    assert counts[1] > 0 and np.isfinite(sim.get("r.P")).all() and np.isfinite(sim.get("r.W")).all()
    assert "started anew" in " ".join(notices(None, sim.parameters("r")).values())


@pytest.mark.parametrize(("hyper", "message"), [
    ({"forgetting": 1.1}, "forgetting must be a number in [0.5, 1]"), ({"ridge": 0.0}, "ridge must be"),
    ({"horizon": 0}, "horizon must be"), ({"readout": "lms"}, "readout must be one of rls, kalman, nlms")])
def test_a_hyperparameter_out_of_range_is_refused(hyper, message):
    with pytest.raises(cs.KindError) as caught:
        cs.Simulation(linear(**hyper))
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["reservoir", "rls"])
def test_an_edge_with_a_field_is_refused(kind):
    graph = cs.RegionGraph()
    graph.add_source("x", size=4)
    graph.add_region("r", kind=kind, predicts="x", context=("x@1", cs.window(3)))
    with pytest.raises(cs.KindError, match="takes dense edges only"):
        cs.Simulation(graph)


# ---------------------------------------------------------------------- the state of a reservoir

def test_a_reservoir_without_a_target_runs_as_one_with_a_target():
    u, y = RNG.normal(size=(60, 2)), RNG.normal(size=(60, 1))
    states = []
    for targets in (True, False):
        sim = cs.Simulation(echo(targets), seed=4)
        probe = sim.record("r.state")
        curves = sim.run({"u": u, "y": y})
        states.append(probe.values)
    np.testing.assert_array_equal(*states)
    assert states[0].std() > 0.1 and "r.prediction" not in sim.plan.signals
    assert curves.table_text()


def test_the_state_goes_on_where_the_target_is_absent_and_nothing_is_learned_there():
    u, y = RNG.normal(size=(60, 2)), RNG.normal(size=(60, 1))
    gaps = [None if 20 <= t < 40 else y[t] for t in range(60)]
    sim, whole = (cs.Simulation(echo(), seed=4) for _ in range(2))
    probes = [run.record("r.state") for run in (sim, whole)]
    sim.run({"u": u[:20], "y": gaps[:20]})
    learned, error = sim.get("r.W"), sim.record("r.error")
    sim.run({"u": u[20:40], "y": gaps[20:40]})
    np.testing.assert_array_equal(sim.get("r.W"), learned)
    assert not error.values.any()
    sim.run({"u": u[40:], "y": gaps[40:]})
    whole.run({"u": u, "y": y})
    np.testing.assert_array_equal(*(probe.values for probe in probes))
    assert np.abs(sim.get("r.W") - learned).max() > 0


@pytest.mark.parametrize("hyper", [{"lags": 3, "horizon": 4}, {"lags": 2, "squares": True, "readout": "kalman"},
                                   {"leak": 1.0, "horizon": 2, "forgetting": 0.9, "bias": False}])
def test_lags_and_horizons_match_the_naive_twin(hyper, monkeypatch):
    for name, twin in naive_squares.TWINS.items():
        monkeypatch.setitem(naive.TWINS, name, twin)
    recorded = Recorded(echo(**hyper))
    plain = reference.Reference(recorded.sim.plan, {"r": recorded.sim.parameters("r")})
    inputs = {"u": RNG.normal(size=(80, 2)).astype(np.float32), "y": RNG.normal(size=(80, 1)).astype(np.float32)}
    recorded.sim.run(inputs)
    plain.run(inputs, 80)
    for signal, values in recorded.story().signals.items():
        np.testing.assert_allclose(values, plain.history(signal), atol=2e-4, err_msg=signal)


def test_the_spectral_radius_is_what_was_asked_for():
    sim = cs.Simulation(echo(radius=0.8, density=0.2))
    R, origin = sim.get("r.R"), sim.get("r.origin")
    dense = np.zeros((20, 20))
    for k, row in enumerate(R):
        dense[np.arange(20), origin[k]] = row
    assert np.abs(np.linalg.eigvals(dense)).max() == pytest.approx(0.8, rel=1e-4)
    assert R.shape == (4, 20) and all(len(set(column)) == 4 for column in origin.T)


def test_the_radius_of_a_large_matrix_is_found_by_iteration():
    rng = np.random.default_rng(0)
    n, k = 600, 60
    origin = np.array([rng.choice(n, k, replace=False) for _ in range(n)])
    weights = rng.normal(size=(n, k))
    dense = np.zeros((n, n))
    np.put_along_axis(dense, origin, weights, axis=1)
    right = np.abs(np.linalg.eigvals(dense)).max()
    assert spectral_radius(weights, origin, rng) == pytest.approx(right, rel=0.02)


def test_squares_of_the_state_answer_what_the_state_alone_cannot():
    u = RNG.uniform(-1, 1, (3000, 2))
    y = (u[:, 0] ** 2)[:, None]
    graphs = [echo(bias_scale=0.0, leak=1.0, radius=0.0, input_scale=0.5, squares=squares) for squares in (False, True)]
    losses = [cs.Simulation(graph).run({"u": u, "y": y}).final("r")["loss"] for graph in graphs]
    assert losses[1] < 0.1 * losses[0]


# ---------------------------------------------------------------------- the chaotic series

def test_the_series_solves_its_equation():
    stream = Stream(seed=3, skip=0, squash=False, tau=17, dt=0.1)
    v, delay = list(stream._recent), 170

    def slope(now, past):
        return GROWTH * past / (1 + past**10) - LOSS * now

    for _ in range(4000):
        a, b = v[-delay - 1], v[-delay]
        middle, now = (a + b) / 2, v[-1]
        k1 = slope(now, a)
        k2 = slope(now + 0.05 * k1, middle)
        k3 = slope(now + 0.05 * k2, middle)
        v.append(now + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + slope(now + 0.1 * k3, b)))
    np.testing.assert_allclose(stream.read(400)["x"][:, 0], v[delay + 1::10], atol=1e-6)


def test_the_series_is_the_same_however_it_is_read():
    whole = Stream(seed=5).read(1000)["x"]
    stream = Stream(seed=5)
    parts = np.concatenate([stream.read(n)["x"] for n in (1, 170, 0, 829)])
    np.testing.assert_array_equal(parts, whole)
    stream.seek(3)
    np.testing.assert_array_equal(stream.read(5)["x"], whole[3:8])
    assert stream.position == 8 and np.abs(Stream(seed=6).read(1000)["x"] - whole).max() > 0.1


@pytest.mark.parametrize(("options", "message"), [
    ({"dt": 0.3}, "dt must divide both 1 and tau"), ({"tau": -1}, "tau must be a number above 0"),
    ({"tau": "long"}, "tau must be"), ({"skip": -1}, "skip"), ({"dt": True}, "dt must be")])
def test_an_option_out_of_range_is_named(options, message):
    with pytest.raises(cs.InputError, match=message):
        Stream(**options)
