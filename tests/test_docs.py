"""The pages of docs/ are true: their Python runs and prints what stands below it, links lead somewhere."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from cortexsim import kind as kind_module
from cortexsim.catalogue import load_toml
from cortexsim.fields import FIELDS
from cortexsim.toml_read import DEFAULT_KEYS, EDGE_KEYS, REGION_KEYS, SOURCE_KEYS, TOP_KEYS, TRIAL_KEYS
from test_examples import differences

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
# a fence of Python or TOML, and right below it what the Python prints
_BLOCK = re.compile(r"^```(python|toml)\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.M | re.S)
_FILE = re.compile(r"# file: (\S+)\n")


def blocks(page: str) -> list[tuple[str, str, str | None]]:
    """Language, text, and what it prints (None: nothing is said of that) of every block of a page."""
    return [(language, text, printed or None) for language, text, printed in _BLOCK.findall((DOCS / page).read_text())]


def run_page(page: str) -> list[str]:
    """Run the blocks of a page in one namespace, in the present folder; returns where they print something else.

    A block that begins with ``# file: NAME`` is written to that file instead.
    """
    space: dict[str, object] = {"__name__": "docs"}
    wrong = []
    for number, (language, text, printed) in enumerate(blocks(page), 1):
        file = _FILE.match(text)
        if file:
            Path(file[1]).write_text(text)
            importlib.invalidate_caches()
        if file or language == "toml":
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, f"<{page}, block {number}>", "exec"), space)
        if printed is not None:
            wrong += [f"block {number}: {difference}" for difference in differences(out.getvalue(), printed)]
    return wrong


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to run in, from which modules are imported and afterwards forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    kind_module._find_kind.cache_clear()


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs_and_prints_what_it_says(page, folder):
    assert run_page(page) == []


def test_the_pages_have_python_and_say_what_it_prints():
    counted = {page: (len(blocks(page)), sum(printed is not None for *_, printed in blocks(page))) for page in PAGES}
    assert {page for page, (n, _) in counted.items() if n} == {
        "guide.md", "settling.md", "adding-a-kind.md", "adding-a-graph.md", "encoders.md", "sequence-memory.md",
        "reservoirs.md", "forecasting.md", "step-sizes.md", "doctor.md", "checkpoints.md"}
    run, compared = counted["guide.md"]
    assert run >= 12 and compared >= 10


def test_a_page_that_says_something_else_is_seen(folder, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "DOCS", folder)
    page = folder / "bad.md"
    page.write_text("```python\nprint('skill', 0.5)\n```\n\n```text\nskill 0.7\n```\n")
    assert run_page("bad.md") == ["block 1: number 0: 0.5 instead of 0.7"]
    page.write_text("```python\n# file: lesson.py\nx = 1\n```\n\n```python\nimport lesson\nprint(lesson.x)\n```\n\n"
                    "```text\n1\n```\n")
    assert run_page("bad.md") == []
    page.write_text("```python\nmissing\n```\n")
    with pytest.raises(NameError, match="missing"):
        run_page("bad.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)\)", (DOCS / page).read_text())
    assert [link for link in links if "://" not in link and not (DOCS / link).resolve().exists()] == []


def test_the_index_names_every_page_and_every_example():
    links = set(re.findall(r"\]\(([^)#\s]+)\)", (DOCS / "README.md").read_text()))
    assert {page for page in PAGES if page != "README.md"} <= links
    assert {f"../examples/{path.name}" for path in (ROOT / "examples").glob("*.py")} <= links


def test_the_toml_of_the_page_is_a_graph_and_the_table_has_every_key():
    page = (DOCS / "adding-a-graph.md").read_text()
    (text,) = [text for language, text, _ in blocks("adding-a-graph.md") if language == "toml"]
    graph = load_toml(text)
    assert set(tomllib.loads(text)) == {"version", "name", "why", "cite", "stream", "defaults", "sources", "regions",
                                        "edges"}
    assert graph.nodes["V1-east"]["hyper"] == {"learning_rate": 0.2}
    rows = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", page, re.M))
    # `extra`, `select` and `auto` serve files that programs write
    hidden = {"extra", "select", "auto"}
    top = {"stream", "trial", "defaults", "sources", "regions", "edges"}
    for row, keys in (("top", set(TOP_KEYS) - top), ("`[trial]`", TRIAL_KEYS), ("`[sources.NAME]`", SOURCE_KEYS),
                      ("`[regions.NAME]`", REGION_KEYS), ("`[[edges]]`", EDGE_KEYS),
                      ("`[defaults.kind.KIND]`, `[defaults.tag.TAG]`", DEFAULT_KEYS)):
        missing = [key for key in keys if key not in hidden and not re.search(rf"`(\[trial\.)?{key}\b", rows[row])]
        assert missing == [], row


def test_the_guide_names_every_field():
    text = (DOCS / "guide.md").read_text()
    assert [name for name in FIELDS if f"| `{name}" not in text] == []


def commands() -> list[str]:
    texts = [(DOCS / page).read_text() for page in PAGES]
    fences = [fence for text in texts for fence in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)]
    return [line for fence in fences for line in fence.splitlines() if line.startswith("cortexsim ")]


@pytest.mark.parametrize("line", commands())
def test_the_command_line_takes_what_the_guide_says(line):
    from cortexsim import cli

    command = shlex.split(line, comments=True)
    assert cli.parse(command[1:]).command == command[1]


def test_the_contract_lists_what_the_code_knows():
    text = (DOCS / "contract.md").read_text()
    known = (*kind_module.ROLES, *kind_module.PORTS, *kind_module.KERNELS)
    assert [name for name in known if not re.search(rf"`(r\.|.*\b){name}\b", text)] == []


def test_the_laws_name_their_tests():
    page = (DOCS / "laws.md").read_text()
    assert [law for law in range(1, 9) if f"\n**{law}. " not in page] == []
    sections = re.split(r"\n\*\*\d\. ", page)[1:]
    assert all("*Test:*" in section for section in sections)
