"""Files from outside: none runs code, none takes more memory than it has a right to, and each error names its place."""

from __future__ import annotations

import importlib
import itertools
import json
import sys

import networkx as nx
import numpy as np
import pytest

import cortexsim as cs
from cortexsim.catalogue import load, load_toml, to_toml
from cortexsim.curves import Curves
from cortexsim.errors import CortexsimError, FileError, GraphError, InputError, KindError
from cortexsim.plan import make_plan
from cortexsim.sources import arrays, csvfile, open_stream
from cortexsim.trust import check_plain, importing_only, read_json
from fuzz.nasty import GRAPHS, JSONS, TABLES, XMLS
from graph_examples import message

# -- kinds, streams and encoders outside the package -----------------------------------------------------------------

_serial = itertools.count()
BASE = '[sources.x]\nsize = 1\n[regions.V1]\npredicts = "x"\ncontext = "x@1"\n'


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module whose import leaves a mark, and which is a sound kind and a sound stream."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name, mark = f"trap{next(_serial)}", tmp_path / "mark"
    (tmp_path / f"{name}.py").write_text(
        f"open({str(mark)!r}, 'w').close()\n"
        "from cortexsim.kinds.delta import *\n"
        "from cortexsim.kinds.delta import allocate, ports, predict, update\n"
        "from cortexsim.sources.chaos import Stream\n"
        "from cortexsim.encoders import Scalar\n")
    importlib.invalidate_caches()
    yield name, mark
    sys.modules.pop(name, None)


def as_toml(kind, folder):
    path = folder / "g.toml"
    path.write_text(BASE + f'kind = "{kind}"\n')
    return lambda **allowed: load_toml(path, **allowed)


def as_named_toml(kind, folder):
    path = folder / "g.toml"
    path.write_text(BASE + f'kind = "{kind}"\n')
    return lambda **allowed: load(path, **allowed)


def plain(kind):
    graph = nx.MultiDiGraph()
    graph.add_node("x", type="source", shape="[1]")
    graph.add_node("V1", type="region", kind=kind)
    graph.add_edge("x", "V1", key="to", role="target")
    graph.add_edge("x", "V1", key="from", role="context")
    return graph


def as_json(kind, folder):
    path = folder / "g.json"
    path.write_text(json.dumps(nx.node_link_data(plain(kind), edges="edges")))
    return lambda **allowed: cs.RegionGraph.from_json(path, **allowed)


def as_graphml(kind, folder):
    path = folder / "g.graphml"
    nx.write_graphml(plain(kind), path)
    return lambda **allowed: cs.RegionGraph.from_graphml(path, **allowed)


def as_networkx(kind, folder):
    return lambda **allowed: cs.RegionGraph.from_networkx(plain(kind), **allowed)


@pytest.mark.parametrize("write", [as_toml, as_named_toml, as_json, as_graphml, as_networkx])
def test_a_kind_outside_the_package_is_imported_only_where_it_is_allowed(write, trap, tmp_path):
    name, mark = trap
    read = write(f"{name}:", tmp_path)
    words = rf"region 'V1': kind '{name}:' is outside the package, and a file may not import it; .*allow_kinds=\["
    for allowed in ({}, {"allow_kinds": ()}, {"allow_kinds": ["mylab.*", "trap"]}):
        with pytest.raises(GraphError, match=words):
            read(**allowed)
    assert not mark.exists() and name not in sys.modules
    graph = read(allow_kinds=[f"{name}:"])
    assert mark.exists()
    assert make_plan(graph).regions["V1"].kind.name == f"{name}:", "what was read is the caller's own"
    assert read(allow_kinds="trap*").same(graph)


def test_the_remedy_is_named_for_python_and_for_the_command_line(tmp_path):
    text = message(GraphError, as_toml("mylab.rules:gain", tmp_path))
    assert text.endswith("a file may not import it; allow it: allow_kinds=['mylab.rules:gain'], on the command line "
                         "--allow-kind mylab.rules:gain")
    text = message(GraphError, cs.Simulation, plain("mylab.rules:gain"))
    assert text == ("region 'V1': kind 'mylab.rules:gain' is outside the package, and a file may not import it; allow "
                    "it: RegionGraph.from_networkx(graph, allow_kinds=['mylab.rules:gain'])")


