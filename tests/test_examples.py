"""The examples run as a user would run them, say what they said when they were recorded, and leave their figures."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cortexsim.catalogue import load_toml

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
FIGURES = {
    "banana_hat": ["banana_hat.png"],
    "build_a_graph": ["eye_curves.png", "eye_graph.png"],
    "custom_kind": ["median_forecasts.png"],
    "digits_queries": ["digits_queries.png"],
    "encode_a_series": ["encoded_series.png"],
    "forecast_taxi": ["forecast_taxi.png"],
    "forecasting": ["load_forecast.png"],
    "from_toml": ["toml_curves.png"],
    "long_range": ["long_range.png"],
    "lesion_study": ["saccade_intact.png", "saccade_lesioned.png"],
    "own_data": ["own_curves.png", "own_forecast.png"],
    "rao_ballard": ["rao_ballard.png"],
    "reservoir": ["reservoir.png"],
    "sequence_memory": ["sequence_memory.png"],
    "stop_and_resume": ["resumed_curves.png"],
}
# the last bits differ between processors, and a few thousand ticks of learning carry them up
TOLERANCE = 0.02

_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")


def run(name: str, folder: Path, *arguments: str) -> str:
    """Run an example from another folder, as a file, and return what it printed."""
    done = subprocess.run([sys.executable, str(EXAMPLES / f"{name}.py"), "--out", "made", *arguments], cwd=folder,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def words_and_numbers(text: str) -> tuple[str, list[float]]:
    """Part a text into its words, with # for each number, and the numbers."""
    numbers = [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
    return " ".join(_NUMBER.sub("#", text).split()), numbers


def differences(printed: str, recorded: str) -> list[str]:
    """Say where two printed texts differ: words must be equal, whole numbers too, others within the tolerance."""
    (words, numbers), (wanted, right) = words_and_numbers(printed), words_and_numbers(recorded)
    if words != wanted:
        return [f"words: {words!r} instead of {wanted!r}"]
    pairs = zip(numbers, right, strict=True)
    return [f"number {place}: {number} instead of {true}" for place, (number, true) in enumerate(pairs)
            if abs(number - true) > (0 if true.is_integer() and abs(true) >= 2 else TOLERANCE)]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each example printed, and the folder in which it ran; each runs once."""
    done: dict[str, tuple[str, Path]] = {}

    def get(name: str) -> tuple[str, Path]:
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            done[name] = run(name, folder), folder
        return done[name]

    return get


def test_the_list_is_complete():
    assert [path.stem for path in SCRIPTS] == sorted(FIGURES)
    assert sorted(path.stem for path in EXAMPLES.glob("*.out")) == sorted(FIGURES)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_is_a_page(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_it_prints_what_was_recorded_and_saves_its_figures(name, printed):
    text, folder = printed(name)
    assert differences(text, (EXAMPLES / f"{name}.out").read_text()) == []
    for figure in FIGURES[name]:
        assert (folder / "made" / figure).read_bytes().startswith(b"\x89PNG"), figure
    assert [path.name for path in folder.iterdir()] == ["made"], "it writes into --out only"


def test_a_difference_is_seen():
    recorded = "skill of next 0.930 at 19,999 ticks (V1-east@1)"
    assert differences("skill of next  0.935 at 19,999 ticks (V1-east@1)", recorded) == []
    assert differences("skill of next 0.960 at 19,999 ticks (V1-east@1)", recorded) == [
        "number 0: 0.96 instead of 0.93"]
    assert differences("skill of next 0.930 at 19,998 ticks (V1-east@1)", recorded) == [
        "number 1: 19998.0 instead of 19999.0"]
    assert differences("skill of last 0.930 at 19,999 ticks (V1-east@1)", recorded)[0].startswith("words: ")
    assert differences("skill of next 0.930 at 19,999 ticks (V2-east@1)", recorded)[0].startswith("words: ")


def test_the_toml_file_is_the_graph_of_the_script(printed, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from build_a_graph import build

    graph, read = build(), load_toml(EXAMPLES / "eye.toml")
    assert sorted(read.edge_names()) == sorted(graph.edge_names())
    assert {name: read.nodes[name]["hyper"] for name in read.regions} == {
        name: graph.nodes[name]["hyper"] for name in graph.regions}
    script, toml = printed("build_a_graph")[0], printed("from_toml")[0]
    assert toml.startswith(script), "the same table to the last digit"
    assert toml.splitlines()[-1] == "as_run.toml holds the same graph: True"


def test_own_data_takes_a_file_of_the_users(tmp_path):
    rows = itertools.chain(["day;price;price of tea"], (f"d{t};{t % 7};{(t * t) % 11}" for t in range(400)))
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    lines = run("own_data", tmp_path, "--data", "mine.csv").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["price-own", "price-all", "price_of_tea-own", "price_of_tea-all"]
    # 8 lags of a column hold its whole period of 7
    skill, last_value = map(float, lines[1].split()[1:])
    assert skill > max(0.5, last_value + 0.2)


def test_the_lesion_costs_what_the_study_says(printed):
    text, _ = printed("lesion_study")
    intact, lesioned = ([float(cell) for cell in line.split()[-3:]] for line in text.splitlines()[-2:])
    assert intact[1:] == lesioned[1:], "both are judged on the same ticks"
    assert intact[0] < 0.5 * intact[1], "with the saccade it beats the last value"
    assert lesioned[0] > 3 * intact[0]


def test_the_rule_of_ones_own_takes_40_lines():
    tree = ast.parse((EXAMPLES / "custom_kind.py").read_text())
    (rule,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert rule.end_lineno - rule.lineno + 1 <= 40


def test_object_and_dotted_path_are_the_same_rule_and_outliers_do_not_move_it(printed):
    text, _ = printed("custom_kind")
    rows = {line.split()[0]: [float(cell) for cell in line.split()[1:]] for line in text.splitlines()[1:]}
    assert rows["median"] == rows["median-by-path"]
    assert all(rows["median"][k] < 0.2 * rows["delta"][k] for k in (0, 1))
