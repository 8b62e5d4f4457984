"""Regions that diverge: what becomes of them, at which tick, what is told, and that nobody else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import cortexsim as cs
from contract.running import Recorded, Story, same_bits
from cortexsim import bookkeeping as d
from cortexsim import divergence, guard

TICKS = 120
POLICIES = ("stop", "reset", "freeze")
CALM = ("calm", "code")


def rows(ticks: int = TICKS, scale: float = 20.0, seed: int = 0) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(seed).normal(0, scale, (ticks, 3)).astype(np.float32)}


def graph_of(policy: str = "stop", wild: bool = True, **hyper) -> cs.RegionGraph:
    """A region that diverges in a few ticks, two that read it, one of them at once, and two that do not."""
    graph = cs.RegionGraph()
    graph.add_source("x", size=3)
    graph.add_region("calm", predicts="x", context="x@1")
    graph.add_region("code", kind="subspace", predicts="x", size=2)
    if wild:
        options = {"normalise": False, "learning_rate": 2.0, **hyper}
        graph.add_region("wild", predicts="x", context="x@1", on_divergence=policy, **options)
        graph.add_region("after", predicts="x", context=["x@1", "wild.prediction"])
        graph.add_region("later", predicts="x", context=["x@1", "wild.error@3"])
    return graph


def quiet(recorded: Recorded, inputs: dict, *cuts: int) -> Recorded:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.RegionWarning)
        warnings.simplefilter("ignore", cs.SettlingWarning)
        ticks = len(inputs["x"])
        for first, last in zip((0, *cuts), (*cuts, ticks), strict=True):
            recorded.sim.run({name: values[first:last] for name, values in inputs.items()})
    return recorded


def events(sim: cs.Simulation, what: str = "divergence") -> list[tuple[int, str, str]]:
    return [(event["tick"], event["where"], event["detail"]) for event in sim.curves.events if event["what"] == what]


def told(recorded: Recorded) -> tuple[Story, list]:
    return recorded.story(), events(recorded.sim)


# ---------------------------------------------------------------------- what happens

def test_a_region_that_diverges_stops_at_its_tick_and_the_rest_goes_on():
    recorded = Recorded(graph_of())
    with pytest.warns(cs.RegionWarning) as caught:
        recorded.sim.run(rows())
    ((tick, where, detail),) = events(recorded.sim)
    assert (where, detail) == ("wild", "its update of the weights exploded; stopped, and silent from here on")
    (message,) = [str(warning.message) for warning in caught]
    assert message == (f"region 'wild': diverged at tick {tick}: {detail}; lower its learning_rate (2.0) or set "
                       "normalise to True, then sim.restart('wild')")
    assert [warning.filename for warning in caught] == [__file__]
    values = recorded.probes["wild.prediction"].values
    assert recorded.sim.tick == TICKS and 1 < tick < 20
    assert values[tick - 1].any() and not values[tick:].any()
    assert np.isfinite(recorded.sim.curves.acc).all()
    assert recorded.sim.curves.curve("wild", "ticks").sum() == tick - 1
    assert recorded.sim.memory.status[recorded.sim.memory.row["wild"], d.HALTED]
    # told once
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded.sim.run(rows())
    assert len(events(recorded.sim)) == 1


@pytest.mark.parametrize("policy", POLICIES)
def test_who_does_not_read_it_has_the_bits_of_a_run_without_it_and_readers_stay_finite(policy):
    with_it, without = quiet(Recorded(graph_of(policy)), rows()), quiet(Recorded(graph_of(wild=False)), rows())
    story, other = with_it.story(), without.story()
    assert all(same_bits(values, story.signals[name]) for name, values in other.signals.items())
    assert all(same_bits(values, story.arrays[name]) for name, values in other.arrays.items())
    assert all(same_bits(values, story.curves[name]) for name, values in other.curves.items())
    for name in ("after", "later"):
        assert all(np.isfinite(values).all() for key, values in story.signals.items() if key.startswith(name))
    assert {where for _, where, _ in events(with_it.sim)} == {"wild"}


def test_a_region_that_is_reset_begins_anew_eight_times_and_then_stops():
    sim = quiet(Recorded(graph_of("reset")), rows()).sim
    found = events(sim)
    assert len(found) == guard.RESETS + 1
    done = [detail.partition("; ")[2] for _, _, detail in found]
    assert done[:-1] == [f"set back to its start, {k} of 8 times" for k in range(1, 9)]
    assert done[-1] == "stopped after 8 times, and silent from here on"
    assert [tick for tick, _, _ in found] == sorted(tick for tick, _, _ in found)


def test_a_reset_region_goes_on_with_the_bits_of_one_that_begins_there():
    """Two regions alike but that one runs from the tick after the other's reset on, by its gate."""
    inputs = rows()
    first = quiet(Recorded(graph_of("reset")), inputs)
    tick, second = (tick for tick, _, _ in events(first.sim)[:2])
    graph = graph_of("reset")
    graph.add_source("go", size=1, known="before")
    graph.connect("go", "wild", "gate")
    inputs["go"] = (np.arange(TICKS) > tick).astype(np.float32)[:, None]
    later = quiet(Recorded(graph), inputs)
    assert events(later.sim)[0][0] == second
    for port in ("prediction", "error"):
        ours, theirs = (run.probes[f"wild.{port}"].values for run in (first, later))
        assert same_bits(ours[tick:second], theirs[tick:second]) and ours[tick + 1 : second].any()


