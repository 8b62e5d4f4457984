"""The published results of settling, one seed of each experiment. With all seeds: pytest -m slow tests/science"""

from __future__ import annotations

import importlib

import pytest

from benchmarks.measures import bound, meets
from benchmarks.science import run_experiments

QUICK = ("zil", "pc_graph_layered", "posterior", "temporal_pc", "digits", "foldiak_bars")
LONGER = ("digits_graph", "banana_hat", "rao_ballard")


def check_one_seed(name: str) -> None:
    """Seed 0 meets all goals."""
    experiment = importlib.import_module(f"benchmarks.experiments.{name}")
    results = experiment.run(0)
    assert set(results) == set(experiment.GOALS)
    for measure, result in results.items():
        assert meets(experiment.GOALS[measure], result), (measure, result)


@pytest.mark.parametrize("name", QUICK)
def test_one_seed_of_an_experiment_meets_its_goals(name):
    check_one_seed(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONGER)
def test_one_seed_of_a_longer_experiment_meets_its_goals(name):
    check_one_seed(name)


@pytest.mark.parametrize(("name", "measure", "trivial"), [
    ("posterior", "three_layers", "prior mean"), ("foldiak_bars", "exact_sets", "k-means"),
    ("zil", "twin_gap", "settled as usual"), ("pc_graph_layered", "twin_gap", "one more block of weights")])
def test_what_is_trivial_misses_the_goal(name, measure, trivial):
    experiment = importlib.import_module(f"benchmarks.experiments.{name}")
    goal, result = experiment.GOALS[measure], experiment.run(1)[measure]
    value, limit = result.baselines[trivial], bound(goal, result)
    assert value > limit if goal.better == "lower" else value < limit


@pytest.mark.slow
@pytest.mark.parametrize("name", [*QUICK, *LONGER])
def test_every_goal_is_met(name):
    results, _ = run_experiments([name], quiet=True)
    measures = results["experiments"][name]["measures"]
    assert {measure: entry["met"] for measure, entry in measures.items()} == dict.fromkeys(measures, True)
    assert all(entry["seeds"] == 5 for entry in measures.values())
