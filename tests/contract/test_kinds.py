"""What every kind of the package owes, found by listing the folder: the naive twin, fused and parted, native or not."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import cortexsim as cs
import reference
from contract.running import Recorded, Story, same_bits
from contract.test_laws import near
from cortexsim.engine import Engine
from cortexsim.kind import PORTS
from naive import TWINS

ROOT = Path(__file__).parents[2]
KINDS = cs.list_kinds()
TICKS = 40
# these read dense edges only
DENSE = ("reservoir", "rls")


def choices_of(kind: str) -> list[dict]:
    """Combinations of the choices and switches of a kind, the other hyperparameters as they are.

    All of them; where they are too many, those in which one or two differ from the defaults.
    """
    fields = cs.find_kind(kind).hyper_fields()
    words = {name: known.choices or (False, True) for name, known in fields.items()
             if known.choices or isinstance(known.default, bool)}
    found = [dict(zip(words, values, strict=True)) for values in itertools.product(*words.values())]
    if len(found) > 100:
        found = [hyper for hyper in found if sum(fields[name].default != value for name, value in hyper.items()) <= 2]
    return found


def graph_of(kind: str, fields: bool = False, **hyper) -> cs.RegionGraph:
    """One region of a kind that reads two dense edges, and edges with fields where `fields` is set."""
    found = cs.find_kind(kind)
    graph = cs.RegionGraph()
    graph.add_source("x", shape=(3, 4, 2) if fields else (5,))
    graph.add_source("label", size=3)
    graph.add_source("bits", size=9, sparse=True)
    bits = found.score_unit(found.check_hyper("r", hyper)) == "bits"
    options: dict = {"predicts": "label" if bits else "x"}
    if "context" in found.roles:
        options["context"] = ["x@1", "x@2", "bits@1"]
        if fields and not bits and not hyper.get("sparse"):
            options["context"] += [("x@3", cs.window(3, wrap=True)), ("x@1", cs.window((2, 3), shared=True)),
                                   ("bits@2", cs.sparse(0.4)), ("x@4", cs.one_to_one())]
            options["context"] = [item if isinstance(item, str) else
                                  {"from": item[0], "field": item[1], "name": f"field{k}"}
                                  for k, item in enumerate(options["context"])]
    if found.settles:
        # its first units are those of its target
        options["size"] = 7
    elif "state" in found.port_names and kind != "temporal_memory":  # whose cells are as many as its columns make
        options["size"] = 4
        if fields:
            options.pop("size")
            options["shape"] = (2, 3, 3)
            options["predicts"] = {"from": "x", "field": cs.window(2, shared=fields == "shared")}
    graph.add_region("r", kind=kind, **options, **hyper)
    return graph


def inputs_of(graph: cs.RegionGraph, rows: int = TICKS) -> dict[str, np.ndarray]:
    """Correlated values for x, one-hot labels, sparse bits."""
    rng = np.random.default_rng(1)
    shape = graph.nodes["x"]["shape"]
    size = int(np.prod(shape))
    x = rng.normal(size=(rows, 3)) @ rng.normal(size=(3, size)) * 0.3 + 0.1 * rng.normal(size=(rows, size)) + 0.2
    return {"x": x.astype(np.float32), "label": np.eye(3, dtype=np.float32)[rng.integers(0, 3, rows)],
            "bits": (rng.random((rows, 9)) < 0.3).astype(np.float32)}


CASES = [(kind, hyper, fields) for kind in KINDS for hyper in choices_of(kind) for fields in (False, True)
         if not (fields and (hyper.get("sparse") or cs.find_kind(kind).settles or kind in DENSE))]
CASES += [("subspace", hyper, "shared") for hyper in choices_of("subspace")]
NAMES = [f"{kind}-{'-'.join(str(v) for v in hyper.values())}-{fields}" for kind, hyper, fields in CASES]


@pytest.mark.parametrize(("kind", "hyper", "fields"), CASES, ids=NAMES)
def test_kernels_match_the_naive_twin_tick_by_tick_from_the_same_state(kind, hyper, fields):
    graph = graph_of(kind, fields, **hyper)
    rates = {"decay": 0.01, "decay_updates": 50.0, "memory": 10.0}
    known = cs.find_kind(kind).hyper_fields()
    graph.nodes["r"]["hyper"].update({name: value for name, value in rates.items() if name in known})
    recorded, inputs = Recorded(graph), inputs_of(graph)
    sim = recorded.sim
    plain = reference.Reference(sim.plan, {"r": sim.parameters("r")})
    for t in range(TICKS):
        row = {name: values[t : t + 1] for name, values in inputs.items()}
        for key, array in sim.parameters("r").items():
            plain.regions["r"].arrays[key][...] = array
        sim.run(row)
        plain.run(row, 1)
        for port in sim.plan.regions["r"].ports:
            values, wanted = recorded.probes[f"r.{port}"].values[-1], plain.history(f"r.{port}")[-1]
            np.testing.assert_allclose(values, wanted, rtol=2e-5, atol=2e-6, err_msg=f"{port} at tick {t}")
        for key in sim.plan.regions["r"].kind.learned:
            np.testing.assert_allclose(sim.get(f"r.{key}"), plain.regions["r"].arrays[key], rtol=2e-5, atol=2e-6,
                                       err_msg=f"{key} at tick {t}")
    near(sim.curves.acc[0].sum(axis=0)[[0, 1, 2, 3, 4, 7]], plain.regions["r"].curve[[0, 1, 2, 3, 4, 7]], "curve")


def test_every_kind_has_a_naive_twin():
    assert sorted(TWINS) == KINDS


@pytest.mark.parametrize(("kind", "hyper", "fields"), CASES, ids=NAMES)
def test_a_fused_tick_has_the_bits_of_its_three_steps(kind, hyper, fields):
    graph = graph_of(kind, fields, **hyper)
    fused, parted = Recorded(graph), Recorded(graph)
    assert fused.sim.plan.order.fused == {"r"}
    plan = replace(parted.sim.plan, order=replace(parted.sim.plan.order, fused=set()))
    parted.sim.engine = Engine(plan, parted.sim.memory, parted.sim.curves.acc, 1)
    for run in (fused, parted):
        run.sim.run(inputs_of(graph))
        run.sim.freeze()
        run.sim.run(inputs_of(graph, 5))
    assert fused.story().differences(parted.story()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_float32_and_finite(kind):
    graph = graph_of(kind)
    recorded = Recorded(graph)
    recorded.sim.run(inputs_of(graph))
    for signal, values in recorded.story().signals.items():
        assert values.dtype == np.float32 and np.isfinite(values).all(), signal
    for key, array in recorded.sim.parameters("r").items():
        assert np.isfinite(array).all() and array.dtype.name in ("float32", "float64", "int32", "int64"), key
    assert {signal.split(".")[1] for signal in recorded.probes if signal.startswith("r.")} <= set(PORTS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_draws_its_first_values_from_its_region_s_name(kind):
    graph = graph_of(kind)
    one, same, other = cs.Simulation(graph, seed=1), cs.Simulation(graph, seed=1), cs.Simulation(graph, seed=2)
    graph.add_region("a-neighbour", predicts="x", context="x@1")
    more = cs.Simulation(graph, seed=1)
    for key, array in one.parameters("r").items():
        assert same_bits(array, same.get(f"r.{key}")) and same_bits(array, more.get(f"r.{key}"))
    drawn = [key for key, array in one.parameters("r").items() if len(np.unique(array)) > 3 and array.dtype.kind == "f"]
    assert all(not same_bits(one.get(f"r.{key}"), other.get(f"r.{key}")) for key in drawn)
    # the same region under another name draws from another stream
    named = cs.Simulation(nx.relabel_nodes(nx.MultiDiGraph(graph_of(kind)), {"r": "s"}), seed=1)
    assert all(not same_bits(one.get(f"r.{key}"), named.get(f"s.{key}")) for key in drawn)


# ---------------------------------------------------------------------- without the native path, and without a compiler

SCRIPT = """
import json, sys
import numpy as np
from contract.test_kinds import mixed_graphs
from contract.running import Recorded
from graphs import rows_or_none
for number, (graph, inputs, ticks) in enumerate(mixed_graphs()):
    recorded = Recorded(graph)
    recorded.sim.predict()
    recorded.sim.run(rows_or_none(inputs), ticks)
    story = recorded.story()
    np.savez(f"{sys.argv[1]}/{number}.npz", **story.signals, **story.arrays,
             **{f"curve {name}": values for name, values in story.curves.items()})
