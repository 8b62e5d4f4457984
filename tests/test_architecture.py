"""The shape of the source: which module may know which, what compiled code may call, docstrings, types and size."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import networkx
import pytest

import cortexsim
import cortexsim.adapting
import cortexsim.bookkeeping
import cortexsim.guard
import cortexsim.rows
import cortexsim.scoring
import cortexsim.segment_lists
import cortexsim.segments
import cortexsim.squares
import cortexsim.weight_rates
from source_checks import (
    KERNELS,
    arrows_against_order,
    calls_of,
    compiled_leaks,
    docstring_gaps,
    imports_of,
    long_functions,
    missing_types,
)

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cortexsim"

# A module may import only modules that stand above it. A new module gets its place here.
ORDER = [
    "errors", "files", "limits", "npy_header", "zip_members", "safe_npz", "trust", "field_lists", "fields",
    "dataset_list", "datasets", "downloads",
    "hyperparameter", "step_sizes", "shapes", "kinds", "kind", "vectors", "sweeps", "views", "rows", "native",
    "squares", "segment_lists", "segments", "weight_rates", "kinds.*",
    "attributes", "shorthand", "edge_patterns", "graph_check", "wiring", "graph_io", "graph",
    "toml_read", "toml_write", "catalogue",
    "plan_shapes", "plan_order", "plan",
    "measures", "curve_events", "curve_files", "curves",
    "sources", "sources._port", "sources.csvfile", "sources.glimpses", "timestamps", "quantiles", "encoders._base",
    "encoders.bins", "encoders.population", "encoders.random_codes", "encoders.*", "encoders", "sources._series",
    "sources.*",
    "bookkeeping", "adapting", "guard", "scoring", "driver", "arena", "policies", "pointers", "tables",
    "fallback", "engine", "probe", "intake", "changes", "divergence", "carry",
    "settling", "notices", "queries", "lanes", "inference",
    "doctor_report", "doctor_case", "doctor_checks", "doctor_clocks", "doctor_values", "doctor_trial", "doctor",
    "looking", "changing", "reading", "checkpoint_state", "checkpoint", "lasting",
    "simulation", "memory_cells",
    "layout", "plot_style", "plot_panels", "plot", "plot_forecast",
    "forecast_scores", "baselines", "forecast_table", "forecast_graphs", "forecasting", "forecast_input", "forecaster",
    "", "runfolder", "runplace", "cli_progress", "cli_job", "cli_resume", "cli_*", "cli", "__main__",
]
# curves.plot() is a convenience of the user's; it imports the plots only when it is called
ARROWS_ALLOWED = {("curves", "plot")}

# Intrinsics become part of the code that calls them; bookkeeping.py, adapting.py and scoring.py of the driver's loop,
# which is stamped with their text. test_cached_code.py shows that an edit of any reaches that code all the same; of any
# other file of the package nothing may be used.
STAMPED = {(module.__name__, name) for module in (cortexsim.bookkeeping, cortexsim.adapting, cortexsim.guard,
                                                              cortexsim.scoring)
           for name in dir(module) if not name.startswith("_")}
DRIVER = ("driver.py", "scoring.py", "adapting.py", "guard.py")
INTRINSICS = {("cortexsim.native", name) for name in ("call", "caster", "cycles", "flush_denormals", "restore")}
INTRINSICS |= {("cortexsim.views", name) for name in ("HEADER", "Layout", "stamp")}
INTRINSICS |= {("cortexsim.rows", name) for name in cortexsim.rows.WRITERS}
# what several kinds share, stamped like the rows
INTRINSICS |= {(module.__name__, name) for module in (cortexsim.squares, cortexsim.segments, cortexsim.segment_lists,
                                                      cortexsim.weight_rates)
               for name in dir(module) if not name.startswith("_")}
# the library of rows.py is stamped with the text of the files that write it
INTRINSICS |= {("cortexsim.sweeps", "WRITERS"), ("cortexsim.vectors", "Code"), ("cortexsim.views", "TableType")}

# what the contract of a kind defines, once for all kinds, in kind.py and docs/contract.md
CONTRACT = (*KERNELS, "allocate", "ports", "cost", "kernels", "notices", "wrong_arrays", "SCORE", "SCORES")

# the plots; and glimpses.py asks matplotlib where its sample photograph lies
MATPLOTLIB = ("plot.py", "plot_*.py", "sources/glimpses.py")


def library() -> dict[str, str]:
    """The text of every file of the package, by its path in it."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def every_file() -> dict[str, str]:
    """The text of every Python file of the project, by its path."""
    folders = ("cortexsim", "tests", "examples", "benchmarks")
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("__init__").rstrip("/").replace("/", ".")


def in_files(complaints: dict[str, list]) -> str:
    """All complaints, a line each, so that an empty text means a sound tree."""
    return "\n".join(f"{path}:{text}" for path, texts in complaints.items() for text in texts)