def test_a_region_that_is_frozen_is_set_back_and_learns_no_more():
    sim = quiet(Recorded(graph_of("freeze")), rows()).sim
    ((_, _, detail),) = events(sim)
    assert detail.endswith("set back by 1024 to 2048 of its ticks, at most to its start, and frozen")
    assert sim.graph.nodes["wild"]["frozen"] and sim.plan.regions["wild"].data["frozen"]
    assert not sim.get("wild.W").any() and not sim.get("wild.b").any()
    assert not sim.memory.status[sim.memory.row["wild"], d.HALTED]


def test_a_frozen_region_keeps_what_it_had_learned_a_while_before():
    """Its weights are those of the elder image: what it knew at a tick that was kept."""
    inputs, sim, kept = rows(4100, 1.0)["x"], cs.Simulation(graph_of("freeze", learning_rate=0.01)), {}
    for stop in (1024, 2048, 3072, 4096, 4100):
        sim.run({"x": inputs[sim.tick : stop]})
        kept[stop] = sim.get("wild.W")
    sim.set("wild.W", np.full((3, 3), 1e20))
    quiet(Recorded(sim), {"x": inputs[:3]})
    assert [where for _, where, _ in events(sim)] == ["wild"]
    assert same_bits(sim.get("wild.W"), kept[3072]) and not same_bits(kept[3072], kept[4096])


@pytest.mark.parametrize("policy", ["reset", "freeze"])
def test_a_region_frozen_by_the_user_stops_when_it_diverges(policy):
    sim = cs.Simulation(graph_of(policy))
    sim.freeze("wild")
    sim.set("wild.W", np.full((3, 3), 1e30))
    quiet(Recorded(sim), rows())
    ((_, where, detail),) = events(sim)
    assert where == "wild" and detail.endswith("stopped, being frozen, and silent from here on")


def test_a_region_that_diverges_beside_large_input_is_told_to_scale_that():
    graph = cs.RegionGraph()
    graph.add_source("x", size=3)
    graph.add_region("wild", predicts="x", context="x@1", normalise=False, learning_rate=0.5)
    with pytest.warns(cs.RegionWarning, match=r"what it reads is as large as .*e\+0[89]: scale that to about 1, then"):
        cs.Simulation(graph).run(rows(scale=1e8))


# ---------------------------------------------------------------------- bits

@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("options", [{"longest_block": 1}, {"threads": 2}, {"threads": 2, "longest_block": 5}])
def test_bits_do_not_depend_on_blocks_or_threads(policy, options):
    story, found = told(quiet(Recorded(graph_of(policy)), rows()))
    other, events_then = told(quiet(Recorded(graph_of(policy), **options), rows()))
    assert story.differences(other) == [] and found == events_then and found


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("cuts", [(1, 2, 3, 4, 5, 6, 7, 8, 9), (4, 40), (5, 6, 13)])
def test_bits_do_not_depend_on_where_a_run_is_split(policy, cuts):
    story, found = told(quiet(Recorded(graph_of(policy)), rows()))
    split, events_then = told(quiet(Recorded(graph_of(policy)), rows(), *cuts))
    assert story.differences(split) == [] and found == events_then


