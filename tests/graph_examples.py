"""Graphs, and kinds of shapes that no file of the package has yet, for the tests of graphs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from cortexsim.graph import RegionGraph
from cortexsim.kind import hyper


def message(error: type[Exception], call, *args, **kwargs) -> str:
    """The text of the error that a call raises, which must be of exactly that type."""
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    assert type(caught.value) is error
    return str(caught.value)


class Settling:
    """Predicts other regions' states by pairs of edges, as predictive coding does."""

    ROLES = ("context", "target", "prior", "feedback", "gate", "modulator")
    NEEDS = ()
    PORTS = ("prediction", "error", "state")
    SETTLES = True

    @dataclass(frozen=True)
    class Hyper:
        learning_rate: float = hyper(0.1, "step of learning", low=0.0, high=1.0)
        steps: int = hyper(3, "rounds of settling", low=1, high=100, structural=True)
        rule: str = hyper("plain", "which rule", choices=("plain", "gated"))

    def allocate(hyper, shapes, rng):
        return {}

    def ports(hyper, shapes):
        return {}

    def predict(view):
        pass

    def update(view):
        pass


class Backward(Settling):
    """Its weights sit on the predicted side, so it sends feedback along its context edges."""

    PORTS = ("prediction", "error", "state", "feedback")
    SETTLES = False
    WRITES_FEEDBACK = True


def pair() -> RegionGraph:
    """Two delta regions over a picture and a motor command, as in the README."""
    graph = RegionGraph(name="pair", why="an example", cite="doi:10.1/1")
    graph.add_source("retina", shape=(16, 16), cite="doi:10.1/2")
    graph.add_source("saccade", size=2, known="before", imagined_by="motor")
    graph.add_region("V1", kind="subspace", predicts="retina", size=64, learning_rate=0.02, tags=["seen", "early"])
    graph.add_region("V1-next", predicts="V1.state", learning_rate=0.05, why="what comes next",
                     context=["V1.state@1", "saccade", {"from": "V2.state[0:8]@2", "field": "sparse(0.5, seed=2)"}])
    graph.add_region("V2", kind="subspace", predicts="V1.state", size=32, period=2, offset=1, frozen=True)
    graph.add_region("motor", predicts="saccade", context="V2.state@3", gate="saccade[0]", when_closed="hold")
    return graph


def rich() -> RegionGraph:
    """Every attribute that a graph can hold, away from its default somewhere."""
    graph = pair()
    graph.graph["stream"] = {"image": "photo.png", "size": [3, 4], "eye": {"jump": 0.25, "free": True}}
    graph.set_trial(100, {"init": (0, 1), "minus": (1, 75), "plus": (75, 100)}, score_at=74, tick_ms=1.5)
    graph.add_source("noise", shape=(4, 4, 2), sparse=True, why="a \"quoted\"\nreason, ünïcode")
    graph.add_region("L1", kind=Settling, predicts=["retina", "L2.state"], size=9, rule="gated", steps=5)
    graph.add_region("L2", kind=Settling, shape=(3, 3), context=("noise@2", "window(2, wrap=true, shared=true)"))
    graph.add_region("back", kind=Backward, shape=(4, 4, 2), cite="doi:10.1/3", context=[
        {"from": "L1.state", "span": "minus", "outside": "silent", "why": "drivers are silent in the plus phase"},
        {"from": "L2.prediction@3", "name": "loop", "lesioned": True},
    ])
    graph.connect("saccade[1]@2", "V1", role="modulator", hyper="learning_rate", mode="set", why="attention")
    graph.connect("noise[0,2,5]", "V1-next", name="odd units")
    graph.lesion("saccade->V1-next")
    graph.lesion("L2->L1:feedback")
    return graph


def u_net() -> RegionGraph:
    """Down by strides of 2, up by strides of a half, and skip connections across."""
    graph = RegionGraph(name="u-net")
    shapes = [(16, 16), (8, 8), (4, 4)]
    for level, shape in enumerate(shapes):
        graph.add_source(f"view{level}", shape=shape)
    graph.add_region("down1", shape=shapes[1], predicts="view1", context=("view0@1", "window(4, stride=2)"))
    graph.add_region("down2", shape=shapes[2], predicts="view2", context=("down1.prediction", "window(4, stride=2)"))
    for level, below in ((1, "down2"), (0, "up1")):
        skip = f"down{level}.prediction" if level else "view0@1"
        graph.add_region(f"up{level}", shape=shapes[level], predicts=f"view{level}", context=[
            (f"{below}.prediction", "window(3, stride=0.5)"), (skip, "window(3, shared=true)")])
    return graph


def random_graph(n_regions: int, n_context: int, seed: int = 0) -> RegionGraph:
    """Regions that predict a source from other regions, drawn at random; most are read before they are added."""
    rng = np.random.default_rng(seed)
    graph = RegionGraph(name=f"random {n_regions}")
    graph.add_source("world", size=8)
    for i in range(n_regions):
        others = rng.choice(n_regions, n_context, replace=False)
        graph.add_region(f"r{i}", predicts="world", context=[f"r{j}.prediction@{1 + j % 3}" for j in others])
    return graph
