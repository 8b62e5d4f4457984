"""Laws over what happens in the middle of a run: checkpoints, hyperparameters that change, sources that fail."""

from __future__ import annotations

import math
import random as random_module
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import cortexsim as cs
from contract.running import Recorded, arrays_of, run_story, same_bits, sample
from contract.test_fake_kinds import settling
from contract.test_laws import SEEDS, SILENT, law, rows_of
from cortexsim import native
from cortexsim.bookkeeping import DUE
from graphs import Sketch, rows_or_none, sketches
from small_graphs import data, small_graph
from small_graphs import rows_of as rows_of_data

CUTS = st.integers(0, 8)
FAKE = ("contract.fake_kinds:*",)


# ---------------------------------------------------------------------- 4 same bits

def resumed(recorded: Recorded, threads: int) -> Recorded:
    """The same simulation out of a file, in a fresh object."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "here.ckpt"
        recorded.sim.save(path)
        return Recorded(cs.Simulation.load(path, threads=threads, allow_kinds=FAKE))


@law
@given(sketches(), SEEDS, SILENT, CUTS, CUTS, st.sampled_from([1, 2, 3]), st.sampled_from([None, 1, 3]))
def test_same_bits_for_a_run_resumed_from_checkpoints(sketch, seed, silent, cut, more, threads, block):
    rows = rows_of(sketch)
    inputs = sketch.inputs(rows, seed, silent)
    cuts = [0, min(cut, rows), min(cut + more, rows), rows]
    runs = [Recorded(sketch.build(), longest_block=block)]
    for first, last in zip(cuts, cuts[1:], strict=False):
        runs[-1].sim.run(rows_or_none({name: values[first:last] for name, values in inputs.items()}))
        if last < rows:
            # what was only tried leaves nothing in the file
            runs[-1].sim.predict()
            runs.append(resumed(runs[-1], threads))
    whole = Recorded(sketch.build())
    whole.sim.run(rows_or_none(inputs))
    differences = whole.story().differences(runs[-1].story(*runs[:-1]))
    assert differences == []
    assert whole.sim.curves.events == runs[-1].sim.curves.events
    assert runs[-1].sim.tick == whole.sim.tick and runs[-1].sim.threads in (1, threads)


@law
@given(sketches(), SEEDS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_what_was_changed_before_a_checkpoint_stays_so(sketch, seed, cut, random):
    rows = rows_of(sketch)
    inputs = sketch.inputs(rows, seed)
    parts = [rows_or_none({name: values[part] for name, values in inputs.items()})
             for part in (slice(cut), slice(cut, None))]
    first = Recorded(sketch.build())
    first.sim.run(parts[0])
    change_at_random(first.sim, sketch, random)
    second = resumed(first, 1)
    for run in (first, second):
        run.sim.run(parts[1])
    after = {signal: probe.values[-len(second.probes[signal].values) :] for signal, probe in first.probes.items()}
    assert replace(first.story(), signals=after).differences(second.story()) == []
    assert first.sim.curves.events == second.sim.curves.events
    assert first.sim.graph.node_link() == second.sim.graph.node_link()


@law
@given(sketches(), SEEDS, st.integers(0, 6), st.sampled_from([1, 2, 3, 5]), st.integers(2, 3))
@pytest.mark.filterwarnings("ignore::cortexsim.errors.RegionWarning")
def test_same_bits_where_regions_diverge(sketch, seed, row, block, threads):
    rows = rows_of(sketch)
    inputs = sketch.inputs(rows, seed)
    row = min(row, rows - 1)
    inputs["x"][row] *= np.float32(1e30)
    runs = [Recorded(sketch.build()), Recorded(sketch.build(), longest_block=block, threads=threads),
            Recorded(sketch.build())]
    for run in runs[:2]:
        run.sim.run(inputs)
    runs[2].sim.run({name: values[: row + 1] for name, values in inputs.items()})
    last = resumed(runs[2], threads)
    last.sim.run({name: values[row + 1 :] for name, values in inputs.items()})
    whole = runs[0].story()
    assert whole.differences(runs[1].story()) == [] == whole.differences(last.story(runs[2]))
    events = runs[0].sim.curves.events
    event("a region diverges" if events else "no region diverges")
    assert events == runs[1].sim.curves.events == last.sim.curves.events
    # it is silent at that very tick, and nobody ever reads a number that is none
    for entry in [entry for entry in events if entry["what"] == "divergence"]:
        assert not any(values[entry["tick"]].any() for signal, values in whole.signals.items()
                       if signal.startswith(f"{entry['where']}."))
    assert all(np.isfinite(values).all() for values in whole.signals.values())
    # and whoever cannot hear of it goes on as if nothing had been
    calm = run_story(sketch, sketch.inputs(rows, seed), rows)
    reached = {"x"} | nx.descendants(runs[0].sim.graph, "x")
    assert {what.removeprefix("curve of ").split(".")[0] for what in calm.differences(whole)} <= reached
    assert {entry["where"] for entry in events} <= reached


@pytest.mark.parametrize("way", ["a checkpoint", "a copy"])
def test_a_kernel_still_reads_in_place_what_its_edges_brought_last(way):
    # without a span "init" the settling region starts a trial from the priors of the tick before
    graph, x = settling(trial=3, feedforward=True), np.random.default_rng(0).uniform(-1, 1, (8, 6))
    whole, first = Recorded(graph), Recorded(graph)
    whole.sim.run({"x": x})
    first.sim.run({"x": x[:4]})
    second = resumed(first, 1) if way == "a checkpoint" else Recorded(first.sim.copy())
    second.sim.run({"x": x[4:]})
    assert whole.story().differences(second.story(first)) == []


def test_regions_that_diverge_at_one_tick_are_told_by_name():
    graph = cs.RegionGraph()
    graph.add_source("x", size=2)
    # each is visited before the one that reads its prediction
    graph.add_region("c", predicts="x", context="x@1")
    graph.add_region("b", predicts="x", context=["x@1", "c.prediction@0"])
    graph.add_region("a", predicts="x", context=["x@1", "b.prediction@0"])
    inputs = np.random.default_rng(0).normal(size=(20, 2))
    inputs[7] = 1e30
    for block in (1, 5, None):
        sim = cs.Simulation(graph, longest_block=block)
        with pytest.warns(cs.RegionWarning):
            sim.run({"x": inputs})
        assert [entry["where"] for entry in sim.curves.events if entry["what"] == "divergence"][:3] == ["a", "b", "c"]


def test_what_an_edge_holds_outside_its_span_is_in_a_checkpoint():
    graph = cs.RegionGraph()
    graph.set_trial(3, {"end": (2, 3)})
    graph.add_source("x", size=2)
    graph.add_region("r", predicts={"from": "x", "span": "end", "outside": "hold"}, context="x@1")
    inputs, whole, first = np.random.default_rng(0).normal(size=(4, 2)), Recorded(graph), Recorded(graph)
    whole.sim.run({"x": inputs})
    first.sim.run({"x": inputs[:2]})
    second = resumed(first, 1)
    second.sim.run({"x": inputs[2:]})
    # from the end of the first trial on it always has a target
    assert second.sim.curves.acc[0, :, 7].sum() == 10
    assert whole.story().differences(second.story(first)) == []


def test_same_bits_for_a_run_longer_than_the_rings_of_its_sources():
    inputs, whole, parts = data(5000), Recorded(small_graph()), Recorded(small_graph())
    whole.sim.run(inputs)
    for first in range(0, 5000, 700):
        parts.sim.run(rows_of_data(inputs, first, first + 700))
    assert whole.sim.plan.block < max(slots for _, slots in whole.sim.memory.count_rings.values()) < 5000
    assert same_bits(whole.probes["x.value"].values, inputs["x"])
    assert whole.story().differences(parts.story()) == []


@law
@given(sketches(), SEEDS, SILENT)
def test_after_a_reset_nothing_of_the_past_is_left_but_what_was_learned(sketch, seed, silent):
    # so many ticks that all clocks stand where they began
    rows = math.lcm(*range(2, 5), sketch.trial) // sketch.trial
    one = Recorded(sketch.build())
    one.sim.run(rows_or_none(sketch.inputs(rows, seed)))
    frozen = [name for name in sketch.kinds if not one.sim.graph.nodes[name]["frozen"]]
    one.sim.freeze()
    two = Recorded(one.sim.copy())
    for k, run in enumerate((one, two)):
        run.sim.run(rows_or_none(sketch.inputs(rows, seed + k, silent)))
        run.sim.reset()
        run.sim.unfreeze(*frozen or ["*"])
    start = len(one.probes["x.value"].values), len(two.probes["x.value"].values)
    for run in (one, two):
        run.sim.run(rows_or_none(sketch.inputs(rows, seed + 2)))
    for signal in one.probes:
        after = [run.probes[signal].values[first:] for run, first in zip((one, two), start, strict=True)]
        assert same_bits(*after), signal
    # where gates have opened at other ticks, what is kept in turns may lie the other way round
    alike = {name for name, row in one.sim.memory.row.items()
             if one.sim.memory.status[row, DUE] == two.sim.memory.status[row, DUE]}
    arrays = arrays_of(two.sim)
    assert [name for name, values in arrays_of(one.sim).items()
            if name.split(".")[0] in alike and not same_bits(values, arrays[name])] == []


def change_at_random(sim: cs.Simulation, sketch: Sketch, random: random_module.Random) -> None:
    """Edit a simulation in every way that needs no new plan."""
    for name, values in other_values(sketch, random).items():
        sim.set_hyper(name, **values)
    sim.freeze(random.choice(sorted(sketch.kinds)))
    sim.unfreeze(random.choice(sorted(sketch.kinds)))
    sim.lesion(random.choice(sorted(sim.graph.edge_names())))
    if random.random() < 0.3:
        sim.reset()


# ---------------------------------------------------------------------- 7 hyperparameters are data

def other_values(sketch: Sketch, random: random_module.Random) -> dict[str, dict[str, Any]]:
    """Other values for some hyperparameters of every region, as far as they may change in a run."""
    found: dict[str, dict[str, Any]] = {}
    for name, region in cs.make_plan(sketch.build()).regions.items():
        values = found[name] = {}
        for key, known in region.kind.hyper_fields().items():
            value = region.hyper[key]
            # a rate for each weight starts from the learning rate, when the arrays are made
            fixed = known.structural or key == "learning_rate" and region.hyper["step_size"] in ("idbd", "autostep")
            # a step that is not normalised is small, or it diverges
            if fixed or key == "normalise" or random.random() < 0.3:
                continue
            if known.choices:
                values[key] = random.choice(known.choices)
            elif isinstance(value, bool):
                values[key] = not value
            elif isinstance(value, float):
                values[key] = max(value * random.choice([0.25, 0.9]), known.low or 0.0)
    return found


@law
@given(sketches(), SEEDS, st.randoms(use_true_random=False))
def test_a_hyperparameter_set_before_the_first_tick_is_as_good_as_one_in_the_graph(sketch, seed, random):
    rows = rows_of(sketch)
    inputs = rows_or_none(sketch.inputs(rows, seed))
    graph, late = sketch.build(), Recorded(sketch.build())
    for name, values in other_values(sketch, random).items():
        graph.nodes[name]["hyper"].update(values)
        late.sim.set_hyper(name, **values)
    early = Recorded(graph)
    for run in (early, late):
        run.sim.run(inputs)
    assert early.story().differences(late.story()) == []


@law
@given(sketches(), SEEDS, st.integers(1, 8), st.sampled_from([1, 3]), st.randoms(use_true_random=False))
def test_hyperparameters_change_in_the_middle_with_the_same_bits_and_no_compile(sketch, seed, cut, block, random):
    rows = rows_of(sketch)
    # from one row on: what is compiled at all is so by the first tick
    inputs = sketch.inputs(rows, seed)
    changed = other_values(sketch, random)
    parts = [rows_or_none({name: values[part] for name, values in inputs.items()})
             for part in (slice(cut), slice(cut, None))]
    one, two = Recorded(sketch.build()), Recorded(sketch.build(), threads=2, longest_block=block)
    for run in (one, two):
        run.sim.run(parts[0])
        for name, values in changed.items():
            run.sim.set_hyper(name, **values)
        compiled = native.compiled_count()
        run.sim.run(parts[1])
        assert native.compiled_count() == compiled
    assert one.story().differences(two.story()) == []
    assert one.sim.curves.events == two.sim.curves.events
    for name, values in changed.items():
        assert values.items() <= one.sim.hyper(name).items()


# ---------------------------------------------------------------------- 8 nothing lost

class Unplugged(Exception):
    """What a source raises here."""


@law
@given(sketches(), SEEDS, SILENT, st.integers(0, 3), st.booleans())
def test_a_source_that_fails_at_any_tick_loses_nothing_before_it(sketch, seed, silent, row, by_column):
    rows = max(4, rows_of(sketch))
    inputs = sketch.inputs(rows, seed, silent)
    recorded = Recorded(sketch.build())

    def camera(number: int) -> Any:
        if number == row:
            raise Unplugged
        return sample(inputs, number)["x"]

    def everything():
        for number in range(rows):
            yield sample(inputs, number) | {"x": camera(number)}

    given_inputs = {**rows_or_none(inputs), "x": camera} if by_column else everything()
    with pytest.raises(Unplugged):
        recorded.sim.run(given_inputs, rows * sketch.trial)
    assert recorded.sim.tick == recorded.sim.curves.n_ticks == row * sketch.trial
    if row:
        assert run_story(sketch, inputs, row).differences(recorded.story()) == []
    # plugged in again, it goes on as if nothing had been
    recorded.sim.run(rows_or_none({name: values[row:] for name, values in inputs.items()}))
    assert run_story(sketch, inputs, rows).differences(recorded.story()) == []
