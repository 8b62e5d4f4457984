"""The table of results: what cortexsim reaches, beside published figures, trivial baselines and its goals.

An experiment is a module of ``benchmarks/experiments``, found by listing that folder. It brings

- ``GOALS``: a dict, measure -> `benchmarks.measures.Goal`;
- ``SEEDS``: how many seeds it is judged by (1: nothing in it is drawn at random);
- ``run(seed)``: one run, a dict, measure -> `benchmarks.measures.Result`. It raises
  `benchmarks.measures.LeftOut` where it needs outside data that is not there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import pkgutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tqdm import tqdm

import benchmarks.experiments
from benchmarks.measures import LeftOut, summary
from cortexsim.errors import nearest

START, END = "<!-- science-table -->", "<!-- end of science-table -->"
HEADINGS = ("experiment", "measure", "ours (sd, seeds)", "published", "baselines on the same data", "goal", "met")


def list_experiments() -> list[str]:
    """Names of the experiments: the modules of ``benchmarks/experiments``."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.experiments.__path__) if not m.name.startswith("_"))


def find_experiment(name: str) -> ModuleType:
    """The module of an experiment."""
    if name not in list_experiments():
        raise SystemExit(f"there is no experiment {name!r}; {nearest(name, list_experiments())}")
    return importlib.import_module(f"benchmarks.experiments.{name}")


def run_experiments(names: Iterable[str], seeds: int | None = None,
                    quiet: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """Run experiments, all of their seeds.

    Parameters
    ----------
    names : iterable of str
        See `list_experiments`.
    seeds : int, optional
        Seeds 0 to this many, of experiments that draw anything; by default as many as each asks for.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    results : dict
        ``{"experiments": {name: {"measures": {measure: entry}, "seconds": ...}}}``; see
        `benchmarks.measures.summary` for an entry.
    left_out : dict
        Experiment -> why it could not run.
    """
    modules = {name: find_experiment(name) for name in names}
    counts = {name: m.SEEDS if m.SEEDS == 1 or seeds is None else seeds for name, m in modules.items()}
    done: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    with tqdm(total=sum(counts.values()), unit="run", disable=quiet, leave=False) as bar:
        for name, module in modules.items():
            started, runs = time.perf_counter(), []
            try:
                for seed in range(counts[name]):
                    bar.set_description(f"{name}, seed {seed}")
                    runs.append(module.run(seed))
                    bar.update()
            except LeftOut as reason:
                left_out[name] = str(reason)
                bar.update(counts[name] - len(runs))
                continue
            measures = {measure: summary(goal, [run[measure] for run in runs])
                        for measure, goal in module.GOALS.items()}
            done[name] = {"measures": measures, "seconds": round(time.perf_counter() - started, 1)}
    return {"experiments": done}, left_out


# ------------------------------------------------------------------------------------------------------ tables

def number(value: float | None) -> str:
    """A figure with three digits that count; "none" for None."""
    if value is None:
        return "none"
    if not math.isfinite(value):
        return str(value)
    digits = 3 - 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, min(digits, 8))}f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.2e}"


def _bound(entry: Mapping[str, Any]) -> str:
    """What has to be met, in words."""
    sign, value = "at least" if entry["better"] == "higher" else "at most", number(entry["goal"])
    if entry["words"]:
        return f"{sign} {entry['words']}, seed by seed (the strictest {value})"
    return f"{sign} {value}" + " in the mean" * entry["mean"]


def table_rows(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The results as cells, in the order of `HEADINGS`."""
    rows: list[tuple[str, ...]] = []
    for name, experiment in results["experiments"].items():
        for measure, entry in experiment["measures"].items():
            spread = f"sd {number(entry['sd'])}, " if entry["sd"] is not None else ""
            plural = "s" if entry["seeds"] > 1 else ""
            unit = f" {entry['unit']}" if entry["unit"] else ""
            published = number(entry["published"]) + (f" ({entry['citation']})" if entry["citation"] else "")
            rows.append((
                name, f"{measure}: {entry['what']}",
                f"{number(entry['ours'])}{unit} ({spread}{entry['seeds']} seed{plural})", published,
                ", ".join(f"{key} {number(value)}" for key, value in entry["baselines"].items()) or "none",
                _bound(entry), "yes" if entry["met"] else "NO"))
    return rows


def text_table(results: Mapping[str, Any]) -> str:
    """The results for a terminal: a paragraph a measure, since the cells are long."""
    lines = []
    for row in table_rows(results):
        lines.append(f"{row[0]}, {row[1]}")
        lines += [f"    {heading:<28}{cell}" for heading, cell in zip(HEADINGS[2:], row[2:], strict=True)]
    return "\n".join(lines)


def markdown_table(results: Mapping[str, Any]) -> str:
    """The results as a Markdown table."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table_rows(results)]
    return "\n".join(lines)


def fill(page: str, table: str) -> str:
    """Put a table in a page, between its two marks; a page that has only the first mark gets the second.

    Parameters
    ----------
    page : str
        Markdown that holds the line ``<!-- science-table -->``.
    table : str
        What stands below it from now on.

    Returns
    -------
    str
        The new page.

    Raises
    ------
    ValueError
        The page has no such line.
    """
    before, mark, after = page.partition(START)
    if not mark:
        raise ValueError(f"the page has no line {START}")
    if END in after:
        after = after.partition(END)[2]
    return f"{before}{START}\n\n{table}\n\n{END}\n\n{after.lstrip()}"


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"file {path!r} cannot be written: {error.strerror}") from None


def _write_markdown(path: str, table: str) -> None:
    page = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
    _write(path, fill(page, table) if START in page else table + "\n")


def main(arguments: Sequence[str]) -> int:
    """Run experiments, print their table; returns 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks science", description="Results, side by side.")
    parser.add_argument("--only", action="append", metavar="NAME", help="an experiment; may be given several times: "
                        + ", ".join(list_experiments()))
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N - 1, instead of what each asks for")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON")
    parser.add_argument("--markdown", metavar="FILE", help=f"write the table as Markdown; in a page with {START} "
                        "it takes the place of the table there")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error("--seeds must be at least 1")
    results, left_out = run_experiments(options.only or list_experiments(), options.seeds)
    print(text_table(results))
    for name, reason in left_out.items():
        print(f"{name}: left out, {reason}")
    if options.json:
        _write(options.json, json.dumps(results, indent=2) + "\n")
    if options.markdown:
        _write_markdown(options.markdown, markdown_table(results))
    return 0 if all(m["met"] for e in results["experiments"].values() for m in e["measures"].values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
