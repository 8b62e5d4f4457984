"""The README is true: its script runs as it stands, and its two commands are what the gate and the program know."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SCRIPTS = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)


def marked_command(mark: str) -> str:
    """The one line in the fence below a mark."""
    (line,) = re.findall(rf"^<!-- {mark} -->\n```sh\n(.*)\n```$", README, re.M)
    return line


def shortened(script: str, ticks: int) -> str:
    """The script with fewer ticks; the length of every script in the README is its constant TICKS."""
    short, count = re.subn(r"^TICKS = [\d_]+$", f"TICKS = {ticks}", script, flags=re.M)
    assert count == 1, "a script in the README says its length in one line: TICKS = ..."
    return short


def test_there_is_a_script_of_a_page():
    assert SCRIPTS != []
    assert all(len([line for line in script.splitlines() if line.strip()]) <= 20 for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_scripts_run_and_write_what_they_say(script, tmp_path):
    # as a user would: a file of its own, in a folder of its own
    (tmp_path / "script.py").write_text(shortened(script, ticks=300))
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in re.findall(r'savefig\("(.+?)"\)', script):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG"), name


def test_the_run_command_is_a_command_of_the_program():
    *_, last = marked_command("run-command").split(" && ")
    program, *arguments = shlex.split(last)
    assert program == ".venv/bin/cortexsim"
    code = "import sys; from cortexsim.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *arguments, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--ticks" in done.stdout


def test_the_test_command_installs_in_a_new_environment_and_runs_these_tests():
    make, install, test = marked_command("test-command").split(" && ")
    assert make == "python3 -m venv .venv"
    assert shlex.split(install)[0] == ".venv/bin/pip" and ".[dev]" in shlex.split(install)
    assert shlex.split(test)[0] == ".venv/bin/pytest"
    assert not any(part.startswith(("-k", "-m", "--ignore", "--deselect")) for part in shlex.split(test)[1:])


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "regions/README.md"])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)\)", (ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not ((ROOT / page).parent / link).exists()] == []
