"""One-step forecasts of a column of a CSV file of the data from outside."""

from __future__ import annotations

import os
from pathlib import Path

import cortexsim as cs
from benchmarks.measures import LeftOut, Result
from cortexsim import datasets
from cortexsim.errors import FileError
from cortexsim.forecasting import ForecastRun, default_lags, forecast_graph
from cortexsim.sources.changes import Stream


def data_file(*parts: str) -> Path:
    """A file of the data from outside; raises `LeftOut` where it is not here, and no folder is said to hold it."""
    try:
        return datasets.locate("/".join(parts))
    except FileError as error:
        if os.environ.get(datasets.FOLDER):  # what it names should hold everything: nothing is left out quietly
            raise
        raise LeftOut(f"it needs outside data: {datasets.how_to_get(datasets.find_dataset(parts[0]))}") from error


def forecast(file: str, column: str) -> Result:
    """Forecast the next value of a column by one ``delta`` region, as ``cortexsim run forecast`` does.

    Parameters
    ----------
    file : str
        In the folder ``series``; rows with a blank are skipped.
    column : str

    Returns
    -------
    Result
        The NRMSE over the second half, with those of the last value and of recursive least squares on the same lags.
    """
    stream = Stream(data_file("series", file), column, blanks="skip")
    graph = forecast_graph(list(stream.columns), default_lags(stream.length))
    forecaster = ForecastRun(cs.Simulation(graph, seed=0), stream)
    forecaster.run(stream.length)
    (scores,) = forecaster.result().scores()
    return Result(scores["nrmse"], {"last value": scores["nrmse_last"], "online RLS": scores["nrmse_rls"]})
