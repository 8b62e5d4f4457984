"""Forecasts of yearly sunspots and weekly CO2 reach what they should, and say so where the data is missing."""

from __future__ import annotations

import pytest

from benchmarks.experiments import co2, sunspots
from benchmarks.measures import LeftOut, meets
from benchmarks.science import run_experiments
from cortexsim import datasets
from cortexsim.errors import FileError


@pytest.mark.parametrize(("experiment", "last_value", "rls"), [(sunspots, 0.602, 0.389), (co2, 0.051, 0.044)])
def test_a_forecast_meets_its_goal_beside_the_baselines_of_the_data(experiment, last_value, rls, data_dir):
    result = experiment.run(0)["nrmse"]
    assert meets(experiment.GOALS["nrmse"], result), result
    # the figures that come with the data; those of an adaptive filter depend a little on its lags
    assert result.baselines["last value"] == pytest.approx(last_value, rel=0.03)
    assert result.baselines["online RLS"] == pytest.approx(rls, rel=0.1)


def test_without_the_data_an_experiment_is_left_out_and_says_why(monkeypatch, tmp_path):
    monkeypatch.delenv("CORTEXSIM_DATA", raising=False)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path)
    with pytest.raises(LeftOut, match="^it needs outside data: cortexsim data get series$"):
        co2.run(0)
    results, left_out = run_experiments(["co2", "sunspots"], quiet=True)
    assert results == {"experiments": {}}
    assert sorted(left_out) == ["co2", "sunspots"]
    monkeypatch.setenv("CORTEXSIM_DATA", str(tmp_path))
    with pytest.raises(FileError, match="^data set 'series': co2.csv is neither in "):
        co2.run(0)
