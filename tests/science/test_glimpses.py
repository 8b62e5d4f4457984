"""The ready-made graph of glimpses does what its file says. At full length: pytest -m slow tests/science"""

from __future__ import annotations

import networkx as nx
import pytest

import cortexsim as cs
from benchmarks import lesions
from benchmarks.experiments import glimpses
from benchmarks.measures import meets
from benchmarks.science import run_experiments
from cortexsim.sources import open_stream

TICKS, CUT_TICKS = 12_000, 1_200
# its reader sees the surround too and relies on it only later; but without it from the start, it learns worse
SLOW_TO_MATTER = {"V1-periphery-next"}


@pytest.fixture(scope="module")
def graph() -> cs.RegionGraph:
    return cs.load("glimpses").check()


def test_it_uses_what_a_region_graph_can_say(graph):
    regions = {name: graph.nodes[name] for name in graph.regions}
    assert len(regions) >= 12
    assert {data["kind"] for data in regions.values()} == {"subspace", "delta"}
    assert len({data["period"] for data in regions.values()}) >= 2
    edges = [data for _, _, data in graph.edges(data=True)]
    assert len({data["delay"] for data in edges}) >= 3
    assert {str(data["field"]).partition("(")[0] for data in edges} >= {"dense", "window", "one_to_one"}
    assert {data["role"] for data in edges} >= {"context", "target", "gate"}


def test_every_region_says_why(graph):
    assert [name for name in graph.nodes if len(graph.nodes[name]["why"].split()) < 8] == []


def test_there_is_a_saccade_region_for_every_move(graph):
    moves = open_stream({"name": "glimpses"}).moves
    gates = {v: data["select"] for u, v, data in graph.edges(data=True) if data["role"] == "gate" and u == "motor"}
    assert gates == {f"move-{move}": str(place) for place, move in enumerate(moves)}


def test_expectations_run_in_a_cycle_and_nobody_speaks_to_nobody(graph):
    contexts = nx.DiGraph((u, v) for u, v, data in graph.edges(data=True) if data["role"] == "context")
    cycle = {"surround-next", "V1-periphery-next"}
    assert cycle in [set(found) for found in nx.simple_cycles(contexts)]
    assert [name for name in graph.regions if graph.out_degree(name) == 0] == []


def test_forecasts_beat_their_baselines_within_a_few_thousand_ticks():
    results = glimpses.run(seed=0, ticks=TICKS)
    for measure, goal in glimpses.GOALS.items():
        assert meets(goal, results[measure]), (measure, results[measure])


def test_a_lesion_of_any_forecast_shows_in_another_ones_curve(graph):
    table = {key: value for key, value in graph.graph["stream"].items() if key != "ticks"}
    stream = open_stream(table, seed=0)
    sim = cs.Simulation(graph, seed=0)
    sim.run(stream, ticks=TICKS)
    stretch = stream.read(CUT_TICKS)

    def losses(*edges: str) -> dict[str, float]:
        twin = sim.copy()
        twin.curves.acc[:] = 0
        for pattern in edges:
            twin.lesion(pattern)
        twin.run(stretch, ticks=CUT_TICKS)
        return {region: twin.curves.final(region, fraction=1.0)["loss"] for region in graph.regions}

    intact = losses()
    forecasts = [name for name in graph.regions if graph.nodes[name]["kind"] == "delta"]
    for lesioned in sorted(set(forecasts) - SLOW_TO_MATTER):
        cut = losses(f"{lesioned}->*")
        assert max(cut[name] / intact[name] for name in forecasts if name != lesioned) > 1.05, lesioned
    assert losses("saccade->*")["fovea-next"] == intact["fovea-next"]


def test_who_learns_without_a_code_misses_it(graph):
    # codes matter to those who learn to forecast them, and through them to others, whose targets stay the same
    codes = [name for name in graph.regions if graph.nodes[name]["kind"] == "subspace"]
    effects = lesions.study("glimpses", [0], TICKS, [*codes, *SLOW_TO_MATTER])
    assert len(effects) == 5
    assert [effect for effect in effects if not effect.least > 0.05] == []


def test_a_lesion_that_takes_the_target_away_is_not_compared(graph):
    assert lesions.changed_targets(graph, "V1") == {"V1", "V1-next", "V2", "V2-next", "scene", "scene-next"}
    assert lesions.changed_targets(graph, "fovea-next") == {"fovea-next"}


@pytest.mark.slow
def test_at_the_default_length_every_goal_is_met_by_every_seed():
    results, left_out = run_experiments(["glimpses"], quiet=True)
    measures = results["experiments"]["glimpses"]["measures"]
    assert left_out == {}
    assert {name: entry["seeds"] for name, entry in measures.items()} == dict.fromkeys(glimpses.GOALS, 5)
    assert [name for name, entry in measures.items() if not entry["met"]] == []


@pytest.mark.slow
def test_regions_that_learn_without_another_one_miss_it():
    effects = lesions.study("glimpses", seeds=range(2), ticks=40_000)
    assert len(effects) == len(cs.load("glimpses").regions)
    # the least of the seeds, so that the data is the same with and without
    assert [effect for effect in effects if not effect.least > 0.05] == []
