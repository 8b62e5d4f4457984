"""A kind outside the package: a file of the user's, reached by its dotted path, with nothing else touched."""

from __future__ import annotations

import importlib
import itertools
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import cortexsim as cs
from cortexsim.catalogue import load_toml, to_toml

# the perceptron: a unit says 1 or 0, and learns only where it was wrong
RULE = '''
from dataclasses import dataclass

import numpy as np

from cortexsim import helper, hyper

NEEDS = ("context", "target")
LEARNED = ("W", "b")
AXES = {"W": ("unit", "context"), "b": ("unit",)}


@dataclass(frozen=True)
class Hyper:
    learning_rate: float = hyper(0.1, "step of each weight", low=0.0, high=1.0, scale="log", unit="1/tick")
    margin: float = hyper(0.0, "how far from zero the sum must be to count as sure", low=0.0, high=10.0)


def ports(hyper, shapes):
    return {"prediction": shapes.target_shape, "error": shapes.target_shape}


def allocate(hyper, shapes, rng):
    return {"W": np.zeros((shapes.n_target, shapes.n_context), np.float32), "b": np.zeros(shapes.n_target, np.float32)}


@helper
def total(r, i):
    found = r.b[i]
    for j in range(r.context.shape[0]):
        found += r.W[i, j] * r.context[j]
    return found


def predict(r):
    for i in range(r.prediction.shape[0]):
        r.prediction[i] = np.float32(total(r, i) > r.margin)


def update(r):
    loss = np.float32(0.0)
    for i in range(r.error.shape[0]):
        e = r.error[i]
        loss += e * e
        if r.learn == 1:
            r.b[i] += r.learning_rate * e
            for j in range(r.context.shape[0]):
                r.W[i, j] += r.learning_rate * e * r.context[j]
    r.score[0] = loss / r.error.shape[0]
'''


_serial = itertools.count()


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Write a module of the user's beside the test; its name is new each time, since kinds are kept once found."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text: str) -> str:
        name = f"mylab{next(_serial)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return name

    return write


def separable(ticks: int = 2000) -> dict[str, np.ndarray]:
    """Points of a plane, and on which side of a line each lies, with a gap between the sides."""
    points = np.random.default_rng(0).uniform(-1, 1, size=(4 * ticks, 2))
    side = points @ [1.0, -2.0] + 0.3
    clear = np.abs(side) > 0.2
    return {"point": points[clear][:ticks], "side": (side[clear][:ticks] > 0).astype(float)[:, None]}


def graph_with(kind, **hyper) -> cs.RegionGraph:
    graph = cs.RegionGraph(name="by path")
    graph.add_source("point", size=2, known="before")
    graph.add_source("side", size=1)
    graph.add_region("unit", kind=kind, predicts="side", context="point", **hyper)
    return graph


# -- a sound one -----------------------------------------------------------------------------------------------------

def test_it_learns(lab):
    sim = cs.Simulation(graph_with(lab(RULE) + ":"), seed=0)
    curves = sim.run(separable())
    # a perceptron makes a bounded number of errors on what a line with a gap can part
    assert curves.final("unit")["loss"] == 0.0
    assert curves.final("unit")["skill"] == 1.0
    weights = sim.get("unit.W")[0]
    assert weights @ [1.0, -2.0] / np.linalg.norm(weights) / 5**0.5 > 0.99


def test_module_object_and_path_name_the_same_kind(lab):
    name = lab(RULE)
    module = importlib.import_module(name)
    runs = [cs.Simulation(graph_with(kind)).run(separable(300)).acc for kind in (module, f"{name}:")]
    assert np.array_equal(*runs)
    holder = lab(f"import {name} as rules\n")
    assert np.array_equal(cs.Simulation(graph_with(f"{holder}:rules")).run(separable(300)).acc, runs[0])


def test_what_every_kind_can_do_it_can_too(lab):
    data = separable(400)
    sim = cs.Simulation(graph_with(lab(RULE) + ":", learning_rate=0.05), seed=0)
    sim.run({name: rows[:200] for name, rows in data.items()})
    sim.freeze()
    kept = sim.get("unit.W")
    sim.run({name: rows[200:] for name, rows in data.items()})
    assert np.array_equal(sim.get("unit.W"), kept)
    sim.set_hyper("unit", margin=9.0)
    assert sim.predict({"point": [1.0, -1.0]})["unit"] == 0.0
    assert sim.hyper("unit").items() >= {"learning_rate": 0.05, "margin": 9.0, "step_size": "fixed"}.items()


