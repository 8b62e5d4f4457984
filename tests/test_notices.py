"""What regions say of themselves reaches the user once, as a warning and as an event on the curve."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs
from cortexsim.kinds import delta


def test_a_notice_is_told_once_as_a_warning_and_an_event(monkeypatch):
    def notices(hyper, arrays):
        return {"large weight": f"a weight is above 1 at a rate of {hyper.learning_rate:g}; lower it"} \
            if np.abs(arrays["b"]).max() > 1 else {}

    monkeypatch.setattr(delta, "notices", notices, raising=False)
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("level", kind="delta", predicts="x", context=["x@1"], learning_rate=0.5)
    sim = cs.Simulation(graph, seed=0)
    sim.run({"x": np.zeros(10)})
    assert sim.curves.events == []
    with pytest.warns(cs.RegionWarning, match="region 'level': a weight is above 1 at a rate of 0.5; lower it") as told:
        sim.run({"x": np.full(50, 100.0)})
        sim.run({"x": np.full(50, 100.0)})
    assert len(told) == 1
    assert [(event["what"], event["where"]) for event in sim.curves.events] == [("large weight", "level")]