def test_what_a_program_names_itself_needs_no_leave(trap):
    graph = cs.RegionGraph()
    graph.add_source("x", size=1)
    graph.add_region("V1", kind=f"{trap[0]}:", predicts="x", context="x@1")
    assert graph.check() and trap[1].exists()


def test_leave_is_given_for_one_file_only(trap, tmp_path):
    read = as_toml(f"{trap[0]}:", tmp_path)
    read(allow_kinds=["*"])
    with pytest.raises(GraphError, match="may not import it"):
        read()  # it has been imported: even so its code does not run again in a graph that nobody allowed
    with pytest.raises(InputError, match=r"allow_kinds: must hold names, .* \(got 5\)"):
        read(allow_kinds=5)
    with pytest.raises(InputError, match=r"allow_kinds: must hold names, .* \(got None\)"):
        read(allow_kinds=[None])


@pytest.mark.parametrize("name", ["os.path:join", "os:", "..x", ":x", "cortexsim.__main__", "cortexsim.kinds.delta:"])
def test_names_of_every_form_are_refused(name):
    with importing_only(), pytest.raises(KindError, match="is outside the package, and a file may not import it"):
        cs.find_kind(name)
    assert cs.find_kind("delta").name == "delta"


def test_a_stream_outside_the_package_is_imported_only_where_it_is_allowed(trap):
    name, mark = trap
    table = {"name": f"{name}:Stream"}
    words = rf"stream '{name}:Stream': is outside the package, .* allow_streams=\['{name}:Stream'\]"
    with pytest.raises(InputError, match=words):
        open_stream(table)
    assert not mark.exists()
    stream = open_stream(table, allow_streams=[f"{name}:*"])
    assert mark.exists() and stream.shapes()


@pytest.mark.parametrize("deep", [False, True])
def test_an_encoder_outside_the_package_is_imported_only_where_it_is_allowed(trap, tmp_path, deep):
    name, mark = trap
    (tmp_path / "x.csv").write_text("x\n1\n2\n3\n")
    outside = {"encoder": f"{name}:Scalar", "low": 0, "high": 9, "size": 12, "active": 2}
    column = {"encoder": "standardise", "then": outside} if deep else outside
    table = {"name": "encoded", "path": "x.csv", "sources": {"x": column}}
    with pytest.raises(InputError, match=rf"encoder '{name}:Scalar': is outside the package"):
        open_stream(table, base_dir=tmp_path)
    assert not mark.exists()
    assert open_stream(table, base_dir=tmp_path, allow_streams=[f"{name}:Scalar"]).shapes() == {"x": (12,)}


def test_a_table_cannot_call_what_it_likes(tmp_path):
    table = {"name": "subprocess:Popen", "args": ["touch", str(tmp_path / "mark")]}
    with pytest.raises(InputError, match="stream 'subprocess:Popen': is outside the package"):
        open_stream(table)
    assert not (tmp_path / "mark").exists()


# -- graphs ------------------------------------------------------------------------------------------------------------

READERS = {"toml": load_toml, "json": cs.RegionGraph.from_json, "graphml": cs.RegionGraph.from_graphml}


