"""What can be looked at, and set, in a running simulation: signals, arrays, and where the time goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cortexsim import carry
from cortexsim.doctor import examine
from cortexsim.doctor_report import Report
from cortexsim.engine import Engine
from cortexsim.errors import InputError, nearest
from cortexsim.plan import Plan
from cortexsim.probe import Probe, Recorder
from cortexsim.tables import Memory


class Looking:
    """The part of a :class:`cortexsim.Simulation` that shows its values."""

    plan: Plan
    memory: Memory
    engine: Engine
    recorder: Recorder
    tick: int

    def record(self, signal: str, every: int = 1) -> Probe:
        """Record a signal from now on.

        Parameters
        ----------
        signal : str
            ``"V1.state"``; a port of a region, or ``"source.value"``.
        every : int
            At the ticks that this divides.

        Returns
        -------
        Probe
            With ``ticks`` and ``values`` [n, size], which grow as the simulation runs.
        """
        node, _, port = signal.partition(".")
        signal = signal if port else f"{node}.value"
        if signal not in self.memory.rings:
            raise InputError("record", f"there is no signal {signal!r}", hint=nearest(signal, self.memory.rings))
        if int(every) != every or every < 1:
            raise InputError("record", "every must be a whole number of at least 1", every)
        return self.recorder.add(signal, int(every), self.memory)

    def value(self, signal: str) -> np.ndarray:
        """A signal's latest value, in its own shape; zeros where it is silent."""
        signal = signal if "." in signal else f"{signal}.value"
        if signal not in self.plan.signals:
            raise InputError("value", f"there is no signal {signal!r}", hint=nearest(signal, self.plan.signals))
        return self.engine.value(signal, self.tick - 1).reshape(self.plan.signals[signal])

    def parameters(self, region: str) -> dict[str, np.ndarray]:
        """The arrays of a region by name, live: writing into them changes the simulation."""
        self.engine.watched = True
        return carry.up_to_date(self, region)

    def get(self, name: str) -> np.ndarray:
        """A copy of the array with this `name`, such as ``"V1.W"``."""
        return carry.parameter(self, name).copy()

    def set(self, name: str, values: Any) -> None:
        """Write `values` into the array `name`, such as ``"V1.W"``; the shape must fit and the values be finite."""
        carry.set_parameter(self, name, values)

    def learning_rates(self) -> dict[str, float]:
        """The learning rate that each region uses now, the mean of its weights' where each has one.

        Regions whose kind has no learning rate are left out.
        """
        return carry.learning_rates(self)

    def time_shares(self) -> dict[str, float]:
        """Share of the time that each region took, from the visits that were timed (estimated where none was)."""
        return carry.time_shares(self)

    def doctor(self, inputs: Any = None, ticks: int | None = None) -> Report:
        """Look for what is wrong: dead units, skills of nothing, edges nobody uses, clocks that never meet, and more.

        Parameters
        ----------
        inputs : dict of arrays, list of dicts, or stream that can be rewound, optional
            What comes next, as for ``run``; the position of a stream is put back. Without it, edges, units and inputs
            are not looked at.
        ticks : int, optional
            For how long edges are silenced on a copy; by default 512, more where delays, periods or trials are long.

        Returns
        -------
        Report
            Its ``findings``, each with evidence and remedy; ``str`` gives it as text. The simulation stays as it is, to
            the bit.

        Raises
        ------
        InputError
            For inputs that do not fit, or can be read only once.
        """
        return examine(self, inputs, ticks)
