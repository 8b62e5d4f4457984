"""Step sizes that learn: the task of Sutton, and the rates of a graph of regions, in runs shorter than the table's."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.experiments import hypergradient, idbd
from benchmarks.measures import meets


@pytest.fixture(scope="module")
def short():
    return idbd.run(100, ticks=14_000, warm=10_000)


def test_sutton_s_task_turns_a_sign_of_the_first_five_every_twenty_ticks():
    data = idbd.task(0, 2_000)
    weights = [np.linalg.lstsq(data["x"][at : at + 20], data["y"][at : at + 20], rcond=None)[0].ravel()
               for at in range(0, 2_000, 20)]
    np.testing.assert_allclose(np.abs(weights)[:, :5], 1, atol=2e-3)
    np.testing.assert_allclose(np.array(weights)[:, 5:], 0, atol=2e-3)
    assert ((np.abs(np.diff(np.array(weights)[:, :5], axis=0)) > 1).sum(axis=1) == 1).all()


def test_rates_of_single_weights_beat_any_one_rate(short):
    lms = short["error"].baselines["best LMS"]
    assert short["error"].ours < 0.6 * lms and short["error_bounded"].ours < 0.4 * lms
    assert meets(idbd.GOALS["rates"], short["rates"]) and meets(idbd.GOALS["rates_bounded"], short["rates_bounded"])
    assert meets(idbd.GOALS["error_autostep"], short["error_autostep"])


def test_no_rule_beats_being_told_which_inputs_matter(short):
    told = short["error"].baselines["told which five, best NLMS"]
    assert told < min(short["error"].ours, short["error_bounded"].ours)


def test_one_rate_that_learns_is_as_good_as_the_best_of_a_grid(short):
    assert meets(idbd.GOALS["error_hypergradient"], short["error_hypergradient"])


def test_in_a_tenth_of_a_run_rates_of_a_graph_come_back_from_both_sides():
    factors = (0.1, 1.0, 10.0)
    found = hypergradient.run(100, ticks=10_000, each=1, factors=factors)
    for measure in ("ratio_small", "ratio_large"):
        ours, stays = found[measure].ours, found[measure].baselines["the rates stay there"]
        assert ours < 0.6 * stays and ours < 3