@pytest.mark.parametrize(("form", "text"), [
    *(("toml", text) for text in GRAPHS), *(("json", text) for text in JSONS), *(("graphml", text) for text in XMLS),
], ids=itertools.count())
def test_files_that_once_broke_a_reader_are_read_or_refused(form, text, tmp_path):
    path = tmp_path / f"g.{form}"
    path.write_bytes(text.encode())
    try:
        graph = READERS[form](path)
    except CortexsimError as error:
        assert str(path) in str(error)
        return
    try:
        make_plan(graph)
    except CortexsimError as error:
        assert error.where.startswith(("edge", "region", "graph", "source"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_billion_laughs_are_refused_before_the_first(encoding, tmp_path):
    path = tmp_path / "g.graphml"
    path.write_bytes(XMLS[3].encode(encoding))
    assert message(FileError, cs.RegionGraph.from_graphml, path) == (
        f"file {str(path)!r}: line 1: declares a document type, which GraphML has no use for; remove <!DOCTYPE ...>")


LIMITS = [
    ("size = 268435457", "", "source 'x': may have at most 2**28 = 268,435,456 units (got (268435457,))"),
    ("shape = [65536, 65536]", "", "source 'x': may have at most 2**28 = 268,435,456 units (got (65536, 65536))"),
    ("size = 1", 'context = "x@1048577"',
     "edge 'x.value@1048577->V1': the delay must be at most 2**20 = 1,048,576 ticks (got 1048577)"),
    ("size = 1", f'context = "x@{"9" * 19}"', "region 'V1': context: a signal is written as name.port[select]@delay"),
    ("size = 1", "period = 1073741825", "region 'V1': period must be at most 2**30 = 1,073,741,824 ticks"),
    ("size = 1", "learning_rate = nan", "region 'V1': learning_rate must be a number in [0, 2] (got nan)"),
    ("size = 1", "learning_rate = -inf", "region 'V1': learning_rate must be a number in [0, 2] (got -inf)"),
    ("size = 1", 'context = "x@1..1025"',
     "region 'V1': context: a run of delays @first..last may stand for 1,024 edges"),
    ("size = 1", 'context = ["x@1..1000", ' + '"x@1..1000", ' * 16 + "]",
     "file: runs of delays may stand for 16,384 edges in all (got 17000)"),
    ("size = 1", "frozen = true\n[trial]\nlength = 1048577", "trial: length must be at most 2**20 = 1,048,576 ticks"),
    ("size = 1", "[trial]\nlength = 99\n[trial.spans]\n" + "".join(f"s{k} = [{k}, {k + 1}]\n" for k in range(32)),
     "trial: may have at most 31 spans (got 32)"),
    ("size = 1", "why = [1]", "region 'V1': why must be a text (got [1])"),
    ("size = 1", "xx = 9223372036854775808", "file: regions: V1: xx: must be a whole number of at most 64 bits"),
    ("size = 1", "extra = " + "[" * 33 + "]" * 33, "file: regions: V1: extra: lies more than 32 tables and lists deep"),
]


@pytest.mark.parametrize(("size", "more", "words"), LIMITS)
def test_what_is_beyond_all_sense_is_refused_by_name(size, more, words):
    text = f'[sources.x]\n{size}\n[regions.V1]\npredicts = "x"\n{more}\n'
    with pytest.raises(CortexsimError) as error:
        load_toml(text)
    assert str(error.value).startswith(f"text: {words}")


FIELDS = [
    ("field = 'window(9)'", "field window(kernel=9) would list"),
    ("field = 'one_to_one'", "field one_to_one would list 67,108,864 units or cost as much, and the most is 2**25"),
    ("field = 'sparse(0.5)'", "field sparse(p=0.5) would list"),
    ("field = 'sparse(1e-300)'", "field sparse(p=1e-300) would list"),
    ("field = 'window(1, stride=1048577)'", "field window: stride must be"),
    (f"field = 'window({'9' * 400})'", "field window: kernel must be a whole number"),
    (f"field = 'sparse({'9' * 400})'", "field sparse: p must be in (0, 1]"),
    ("field = 'window({[]: 1})'", "a field is written as"),
    (f"field = 'dense{' ' * 1000}'", "a field is a text of at most 1000 characters"),
]


@pytest.mark.parametrize(("field", "words"), FIELDS)
def test_a_field_is_counted_before_it_is_laid_out(field, words, monkeypatch):
    text = ("[sources.x]\nshape = [8192, 8192]\n[regions.V1]\npredicts = 'x'\nshape = [8192, 8192]\n"
            f"context = {{from = 'x@1', {field}}}\n")
    monkeypatch.setattr(np, "arange", None)
    with pytest.raises(GraphError) as error:
        make_plan(load_toml(text))
    assert words in str(error.value) and "edge 'x.value@1->V1'" in str(error.value)


def test_an_attribute_may_have_any_name():
    names = ("key", "self", "u_for_edge", "node_for_adding", "incoming_graph_data", "attr", "graph")
    made = plain("delta")
    for attributes in (made.graph, made.nodes["V1"], *(data for *_, data in made.edges(data=True))):
        attributes.update(dict.fromkeys(names, "x"))
    extra = "extra = {" + ", ".join(f'{name} = "x"' for name in names) + "}"
    text = (f"{extra}\n[sources.x]\nsize = 1\n{extra}\n[regions.V1]\npredicts = {{from = 'x', {extra}}}\n"
            f"context = {{from = 'x@1', {extra}}}\n{extra}\n")
    for graph in (cs.RegionGraph.from_networkx(made), load_toml(text)):
        for attributes in (graph.graph, graph.nodes["V1"], *(data for *_, data in graph.edges(data=True))):
            assert {attributes[name] for name in names} == {"x"}
        assert make_plan(graph).regions
        assert load_toml(to_toml(graph)).same(graph)


def test_an_immense_select_is_a_slice():
    text = ("[sources.x]\nsize = 268435456\n[sources.y]\nsize = 1\n[regions.V1]\npredicts = 'y'\n"
            "context = 'x[1:268435456]@1'\n")
    edge = make_plan(load_toml(text)).edges["x.value[1:268435456]@1->V1"]
    assert (edge.start, edge.length, edge.indices) == (1, (1 << 28) - 1, None)


def test_all_that_reaches_a_region_is_counted():
    sources = "".join(f"[sources.x{k}]\nsize = 268435456\n" for k in range(2))
    text = sources + "[sources.y]\nsize = 1\n[regions.V1]\npredicts = 'y'\ncontext = ['x0@1', 'x1@1']\n"
    assert message(GraphError, make_plan, load_toml(text)) == (
        "region 'V1': context brings 536,870,912 values a tick, and may bring 2**28 = 268,435,456")


def test_a_select_that_asks_for_itself_is_refused():
    plain_graph = plain("delta")
    plain_graph.edges["x", "V1", "from"].update(auto=True, select="auto:from")
    assert message(GraphError, make_plan, plain_graph).startswith(
        "edge 'from': only the edges that predicts= and context= make by themselves leave their select to the plan")


@pytest.mark.parametrize(("extra", "words"), [
    ("pending = 3", "[extra]: extra holds 'pending', which has a place of its own"),
    ("name = 'x'", "[extra]: extra holds 'name', which has a place of its own"),
])
def test_what_a_graph_keeps_for_itself_cannot_come_from_a_file(extra, words):
    assert message(GraphError, load_toml, f"extra = {{{extra}}}\n") == f"text: {words}"
    assert load_toml("extra = {incoming_graph_data = {A = {B = {}}}}\n").number_of_nodes() == 0


def test_json_and_tables_are_held_to_what_all_can_take():
    assert read_json('{"a": [1, null]}', "x") == {"a": [1, None]}
    for text, words in (("[" * 100000, "nested too deep"), ("{", "is not JSON"), (b"\xff", "is not JSON"),
                        ("9" * 5000, "is not JSON")):
        with pytest.raises(FileError, match=f"^x: .*{words}"):
            read_json(text, "x")
    for value in ({"a": {"b": 1 << 64}}, {"a": {"b": "\ud800"}}, {"a": {"b\udfff": 1}}):
        with pytest.raises(GraphError, match="^x: a"):
            check_plain(value, "x")
    # however long the keys are, the file comes first
    with pytest.raises(GraphError, match="^file 'x': long.*: b: holds"):
        check_plain({"long" * 1000: {"b": "\ud800"}}, "file 'x'")


# -- text files --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", TABLES, ids=itertools.count())
def test_text_files_that_once_broke_a_reader_are_read_or_refused(text, tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    try:
        csvfile.Stream(path, blanks="keep")
    except CortexsimError as error:
        assert str(path) in str(error)


def test_thousands_of_columns_of_one_name_are_counted_once():
    names = csvfile.source_names(["a"] * 20000 + ["a_3", "b"])
    assert list(names)[:3] == ["a", "a_2", "a_3"] and list(names)[-3:] == ["a_20000", "a_3_2", "b"]


@pytest.mark.parametrize("path", ["x\0y", "~nobody-of-that-name/x.csv"])
def test_a_path_that_cannot_be_one_is_named(path):
    with pytest.raises(InputError, match="stream 'csvfile': (the path of a file holds no NUL|names a home folder)"):
        csvfile.Stream(path)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    for read in (load_toml, cs.RegionGraph.from_json, cs.RegionGraph.from_graphml, Curves.from_npz, arrays.Stream,
                 csvfile.Stream):
        with pytest.raises(FileError, match=f"file '{tmp_path}'"):
            read(tmp_path)