def test_learned_values_survive_an_edit_by_axes(lab):
    sim = cs.Simulation(graph_with(lab(RULE) + ":"))
    sim.run(separable(300))
    before = sim.get("unit.W")
    sim.graph.connect("point@1", "unit")
    sim.replan()
    after = sim.get("unit.W")
    assert after.shape == (1, 4)
    old = next(edge for edge in sim.plan.regions["unit"].shapes.context if edge.delay == 0)
    assert np.array_equal(after[:, old.start:old.stop], before)
    assert not np.delete(after, np.s_[old.start:old.stop], axis=1).any(), "the new edge starts at zero"


def test_a_toml_file_lists_it(lab):
    kind = lab(RULE) + ":"
    text = f"""
        [defaults.kind."{kind}"]
        margin = 0.5
        [sources.point]
        size = 2
        known = "before"
        [sources.side]
        size = 1
        [regions.unit]
        kind = "{kind}"
        predicts = "side"
        context = "point"
        learning_rate = 0.05
        """
    graph = load_toml(textwrap.dedent(text), allow_kinds=[kind])
    assert graph.nodes["unit"]["hyper"] == {"learning_rate": 0.05, "margin": 0.5}
    assert load_toml(to_toml(graph), allow_kinds=["mylab*"]).same(graph)
    assert graph.copy().check().same(graph), "what was read is the caller's own"
    assert cs.Simulation(graph).run(separable(50)).kinds == [kind]


def test_an_object_of_the_main_script_is_found(tmp_path):
    lines = [line if not line or line.startswith(("from", "import")) else line for line in RULE.splitlines()]
    script = "\n".join([*lines, "import sys", "import cortexsim as cs", "graph = cs.RegionGraph()",
                        "graph.add_source('x', size=1)",
                        "graph.add_region('unit', kind=sys.modules['__main__'], predicts='x', context='x@1')",
                        "print(cs.Simulation(graph).run({'x': np.arange(50) % 2}).final('unit')['loss'])"])
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.0\n"


# -- misspelt --------------------------------------------------------------------------------------------------------

def test_a_misspelt_kind_gets_the_nearest(lab):
    name = lab(RULE)
    with pytest.raises(cs.GraphError, match=r"region 'unit': kind 'detla' is not known; did you mean 'delta'\?"):
        graph_with("detla")
    missing = (rf"region 'unit': kind '{name}x:' cannot be imported: No module named '{name}x'; kinds outside the "
               r"package are named 'module:object'; known: ")
    with pytest.raises(cs.GraphError, match=missing):
        graph_with(f"{name}x:")
    with pytest.raises(cs.GraphError, match=rf"region 'unit': kind '{name}:Hyperr' is not there: '{name}' has no "
                                            r"'Hyperr'; did you mean 'Hyper'\?"):
        graph_with(f"{name}:Hyperr")
    with pytest.raises(cs.GraphError, match=r"region 'unit': kind ':unit' cannot be imported: Empty module name"):
        graph_with(":unit")
    with pytest.raises(cs.KindError, match=r"kind: must be a name, a module or a class \(got 'int'\)"):
        graph_with(3)


def test_a_misspelt_or_wild_hyperparameter_of_it_is_named(lab):
    kind = lab(RULE) + ":"
    with pytest.raises(cs.GraphError, match=rf"region 'unit': kind '{kind}' has no hyperparameter 'learning_rat'; "
                                            r"did you mean 'learning_rate'\?"):
        graph_with(kind, learning_rat=0.1)
    with pytest.raises(cs.KindError, match=r"region 'unit': learning_rate must be a number in \[0, 1\] \(got 2\.0\); "
                                           r"the default is 0\.1"):
        graph_with(kind, learning_rate=2.0)


# -- broken ----------------------------------------------------------------------------------------------------------

def without(function: str) -> str:
    """The rule with one of its functions left out."""
    return re.sub(rf"^def {function}\(.*?(?=^\S|\Z)", "", RULE, flags=re.M | re.S)


def changed(old: str, new: str) -> str:
    assert old in RULE
    return RULE.replace(old, new)


ALLOCATED = 'return {"W": np.zeros((shapes.n_target, shapes.n_context), np.float32),'
PORTS = 'return {"prediction": shapes.target_shape, "error": shapes.target_shape}'