@pytest.mark.parametrize("policy", POLICIES)
def test_one_tick_at_a_time_is_the_same(policy):
    inputs = rows()
    story, found = told(quiet(Recorded(graph_of(policy)), inputs))
    recorded = Recorded(graph_of(policy))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for row in inputs["x"]:
            recorded.sim.step({"x": row})
    assert story.differences(recorded.story()) == [] and events(recorded.sim) == found
    assert len(caught) == len(found) and {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("cut", [3, 7, 30])
def test_a_copy_goes_on_as_the_whole_run_would(policy, cut):
    inputs = rows()
    story, found = told(quiet(Recorded(graph_of(policy)), inputs))
    first = quiet(Recorded(graph_of(policy)), {"x": inputs["x"][:cut]})
    second = quiet(Recorded(first.sim.copy()), {"x": inputs["x"][cut:]})
    assert story.differences(second.story(first)) == [] and events(second.sim) == found


@pytest.mark.parametrize("policy", POLICIES)
def test_a_new_plan_carries_what_has_happened_to_it(policy):
    inputs = rows()
    whole = quiet(Recorded(graph_of(policy)), inputs)
    sim = quiet(Recorded(graph_of(policy)), {"x": inputs["x"][:7]}).sim
    sim.graph.add_region("more", predicts="x", context="x@1")
    sim.replan()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.RegionWarning)
        sim.run({"x": inputs["x"][7:]})
    assert events(sim) == events(whole.sim)
    for name in ("wild", *CALM):
        assert all(same_bits(array, sim.parameters(name)[key]) for key, array in whole.sim.parameters(name).items())


def test_a_region_that_a_new_plan_starts_anew_is_stopped_no_longer():
    sim = quiet(Recorded(graph_of()), rows()).sim
    sim.graph.nodes["wild"]["kind"] = "rls"
    sim.graph.nodes["wild"]["hyper"].clear()
    sim.replan()
    sim.run(rows())
    assert sim.value("wild.prediction").any() and len(events(sim)) == 1
    assert sim._diverged == {}


SCRIPT = """
import sys
import numpy as np
from contract.running import Recorded
from test_divergence import POLICIES, events, graph_of, quiet, rows
for policy in POLICIES:
    recorded = quiet(Recorded(graph_of(policy)), rows(60))
    story = recorded.story()
    np.savez(f"{sys.argv[1]}/{policy}.npz", **story.signals, **story.arrays, events=str(events(recorded.sim)))
print(repr(recorded.sim.engine.why_fallback))
"""


