"""Learning rates that change: the driver's part, which every kind with a learning rate has, with no line of its own."""

from __future__ import annotations

import numpy as np
import pytest

import cortexsim as cs
from cortexsim import runfolder
from cortexsim.cli_show import rates_text
from cortexsim.errors import KindError
from cortexsim.kinds import delta
from cortexsim.weight_rates import AUTOSTEP, IDBD, RULES

TICKS = 600


def inputs(seed: int = 0, ticks: int = TICKS) -> dict[str, np.ndarray]:
    """A noisy linear map of four numbers to two."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ticks, 4)).astype(np.float32)
    return {"x": x, "y": (x @ rng.standard_normal((4, 2)) + 0.1 * rng.standard_normal((ticks, 2))).astype(np.float32)}


def graph(step_size: str, **hyper: float) -> cs.RegionGraph:
    """One region that predicts y from x."""
    made = cs.RegionGraph()
    made.add_source("x", size=4, known="before")
    made.add_source("y", size=2)
    made.add_region("map", kind="delta", predicts="y", context=["x"], step_size=step_size, **hyper)
    return made


def test_a_decayed_rate_is_the_formula_and_is_on_the_curve():
    sim = cs.Simulation(graph("decayed", learning_rate=0.5, decay_time=50.0), seed=0)
    curves = sim.run(inputs())
    assert sim.learning_rates() == {"map": pytest.approx(0.5 / (1 + TICKS / 50))}
    # the curve holds the rate that was used: the first step is made with what was set
    used = 0.5 / (1 + np.arange(TICKS) / 50)
    wanted = [used[first : first + curves.bin_width].mean() for first in range(0, TICKS, curves.bin_width)]
    np.testing.assert_allclose(curves.curve("map", "rate"), wanted, rtol=1e-9)


def test_a_fixed_rate_stays_and_a_rate_that_learns_moves_from_both_sides():
    found = {}
    for rate in (0.001, 1.9):
        for rule in ("fixed", "hypergradient"):
            sim = cs.Simulation(graph(rule, learning_rate=rate), seed=0)
            sim.run(inputs(ticks=20_000))
            found[rule, rate] = sim.learning_rates()["map"]
    assert (found["fixed", 0.001], found["fixed", 1.9]) == (0.001, 1.9)
    assert found["hypergradient", 0.001] > 0.01
    assert found["hypergradient", 1.9] < 0.5


def test_a_rate_stays_within_the_range_of_its_hyperparameter():
    sim = cs.Simulation(graph("hypergradient", learning_rate=1.0, meta_rate=1.0), seed=0)
    same = np.ones((50, 4), np.float32)
    sim.run({"x": same, "y": 1e6 * np.arange(50, dtype=np.float32)[:, None] * np.ones(2, np.float32)})
    assert sim.learning_rates()["map"] == 2.0


@pytest.mark.parametrize("rule", ["decayed", "hypergradient"])
def test_frozen_regions_keep_their_rate(rule):
    sim = cs.Simulation(graph(rule, learning_rate=0.3), seed=0)
    data = inputs()
    sim.run({name: rows[:100] for name, rows in data.items()})
    before = sim.learning_rates()
    sim.freeze()
    sim.run({name: rows[100:300] for name, rows in data.items()})
    assert sim.learning_rates() == before
    assert before != {"map": 0.3}


@pytest.mark.parametrize("rule", ["decayed", "hypergradient"])
def test_copies_splits_and_edits_go_on_with_the_rate_as_it_is(rule):
    data = inputs()
    first, rest = ({name: rows[part] for name, rows in data.items()} for part in (slice(300), slice(300, None)))
    whole, split = (cs.Simulation(graph(rule, learning_rate=0.3), seed=0) for _ in range(2))
    whole.run(data)
    split.run(first)
    twin = split.copy()
    edited = split.copy()
    wider = graph(rule, learning_rate=0.3)
    wider.add_source("z", size=1)
    edited.replan(wider)
    assert edited.learning_rates() == split.learning_rates()
    for sim in (split, twin):
        sim.run(rest)
        assert sim.learning_rates() == whole.learning_rates()
        np.testing.assert_array_equal(sim.get("map.W"), whole.get("map.W"))
    edited.replan(graph(rule, learning_rate=0.7))
    assert edited.learning_rates() == {"map": 0.7}


def test_setting_a_rate_starts_it_anew():
    sim = cs.Simulation(graph("decayed", learning_rate=0.5, decay_time=10.0), seed=0)
    data = inputs()
    sim.run({name: rows[:90] for name, rows in data.items()})
    assert sim.learning_rates()["map"] == pytest.approx(0.05)
    sim.set_hyper("map", learning_rate=0.4)
    assert sim.learning_rates()["map"] == pytest.approx(0.4)
    sim.run({name: rows[90:100] for name, rows in data.items()})
    assert sim.learning_rates()["map"] == pytest.approx(0.2)


def test_a_modulator_scales_the_rate_that_has_been_learned():
    made = graph("decayed", learning_rate=0.5, decay_time=100.0)
    made.add_source("arousal", size=1)
    made.connect("arousal", "map", role="modulator", hyper="learning_rate", mode="scale", delay=1)
    sim = cs.Simulation(made, seed=0)
    sim.run({**inputs(ticks=100), "arousal": np.full((100, 1), 0.5, np.float32)})
    plain = cs.Simulation(graph("decayed", learning_rate=0.5, decay_time=100.0), seed=0)
    plain.run(inputs(ticks=100))
    sim.run({**inputs(ticks=1), "arousal": np.full((1, 1), 0.5, np.float32)})
    # the curve's last tick: half of what has decayed for 100 updates
    assert sim.curves.curve("map", "rate")[-1] == pytest.approx(0.5 * plain.learning_rates()["map"], rel=0.02)


def test_a_kind_without_the_vectors_of_its_gradient_is_refused(monkeypatch):
    monkeypatch.setattr(delta, "GRADIENT", ("error", "state"), raising=False)
    with pytest.raises(KindError, match=r"region 'map'.*step_size cannot be hypergradient: it writes no 'state'"):
        cs.Simulation(graph("hypergradient"), seed=0)


def test_the_run_folder_and_show_tell_the_rates(tmp_path, capsys):
    from cortexsim.cli import main
    sim = cs.Simulation(graph("hypergradient", learning_rate=0.01), seed=0)
    sim.run(inputs())
    files = runfolder.write(tmp_path, sim, {}, None)
    assert "learning_rates.png" in files
    assert main(["show", str(tmp_path)]) == 0
    assert f"learning rates  {sim.learning_rates()['map']:.3g} in map" in capsys.readouterr().out
    fixed = cs.Simulation(graph("fixed"), seed=0)
    fixed.run(inputs())
    assert "learning_rates.png" not in runfolder.write(tmp_path, fixed, {}, None)
    assert not (tmp_path / "learning_rates.png").exists()


def test_the_rules_of_single_weights_have_the_numbers_that_compiled_code_holds():
    assert [RULES.index(name) for name in ("idbd", "autostep")] == [IDBD, AUTOSTEP]


def test_rates_are_told_largest_first_and_many_alike_together():
    assert rates_text({"a": 0.1, "b": None, "c": 0.25, "d": 0.1}) == "0.25 in c, 0.1 in a and d"
    many = {f"region {k}": 0.1 for k in range(20)} | {"odd": 1.849}
    assert rates_text(many) == "1.85 in odd, 0.1 in 20 regions"
