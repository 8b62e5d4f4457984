"""``temporal_memory``: scenarios rule by rule, its naive twin over whole runs, caps, lesions, edits and bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cortexsim as cs
import naive_memory
import reference
from benchmarks.experiments._memory_scenarios import Scenario, run_scenario
from contract.running import Recorded, hash_of
from cortexsim import segment_lists
from cortexsim.encoders import RandomCodes
from cortexsim.memory_cells import MemoryCells
from memory_scenarios import PARAMS, SCENARIOS, compute, segment

SMALL = {"cells_per_column": 3, "activation_threshold": 2, "min_threshold": 2, "new_synapses": 3,
         "initial_permanence": 0.4, "predicted_decrement": 0.05}
CAPPED = {"max_synapses": 4, "max_segments": 20}
CELLS_CAPPED = {"max_synapses": 5, "max_segments_per_cell": 2, "max_segments": 50, "predicted_decrement": 0.2}


def memory_graph(context: tuple[str, ...] = ("tm.state@1",), columns: int = 12, **hyper: Any) -> cs.RegionGraph:
    """A memory on a source of columns, with other things that it may read."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=columns)
    graph.add_source("bits", size=20, sparse=True)
    graph.add_region("tm", kind="temporal_memory", predicts="x", context=list(context), **{**SMALL, **hyper})
    return graph


def words(text: str, columns: int = 12) -> np.ndarray:
    """A row for each letter: 3 columns of its own; a blank is a tick at which nothing comes."""
    x = np.zeros((len(text), columns), np.float32)
    for t, letter in enumerate(text):
        if letter != " ":
            x[t, np.random.default_rng(ord(letter)).choice(columns, 3, replace=False)] = 1
    return x