@pytest.mark.parametrize("environment", [{"CORTEXSIM_NATIVE": "0"}, {"NUMBA_DISABLE_JIT": "1"}])
def test_the_fallback_does_the_same(environment, tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=os.path.dirname(__file__),
                          env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() != "''", done.stderr
    for policy in POLICIES:
        recorded = quiet(Recorded(graph_of(policy)), rows(60))
        story = recorded.story()
        with np.load(tmp_path / f"{policy}.npz") as found:
            first = events(recorded.sim)[0]
            assert str(found["events"]).startswith(str([first])[:-1])
            for name, values in {**story.signals, **story.arrays}.items():
                calm = name.startswith(CALM) or values.ndim == 2 and name.startswith("wild") and name in story.signals
                if calm:
                    np.testing.assert_allclose(found[name][: first[0]], values[: first[0]], rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------- starting anew

@pytest.mark.parametrize("policy", POLICIES)
def test_a_region_that_is_restarted_begins_anew(policy):
    sim = quiet(Recorded(graph_of(policy)), rows()).sim
    start = {key: array.copy() for key, array in cs.Simulation(graph_of(policy)).parameters("wild").items()}
    assert divergence.restart(sim, ["wi*"]) == ["wild"]
    assert all(same_bits(array, sim.parameters("wild")[key]) for key, array in start.items())
    assert not sim.graph.nodes["wild"]["frozen"] and events(sim, "restarted") == [(TICKS, "wild", "")]
    sim.set_hyper("wild", learning_rate=0.001)
    before = len(events(sim))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sim.run(rows())
    assert sim.get("wild.W").any() and sim.value("wild.prediction").any() and len(events(sim)) == before
    # and it is told anew when it diverges again
    sim.set_hyper("wild", learning_rate=2.0)
    with pytest.warns(cs.RegionWarning, match="diverged at tick"):
        sim.run(rows())


def test_a_region_the_user_froze_stays_frozen_when_restarted():
    sim = cs.Simulation(graph_of())
    sim.freeze("calm")
    divergence.restart(sim, ["calm"])
    assert sim.graph.nodes["calm"]["frozen"] and sim.memory.regions[sim.memory.row["calm"], d.FROZEN]
    with pytest.raises(cs.InputError, match="there is no region 'clam'; did you mean 'calm'"):
        divergence.restart(sim, ["clam"])


# ---------------------------------------------------------------------- rules and kinds

@pytest.mark.parametrize("rule", ["hypergradient", "decayed"])
def test_a_rate_that_changes_starts_again_from_what_was_set(rule):
    sim = cs.Simulation(graph_of("reset", step_size=rule))
    sim.set_hyper("wild", learning_rate=1.5)
    quiet(Recorded(sim), rows())
    row = sim.memory.row["wild"]
    at, word = sim.memory.regions[row, [d.SCORE_AT, d.RATE]]
    assert len(events(sim)) == guard.RESETS + 1
    quiet(Recorded(sim), rows(3))
    divergence.restart(sim, ["wild"])
    assert sim.memory.reals[word] == sim.memory.reals[at + d.BASE_RATE] == 1.5
    n, start = sim.plan.regions["wild"].shapes.n_target, sim.memory.gradient_at["wild"]
    if rule == "hypergradient":
        trace = sim.memory.gradients[start : start + 5 * n + 3]
        assert set(trace[:n]) <= {1.0, -1.0} and not trace[n:].any()


def settling_graph(policy: str) -> cs.RegionGraph:
    graph = cs.RegionGraph()
    graph.set_trial(8)
    graph.add_source("x", size=4)
    options = {"kind": "predictive_coding", "activation": "linear", "on_divergence": policy}
    graph.add_region("low", predicts="x", size=4, **options)
    graph.add_region("top", predicts="low.state", size=3, **options)
    graph.add_region("calm", predicts="x", context="x@1")
    return graph


@pytest.mark.parametrize("policy", POLICIES)
def test_regions_that_settle_in_step_diverge_at_one_tick_whatever_the_block(policy):
    inputs = {"x": np.random.default_rng(1).normal(0, 30, (30, 4)).astype(np.float32)}
    stories = []
    for options in ({}, {"longest_block": 1}, {"threads": 2}):
        recorded = Recorded(settling_graph(policy), **options)
        recorded.sim.set_hyper("top", rate=9.0)
        stories.append(told(quiet(recorded, inputs)))
    assert stories[0][1] and {where for _, where, _ in stories[0][1]} <= {"low", "top"}
    assert all(stories[0][0].differences(story) == [] and found == stories[0][1] for story, found in stories[1:])


# ---------------------------------------------------------------------- nobody is stopped who should not be

@pytest.mark.parametrize("scale", [1e10, 1.0, 1e-10, 0.0])
@pytest.mark.parametrize("kind", ["delta", "rls", "subspace"])
def test_data_of_any_scale_is_no_divergence(kind, scale):
    graph = cs.RegionGraph()
    graph.add_source("x", size=3)
    options = {"size": 2} if kind == "subspace" else {"context": "x@1"}
    graph.add_region("r", kind=kind, predicts="x", **options)
    graph.add_region("next", predicts="r.error", context="r.error@1")
    sim = cs.Simulation(graph)
    with warnings.catch_warnings():
        # of a kind's own limits
        warnings.simplefilter("ignore", cs.RegionWarning)
        sim.run(rows(scale=scale))
        sim.run({"x": np.full((50, 3), np.float32(scale))})
    assert events(sim) == [] and not sim.memory.status[:, d.HALTED].any()


def test_a_target_that_is_away_and_one_hot_context_are_no_divergence():
    graph = cs.RegionGraph()
    graph.add_source("x", size=3)
    graph.add_source("symbol", size=6, sparse=True)
    graph.add_region("r", predicts="x", context="symbol@1", sparse=True)
    graph.add_region("s", predicts="symbol", context="symbol@1", output="softmax")
    inputs = rows(scale=1e10)
    inputs["x"][::3] = np.nan
    inputs["symbol"] = np.eye(6, dtype=np.float32)[np.arange(TICKS) % 6]
    sim = cs.Simulation(graph, on_bad="skip")
    sim.run(inputs)
    assert events(sim) == []


def test_questions_and_imagination_stop_nothing():
    sim = cs.Simulation(settling_graph("stop"))
    sim.run({"x": rows()["x"][:20, [0, 1, 2, 0]] / 20})
    sim.set_hyper("top", rate=9.0)
    with pytest.warns(cs.SettlingWarning, match="diverged while settling"):
        found = sim.infer({"x": np.full(4, 30.0)}, steps=300)
    assert found.diverged and not sim.memory.status[:, d.HALTED].any() and events(sim) == []
    assert (sim.memory.status[:, d.BAD] == -1).all()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.5, -1.5])
def test_numbers_beyond_a_limit_are_seen_wherever_they_lie(n, bad):
    import numba

    from cortexsim import rows as row_functions

    @numba.njit
    def beyond(a, n):
        return row_functions.beyond(a, 1, n, np.float32(1.25))

    a = np.full(n + 2, 1.25, np.float32)
    a[[0, -1]] = bad
    assert beyond(a, n) == 0
    for k in range(1, n + 1):
        a[k] = bad
        assert beyond(a, n) == 1
        a[k] = -1.25