json.dump(recorded.sim.engine.why_fallback, open(f"{sys.argv[1]}/why.json", "w"))
"""


def mixed_graphs() -> list[tuple[cs.RegionGraph, dict, int]]:
    """Graphs of every kind: a hierarchy with clocks and gates, and settling clusters with trials, fake and real."""
    first = cs.RegionGraph()
    first.add_source("x", size=5)
    first.add_source("motor", size=2, known="before")
    first.add_source("bits", size=9, sparse=True)
    first.add_region("code", kind="subspace", predicts="x", size=3, rule="sanger", whiten=True)
    first.add_region("next", predicts="code.state", context=["code.state@1", "motor", "top.state@2"])
    first.add_region("top", kind="subspace", predicts="code.state", size=2, period=2)
    first.add_region("gated", predicts="x", context=["bits@1"], sparse=True, gate="motor[0]", when_closed="hold")
    first.add_region("field", predicts="x", context=("x@1", cs.window(3)), output="sigmoid")
    first.connect("motor[1]", "next", "modulator", hyper="learning_rate")
    rng = np.random.default_rng(0)
    inputs = {"x": rng.uniform(-0.5, 0.5, (25, 5)).astype(np.float32),
              "motor": rng.uniform(-1, 1, (25, 2)).astype(np.float32),
              "bits": (rng.random((25, 9)) < 0.3).astype(np.float32)}
    inputs["x"][7] = np.nan
    second = cs.RegionGraph()
    second.set_trial(5, {"minus": (0, 3), "plus": (3, 5)}, score_at=0)
    second.add_source("x", size=4)
    second.add_region("sheet", kind="contract.fake_kinds:Sense", predicts="x")
    second.add_region("low", kind="contract.fake_kinds:Settle", predicts="sheet.state", size=3, learn_at=4)
    second.add_region("guess", predicts={"from": "x", "span": "plus", "outside": "silent"}, context="low.state@1")
    third = cs.RegionGraph()
    third.set_trial(5, {"init": (1, 2)})
    third.add_source("x", size=4)
    third.add_region("sheet", kind="predictive_coding", predicts="x", size=4)
    third.add_region("low", kind="predictive_coding", predicts="sheet.state", size=3, context="sheet.state@1",
                     activation="sigmoid", precision_rate=0.01)
    third.add_region("high", kind="predictive_coding", predicts=["low.state", "sheet.state"], size=2, max_norm=0.8,
                     state_prior="sparse", learning="incremental")
    few = {"x": rng.uniform(-0.5, 0.5, (6, 4)).astype(np.float32)}
    return [(first, inputs, 25), (second, few, 30), (third, few, 30)]


def run_elsewhere(folder: Path, **environment: str) -> tuple[list[dict[str, np.ndarray]], str]:
    """The stories of the mixed graphs in a process of its own, and why it used the fallback."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], check=True, timeout=300,
                   env={**os.environ, "PYTHONPATH": path, **environment})
    stories = [dict(np.load(folder / f"{number}.npz")) for number in range(len(mixed_graphs()))]
    return stories, json.loads((folder / "why.json").read_text())


