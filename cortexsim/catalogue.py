"""Region graphs as TOML files, and the ready-made ones by name."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path

from cortexsim.errors import FileError, nearest
from cortexsim.files import write_file
from cortexsim.graph import RegionGraph
from cortexsim.graph_io import naming_file, read_bytes
from cortexsim.toml_read import graph_from_tables
from cortexsim.toml_write import tables_from_graph, text_from_tables
from cortexsim.trust import check_plain, importing_only

PACKAGE = Path(__file__).parent


def folder() -> Path:
    """The folder of the ready-made graphs: inside the package where it was installed, beside it in a checkout."""
    inside, beside = PACKAGE / "regions", PACKAGE.parent / "regions"
    # another distribution on PyPI is called regions too, and would lie beside an installed package
    return beside if not inside.is_dir() and not (beside / "__init__.py").exists() else inside


def names() -> list[str]:
    """Names of the ready-made graphs, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def find(name: str) -> Path:
    """The file of a ready-made graph.

    Parameters
    ----------
    name : str
        ``"glimpses"``, for example; `names` lists them.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileError
        There is none of that name; the nearest is suggested.
    """
    if name not in names():
        raise FileError(f"region graph {name!r}", "is not in the catalogue", hint=nearest(name, names()))
    return folder() / f"{name}.toml"


def load(name_or_path: str | os.PathLike[str], allow_kinds: Iterable[str] = ()) -> RegionGraph:
    """A ready-made graph by its name, or a TOML file by its path.

    Parameters
    ----------
    name_or_path : str or path
        Taken as a path where it ends in ``.toml`` or holds a folder.
    allow_kinds : iterable of str
        As in `load_toml`.

    Returns
    -------
    RegionGraph
        Checked.

    Raises
    ------
    FileError, GraphError, KindError
        As in `find` and `load_toml`.
    """
    path = Path(name_or_path)
    if not isinstance(name_or_path, str) or path.suffix == ".toml" or len(path.parts) > 1:
        return load_toml(path, allow_kinds)
    return load_toml(find(name_or_path))


def load_toml(path_or_text: str | os.PathLike[str], allow_kinds: Iterable[str] = ()) -> RegionGraph:
    """Read and check a region graph.

    Parameters
    ----------
    path_or_text : str or path
        A file; or, where a text holds a line break or ``=``, the TOML itself.
    allow_kinds : iterable of str
        Kinds outside the package that the file may name, ``"mylab.rules:gain"``, or ``"mylab.*"`` with wildcards:
        naming one imports it, and so runs its code. By default none.

    Returns
    -------
    RegionGraph

    Raises
    ------
    FileError
        The file cannot be read, or is not TOML: the message names the line.
    GraphError
        An unknown table or key, a kind that is not allowed, or a graph that is not sound; the message names file,
        table and nearest key.
    KindError
        A hyperparameter out of its range.

    Examples
    --------
    >>> load_toml('''
    ... name = "first"
    ... [sources.retina]
    ... shape = [4, 4]
    ... [regions.V1]
    ... predicts = "retina"
    ... context = ["retina@1", { from = "V1.prediction@2", field = "window(3)" }]
    ... ''')
    RegionGraph 'first': 1 source, 1 region, 3 edges
    """
    inline = isinstance(path_or_text, str) and ("\n" in path_or_text or "=" in path_or_text)
    label = "text" if inline else os.fspath(path_or_text)
    try:
        text = str(path_or_text) if inline else read_bytes(path_or_text).decode()
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise FileError(f"file {label!r}", f"is not UTF-8 text ({error})") from error
    except RecursionError:
        raise FileError(f"file {label!r}", "is TOML that is nested too deep") from None
    except ValueError as error:  # not TOML, or a number of thousands of digits
        raise FileError(f"file {label!r}", f"is not TOML: {error}") from error
    with naming_file(label), importing_only(allow_kinds):
        check_plain(tables, "file")
        return graph_from_tables(tables).check()


def to_toml(graph: RegionGraph) -> str:
    """The TOML text of a graph; `load_toml` reads the same graph from it.

    Raises
    ------
    GraphError
        The graph is not sound, or holds a value that TOML has no form for.
    """
    return text_from_tables(tables_from_graph(graph.copy().check()))


def save_toml(graph: RegionGraph, path: str | os.PathLike[str]) -> None:
    """Write a graph as a TOML file.

    Parameters
    ----------
    graph : RegionGraph
        A sound graph.
    path : path
        The file, replaced whole or not at all.

    Raises
    ------
    GraphError
        As in `to_toml`.
    FileError
        The folder cannot be written to.
    """
    text = to_toml(graph)
    write_file(path, lambda file: file.write(text.encode()))
