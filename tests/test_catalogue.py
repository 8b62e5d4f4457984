"""TOML files: finding graphs by name, and what a file can say wrong; round trips are in test_toml_write.py."""

from __future__ import annotations

import pytest

from cortexsim import catalogue
from cortexsim.catalogue import find, load, load_toml, names, save_toml, to_toml
from cortexsim.errors import FileError, GraphError, KindError
from graph_examples import message, pair

# -- files and names -------------------------------------------------------------------------------------------------

def test_files(tmp_path):
    path = tmp_path / "pair.toml"
    save_toml(pair(), path)
    assert load_toml(path).same(pair())
    assert load_toml(str(path)).same(pair())
    assert load(path).same(pair())
    assert load(str(path)).same(pair())
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def two_graphs(tmp_path, monkeypatch):
    inside = tmp_path / "cortexsim"
    inside.mkdir()
    (tmp_path / "regions").mkdir()
    monkeypatch.setattr(catalogue, "PACKAGE", inside)
    for name in ("glimpses", "forecast"):
        save_toml(pair(), tmp_path / "regions" / f"{name}.toml")
    return tmp_path


def test_graphs_are_found_beside_the_package(two_graphs):
    assert names() == ["forecast", "glimpses"]
    assert find("glimpses") == two_graphs / "regions" / "glimpses.toml"
    assert load("glimpses").same(pair())


def test_graphs_inside_the_package_come_first(two_graphs):
    inside = two_graphs / "cortexsim" / "regions"
    inside.mkdir()
    save_toml(pair(), inside / "own.toml")
    assert names() == ["own"]
    assert find("own") == inside / "own.toml"


def test_another_package_called_regions_is_not_read(two_graphs):
    (two_graphs / "regions" / "__init__.py").touch()
    assert names() == []


def test_the_folder_of_this_checkout_is_there():
    assert catalogue.folder().is_dir()
    assert catalogue.folder().name == "regions"


def test_every_ready_made_graph_is_sound_and_comes_back():
    for name in names():
        assert load_toml(to_toml(load(name))).differences(load(name)) == []


def test_messages_of_find(two_graphs):
    assert message(FileError, find, "glimpse") == (
        "region graph 'glimpse': is not in the catalogue; did you mean 'glimpses'?")
    assert message(FileError, load, "xyz") == (
        "region graph 'xyz': is not in the catalogue; known: forecast, glimpses")


# -- messages of files -----------------------------------------------------------------------------------------------

def test_messages_of_files(tmp_path):
    path = tmp_path / "a.toml"
    assert message(FileError, load, path) == f"file {str(path)!r}: cannot be read (No such file or directory)"
    path.write_text('name = "a"\nwhy = \n')
    assert message(FileError, load_toml, path) == (
        f"file {str(path)!r}: is not TOML: Invalid value (at line 2, column 7)")
    path.write_bytes(b"name = '\xff'")
    assert message(FileError, load_toml, path).startswith(f"file {str(path)!r}: is not UTF-8 text (")
    path.write_text("[regions.V1]\nknid = 'delta'\n")
    assert message(GraphError, load_toml, path) == (
        f"{path}: [regions.V1]: unknown key 'knid'; did you mean 'kind'?")
    missing = tmp_path / "no" / "a.toml"
    assert message(FileError, save_toml, pair(), missing) == (
        f"folder {str(missing.parent)!r}: cannot write 'a.toml' (No such file or directory); "
        "name a folder that exists and can be written to")
    assert message(FileError, load_toml, "a = ") == "file 'text': is not TOML: Invalid value (at end of document)"


BASE = "[sources.s]\nsize = 2\n[regions.r]\npredicts = 's'\ncontext = 's'\n"


