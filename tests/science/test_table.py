"""The table of results: what is counted as met, how it is written, and that the README shows the present one."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import science
from benchmarks.measures import Goal, Result, meets, summary

ROOT = Path(__file__).parents[2]
KEYS = {"ours", "sd", "seeds", "published", "baselines", "goal", "better", "met", "mean", "words"}


def entry(**changed) -> dict:
    goal = Goal(0.5, "lower", "an error", "rad", published=0.25, citation="A. Nobody 1999")
    return summary(goal, [Result(0.4, {"last value": 1.0}), Result(0.2, {"last value": 2.0})]) | changed


@pytest.mark.parametrize(("better", "ours", "met"), [
    ("lower", 0.4, True), ("lower", 0.5, True), ("lower", 0.6, False), ("lower", math.nan, False),
    ("higher", 0.6, True), ("higher", 0.4, False), ("higher", math.inf, False)])
def test_a_figure_meets_its_goal_on_the_better_side_only(better, ours, met):
    assert meets(Goal(0.5, better, "x"), Result(ours)) is met


def test_every_seed_has_to_meet_the_goal():
    assert summary(Goal(0.5, "lower", "x"), [Result(0.1), Result(0.6)])["met"] is False
    assert summary(Goal("a part", "lower", "x"), [Result(0.4, goal=0.5), Result(0.8, goal=0.9)])["met"] is True


def test_a_summary_holds_means_and_the_strictest_goal():
    told = summary(Goal("a part", "lower", "x"), [Result(0.4, {"a": 1.0}, 0.5), Result(0.8, {"a": 3.0}, 0.9)])
    assert (round(told["ours"], 6), told["seeds"], told["baselines"], told["goal"]) == (0.6, 2, {"a": 2.0}, 0.5)
    assert told["sd"] == pytest.approx(0.4 / 2 ** 0.5)
    assert summary(Goal(0.5, "lower", "x"), [Result(0.1)])["sd"] is None


def test_a_goal_may_be_one_for_the_mean():
    told = summary(Goal(0.5, "lower", "x", mean=True), [Result(0.1), Result(0.6)])
    assert told["met"] is True and told["mean"] is True
    assert summary(Goal(0.3, "lower", "x", mean=True), [Result(0.1), Result(0.6)])["met"] is False


def test_a_goal_is_told_as_it_is_judged():
    cells = [science._bound(summary(goal, [Result(0.4, goal=0.5), Result(0.8, goal=0.9)])) for goal in (
        Goal("a tenth above a filter", "lower", "x"), Goal(0.5, "higher", "x", mean=True), Goal(0.5, "higher", "x"))]
    assert cells == ["at most a tenth above a filter, seed by seed (the strictest 0.500)", "at least 0.900 in the mean",
                     "at least 0.900"]


def test_a_goal_in_words_needs_a_bound_from_every_run():
    with pytest.raises(ValueError, match=r"^the goal is given in words \(a part\), so every result must bring its own"):
        summary(Goal("a part", "lower", "x"), [Result(0.1)])
    with pytest.raises(ValueError, match="^better must be 'higher' or 'lower', not 'less'$"):
        meets(Goal(0.5, "less", "x"), Result(0.1))


@pytest.mark.parametrize(("value", "text"), [
    (None, "none"), (0.0, "0"), (0.03651, "0.0365"), (1.5555, "1.56"), (123.4, "123"), (2e-5, "2.00e-05"),
    (-0.25, "-0.250"), (math.nan, "nan")])
def test_figures_are_written_with_three_digits(value, text):
    assert science.number(value) == text


def test_the_tables_show_figure_spread_published_baselines_and_goal():
    results = {"experiments": {"demo": {"measures": {"error": entry(), "other": entry(met=False, sd=None, seeds=1)}}}}
    lines = science.markdown_table(results).splitlines()
    assert lines[2] == ("| demo | error: an error | 0.300 rad (sd 0.141, 2 seeds) | 0.250 (A. Nobody 1999) | "
                        "last value 1.50 | at most 0.500 | yes |")
    assert lines[3].endswith("| 0.300 rad (1 seed) | 0.250 (A. Nobody 1999) | last value 1.50 | at most 0.500 | NO |")
    assert "    met                         NO" in science.text_table(results).splitlines()


def test_a_page_is_filled_between_its_marks_and_again_without_growing():
    page = "# Title\n\n<!-- science-table -->\n\n## Next\n"
    once = science.fill(page, "| a |")
    assert once == "# Title\n\n<!-- science-table -->\n\n| a |\n\n<!-- end of science-table -->\n\n## Next\n"
    assert science.fill(once, "| a |") == once
    assert science.fill(once, "| b |") == once.replace("| a |", "| b |")
    with pytest.raises(ValueError, match="^the page has no line <!-- science-table -->$"):
        science.fill("# Title", "| a |")


def test_experiments_are_found_by_listing_their_folder():
    files = sorted(path.stem for path in (ROOT / "benchmarks" / "experiments").glob("[!_]*.py"))
    assert science.list_experiments() == files
    for name in files:
        module = science.find_experiment(name)
        assert module.SEEDS >= 1
        assert all(isinstance(goal, Goal) for goal in module.GOALS.values())
    with pytest.raises(SystemExit, match="^there is no experiment 'glimpse'; did you mean 'glimpses'\\?$"):
        science.find_experiment("glimpse")


def test_the_command_prints_and_writes(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- science-table -->\n")
    status = command.main(["science", "--only", "delta_stationary", "--seeds", "1", "--json", str(tmp_path / "a.json"),
                           "--markdown", str(page)])
    assert status == 0
    assert "delta_stationary, excess_mse" in capsys.readouterr().out
    results = json.loads((tmp_path / "a.json").read_text())
    assert list(results) == ["experiments"]
    measure = results["experiments"]["delta_stationary"]["measures"]["excess_mse"]
    assert KEYS <= set(measure)
    assert (measure["seeds"], measure["met"]) == (1, True)
    assert "| delta_stationary | excess_mse: " in page.read_text()


def test_bad_options_are_told(capsys, tmp_path):
    with pytest.raises(SystemExit):
        science.main(["--seeds", "0"])
    assert "--seeds must be at least 1" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"^file '.*' cannot be written: No such file or directory$"):
        science._write(str(tmp_path / "none" / "a.json"), "")
    assert command.main(["sciences"]) == 2
    assert "science" in capsys.readouterr().out


def test_the_readme_shows_the_table_of_the_experiments_there_are():
    section = (ROOT / "README.md").read_text().partition(science.START)[2].partition(science.END)[0]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.strip().splitlines()[2:]]
    goals = {name: science.find_experiment(name).GOALS for name in science.list_experiments()}
    assert rows, "fill it: python -m benchmarks science --markdown README.md"
    assert [(row[0], row[1]) for row in rows] == [
        (name, f"{measure}: {goal.what}") for name, measures in goals.items() for measure, goal in measures.items()]
    for row, goal in zip(rows, (goal for measures in goals.values() for goal in measures.values()), strict=True):
        assert row[-1] == "yes"
        if not isinstance(goal.goal, str):
            assert float(re.findall(r"[\d.e-]+(?=$| in the mean$)", row[-2])[0]) == goal.goal