def inputs(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Short sequences with noise between them, and random bits."""
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(["abcd", "ebcf", "adcb"]) + rng.choice(list("abcdef ")) for _ in range(rows // 5))
    return {"x": words(text.ljust(rows)), "bits": (rng.random((rows, 20)) < 0.2).astype(np.float32)}


def anomalies(sim: cs.Simulation, text: str) -> list[float]:
    """The anomaly at each letter."""
    found = []
    for row in words(text, sim.plan.sources["x"].size):
        sim.observe({"x": row, "bits": np.zeros(20, np.float32)})
        found.append(float(sim.get("tm.anomaly")[0]))
    return found


# ---------------------------------------------------------------------- scenarios

def test_every_conformance_scenario_passes(data_dir):
    tests = json.loads(Path(data_dir, "conformance", "htm_temporal_memory.json").read_text())["tests"]
    assert len(tests) >= 8
    assert {test["name"]: wrong for test in tests if (wrong := run_scenario(test))} == {}


@pytest.mark.filterwarnings("ignore:region 'tm'")
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name):
    params, ops = SCENARIOS[name]
    assert run_scenario({"params": {**PARAMS, **params}, "ops": ops}) == []


def test_a_scenario_that_fails_says_so_and_one_that_is_not_understood_raises():
    wrong = [compute(0), {"expect": "getActiveCells", "equals": [0]}]
    assert "is [0, 1, 2, 3]" in run_scenario({"params": PARAMS, "ops": wrong})[0]
    for item in ({"op": "dream"}, {"expect": "getDreams", "equals": []}, {"expect": "getActiveCells", "like": []},
                 {"expect": "getActiveCells"}, {"expect": "synapsePermanence", "synapse": "none", "equals": 1.0}, {}):
        with pytest.raises(ValueError, match=r".+"):
            run_scenario({"params": PARAMS, "ops": [item]})
    with pytest.raises(ValueError, match="not known"):
        run_scenario({"params": {**PARAMS, "dreams": 1}, "ops": []})


def test_cells_with_equally_few_segments_are_drawn_at_random():
    params, ops = SCENARIOS["a new segment goes to the cell with the fewest"]
    won = set()
    for seed in range(20):
        scenario = Scenario({**PARAMS, **params}, seed)
        assert scenario.run(ops) == []
        won |= set(scenario.cells.winners)
    assert won == {1, 2}


# ---------------------------------------------------------------------- the naive twin, over whole runs

@pytest.mark.filterwarnings("ignore:region 'tm'")
@pytest.mark.parametrize("hyper", [{}, CAPPED, CELLS_CAPPED, {"activation_threshold": 1, "decrement": 0.3}],
                         ids=["", "capped", "cells capped", "active below matching"])
@pytest.mark.parametrize("context", [("tm.state@1",), ("bits@1", "tm.state@1", "x@2"), ("bits@1",)])
def test_lists_that_are_kept_up_give_what_looking_at_every_segment_gives(context, hyper, monkeypatch):
    monkeypatch.setitem(reference.TWINS, "temporal_memory", naive_memory)
    rows = 250
    recorded, data = Recorded(memory_graph(context, **hyper)), inputs(rows)
    plain = reference.Reference(recorded.sim.plan, {"tm": recorded.sim.memory.arrays["tm"]})
    recorded.sim.run(data)
    plain.run(data, rows)
    for port in ("prediction", "error", "state"):
        assert np.array_equal(recorded.probes[f"tm.{port}"].values, plain.history(f"tm.{port}")), port
    for name in recorded.sim.plan.regions["tm"].kind.learned:
        assert np.array_equal(recorded.sim.memory.arrays["tm"][name], plain.regions["tm"].arrays[name]), name
    assert_lists_hold(recorded.sim.memory.arrays["tm"])


def assert_lists_hold(arrays: dict[str, np.ndarray]) -> None:
    """Every synapse is in the list of its unit, once, and nothing else is; no more chunks are used than there are."""
    shift, size, found = int(arrays["work"][segment_lists.SHIFT]), segment_lists.CHUNK, set()
    for unit, (chunk, n) in enumerate(arrays["lists"].tolist()):
        while chunk >= 0:
            for entry in arrays["chunks"][chunk * size + 1 : chunk * size + 1 + n].tolist():
                found.add((entry >> 1 >> shift, entry >> 1 & (1 << shift) - 1, unit, bool(entry & 1)))
            chunk, n = int(arrays["chunks"][chunk * size]), size - 1
    connected = arrays["permanences"] >= arrays["built_with"][0] - 1e-6
    synapses = {(int(s), int(k), int(arrays["synapses"][s, k]), bool(connected[s, k]))
                for s, k in np.argwhere(arrays["synapses"] >= 0)}
    assert found == synapses and len(synapses) == arrays["counters"][segment_lists.SYNAPSES]
    assert arrays["work"][segment_lists.CHUNKS] * size <= len(arrays["chunks"])


def test_growth_after_very_many_growths_is_the_same():
    one, other = (cs.Simulation(memory_graph()) for _ in range(2))
    for sim in (one, other):
        sim.run(inputs(100))
    other.memory.arrays["tm"]["work"][segment_lists.MARK] = segment_lists.MANY - 5
    for sim in (one, other):
        sim.run(inputs(100, seed=1))
    assert hash_of(one) == hash_of(other)
    assert other.memory.arrays["tm"]["work"][segment_lists.MARK] < 1000


# ---------------------------------------------------------------------- what it is for

def test_it_tells_sequences_apart_by_how_they_began():
    sim = cs.Simulation(memory_graph(columns=60, cells_per_column=8, increment=0.2))
    sim.run({"x": words("abcd ebcf " * 40, 60), "bits": np.zeros((400, 20), np.float32)})
    sim.freeze()
    assert anomalies(sim, " abcd") == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert anomalies(sim, " ebcf") == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert anomalies(sim, " abcf")[-1] > 0.5


def test_other_regions_and_sources_may_be_all_its_context():
    graph = memory_graph(("first.state@1",), columns=60)
    graph.add_region("first", kind="temporal_memory", predicts="x", context="first.state@1", **SMALL)
    sim = cs.Simulation(graph)
    sim.run({"x": words("abc" * 60, 60), "bits": np.zeros((180, 20), np.float32)})
    assert anomalies(sim, "abcabc") == [0.0] * 6


def test_learning_off_changes_nothing_and_predict_may_be_tried_twice():
    sim = cs.Simulation(memory_graph())
    sim.run(inputs(100))
    said = [sim.predict()["tm"] for _ in range(2)]
    assert np.array_equal(*said)
    before = hash_of(sim)
    sim.freeze()
    sim.run(inputs(100, seed=1))
    assert hash_of(sim) == before


def test_without_grow_only_permanences_change():
    sim = cs.Simulation(memory_graph())
    sim.run(inputs(100))
    before = sim.get("tm.n_synapses"), sim.get("tm.permanences")
    sim.set_hyper("tm", grow=False, decrement=0.0, predicted_decrement=0.0)
    sim.run(inputs(100))
    assert np.array_equal(sim.get("tm.n_synapses"), before[0])
    assert not np.array_equal(sim.get("tm.permanences"), before[1])


def test_permanences_that_are_set_by_hand_count_at_once():
    sim = cs.Simulation(memory_graph(columns=60))
    sim.run({"x": words("abc" * 30, 60), "bits": np.zeros((90, 20), np.float32)})
    assert anomalies(sim, "abc") == [0.0, 0.0, 0.0]
    sim.set("tm.permanences", sim.get("tm.permanences") * 0.3)
    assert anomalies(sim, "abc") == [1.0, 1.0, 1.0]
    sim.set_hyper("tm", connected=0.01)
    assert anomalies(sim, "a")[0] == 0.0


def test_what_was_learned_survives_an_edit_of_the_graph():
    sim = cs.Simulation(memory_graph(columns=60))
    sim.run({"x": words("abc" * 30, 60), "bits": np.zeros((90, 20), np.float32)})
    sim.graph.connect("bits", "tm", "context", delay=1, name="a-first-edge")
    sim.replan()
    sim.freeze()
    assert anomalies(sim, "abcabc") == [0.0] * 6
    assert [event["what"] for event in sim.curves.events].count("restarted") == 0


def test_killed_cells_are_never_active_again_and_their_segments_are_gone():
    sim = cs.Simulation(memory_graph(columns=60))
    sim.run({"x": words("abc" * 30, 60), "bits": np.zeros((90, 20), np.float32)})
    cells = MemoryCells(sim, "tm")
    dead = cells.kill(0.5, seed=1)
    assert len(dead) == 90 and dead == cells.kill(dead)
    assert not any(cells.segments(cell) for cell in dead)
    sim.run({"x": words("abcdef" * 20, 60), "bits": np.zeros((120, 20), np.float32)})
    assert not set(dead) & (set(cells.active) | set(cells.winners) | {cells.cell(s) for s in cells.segments()})
    cells.kill(range(180))
    sim.reset()
    assert anomalies(sim, "ab") == [1.0, 1.0] and cells.active == cells.winners == []


# ---------------------------------------------------------------------- caps

def test_a_full_region_forgets_what_was_useful_longest_ago_and_says_so():
    sim = cs.Simulation(memory_graph(columns=60, max_segments=30))
    with pytest.warns(cs.RegionWarning, match=r"region 'tm': all its 30 segments are in use.*raise max_segments"):
        sim.run({"x": words("abcdefghijklmnop" * 10, 60), "bits": np.zeros((160, 20), np.float32)})
    counters, owners = sim.get("tm.counters"), sim.get("tm.segment_cell")
    assert counters[segment_lists.FULL_REGION] > 0 and (owners >= 0).sum() == 30 - counters[segment_lists.FREE]
    assert [event["where"] for event in sim.curves.events if event["what"] == "region full"] == ["tm"]


def test_a_full_cell_says_so():
    sim = cs.Simulation(memory_graph(columns=60, cells_per_column=1, max_segments_per_cell=1))
    with pytest.warns(cs.RegionWarning, match=r"region 'tm': a cell has all 1 segments.*raise max_segments_per_cell"):
        sim.run({"x": words("abcadaeafagahaiaj" * 5, 60), "bits": np.zeros((85, 20), np.float32)})
    assert np.bincount(sim.get("tm.segment_cell")[sim.get("tm.segment_cell") >= 0]).max() == 1


# ---------------------------------------------------------------------- bad input

def test_nothing_comes():
    sim = cs.Simulation(memory_graph())
    sim.run({"x": np.zeros((20, 12), np.float32), "bits": np.zeros((20, 20), np.float32)})
    assert anomalies(sim, " ") == [0.0] and not sim.value("tm.state").any() and not sim.value("tm.prediction").any()
    assert MemoryCells(sim, "tm").n_segments == 0


def test_one_symbol_only_is_expected_soon_and_another_is_an_anomaly():
    sim = cs.Simulation(memory_graph(columns=60))
    sim.run({"x": words("a" * 50, 60), "bits": np.zeros((50, 20), np.float32)})
    assert anomalies(sim, "aaza") == [0.0, 0.0, 1.0, 1.0]
    assert len(MemoryCells(sim, "tm").active) == 9


def test_what_is_not_zero_is_active_whatever_it_is():
    one, other = (cs.Simulation(memory_graph()) for _ in range(2))
    data = inputs(60)
    one.run(data)
    other.run({**data, "x": data["x"] * np.float32(-0.25)})
    assert hash_of(one) == hash_of(other)


def test_an_absent_tick_is_no_tick():
    sim = cs.Simulation(memory_graph(columns=60), on_bad="skip")
    sim.run({"x": words("abc" * 30, 60), "bits": np.zeros((90, 20), np.float32)})
    sim.observe({"x": None, "bits": np.zeros(20, np.float32)})
    assert anomalies(sim, "abc") == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("context", "hyper", "error", "text"), [
    (("tm.state@1",), {"size": 35}, cs.KindError,
     r"region 'tm': size must be 12 columns x cells_per_column 3 = 36.*35"),
    (("tm.state@2",), {}, cs.KindError, r"region 'tm': its own state must come with a delay of 1.*delay 2"),
    (("tm.state@1",), {"max_segments": 1 << 26, "max_synapses": 64}, cs.KindError,
     r"region 'tm': max_segments must be below 16777216 with max_synapses 64.*67108864"),
    (("tm.state@1",), {"min_threshold": 0}, cs.KindError, r"min_threshold must be a whole number in \[1, inf\]"),
    ((), {}, cs.GraphError, r"tm.*context"),
])
def test_what_does_not_fit_is_named(context, hyper, error, text):
    with pytest.raises(error, match=text):
        cs.Simulation(memory_graph(context, **hyper))


def test_the_right_size_may_be_given():
    assert cs.Simulation(memory_graph(size=36)).value("tm.state").shape == (12, 3)


def test_looking_at_cells_names_what_is_not_there():
    sim = cs.Simulation(memory_graph(max_synapses=1))
    cells = MemoryCells(sim, "tm")
    number = cells.create_segment(4)
    cells.create_synapse(number, 0, 0.5)
    for call, text in ((lambda: cells.segments(36), "cell must be in"), (lambda: cells.synapses(7), "no such segment"),
                       (lambda: cells.unit(0, "tm.stat"), "tm.state"), (lambda: cells.unit(36), "index must be in"),
                       (lambda: cells.create_synapse(number, 36, 0.5), "unit must be in"),
                       (lambda: cells.create_synapse(number, 1, 1.5), "permanence must be in"),
                       (lambda: cells.create_synapse(number, 1, 0.5), "is full"), (lambda: cells.kill(1.5), "share"),
                       (lambda: MemoryCells(sim, "mt"), "there is no region")):
        with pytest.raises(cs.InputError, match=text):
            call()


def test_segments_made_by_hand_and_grown_are_told_apart():
    scenario = Scenario(PARAMS)
    assert scenario.run([*segment("hand", 5, (0, 0.5), (1, 0.5)), compute(3), compute(2)]) == []
    assert scenario.name_of(scenario.segment("hand")) == "hand"
    assert len(scenario.cells.segments()) == 2 and scenario.cells.cell(scenario.segment("hand")) == 5


def test_a_copy_in_the_middle_ends_with_the_bits_of_a_whole_run_in_every_array():
    sequences = np.random.default_rng(3).integers(0, 6, 600)
    codes = RandomCodes(6, size=60, active=6).encode(sequences)
    graph = cs.RegionGraph()
    graph.add_source("columns", size=60)
    graph.add_region("tm", kind="temporal_memory", predicts="columns", context="tm.state@1", cells_per_column=4,
                     activation_threshold=3, min_threshold=2, new_synapses=5, max_segments=200,
                     predicted_decrement=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.RegionWarning)
        whole, first = cs.Simulation(graph, seed=0), cs.Simulation(graph, seed=0)
        whole.run({"columns": codes})
        first.run({"columns": codes[:350]})
        twin = first.copy()
        twin.run({"columns": codes[350:]})
    assert whole.get("tm.counters")[segment_lists.SYNAPSES] > 100
    for name, values in whole.parameters("tm").items():
        np.testing.assert_array_equal(twin.get(f"tm.{name}"), values, err_msg=name)