BROKEN = {
    "no Hyper": ("", "needs Hyper, a frozen dataclass"),
    "Hyper not frozen": (changed("@dataclass(frozen=True)", "@dataclass"), "needs Hyper, a frozen dataclass"),
    "Hyper of plain fields": (changed('hyper(0.0, "how far from zero the sum must be to count as sure", low=0.0, '
                                      "high=10.0)", "0.0"),
                              r"Hyper\.margin must be made by cortexsim\.kind\.hyper\(default, doc, \.\.\.\)"),
    "Hyper hides the clock": (changed("margin: float", "tick: float").replace("r.margin", "r.tick"),
                              r"Hyper\.tick has a name that every view uses; rename it"),
    **{f"no {name}": (without(name), f"needs a function '{name}'") for name in (
        "allocate", "ports", "predict", "update")},
    "two arguments": (changed("def predict(r):", "def predict(r, seed):"),
                      "kernel 'predict' must take one argument, the view of its region"),
    "clamp of one array": ('CLAMP = ("W",)' + RULE, "CLAMP must name two arrays, the values of the"),
    "clamp without a state": ('CLAMP = ("W", "b")' + RULE, "CLAMP must name two arrays, the values of the"),
    "clamp, not allocated": ('PORTS, CLAMP = ("prediction", "error", "state"), ("v", "held")' + RULE,
                             r"CLAMP names 'v', which allocate does not bring; known: W, b"),
    "not a dict": (changed(ALLOCATED, "return [1] or {"),
                   r"allocate\(\) must return a dict from names to arrays \(got 'list'\)"),
    "dtype": (changed(ALLOCATED, ALLOCATED.replace("float32", "float16")),
              r"array 'W' must be float32, float64, int32 or int64 \(got 'float16'\)"),
    "a list as array": (changed(ALLOCATED, 'return {"W": [0.0],'),
                        r"array 'W' must be float32, float64, int32 or int64 \(got 'list'\)"),
    "learned, not allocated": (changed('LEARNED = ("W", "b")', 'LEARNED = ("W", "bias", "b")'),
                               r"LEARNED names 'bias', which allocate does not bring; known: W, b"),
    "an array hides a port": (changed('"b": np', '"state": np.zeros(3, np.float32), "b": np'),
                              r"array 'state' has a name that every view uses; rename it"),
    "an array hides a hyperparameter": (changed('"b": np', '"margin": np.zeros(3, np.float32), "b": np'),
                                        r"array 'margin' has a name that its Hyper uses; rename it"),
    "unknown port": ('PORTS = ("prediction", "eror")' + RULE, r"PORTS holds 'eror'; did you mean 'error'\?"),
    "unknown role": ('ROLES = ("context", "targets")' + RULE, r"ROLES holds 'targets'; did you mean 'target'\?"),
    "unknown need": (changed('NEEDS = ("context",', 'NEEDS = ("kontext",'),
                     r"NEEDS holds 'kontext'; did you mean 'context'\?"),
    "a port that it does not name": (changed('"error": shapes.target_shape}', '"errors": shapes.target_shape}'),
                                     r"ports\(\) returns 'errors', which PORTS does not name; did you mean 'error'\?"),
    "shapes that are none": (changed(PORTS, PORTS.replace("target_shape", "n_target")),
                             r"ports\(\) must return a dict from ports to shapes, tuples of whole numbers \(got "),
    "no prediction to compare": (changed(PORTS, 'return {"error": shapes.target_shape}'),
                                 r"without a compare kernel, 'prediction' must have the size of the target, 1 "
                                 r"\(got None\)"),
    "another size than the target": (changed(PORTS, PORTS.replace("shapes.target_shape", "(7,)")),
                                     r"without a compare kernel, 'prediction' must have the size of the target, 1 "
                                     r"\(got \(7,\)\)"),
    "unknown list": ('LISTS = "states"' + RULE, r"LISTS names 'states', which is no port; did you mean 'state'\?"),
    "unknown unit": ('SCORE = "nats"' + RULE, r"SCORE must be one of mse, bits \(got 'nats'\)"),
    "unknown score": ('SCORES = "forecasts"' + RULE,
                      r"SCORES must be one of forecast, reconstruction \(got 'forecasts'\)"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_kind_is_refused_with_its_name_and_the_attribute(name, lab):
    text, message = BROKEN[name]
    kind = lab(text) + ":"
    with pytest.raises((cs.GraphError, cs.KindError), match=f"kind '{kind}':? {message}"):
        cs.Simulation(graph_with(kind))


@pytest.mark.parametrize(("old", "new", "reason"), [
    ("r.margin", "r.marginn", r"Unknown attribute 'marginn' of type View \(File .*mylab.*line 37\)$"),
    ("r.prediction[i] =", "prediction[i] =", r"NameError: name 'prediction' is not defined$"),
    ("np.float32(total(r, i) > r.margin)", "'yes'", r"No implementation of function .* setitem\(.*line 37\)$"),
])
def test_a_kernel_that_does_not_compile_is_named_with_the_reason(old, new, reason, lab):
    module = lab(changed(old, new))
    with pytest.raises(cs.KindError, match=rf"kernel 'predict' of '{module}': does not compile: {reason}"):
        cs.Simulation(graph_with(module + ":")).run(separable(10))