@pytest.mark.parametrize(("text", "complaint"), [
    ("regons = 1", "file: unknown key 'regons'; did you mean 'regions'?"),
    ("version = 2", "file: version must be 1 (got 2); a newer cortexsim may read it"),
    ("sources = 5", "[sources]: must be a table (got 5)"),
    ("extra = 5", "[extra]: must be a table (got 5)"),
    ("[sources]\ns = 5", "[sources.s]: must be a table (got 5)"),
    ("[sources.s]\nsise = 2", "[sources.s]: unknown key 'sise'; did you mean 'size'?"),
    ("[sources.s]\nknown = 'before'",
     "source 's': needs either shape= or size=; for example shape=(16, 16) or size=2"),
    ("[sources.s]\nsize = 2\nextra = {known = 1}",
     "[sources.s]: extra holds 'known', which has a place of its own"),
    ("[sources.s]\nsize = 2\nextra = 3", "[sources.s] extra: must be a table (got 3)"),
    ("[regions]\nr = 5", "[regions.r]: must be a table (got 5)"),
    ("[regions.r]\nkind = 5", "[regions.r]: kind must be a name or 'package.module:object' (got 5)"),
    ("[regions.r]\nkind = 'dleta'", "region 'r': kind 'dleta' is not known; did you mean 'delta'?"),
    ("[regions.r]\nlearning_rat = 5", "[regions.r]: unknown key 'learning_rat'; did you mean 'learning_rate'?"),
    ("[regions.r]\ncontxt = 's'", "[regions.r]: unknown key 'contxt'; did you mean 'context'?"),
    ("[regions.r]\ntags = 5", "region 'r': tags: must be a list of words (got 5)"),
    ("[regions.r]\ntags = [5]", "region 'r': tags: must be a list of words (got [5])"),
    ("[regions.r]\npredicts = 's'", "region 'r': reads 's', which is not in the graph; known: r"),
    (BASE + "[[edges]]\nfrom = 's'\ntoo = 'r'",
     "[[edges]] number 1: unknown key 'too'; did you mean 'to'?"),
    (BASE + "[[edges]]\nfrom = 's'", "[[edges]] number 1: needs 'to', a text"),
    (BASE + "[[edges]]\nto = 's'\nfrom = 5", "[[edges]] number 1: needs 'from', a text (got 5)"),
    (BASE + "[[edges]]\nto = 'r'\nfrom = 'ss'",
     "[[edges]] number 1: 'ss' is not in the graph; did you mean 's'?"),
    (BASE + "[[edges]]\nto = 'r'\nfrom = 's'\nselect = '0'",
     "[[edges]] number 1: units are written behind the signal (got '0'); try from='s[0]'"),
    (BASE + "[[edges]]\nto = 'r'\nfrom = 's'\nauto = true", "[[edges]] number 1: an automatic edge needs its name"),
    (BASE + "[[edges]]\nto = 'r'\nfrom = 's'\nremoved = true",
     "[[edges]] number 1: an edge has no 'removed'; known: delay, extra, field, from, lesioned, name, outside, span, "
     "... (9 in all)"),
    (BASE + "[[edges]]\nlesioned = true",
     "[[edges]] number 1: needs from= and to=, or the name= of an edge to change"),
    (BASE + "[[edges]]\nname = 's.value@1-r'\nlesioned = true",
     "edge 's.value@1-r': is not in the graph; did you mean 's.value@1->r'?"),
    (BASE + "[[edges]]\nname = 's.value@1->r'\ndelay = 1.5",
     "[[edges]] number 1 ('s.value@1->r'): delay: must be a whole number (got 1.5)"),
    (BASE + "[[edges]]\nname = 's.value@1->r'\nport = 'state'",
     "[[edges]] number 1 ('s.value@1->r'): unknown key 'port'; "
     "known: auto, delay, extra, field, from, hyper, lesioned, mode, ... (16 in all)"),
    ("edges = 5", "[[edges]]: must be an array of tables (got 5)"),
    ("[trial]\nlenght = 5", "[trial]: unknown key 'lenght'; did you mean 'length'?"),
    ("[trial]\nscore_at = 5", "[trial]: needs length, in ticks"),
    ("[trial]\nlength = 5\nspans = 3", "[trial.spans]: must be a table (got 3)"),
    ("[trial]\nlength = 5\nspans = {a = [0, 9]}",
     "trial: span 'a': must keep 0 <= first < after the last <= 5 (got (0, 9))"),
    ("[defaults]\ndelta = {}", "[defaults]: unknown key 'delta'; known: kind, tag"),
    ("[defaults.kind]\ndelta = 5", "[defaults.kind.delta]: must be a table (got 5)"),
    (BASE + "[defaults.kind.delta]\nlearning_rat = 1",
     "[defaults.kind.delta]: unknown key 'learning_rat'; did you mean 'learning_rate'?"),
    (BASE + "[defaults.kind.dleta]\nlearning_rate = 1",
     "[defaults.kind.dleta]: no region has this kind; did you mean 'delta'?"),
    (BASE + "tags = ['slow']\n[defaults.tag.slowly]\nperiod = 2",
     "[defaults.tag.slowly]: no region has this tag; did you mean 'slow'?"),
])
def test_messages_of_toml(text, complaint):
    assert message(GraphError, load_toml, text + "\n") == f"text: {complaint}"


def test_a_hyperparameter_out_of_range_names_file_and_region():
    text = message(KindError, load_toml, BASE + "learning_rate = 9.0")
    assert text.startswith("text: region 'r': learning_rate must be a number in [0, 2] (got 9.0)")