# -- arrows ----------------------------------------------------------------------------------------------------------

def test_arrows_between_modules_go_one_way():
    sources = {module_name(path): text for path, text in library().items()}
    assert len(sources) > 5
    assert "\n".join(arrows_against_order(sources, ORDER, ARROWS_ALLOWED)) == ""


@pytest.mark.parametrize("line", [
    "import cortexsim.b",
    "from cortexsim import b",
    "from cortexsim.b import thing",
    "from . import b",
    "from .b import thing",
    "def f():\n    from cortexsim import b",
    "import importlib\ndef f():\n    return importlib.import_module('cortexsim.b')",
    "if True:\n    import cortexsim.b as other",
])
def test_an_arrow_against_the_order_is_seen(line):
    bad = {"": "", "a": line, "b": ""}
    number = line.count("\n") + 1
    assert arrows_against_order(bad, ["a", "b", ""]) == [f"a:{number}: imports b, which stands below it"]
    assert arrows_against_order(bad, ["b", "a", ""]) == []
    assert arrows_against_order(bad, ["a", "b", ""], allowed={("a", "b")}) == []


def test_arrows_to_the_package_itself_within_a_group_and_from_below_are_seen():
    order = ["a", "group", "group.*", ""]
    assert arrows_against_order({"a": "from cortexsim import name", "": ""}, order) == [
        "a:1: imports cortexsim, which stands below it"]
    assert arrows_against_order({"group": "", "group.x": "from . import y\nfrom .. import a", "group.y": "", "a": ""},
                                order) == ["group.x:1: imports group.y, which stands below it"]
    assert arrows_against_order({"new": ""}, order) == ["new: has no place in the order of modules"]


def test_an_import_for_the_type_checker_is_no_arrow():
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cortexsim.b import thing\n"
    assert arrows_against_order({"a": text, "b": ""}, ["a", "b"]) == []


# -- compiled code ---------------------------------------------------------------------------------------------------

def test_compiled_code_stays_in_its_file():
    by_name = {"driver.py": ("work", "flush")}
    complaints = {path: compiled_leaks(text, KERNELS if path.startswith("kinds/") else by_name.get(path, ()),
                                       INTRINSICS | STAMPED if path in DRIVER else INTRINSICS)
                  for path, text in library().items()}
    assert in_files(complaints) == ""


GOOD_KERNELS = """
import math
import numba
import numpy as np
from cortexsim.errors import KindError
from cortexsim.native import helper
LIMIT = 3.0
def allocate(hyper, shapes, rng):
    raise KindError("here", "this is not compiled")
@helper
def _square(x):
    return x * x
def predict(r):
    helper = np.float32(LIMIT)  # a local name hides the imported one
    r.state[0] = _square(math.sqrt(helper)) + len(r.state)
"""


@pytest.mark.parametrize(("text", "line", "culprit"), [
    ("from cortexsim.plan import f\n@njit\ndef g(x):\n    return f(x)", 4, "g uses f, which is cortexsim.plan.f"),
    ("from .plan import f\n@nb.njit(cache=True)\ndef g(x):\n    return f(x)", 4, "g uses f, which is .plan.f"),
    ("import cortexsim.plan as m\n@intrinsic\ndef g(x):\n    return m.f(x)", 4, "g uses m, which is cortexsim.plan"),
    ("import other\nLIMIT = other.LIMIT\ndef predict(r):\n    r.x[0] = LIMIT", 4, "predict uses LIMIT, which is other"),
    ("from other import f\ndef g(x):\n    return f(x)\nh = njit(cache=True)(g)", 3, "g uses f, which is other.f"),
    ("from other import f\nfast = njit(cache=True)\n@fast\ndef g(x):\n    return f(x)", 5,
     "g uses f, which is other.f"),
    ("from other import f\n@helper\ndef g(x):\n    def h(y):\n        return f(y)\n    return h(x)", 5,
     "g uses f, which is other.f"),
    ("import numpy as np\ndef update(r):\n    from cortexsim import fields\n    fields.g(r)", 4,
     "update uses fields, which is cortexsim.fields"),
])
def test_compiled_code_that_leaves_its_file_is_seen(text, line, culprit):
    assert compiled_leaks(text, KERNELS) == [f"{line}: {culprit}"]


def test_compiled_code_may_use_its_own_file_numpy_math_and_intrinsics():
    assert compiled_leaks(GOOD_KERNELS, KERNELS) == []
    text = "from cortexsim.native import call\n@njit\ndef g(f, x):\n    call(f, x)"
    assert compiled_leaks(text) == ["4: g uses call, which is cortexsim.native.call"]
    assert compiled_leaks(text, allowed=INTRINSICS) == []


# -- docstrings and types --------------------------------------------------------------------------------------------

