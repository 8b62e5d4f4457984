"""The package as it is built and installed: what it carries, and that regions/*.toml are found in every way."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import cortexsim

ROOT = Path(__file__).parents[1]
BUILT_FROM = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
              "CITATION.cff", "ruff.toml", "cortexsim", "regions", "tests", "examples", "benchmarks", "docs", ".ci")
PROBE = 'version = 1\nname = "probe"\nwhy = "to be found"\n'

# run with -I -S: nothing but the standard library, so that no other cortexsim of this machine can be found
LOOK = """
import json, site, sys
sys.dont_write_bytecode = True
first, dependencies, *cwd = sys.argv[1:]
sys.path.append(dependencies)
if cwd:
    sys.path.insert(0, cwd[0])
else:
    site.addsitedir(first)
import cortexsim
from cortexsim import catalogue
print(json.dumps([cortexsim.__file__, sorted(catalogue.names()), catalogue.find("probe").read_text()]))
"""


def build(source: Path, hook: str, out: Path, mode: str = "") -> Path:
    """Call a hook of the build backend, as pip would, but without a network; return the file it made."""
    out.mkdir(parents=True, exist_ok=True)
    settings = {"editable_mode": mode} if mode else {}
    code = f"from setuptools import build_meta; print(build_meta.{hook}({str(out)!r}, config_settings={settings!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.strip().splitlines()[-1]


def unpacked(wheel: Path) -> Path:
    """Install a pure wheel, which is to unpack it."""
    folder = wheel.parent / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the project, so that builds leave nothing in the real one, with one more graph to be found."""
    folder = tmp_path_factory.mktemp("packaging") / "checkout"
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / "regions" / "probe.toml").write_text(PROBE)
    return folder


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory) -> Path:
    """All that is installed here, but for cortexsim itself."""
    folder = tmp_path_factory.mktemp("dependencies")
    for packages in map(Path, site.getsitepackages()):
        for item in packages.iterdir() if packages.is_dir() else ():
            if not item.name.startswith(("cortexsim", "__editable__", "__pycache__")) and item.suffix != ".pth":
                if not (folder / item.name).exists():
                    (folder / item.name).symlink_to(item)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory) -> Path:
    return build(checkout, "build_wheel", tmp_path_factory.mktemp("wheel"))


def look(first: Path, dependencies: Path, cwd: Path, from_cwd: bool = False) -> tuple[Path, list[str], str]:
    command = [sys.executable, "-I", "-S", "-c", LOOK, str(first), str(dependencies), *([str(cwd)] if from_cwd else [])]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file, names, text = json.loads(done.stdout)
    return Path(file), names, text


def check_found(checkout: Path, found: tuple[Path, list[str], str], inside: Path) -> None:
    file, names, text = found
    assert file.is_relative_to(inside)
    assert names == sorted(path.stem for path in (checkout / "regions").glob("*.toml"))
    assert text == PROBE


def test_graphs_are_found_without_installing(checkout, dependencies):
    check_found(checkout, look(checkout, dependencies, checkout, from_cwd=True), checkout)


@pytest.mark.parametrize("mode", ["lenient", "compat", "strict"])
def test_graphs_are_found_in_an_editable_install(checkout, dependencies, tmp_path, mode):
    installed = unpacked(build(checkout, "build_editable", tmp_path / "wheel", mode))
    check_found(checkout, look(installed, dependencies, tmp_path), checkout)


def test_graphs_are_found_in_a_wheel(checkout, dependencies, wheel, tmp_path):
    installed = unpacked(wheel)
    check_found(checkout, look(installed, dependencies, tmp_path), installed)


def test_the_wheel_carries_the_package_and_nothing_else(checkout, wheel):
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
        info = {name.split(".dist-info/")[1]: archive.read(name).decode()
                for name in archive.namelist() if ".dist-info/" in name}
    python = {path.relative_to(checkout).as_posix() for path in (checkout / "cortexsim").rglob("*.py")}
    graphs = {f"cortexsim/regions/{path.name}" for path in (checkout / "regions").glob("*.toml")}
    assert carried == python | graphs | {"cortexsim/py.typed"}
    assert info["top_level.txt"].split() == ["cortexsim"]
    assert "cortexsim = cortexsim.cli:main" in info["entry_points.txt"]
    assert "The cortexsim authors" in info["licenses/LICENSE" if "licenses/LICENSE" in info else "LICENSE"]
    assert "License" in info["METADATA"] and "MIT" in info["METADATA"]


def test_the_sdist_carries_all_that_a_new_wheel_and_its_tests_need(checkout, wheel, tmp_path):
    sdist = build(checkout, "build_sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    files = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}
    built = {name for name in files if ".egg-info/" in name or "__pycache__" in name or name.startswith("build/")}
    assert {name for name in files - built if not (source / name).is_file()} == set()
    again = build(source, "build_wheel", tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_versions_agree():
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    assert cortexsim.__version__ == version
    assert re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M).group(1) == version
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert version in headings[:2], "the newest version of CHANGELOG.md, below 'Unreleased' where there is one"


def test_the_gate_is_a_program():
    gate = ROOT / ".ci" / "run"
    assert gate.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(gate)], capture_output=True).returncode == 0
