"""cortexsim: a neocortex as a graph of predictive regions.

Each region predicts its target from its context and learns online by a local rule; a scheduler carries the signals
between regions. ``RegionGraph`` says what predicts what from what, ``Simulation`` runs it, and ``Curves`` tell how well
every region does.
"""

from cortexsim.catalogue import load, names
from cortexsim.curves import Curves
from cortexsim.errors import (
    CortexsimError,
    FileError,
    GraphError,
    InputError,
    KindError,
    RegionWarning,
    SettlingWarning,
)
from cortexsim.fields import dense, one_to_one, sparse, window
from cortexsim.forecaster import Forecaster
from cortexsim.graph import RegionGraph
from cortexsim.inference import Inference
from cortexsim.kind import find_kind, hyper, list_kinds
from cortexsim.native import helper
from cortexsim.plan import Plan, make_plan
from cortexsim.simulation import Simulation

__version__ = "0.1.0"

__all__ = ["CortexsimError", "Curves", "FileError", "Forecaster", "GraphError", "Inference", "InputError", "KindError",
           "Plan", "RegionGraph", "RegionWarning", "SettlingWarning", "Simulation", "dense", "find_kind", "helper",
           "hyper", "list_kinds", "load", "make_plan", "names", "one_to_one", "sparse", "window"]
