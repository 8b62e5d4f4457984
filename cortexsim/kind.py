"""The contract of a kind, and the checker of it.

A *kind* is a learning rule with its dynamics. It is a module (or any object with the same attributes) that brings

==================  ==============================================================================================
``Hyper``           frozen dataclass of hyperparameters; each field is made by :func:`cortexsim.hyper`
``allocate``        ``allocate(hyper, shapes, rng) -> dict`` of named numpy arrays (float32, float64, int32, int64)
``ports``           ``ports(hyper, shapes) -> dict`` from the ports it writes to their shapes
``LEARNED``         names of the arrays that learning changes; all others are activity, cleared by ``reset``
``predict``         kernel: reads context, writes ``prediction`` and scratch
``compare``         kernel, optional: writes ``error`` (default: target minus prediction)
``update``          kernel: learns, writes state, reconstruction and the score
``tick``            kernel, optional: predict, compare and update in one pass, with the same bits
``flush``           kernel, optional: learns what was put off, before anybody looks at the arrays
``ROLES``           roles of edges it accepts; ``NEEDS`` those it cannot do without
``SCORE``           ``"mse"`` or ``"bits"``, or a function of ``Hyper`` that tells
``SCORES``          what is scored: ``"forecast"`` or ``"reconstruction"``, or a function of ``Hyper`` that tells
``SETTLES``         True: ``predicts=`` makes the pair prediction -> prior, error -> feedback
``CLAMP``           of a kind that relaxes: the names of its arrays of state values, and of which a query holds
``GRADIENT``        two ports, or a port and ``"context"``: a step goes along their outer product
``GOES_ON``         True: its state goes on at ticks without a target
``WRITES_FEEDBACK`` True: it writes ``feedback``, one slice per context edge
``AXES``            optional: what each axis of an array means, so that learned values survive an edit of the graph
``kernels``         optional: ``kernels(hyper) -> dict``, kernels that stand in for others with these hyperparameters
``CONSTANT``        names of arrays of whole numbers that never change after ``allocate``: places that kernels go to
``wrong_arrays``    optional: ``wrong_arrays(hyper, shapes, arrays, drawn) -> str``, what a file must not say of them
``notices``         optional: ``notices(hyper, arrays) -> dict``, what its user should know: that a cap is reached
``cost``            optional: ``cost(hyper, shapes) -> (flops, bytes)`` per tick
==================  ==============================================================================================

A kernel is a plain Python function of one argument, the *view* of one region at one tick. ``docs/contract.md`` lists
what a view holds. Kernels are compiled when a plan first needs them, and call nothing outside their file.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from cortexsim.errors import KindError, nearest
from cortexsim.hyperparameter import HyperField, hyper, hyper_fields
from cortexsim.shapes import EdgeShape, Shapes
from cortexsim.step_sizes import GRADIENT, add_step_sizes, check_steps
from cortexsim.trust import check_import, importing_only, importing_what_it_likes

__all__ = ["EdgeShape", "HyperField", "Kind", "Shapes", "check_kind", "find_kind", "hyper", "importing_only",
           "kind_name", "list_kinds"]

ROLES = ("context", "target", "prior", "feedback", "gate", "modulator")
PORTS = ("prediction", "error", "state", "reconstruction", "feedback")
# the step of a tick in which a port is written, and in which a role is read
# no hyperparameter is larger: NaN, infinity and whole numbers that no float holds are none
LARGEST = 1e300
PORT_STEP = {"prediction": "predict", "error": "compare", "feedback": "compare", "state": "update",
             "reconstruction": "update"}
ROLE_STEP = {"context": "predict", "gate": "predict", "modulator": "predict", "target": "compare",
             "prior": "compare", "feedback": "update"}
STEPS = ("predict", "compare", "update")
KERNELS = ("predict", "compare", "update", "tick", "flush")


@dataclass(frozen=True)
class Kind:
    """A kind that has passed the checker; made by :func:`find_kind`."""

    name: str
    namespace: Any = dataclasses.field(repr=False)

    def _get(self, attribute: str, default: Any = None) -> Any:
        return getattr(self.namespace, attribute, default)

    @property
    def Hyper(self) -> type:
        """The dataclass of hyperparameters."""
        return self.namespace.Hyper

    @property
    def doc(self) -> str:
        """The docstring: equation, shapes, cost and source."""
        return inspect.cleandoc(self._get("__doc__") or "")

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the arrays that learning changes."""
        return tuple(self._get("LEARNED", ()))

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """What each axis of an array stands for."""
        return dict(self._get("AXES", {}))

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the edges that it accepts."""
        return tuple(self._get("ROLES", ("context", "target", "gate", "modulator")))

    @property
    def needs(self) -> tuple[str, ...]:
        """Roles of which it needs at least one edge."""
        return tuple(self._get("NEEDS", ("target",)))

    def scores(self, values: dict[str, Any]) -> str:
        """``"forecast"`` or ``"reconstruction"``, what its curve scores: ``SCORES`` may be a function of ``Hyper``."""
        scores = self._get("SCORES", "forecast")
        return scores(self._hyper(values)) if callable(scores) else scores

    @property
    def clamp(self) -> tuple[str, str] | None:
        """Of a kind that relaxes: the arrays of its state values, and of which of them a query holds; else None."""
        return self._get("CLAMP")

    @property
    def normalised(self) -> str | bool:
        """Whether its steps are divided by the squared length of what they go along; or the hyperparameter for it."""
        return self._get("NORMALISED", False)

    @property
    def goes_on(self) -> bool:
        """Whether its state goes on at ticks without a target: ``update`` is called there, and must not learn."""
        return self.clamp is not None or bool(self._get("GOES_ON", False))

    @property
    def settles(self) -> bool:
        """Whether ``predicts=`` makes the settling pair of edges."""
        return bool(self._get("SETTLES", False))

    @property
    def writes_feedback(self) -> bool:
        """Whether it sends feedback along its context edges."""
        return bool(self._get("WRITES_FEEDBACK", False))

    @property
    def port_names(self) -> tuple[str, ...]:
        """The ports that it writes."""
        return tuple(self._get("PORTS", ("prediction", "error")))

    def score_unit(self, values: dict[str, Any]) -> str:
        """The unit of the loss for checked hyperparameters: ``SCORE`` may be a function of ``Hyper``."""
        score = self._get("SCORE", "mse")
        return score(self._hyper(values)) if callable(score) else score

    def kernel(self, step: str, values: dict[str, Any] | None = None) -> Callable[[Any], None] | None:
        """The plain Python function of a kernel, or None where the kind does not bring it.

        `values` are the checked hyperparameters of a region: its kind may have ``kernels`` of their own for some.
        """
        own = self._get("kernels")
        others = own(self._hyper(values)) if own is not None and values is not None else {}
        return others.get(step, self._get(step))

    def hyper_fields(self) -> dict[str, HyperField]:
        """Its hyperparameters by name, in the order of declaration; then those of a learning rate, if it has one."""
        return add_step_sizes(hyper_fields(self.Hyper))

    def _hyper(self, values: dict[str, Any]) -> Any:
        """Checked values as the kind's own dataclass."""
        own = hyper_fields(self.Hyper)
        return self.Hyper(**{name: value for name, value in values.items() if name in own})

    @property
    def gradient(self) -> tuple[str, str]:
        """The two ports or roles whose outer product its steps go along, for a learning rate that learns."""
        return self._get("GRADIENT", GRADIENT)

    def check_hyper(self, region: str, values: dict[str, Any]) -> dict[str, Any]:
        """Complete and check hyperparameters.

        Parameters
        ----------
        region : str
            Whose they are, for the message.
        values : dict
            What the user set.

        Returns
        -------
        dict
            All fields, defaults filled in.

        Raises
        ------
        KindError
            For an unknown name or a value out of range.
        """
        fields = self.hyper_fields()
        where = f"region {region!r}"
        for name in values:
            if name not in fields:
                raise KindError(where, f"kind {self.name!r} has no hyperparameter {name!r}", hint=nearest(name, fields))
        for name, value in values.items():
            if isinstance(value, int | float) and not -LARGEST < value < LARGEST:
                raise KindError(where, f"{name} must be {fields[name].allowed()}", value,
                                f"the default is {fields[name].default!r}")
        return {name: field.check(values.get(name, field.default), where) for name, field in fields.items()}

    def ports(self, values: dict[str, Any], shapes: Shapes) -> dict[str, tuple[int, ...]]:
        """Shapes of the ports it writes, for checked hyperparameters, checked themselves."""
        found = self.namespace.ports(self._hyper(values), shapes)
        where = f"kind {self.name!r}"
        try:
            found = {port: tuple(int(n) for n in shape) for port, shape in found.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise KindError(where, "ports() must return a dict from ports to shapes, tuples of whole numbers",
                            found) from error
        for port in found:
            if port not in self.port_names:
                raise KindError(where, f"ports() returns {port!r}, which PORTS does not name",
                                hint=nearest(port, self.port_names))
        if self.kernel("compare") is None and "error" in found:
            # without its own compare the driver writes error = target - prediction, element by element
            for port in ("prediction", "error"):
                if math.prod(found.get(port, (0,))) != shapes.n_target:
                    raise KindError(where, f"without a compare kernel, {port!r} must have the size of the target, "
                                    f"{shapes.n_target}", found.get(port))
        return found

    def allocate(self, values: dict[str, Any], shapes: Shapes, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Named arrays of one region, checked."""
        arrays = self.namespace.allocate(self._hyper(values), shapes, rng)
        where = f"kind {self.name!r}"
        if not isinstance(arrays, dict):
            raise KindError(where, "allocate() must return a dict from names to arrays", type(arrays).__name__)
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.name not in ("float32", "float64", "int32", "int64"):
                got = getattr(array, "dtype", type(array).__name__)
                raise KindError(where, f"array {name!r} must be float32, float64, int32 or int64", str(got))
        for what, names in (("LEARNED", self.learned), ("CLAMP", self.clamp or ()),
                            ("CONSTANT", self._get("CONSTANT", ()))):
            for name in names:
                if name not in arrays:
                    raise KindError(where, f"{what} names {name!r}, which allocate does not bring",
                                    hint=nearest(name, arrays))
        return arrays

    @property
    def has_notices(self) -> bool:
        """Whether it may have something to say."""
        return self._get("notices") is not None

    def notices(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, str]:
        """What a region of this kind says of itself: a few words for the curve -> a sentence with the remedy."""
        own = self._get("notices")
        return {} if own is None else own(self._hyper(values), arrays)

    def wrong_arrays(self, values: dict[str, Any], shapes: Shapes, arrays: dict[str, np.ndarray],
                     drawn: dict[str, np.ndarray]) -> str:
        """What is wrong with arrays that come from a file, "" for nothing: kernels trust the places in them.

        `drawn` holds those of whole numbers as they were drawn at the start.
        """
        for name in self._get("CONSTANT", ()):
            if not np.array_equal(drawn[name], arrays[name]):
                return f"array {name!r} is not what the graph makes it"
        own = self._get("wrong_arrays")
        return "" if own is None else own(self._hyper(values), shapes, arrays, drawn)

    def cost(self, values: dict[str, Any], shapes: Shapes) -> tuple[float, float]:
        """Estimated flops and bytes of a tick (default: one weight from every context to every target unit)."""
        own = self._get("cost")
        if own is not None:
            flops, size = own(self._hyper(values), shapes)
            return float(flops), float(size)
        weights = max(1, shapes.n_context) * max(1, shapes.n_target, shapes.size or 0)
        return 4.0 * weights, 8.0 * weights


def list_kinds() -> list[str]:
    """Names of the kinds that come with cortexsim, found by listing the folder."""
    import cortexsim.kinds as package

    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))


def kind_name(kind: Any) -> str:
    """The name under which a graph stores a kind: a string as it is, a module or class by its dotted path."""
    if isinstance(kind, str):
        return kind
    if isinstance(kind, Kind):
        return kind.name
    if inspect.ismodule(kind):
        name = kind.__name__.removeprefix("cortexsim.kinds.")
        # the colon tells a module of the user's from a misspelt kind of the package
        return name if "." in name or name != kind.__name__ else f"{name}:"
    if inspect.isclass(kind):
        return f"{kind.__module__}:{kind.__qualname__}"
    raise KindError("kind", "must be a name, a module or a class", type(kind).__name__)


def find_kind(name: str) -> Kind:
    """Find a kind by its name or by a dotted path, and check it against the contract.

    Parameters
    ----------
    name : str
        ``"delta"`` (a file of cortexsim/kinds), ``"package.module"``, ``"module:"`` or ``"package.module:object"``.

    Returns
    -------
    Kind

    Raises
    ------
    KindError
        Where there is no such kind, it breaks the contract, or a file is read that may not import it.
    """
    check_import(name, "kind")
    with importing_what_it_likes():
        return _find_kind(name)


@cache
def _find_kind(name: str) -> Kind:
    known = list_kinds()
    where = f"kind {name!r}"
    if name in known:
        namespace: Any = importlib.import_module(f"cortexsim.kinds.{name}")
    else:
        module, colon, attribute = name.partition(":")
        if "." not in module and not colon:
            raise KindError(where, "is not known", hint=nearest(name, known))
        try:
            namespace = importlib.import_module(module)
        except (ImportError, TypeError, ValueError) as error:  # the last two: "..x" and ":x" are no modules
            hint = "kinds outside the package are named 'module:object'; " + nearest(name, known)
            raise KindError(where, f"cannot be imported: {error}", hint=hint) from error
        for part in filter(None, attribute.split(".")):
            if not hasattr(namespace, part):
                words = [word for word in dir(namespace) if not word.startswith("_")]
                raise KindError(where, f"is not there: {module!r} has no {part!r}", hint=nearest(part, words))
            namespace = getattr(namespace, part)
    check_kind(name, namespace)
    return Kind(name, namespace)


def check_kind(name: str, namespace: Any) -> None:
    """Check that a module or object keeps the contract of a kind.

    Parameters
    ----------
    name : str
        Its name, for the message.
    namespace : object
        The module or class that holds ``Hyper``, ``allocate``, ``ports`` and the kernels.

    Raises
    ------
    KindError
        Naming the kind, the attribute and what is expected of it.
    """
    where = f"kind {name!r}"
    Hyper = getattr(namespace, "Hyper", None)
    if not (dataclasses.is_dataclass(Hyper) and getattr(Hyper, "__dataclass_params__").frozen):  # noqa: B009
        raise KindError(where, "needs Hyper, a frozen dataclass")
    for field in dataclasses.fields(Hyper):
        if "doc" not in field.metadata:
            raise KindError(where, f"Hyper.{field.name} must be made by cortexsim.kind.hyper(default, doc, ...)")
    for attribute in ("allocate", "ports", "predict", "update"):
        if not callable(getattr(namespace, attribute, None)):
            raise KindError(where, f"needs a function {attribute!r}")
    for step in KERNELS:
        kernel = getattr(namespace, step, None)
        if kernel is not None and len(inspect.signature(kernel).parameters) != 1:
            raise KindError(where, f"kernel {step!r} must take one argument, the view of its region")
    choices = {"SCORE": ("mse", "bits"), "SCORES": ("forecast", "reconstruction")}
    for attribute, allowed in choices.items():
        value = getattr(namespace, attribute, allowed[0])
        if not callable(value) and value not in allowed:
            raise KindError(where, f"{attribute} must be one of {', '.join(allowed)}", value)
    for attribute, words in (("ROLES", ROLES), ("NEEDS", ROLES), ("PORTS", PORTS)):
        for value in getattr(namespace, attribute, ()):
            if value not in words:
                raise KindError(where, f"{attribute} holds {value!r}", hint=nearest(value, words))
    check_steps(where, hyper_fields(namespace.Hyper), getattr(namespace, "GRADIENT", GRADIENT))
    clamp = getattr(namespace, "CLAMP", None)
    ports = getattr(namespace, "PORTS", ())
    if clamp is not None and (not isinstance(clamp, tuple) or len(clamp) != 2 or "state" not in ports):
        raise KindError(where, "CLAMP must name two arrays, the values of the port 'state' and which of them are held",
                        clamp)
    lists = getattr(namespace, "LISTS", None)
    if lists is not None and lists not in PORTS:
        raise KindError(where, f"LISTS names {lists!r}, which is no port", hint=nearest(lists, PORTS))
