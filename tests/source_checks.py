"""What test_architecture.py asks of source text, without running it: arrows, compiled code, docstrings, size.

Every function here takes text or a tree and returns a list of complaints, so that the tests can show each of them a
sample that is wrong on purpose.
"""

from __future__ import annotations

import ast
import fnmatch
import inspect
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef

# decorators whose functions numba turns into machine code, or into the code of their callers
COMPILERS = {"njit", "jit", "cfunc", "vectorize", "guvectorize", "stencil", "register_jitable", "helper", "exact",
             "intrinsic", "overload", "overload_method", "overload_attribute", "lower_builtin", "lower_getattr",
             "lower_getattr_generic"}
KERNELS = ("predict", "compare", "update", "tick", "flush", "update_by_rates", "tick_by_rates")
# modules whose names compiled code may use: no release of cortexsim changes them
FREE_MODULES = {"numpy", "numba", "llvmlite", *sys.stdlib_module_names}


# -- arrows between modules ------------------------------------------------------------------------------------------

def imported_modules(module: str, tree: ast.Module, modules: Collection[str],
                     package: str) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for every import from `package`, in functions too, but not those for a type checker only.

    `module` and the results are dotted names below the package ("" is the package itself).
    """
    for node in _walk_without_type_checking(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = _names_of_import_from(module, node, modules, package)
        else:
            names = _names_of_import_call(node)
        for name in names:
            if name == package or name.startswith(package + "."):
                yield node.lineno, name[len(package) + 1:]


def _walk_without_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
        children: Sequence[ast.AST] = node.orelse
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _walk_without_type_checking(child)


def _names_of_import_call(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Call) and _last_name(node.func) in ("import_module", "__import__"):
        return [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return []


def _names_of_import_from(module: str, node: ast.ImportFrom, modules: Collection[str], package: str) -> list[str]:
    base = node.module or ""
    if node.level:
        is_package = any(other.startswith(module + ".") for other in modules) or module == ""
        parts = [package, *filter(None, module.split("."))]
        parts = parts[:len(parts) - node.level + (1 if is_package else 0)]
        base = ".".join([*parts, *filter(None, [node.module])])
    if base != package and not base.startswith(package + "."):
        return []
    below = base[len(package) + 1:]
    names = []
    for alias in node.names:
        inner = f"{below}.{alias.name}".lstrip(".")
        names.append(f"{package}.{inner}" if inner in modules else base)
    return sorted(set(names))


def arrows_against_order(sources: Mapping[str, str], order: Sequence[str], allowed: Collection[tuple[str, str]] = (),
                         package: str = "cortexsim") -> list[str]:
    """List the imports of a module that does not stand above the importing one in `order`.

    `sources` maps dotted module names ("" for the package) to their text; `order` holds names and patterns, and modules
    of one pattern may not import each other; `allowed` holds pairs that may all the same.
    """
    complaints = []
    for module, text in sorted(sources.items()):
        place = _place(module, order)
        if place is None:
            complaints.append(f"{module or package}: has no place in the order of modules")
            continue
        for line, other in imported_modules(module, ast.parse(text), sources, package):
            there = _place(other, order)
            if (there is None or there >= place) and (module, other) not in allowed:
                complaints.append(f"{module or package}:{line}: imports {other or package}, which stands below it")
    return complaints


def _place(module: str, order: Sequence[str]) -> int | None:
    exact = [index for index, pattern in enumerate(order) if pattern == module]
    alike = [index for index, pattern in enumerate(order) if fnmatch.fnmatchcase(module, pattern)]
    return (exact + alike + [None])[0]


# -- compiled code ---------------------------------------------------------------------------------------------------

def compiled_functions(tree: ast.Module, kernels: Collection[str] = ()) -> list[Function]:
    """List the functions that numba compiles: by decorator, wrapped by a call, or a kernel by its name."""
    # "compiled = njit(cache=True)" makes a decorator of this file's own
    own = {target.id for node in tree.body if isinstance(node, ast.Assign) and _compiles(node.value, COMPILERS)
           for target in node.targets if isinstance(target, ast.Name)}
    compilers = COMPILERS | own
    wrapped = {argument.id for node in ast.walk(tree) if isinstance(node, ast.Call) and _compiles(node.func, compilers)
               for argument in node.args if isinstance(argument, ast.Name)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, Function):
            is_kernel = node in tree.body and node.name in kernels
            if is_kernel or node.name in wrapped or any(_compiles(d, compilers) for d in node.decorator_list):
                found.append(node)
    return found


def _compiles(node: ast.AST, compilers: Collection[str]) -> bool:
    return _last_name(node.func if isinstance(node, ast.Call) else node) in compilers


def foreign_names(tree: ast.Module, allowed: Collection[tuple[str, str]] = ()) -> dict[str, str]:
    """Map every name that stands for something outside the file to where it comes from.

    Names from FREE_MODULES are left out, and `allowed` (module, name) pairs; a name that is computed from a foreign one
    when the module is imported is foreign too.
    """
    foreign: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] not in FREE_MODULES:
                    foreign[alias.asname or alias.name.split(".")[0]] = alias.name
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                if module.split(".")[0] not in FREE_MODULES and (module, alias.name) not in allowed:
                    foreign[alias.asname or alias.name] = f"{module}.{alias.name}"
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            origin = next((foreign[name] for name in _names(node.value) if name in foreign), None)
            if origin is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                foreign.update(dict.fromkeys((n for target in targets for n in _names(target)), origin))
    return foreign


def compiled_leaks(text: str, kernels: Collection[str] = (), allowed: Collection[tuple[str, str]] = ()) -> list[str]:
    """List what compiled functions take from other files, which numba's cache would not see change."""
    tree = ast.parse(text)
    foreign = foreign_names(tree, allowed)
    complaints = set()
    for function in compiled_functions(tree, kernels):
        local = _bound_names(function)
        for node in (inner for statement in function.body for inner in ast.walk(statement)):
            if isinstance(node, ast.Name) and node.id in foreign and node.id not in local:
                complaints.add(f"{node.lineno}: {function.name} uses {node.id}, which is {foreign[node.id]}")
    return sorted(complaints)


