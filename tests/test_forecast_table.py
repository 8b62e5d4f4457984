"""Forecasts as a table of scores and as files: what is scored at which ticks, and what is written."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from cortexsim.baselines import Season
from cortexsim.forecast_table import Forecasts


def table(**changes):
    truth = np.array([[1.0], [2.0], [3.0], [5.0], [np.nan]])
    last = np.array([[np.nan], [1.0], [2.0], [3.0], [5.0]])
    return Forecasts(["x"], 1, **{"truth": truth, "forecast": truth - 0.5, "last": last, "rls": truth + 1.0, **changes})


def test_scores_are_of_the_second_half():
    (row,) = table().scores()
    assert {key: row[key] for key in ("column", "horizon", "nrmse", "nrmse_last", "nrmse_rls", "first", "last")} == {
        "column": "x", "horizon": 1, "nrmse": 0.5, "nrmse_last": pytest.approx(np.sqrt(2.5)), "nrmse_rls": 1.0,
        "first": 2, "last": 3}
    assert (row["mape"], row["mape_last"], row["ticks"]) == (0.125, 0.375, 2)
    assert row["smape"] == pytest.approx((0.5 / 2.75 + 0.5 / 4.75) / 2)
    assert np.isnan([row["nrmse_seasonal"], row["mape_seasonal"], row["coverage"]]).all()
    lines = table().table_text().splitlines()
    assert lines[2].split() == ["x", "NRMSE", "0.5000", "1.5811", "-", "1.0000"]
    assert lines[3].split() == ["MAPE", "0.1250", "0.3750", "-", "0.2500"]
    assert "NRMSE 1 tick ahead, ticks 2 to 3: root mean squared error over the standard deviation" in lines[5]
    assert lines[-1].split() == ["4", "-"], "what lies beyond the data"


def test_all_are_scored_at_the_same_ticks():
    gone = table(truth=np.array([[1.0], [2.0], [np.nan], [5.0], [np.nan]]))
    (row,) = gone.scores()
    assert row["ticks"] == 1 and row["mape_last"] == pytest.approx(2 / 5)
    late = table(seasonal=np.array([[[np.nan]] * 3 + [[4.0], [4.0]]]), first=0)
    (row,) = late.scores()
    assert np.isnan(row["nrmse_seasonal"]), "a baseline that has no forecast at most of the ticks is left out"
    (row,) = table(seasonal=np.array([[[np.nan], [1.0], [1.0], [4.0], [4.0]]]), first=0).scores()
    assert row["ticks"] == 3 and row["mape_seasonal"] == pytest.approx(4 / 10)


def test_a_constant_series_has_scores_where_they_mean_something():
    values = np.full((5, 1), 3.0)
    (row,) = Forecasts(["x"], 1, values, values, values, values).scores()
    assert np.isnan(row["nrmse"]) and row["mape"] == row["smape"] == 0.0


def test_many_horizons_are_summed_up():
    n, horizons = 40, tuple(range(1, 13))
    truth = np.concatenate([np.arange(n, dtype=float)[:, None], np.full((12, 1), np.nan)])
    told = np.repeat(np.arange(n + 12.0)[None, :, None], 12, axis=0)
    made = Forecasts(["x"], horizons, truth, told, told, told, season=Season(7, "as given"), lags=3)
    text = made.table_text()
    assert [line.split()[1] for line in text.splitlines() if " NRMSE" in line] == ["1", "3", "5", "8", "10", "12"]
    assert "12 horizons in all: the others are in forecast_scores.csv" in text
    assert "a season is 7 ticks, as given; RLS-AR: recursive least squares on the last 3 steps" in text


def test_a_csv_holds_every_tick_and_the_one_beyond(tmp_path):
    table(forecast=np.full((5, 1), 0.25)).to_csv(tmp_path / "f.csv")
    rows = list(csv.DictReader((tmp_path / "f.csv").open()))
    assert [row["tick"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0] == {"tick": "1", "column": "x", "horizon": "1", "made": "0", "truth": "2", "forecast": "0.25",
                       "last value": "1", "seasonal naive": "", "RLS-AR": "3"}
    assert rows[3]["truth"] == "" and rows[3]["last value"] == "5"


def test_no_season_is_said_to_be_none():
    assert "no season was found" in table().table_text()
    assert "recursive least squares on the last step" in table(lags=1).table_text()


def test_scores_as_a_csv(tmp_path):
    table().scores_to_csv(tmp_path / "s.csv")
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert [row["method"] for row in rows] == ["forecast", "last value", "seasonal naive", "RLS-AR"]
    assert rows[0]["nrmse"] == "0.5" and rows[2]["nrmse"] == "" and rows[3]["mape"] == "0.25"
