"""Fields: which units of a signal an edge delivers to which units of its region.

A field is a small frozen value that can be written as text: a graph reads the same in a script, in TOML and in GraphML.

========================================  ==================================================================
``dense``                                 every unit sees every unit
``window(kernel=5, stride=2)``            every position of the receiving sheet sees a patch of the sending sheet
``one_to_one``                            unit i sees unit i
``sparse(p=0.1, seed=3)``                 every unit sees a fixed random tenth of the units
========================================  ==================================================================

Shapes are sheets (height, width, features): ``(n,)`` is a line of n positions, ``(1, n, 1)``; ``(H, W)`` is
``(H, W, 1)``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np

from cortexsim.errors import GraphError, nearest
from cortexsim.field_lists import LARGEST_DENOMINATOR, OUTSIDE, axis_list, check_entries, sample_list, sheet_list

_LARGEST = 1 << 62
_LARGEST_STRIDE = 1 << 20
_LONGEST_TEXT = 1000

Number: TypeAlias = int | float
Sheet: TypeAlias = tuple[int, int, int]


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "(" + ", ".join(_write(item) for item in value) + ")"
    return repr(value)


class _Field:
    """What the four fields share: the text that stands for them."""

    text_name: ClassVar[str]

    def __str__(self) -> str:
        values = [(f, getattr(self, f.name)) for f in fields(self)]  # type: ignore[arg-type]
        said = ", ".join(f"{f.name}={_write(value)}" for f, value in values if value != f.default)
        return f"{self.text_name}({said})" if said else self.text_name


@dataclass(frozen=True)
class Dense(_Field):
    """Every receiving unit sees every sending unit."""

    text_name: ClassVar[str] = "dense"


@dataclass(frozen=True)
class Window(_Field):
    """Every position of the receiving sheet sees a patch of the sending sheet, as in a convolution.

    The grid of patches is centred on the sending sheet. A patch that reaches over the rim sees zeros there, or the
    opposite rim where `wrap` is set.

    Parameters
    ----------
    kernel : int or (int, int)
        Height and width of the patch in units; one number is a square, or a stretch where both sheets are lines.
    stride : number or (number, number)
        Sending units between neighbouring patches; below 1 it up-samples (0.5: two receiving positions per unit).
    wrap : bool
        The sending sheet is a torus.
    shared : bool
        All positions use the same weights.

    Raises
    ------
    GraphError
        A kernel below 1, or a stride that is not above 0.

    Examples
    --------
    >>> str(Window(5, stride=2))
    'window(kernel=5, stride=2)'
    """

    text_name: ClassVar[str] = "window"

    kernel: int | tuple[int, int]
    stride: Number | tuple[Number, Number] = 1
    wrap: bool = False
    shared: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", _pair_or_number(self.kernel, "kernel", _kernel_length))
        object.__setattr__(self, "stride", _pair_or_number(self.stride, "stride", _stride_length))
        for name, value in (("wrap", self.wrap), ("shared", self.shared)):
            if not isinstance(value, bool | np.bool_):
                raise GraphError("field window", f"{name} must be true or false", value)
            object.__setattr__(self, name, bool(value))


@dataclass(frozen=True)
class OneToOne(_Field):
    """Receiving unit i sees sending unit i, and nothing else."""

    text_name: ClassVar[str] = "one_to_one"


@dataclass(frozen=True)
class Sparse(_Field):
    """Every receiving unit sees a random share of the sending units, drawn once and kept.

    Parameters
    ----------
    p : float
        The share, above 0 and at most 1; at least one unit is seen.
    seed : int
        Another seed draws another sample; the edge's name always takes part too.

    Raises
    ------
    GraphError
        A share outside (0, 1], or a seed that is not a whole number from 0 up.
    """

    text_name: ClassVar[str] = "sparse"

    p: float
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.p, bool) or not _is_number(self.p) or not 0 < self.p <= 1:
            raise GraphError("field sparse", "p must be in (0, 1]", self.p, "try 0.1")
        if isinstance(self.seed, bool) or not _is_number(self.seed) or self.seed != int(self.seed) or self.seed < 0:
            raise GraphError("field sparse", "seed must be a whole number, 0 or more", self.seed)
        object.__setattr__(self, "p", float(self.p))
        object.__setattr__(self, "seed", int(self.seed))


Field: TypeAlias = Dense | Window | OneToOne | Sparse

FIELDS: dict[str, type] = {cls.text_name: cls for cls in (Dense, Window, OneToOne, Sparse)}
"""The fields by the names that text uses."""


def dense() -> Dense:
    """Every unit sees every unit: the field of an edge that names none."""
    return Dense()


def window(
    kernel: int | tuple[int, int],
    stride: Number | tuple[Number, Number] = 1,
    wrap: bool = False,
    shared: bool = False,
) -> Window:
    """Every receiving position sees a patch of the sending sheet.

    Parameters
    ----------
    kernel, stride, wrap, shared
        As in `Window`.

    Returns
    -------
    Window
    """
    return Window(kernel, stride, wrap, shared)


def one_to_one() -> OneToOne:
    """Unit i sees unit i; both sides must have the same number of units."""
    return OneToOne()


def sparse(p: float, seed: int = 0) -> Sparse:
    """Every unit sees a fixed random share of the sending units.

    Parameters
    ----------
    p, seed
        As in `Sparse`.

    Returns
    -------
    Sparse
    """
    return Sparse(p, seed)


def parse_field(value: Any, where: str = "field") -> Field:
    """Read a field from its text; a field passes through.

    Parameters
    ----------
    value : str or Field
        ``"window(5, stride=2)"``, ``"dense"``, or what `window` and its like return.
    where : str
        Named in the error, an edge for example.

    Returns
    -------
    Field

    Raises
    ------
    GraphError
        The name, an argument or a value is not known; the message names the nearest.

    Examples
    --------
    >>> parse_field("window(5, stride=0.5)")
    Window(kernel=5, stride=0.5, wrap=False, shared=False)
    >>> parse_field("one_to_one")
    OneToOne()
    """
    if isinstance(value, tuple(FIELDS.values())):
        return value  # type: ignore[return-value]
    if not isinstance(value, str):
        raise GraphError(where, "a field is a text such as 'window(5, stride=2)' or a cortexsim field", value)
    if len(value) > _LONGEST_TEXT:
        raise GraphError(where, f"a field is a text of at most {_LONGEST_TEXT} characters", value[:50])
    name, positional, named = _parse_call(value, where)
    if name not in FIELDS:
        raise GraphError(where, "no such field", value, nearest(name, FIELDS))
    known = [f.name for f in fields(FIELDS[name])]
    for key in named:
        if key not in known:
            raise GraphError(where, f"field {name} has no argument {key!r}", value, nearest(key, known))
    try:
        return FIELDS[name](*positional, **named)
    except TypeError:
        needs = f"takes {', '.join(known)}" if known else "takes no arguments"
        raise GraphError(where, f"field {name} {needs}", value, f"try {_EXAMPLES[name]!r}") from None
    except GraphError as error:
        raise GraphError(where, f"{error.where}: {error.what}", error.got, error.hint) from None


_EXAMPLES = {"dense": "dense", "window": "window(5, stride=2)", "one_to_one": "one_to_one", "sparse": "sparse(0.1)"}


def _parse_call(text: str, where: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Take ``name(1, key=2)`` apart without evaluating anything."""
    try:
        body = ast.parse(text.strip(), mode="eval").body
        if isinstance(body, ast.Name):
            return body.id, [], {}
        if isinstance(body, ast.Call) and isinstance(body.func, ast.Name) and all(k.arg for k in body.keywords):
            positional = [_literal(node) for node in body.args]
            return body.func.id, positional, {str(k.arg): _literal(k.value) for k in body.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        pass
    raise GraphError(where, "a field is written as 'dense' or 'window(5, stride=2)'", text,
                     f"known: {', '.join(FIELDS)}")


def _literal(node: ast.expr) -> Any:
    # true and false as TOML and JSON spell them; True and False are constants to ast already
    if isinstance(node, ast.Name) and node.id in ("true", "false"):
        return node.id == "true"
    return ast.literal_eval(node)


def _is_number(value: Any) -> bool:
    # a whole number may be larger than any float
    return isinstance(value, int | float | np.integer | np.floating) and bool(-_LARGEST < value < _LARGEST)


def _kernel_length(value: Any) -> int:
    if isinstance(value, bool) or not _is_number(value) or value != int(value) or value < 1:
        raise GraphError("field window", "kernel must be a whole number of units, 1 or more, or a pair of them", value)
    return int(value)


def _is_stride(value: Any) -> bool:
    return (_is_number(value) and not isinstance(value, bool)
            and bool(1 / LARGEST_DENOMINATOR <= value <= _LARGEST_STRIDE))


def _stride_length(value: Any) -> Number:
    if not _is_stride(value):
        raise GraphError("field window", f"stride must be a number from 1/{LARGEST_DENOMINATOR} to {_LARGEST_STRIDE}, "
                         "or a pair of them", value, "try 1, or 0.5 to up-sample")
    return int(value) if value == int(value) else float(value)


def _pair_or_number(value: Any, name: str, convert: Any) -> Any:
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise GraphError("field window", f"{name} must be one number or a pair (rows, columns)", value)
        return (convert(value[0]), convert(value[1]))
    return convert(value)


def as_sheet(shape: Sequence[int]) -> Sheet:
    """Height, width and features of a shape.

    Examples
    --------
    >>> as_sheet((7,)), as_sheet((4, 5)), as_sheet((4, 5, 3))
    ((1, 7, 1), (4, 5, 1), (4, 5, 3))
    """
    if len(shape) == 1:
        return (1, int(shape[0]), 1)
    height, width, *features = shape
    return (int(height), int(width), int(features[0]) if features else 1)


def field_indices(
    field: Field, source_shape: Sequence[int], target_shape: Sequence[int], where: str, rng: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """Lay a field out as index lists.

    Parameters
    ----------
    field : Window, OneToOne or Sparse
        A dense field needs no list: it is a contiguous copy.
    source_shape, target_shape : sequence of int
        Shapes of the signal that is read and of the sheet that receives, one to three numbers each.
    where : str
        The edge, named in errors.
    rng : numpy.random.Generator
        Draws the sample of a sparse field; the caller seeds it from the edge's name and the field's seed.

    Returns
    -------
    indices : numpy.ndarray, int32, shape (n_positions, per_position)
        Sending units per position, `OUTSIDE` where the sheet ends. A window has one position per place of the receiving
        sheet (unit i belongs to position ``i // features``), the others one per receiving unit.
    shared : bool
        All positions use the same weights.

    Raises
    ------
    GraphError
        Sizes that a one-to-one field cannot match, or a window that lies outside the sending sheet.
    """
    source, target = as_sheet(source_shape), as_sheet(target_shape)
    if isinstance(field, Window):
        return _window_indices(field, source, target, where), field.shared
    n_source, n_target = math.prod(source), math.prod(target)
    if isinstance(field, OneToOne):
        check_entries(n_target, field, where)
        if n_source != n_target:
            part = f"select a part such as 'name.port[0:{n_target}]'"
            raise GraphError(where, f"field one_to_one needs equal sizes, but {n_source} units meet {n_target}",
                             hint=part if n_source > n_target else "use 'dense'")
        return np.arange(n_target, dtype=np.int32)[:, None], False
    if isinstance(field, Sparse):
        n_seen = max(1, round(field.p * n_source))
        # drawing for a position takes as long as 32 units, and twice the memory of a list as long as the signal
        check_entries(max(n_target * max(n_seen, 32), n_source // 2), field, where)
        return sample_list(n_source, n_target, n_seen, rng), False
    raise GraphError(where, "a dense field has no index list", str(field))


def _window_indices(field: Window, source: Sheet, target: Sheet, where: str) -> np.ndarray:
    kernel = _kernel_pair(field, source, target)
    check_entries(target[0] * target[1] * kernel[0] * kernel[1] * source[2], field, where)
    stride = field.stride if isinstance(field.stride, tuple) else (field.stride, field.stride)
    axes = [axis_list(source[a], target[a], kernel[a], stride[a], field.wrap) for a in (0, 1)]
    if any((axis == OUTSIDE).all(axis=1).any() for axis in axes):
        raise GraphError(
            where,
            f"{field} leaves a position of the {target[0]} x {target[1]} sheet without any unit of the "
            f"{source[0]} x {source[1]} sheet it reads",
            hint=f"try {_window_that_fits(field, source, target)!r}",
        )
    return sheet_list(axes[0], axes[1], source[1], source[2])


def _kernel_pair(field: Window, source: Sheet, target: Sheet) -> tuple[int, int]:
    if isinstance(field.kernel, tuple):
        return field.kernel
    # between lines a square patch would be rim for the most part, and would wrap onto itself
    return tuple(1 if source[a] == target[a] == 1 else field.kernel for a in (0, 1))  # type: ignore[return-value]


def _window_that_fits(field: Window, source: Sheet, target: Sheet) -> str:
    ratios = (source[0] / target[0], source[1] / target[1])
    if not all(_is_stride(ratio) for ratio in ratios):
        return "dense"
    strides = (_stride_length(ratios[0]), _stride_length(ratios[1]))
    line = [a for a in (0, 1) if source[a] == target[a] == 1]
    one = strides[1 - line[0]] if line else strides[0]
    stride = one if line or strides[0] == strides[1] else strides
    return str(Window(field.kernel, stride, field.wrap, field.shared))