def _names(node: ast.AST) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]


def _bound_names(function: Function) -> set[str]:
    bound = set(parameter_names(function))
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, Function) and node is not function:
            bound.update({node.name, *parameter_names(node)})
    return bound


def _last_name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


# -- docstrings and types --------------------------------------------------------------------------------------------

def parameter_names(function: Function | ast.Lambda) -> list[str]:
    """List the parameters of a function in the order of its signature."""
    a = function.args
    every = [*a.posonlyargs, *a.args, *filter(None, [a.vararg]), *a.kwonlyargs, *filter(None, [a.kwarg])]
    return [argument.arg for argument in every]


def documented_parameters(docstring: str) -> list[str] | None:
    """Read the names in the Parameters section of a numpy docstring; None where it has no such section.

    Examples
    --------
    >>> documented_parameters("Sum.\\n\\nParameters\\n---\\na, b : int\\n    Terms.\\n\\nReturns\\n---\\nint")
    ['a', 'b']
    """
    lines = inspect.cleandoc(docstring).splitlines()
    starts = [i for i, line in enumerate(lines[1:]) if line.strip() and set(line.strip()) == {"-"}]
    for number, start in enumerate(starts):
        if lines[start].strip() == "Parameters":
            stop = starts[number + 1] if number + 1 < len(starts) else len(lines)
            heads = [line for line in lines[start + 2:stop] if line.strip() and not line.startswith(" ")]
            return [name.strip().lstrip("*\\") for head in heads for name in head.split(" : ")[0].split(",")]
    return None