def exported(path: str) -> set[str]:
    """Top-level names of a file that the package exports."""
    module = f"cortexsim.{module_name(path)}".rstrip(".")
    things = {name: getattr(cortexsim, name) for name in cortexsim.__all__}
    return {thing.__name__ for thing in things.values() if getattr(thing, "__module__", "") == module}


def contract(path: str) -> tuple[str, ...]:
    return CONTRACT if path.startswith("kinds/") else ()


def test_docstrings_say_what_the_signatures_say():
    # networkx documents the methods that RegionGraph takes over from it
    inherited = {f"RegionGraph.{name}" for name in dir(networkx.MultiDiGraph)}
    complaints = {path: docstring_gaps(text, exported(path), {*contract(path), *inherited})
                  for path, text in library().items()}
    assert in_files(complaints) == ""


SECTION = '    """Do.\n\n    Parameters\n    ----------\n    {}\n        What.\n    """\n'


@pytest.mark.parametrize(("text", "complaint"), [
    ("def f(a): pass", "1: f has no docstring"),
    ("class C:\n    x = 1", "1: C has no docstring"),
    ("class C:\n    'Thing.'\n    def f(self): pass", "3: C.f has no docstring"),
    ("def f(a, b):\n" + SECTION.format("a : int"), "1: f documents ['a'], its signature is ['a', 'b']"),
    ("def f(a, b):\n" + SECTION.format("b, a : int"), "1: f documents ['b', 'a'], its signature is ['a', 'b']"),
    ("class C:\n" + SECTION.format("old : int") + "    def __init__(self, new): pass",
     "1: C documents ['old'], its signature is ['new']"),
    ("@dataclass(frozen=True)\nclass C:\n" + SECTION.format("old : int") + "    new: int = 0",
     "2: C documents ['old'], its signature is ['new']"),
    ("def shown(a, b):\n    'Do `b`.'", "1: shown does not document a"),
    ("class Shown:\n    'Do.'\n    def f(self, a):\n        'Do.'", "3: Shown.f does not document a"),
])
def test_docstrings_that_differ_from_the_code_are_seen(text, complaint):
    assert docstring_gaps(text, exported={"shown", "Shown"}) == [complaint]


def test_a_docstring_that_matches_passes():
    text = "def f(a, /, b, *args, c=1, **more):\n" + SECTION.format("a, b : int\n    *args\n    c : int\n    **more")
    assert docstring_gaps(text, exported={"f"}) == []
    assert docstring_gaps("def f(a):\n    'Give twice `a`.'", exported={"f"}) == []
    constant = "    kind: ClassVar[str] = 'c'\n    a: int"
    assert docstring_gaps("@dataclass\nclass C:\n" + SECTION.format("a : int") + constant) == []
    assert docstring_gaps("def _f(a): pass\nclass _C:\n    def f(self): pass\ndef predict(r): pass",
                          exempt=KERNELS) == []


def test_public_functions_are_typed():
    # compiled code takes its types from numba, and the contract gives those of a kind's functions
    complaints = {path: missing_types(text, contract(path)) for path, text in library().items()}
    assert in_files(complaints) == ""


def test_missing_types_are_seen():
    assert missing_types("def f(a, b: int) -> int: ...") == ["1: f has no type for a"]
    assert missing_types("class C:\n    def f(self, a: int): ...") == ["2: C.f has no type for its result"]
    assert missing_types("class C:\n    def f(self, a: int) -> int: ...\n@njit\ndef g(a): ...") == []


# -- size and habits -------------------------------------------------------------------------------------------------

def test_files_and_functions_have_one_subject():
    files = every_file()
    limits = {path: 80 if path.startswith("examples/") else 400 for path in files}
    assert {path: n for path, text in files.items() if (n := text.count("\n") + 1) > limits[path]} == {}
    assert in_files({path: long_functions(text, 60) for path, text in files.items()}) == ""
    assert long_functions("def f():\n    'Doc.'\n    a = 1\n    b = 2\n    return a", 2) == [
        "1: f has a body of 3 lines"]


def test_the_library_prints_nothing():
    silent = {path: text for path, text in library().items() if not path.startswith(("cli", "__main__"))}
    assert in_files({path: calls_of(text, "print") for path, text in silent.items()}) == ""
    assert calls_of("x = 1\nprint(x)\nlogger.print(x)", "print") == [2]


def test_only_the_plots_know_matplotlib():
    others = {path: text for path, text in library().items()
              if not any(fnmatch.fnmatchcase(path, pattern) for pattern in MATPLOTLIB)}
    assert in_files({path: imports_of(text, "matplotlib") for path, text in others.items()}) == ""
    assert imports_of("def f():\n    import matplotlib.cm as c\nfrom matplotlib import cm", "matplotlib") == [2, 3]
    assert imports_of("import_module('matplotlib.cbook')", "matplotlib") == [1]


def test_regions_holds_no_python():
    assert [path.name for path in (ROOT / "regions").rglob("*.py")] == []