def here(graph: cs.RegionGraph, inputs: dict[str, np.ndarray], ticks: int) -> Story:
    """The story in this process."""
    from graphs import rows_or_none

    recorded = Recorded(graph)
    recorded.sim.predict()
    recorded.sim.run(rows_or_none(inputs), ticks)
    return recorded.story()


@pytest.mark.parametrize(("environment", "why"), [
    ({"CORTEXSIM_NATIVE": "0"}, "CORTEXSIM_NATIVE=0 is set"),
    ({"NUMBA_DISABLE_JIT": "1"}, "numba's JIT is switched off"),
])
def test_the_fallback_gives_the_same_numbers(tmp_path, environment, why):
    stories, reason = run_elsewhere(tmp_path, **environment)
    assert reason == why
    for (graph, inputs, ticks), elsewhere in zip(mixed_graphs(), stories, strict=True):
        story = here(graph, inputs, ticks)
        learned = {f"{name}.{key}" for name in graph.regions
                   for key in cs.find_kind(graph.nodes[name]["kind"]).learned}
        for name, values in {**story.signals, **{k: v for k, v in story.arrays.items() if k in learned}}.items():
            np.testing.assert_allclose(elsewhere[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
        for name, values in story.curves.items():
            near(elsewhere[f"curve {name}"].sum(axis=0)[:5], values.sum(axis=0)[:5], name)


def test_this_process_runs_native_code():
    """Otherwise the test above would hold the fallback against itself."""
    sim = cs.Simulation(graph_of(KINDS[0]))
    sim.engine.prepare()
    assert sim.engine.why_fallback == ""