def public_definitions(tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef | Function, list[str] | None]]:
    """Yield (qualified name, node, parameters) for all that a user may call.

    Parameters are without self and cls, and None where the node does not say them (a class without a constructor).
    """
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node.name, node, parameter_names(node)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node, _constructor_parameters(node)
            for method in node.body:
                if isinstance(method, Function) and not method.name.startswith("_") and not _is_setter(method):
                    static = "staticmethod" in map(_last_name, method.decorator_list)
                    yield f"{node.name}.{method.name}", method, parameter_names(method)[0 if static else 1:]


def _is_setter(method: Function) -> bool:
    return any(_last_name(d) in ("setter", "deleter", "overload") for d in method.decorator_list)


def _constructor_parameters(node: ast.ClassDef) -> list[str] | None:
    for method in node.body:
        if isinstance(method, Function) and method.name == "__init__":
            return parameter_names(method)[1:]
    decorators = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    if "dataclass" not in map(_last_name, decorators):
        return None
    return [field.target.id for field in node.body if isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name) and "ClassVar" not in ast.unparse(field.annotation)
            and "init=False" not in ast.unparse(field)]


def docstring_gaps(text: str, exported: Collection[str] = (), exempt: Collection[str] = ()) -> list[str]:
    """List public functions and classes without a docstring, and Parameters sections that differ from the signature.

    What is `exported` (a top-level name), and its methods, must speak of all parameters: in the section, or by name
    in the text where one line says it all.
    """
    complaints = []
    for name, node, parameters in public_definitions(ast.parse(text)):
        if name in exempt:
            continue
        docstring = ast.get_docstring(node)
        if docstring is None:
            complaints.append(f"{node.lineno}: {name} has no docstring")
            continue
        documented = documented_parameters(docstring)
        if documented is None:
            unsaid = [p for p in parameters or () if not re.search(rf"\b{p}\b", docstring)]
            if name.split(".")[0] in exported and unsaid and isinstance(node, Function):
                complaints.append(f"{node.lineno}: {name} does not document {', '.join(unsaid)}")
        elif parameters is not None and documented != parameters:
            complaints.append(f"{node.lineno}: {name} documents {documented}, its signature is {parameters}")
    return complaints


def missing_types(text: str, exempt: Collection[str] = ()) -> list[str]:
    """List public functions with a parameter, or a result, that has no type."""
    tree = ast.parse(text)
    compiled = compiled_functions(tree)
    complaints = []
    for name, node, parameters in public_definitions(tree):
        if isinstance(node, ast.ClassDef) or node in compiled or name in exempt:
            continue
        a = node.args
        every = [*a.posonlyargs, *a.args, *filter(None, [a.vararg]), *a.kwonlyargs, *filter(None, [a.kwarg])]
        bare = [x.arg for x in every if x.annotation is None and x.arg in (parameters or ())]
        if bare or node.returns is None:
            complaints.append(f"{node.lineno}: {name} has no type for {', '.join(bare) or 'its result'}")
    return complaints


# -- size and habits -------------------------------------------------------------------------------------------------

def body_lines(function: Function) -> int:
    """Count the lines of a body, its docstring left out."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    return (function.end_lineno or 0) - first.lineno + 1


def long_functions(text: str, limit: int) -> list[str]:
    """List the functions whose bodies are longer than `limit` lines."""
    return [f"{node.lineno}: {node.name} has a body of {body_lines(node)} lines" for node in ast.walk(ast.parse(text))
            if isinstance(node, Function) and body_lines(node) > limit]


def calls_of(text: str, name: str) -> list[int]:
    """List the lines on which a function of that name is called."""
    return [node.lineno for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name]


def imports_of(text: str, module: str) -> list[int]:
    """List the lines that import a module from outside, in whatever way but for a type checker only."""
    lines = []
    for node in _walk_without_type_checking(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [] if node.level else [node.module or ""]
        else:
            names = _names_of_import_call(node)
        lines += [node.lineno for name in names if name.split(".")[0] == module]
    return lines
