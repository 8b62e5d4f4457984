"""float32 everywhere: a plain number in compiled code makes a sum twice as long without a sign of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ROOT / "cortexsim" / "kinds"
SHORT = ("float32", "f32")
# what is counted in float64 on purpose: scores, and sums over a whole run
LONG = {
    "delta": {"_score"},
    "predictive_coding": {"_energy", "_learn", "_update"},
    "reservoir": {"_see"},
    "rls": {"_predict"},
    "temporal_memory": {"_update"},
    "subspace": {"_compare", "_emit", "_statistics", "_own_step", "_learn"},
}


def compiled_functions(text: str) -> list[ast.FunctionDef]:
    """The kernels of a file, and the helpers that they share."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return [node for node in functions if [arg.arg for arg in node.args.args] == ["r"] or
            any(isinstance(name, ast.Name) and name.id in ("exact", "helper") for name in node.decorator_list)]


def long_numbers(text: str) -> dict[str, set[str]]:
    """Plain floats and calls of `float` in compiled code, by function: all that is not made a float32 at once."""
    found: dict[str, set[str]] = {}
    for function in compiled_functions(text):
        short = {id(part) for node in ast.walk(function) if isinstance(node, ast.Call) and name_of(node) in SHORT
                 for part in node.args}
        for node in ast.walk(function):
            plain = isinstance(node, ast.Constant) and isinstance(node.value, float) or (
                isinstance(node, ast.Call) and name_of(node) in ("float", "float64"))
            if plain and id(node) not in short:
                found.setdefault(function.name, set()).add(ast.unparse(node))
    return found


def name_of(call: ast.Call) -> str:
    """The last word of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@pytest.mark.parametrize("kind", sorted(path.stem for path in KINDS.glob("[a-z]*.py")))
def test_numbers_are_as_long_as_it_is_said(kind):
    assert set(long_numbers((KINDS / f"{kind}.py").read_text())) == LONG.get(kind, set())


def test_a_plain_number_in_a_kernel_is_seen():
    text = "def update(r):\n    r.W[0] += 0.5 * r.x[0] + np.float32(0.5)\n    r.b[0] = float(r.n) + f32(1.0)\n"
    assert long_numbers(text) == {"update": {"0.5", "float(r.n)"}}
    assert long_numbers("@exact\ndef _sum(r, n):\n    return 1.0\n\ndef cost(hyper, shapes):\n    return 1.0\n") == {
        "_sum": {"1.0"}}
