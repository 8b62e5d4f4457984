"""Small kinds outside the package, reached by dotted path: one for each shape that the contract must carry."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cortexsim.kind import hyper

f32 = np.float32


@dataclass(frozen=True)
class Step:
    """All that several of them leave open."""

    learning_rate: float = hyper(0.1, "step size", low=0.0, high=1.0)


class Sense:
    """The bottom of a settling hierarchy: its state is its target, its error what the priors leave over."""

    ROLES, NEEDS, PORTS = ("target", "prior", "gate"), ("target",), ("error", "state", "reconstruction")
    SCORES = "reconstruction"

    @dataclass(frozen=True)
    class Hyper:
        """None."""

    def ports(hyper, shapes):
        return dict.fromkeys(Sense.PORTS, shapes.target_shape)

    def allocate(hyper, shapes, rng):
        return {}

    def predict(r):
        pass

    def compare(r):
        for i in range(r.error.shape[0]):
            total = f32(0.0)
            for k in range(r.prior_edges.shape[0]):
                total += r.prior[r.prior_edges[k, 0] + i]
            r.error[i] = r.target[i] - total

    def update(r):
        loss = 0.0
        for i in range(r.error.shape[0]):
            r.state[i] = r.target[i]
            r.reconstruction[i] = r.target[i] - r.error[i]
            loss += r.error[i] * r.error[i]
        r.score[0] = loss / r.error.shape[0]


class Settle:
    """Settling predictive coding: its value relaxes until it explains the states that it predicts.

    prediction = W v;  error = v - priors;  v <- v + rate (W^T feedback - error);  W <- W + lr feedback v^T
    """

    ROLES, NEEDS, PORTS = ("prior", "feedback", "gate", "modulator"), ("feedback",), ("prediction", "error", "state")
    SETTLES, LEARNED = True, ("W",)

    @dataclass(frozen=True)
    class Hyper:
        """Constants of the dynamics."""

        learning_rate: float = hyper(0.05, "step size", low=0.0, high=1.0)
        rate: float = hyper(0.2, "speed of the relaxation", low=0.0, high=1.0)
        learn_at: int = hyper(0, "place in the trial at which it learns", low=0)
        feedforward: bool = hyper(False, "at place 0 start from the priors, which the span 'init' brings")

    def ports(hyper, shapes):
        size = shapes.shape or (3,)
        return {"prediction": (sum(p.stop - p.start for p in shapes.predicts),), "error": size, "state": size}

    def allocate(hyper, shapes, rng):
        n, m = shapes.predicts[-1].stop, shapes.size or 3
        # feedback edges come in the order of their names, predictions in that of `predicts=`
        back = np.full(n, -1, np.int32)
        for p in shapes.predicts:
            for e in shapes.feedback:
                if e.source == p.source.replace(".state", ".error"):
                    back[p.start : p.stop] = np.arange(e.start, e.stop)
        return {"W": (0.3 * rng.standard_normal((n, m))).astype(f32), "back": back, "v": np.zeros(m, f32),
                "start": np.zeros(m, f32)}

    def predict(r):
        for i in range(r.v.shape[0]):
            r.start[i] = r.v[i]
            if r.feedforward == 1 and r.place == 0:
                r.start[i] = f32(0.0)
                for k in range(r.prior_edges.shape[0]):
                    r.start[i] += r.prior[r.prior_edges[k, 0] + i]
        for j in range(r.prediction.shape[0]):
            total = f32(0.0)
            for i in range(r.v.shape[0]):
                total += r.W[j, i] * r.start[i]
            r.prediction[j] = total

    def compare(r):
        for i in range(r.error.shape[0]):
            r.error[i] = r.start[i]
            for k in range(r.prior_edges.shape[0]):
                r.error[i] -= r.prior[r.prior_edges[k, 0] + i]

    def update(r):
        loss = 0.0
        for i in range(r.v.shape[0]):
            drive = -r.error[i]
            for j in range(r.back.shape[0]):
                if r.back[j] >= 0:
                    drive += r.W[j, i] * r.feedback[r.back[j]]
            r.v[i] = min(max(r.start[i] + r.rate * drive, f32(-1.0)), f32(1.0))
            r.state[i] = r.v[i]
            loss += r.error[i] * r.error[i]
        r.score[0] = loss / r.v.shape[0]
        if r.learn == 1 and r.place == r.learn_at:
            for j in range(r.back.shape[0]):
                if r.back[j] >= 0:
                    for i in range(r.v.shape[0]):
                        r.W[j, i] += r.learning_rate * r.feedback[r.back[j]] * r.v[i]


class Memory:
    """A small temporal memory: cells in columns, growing segments, winner cells, a sparse state with its list.

    Its context is its own state of the tick before; a column is predicted where a segment of one of its cells finds
    `threshold` active cells. A column that comes unpredicted bursts, and its least used cell grows a segment.
    """

    ROLES, NEEDS = ("context", "target", "gate", "modulator"), ("context", "target")
    PORTS, LISTS, SPARSE_CONTEXT = ("prediction", "error", "state"), "state", True
    LEARNED = ("segments", "permanence", "n_segments")

    @dataclass(frozen=True)
    class Hyper:
        """Sizes and thresholds."""

        cells: int = hyper(3, "cells of a column", low=1, structural=True)
        max_segments: int = hyper(4, "segments of a cell, at most", low=1, structural=True)
        max_synapses: int = hyper(8, "synapses of a segment, at most", low=1, structural=True)
        threshold: int = hyper(1, "active synapses that make a segment active", low=1)
        increment: float = hyper(0.1, "what an active synapse of a good segment gains", low=0.0, high=1.0)

    def ports(hyper, shapes):
        return {"prediction": (shapes.n_target,), "error": (shapes.n_target,),
                "state": (shapes.n_target, hyper.cells)}

    def allocate(hyper, shapes, rng):
        n = shapes.n_target * hyper.cells
        full = (n, hyper.max_segments, hyper.max_synapses)
        return {"segments": np.full(full, -1, np.int32), "permanence": np.zeros(full, f32),
                "n_segments": np.zeros(n, np.int32), "predicted": np.full(n, -1, np.int32),
                "winners": np.zeros(n + 1, np.int32)}

    def predict(r):
        columns = r.prediction.shape[0]
        cells = r.n_segments.shape[0] // columns
        for c in range(columns):
            r.prediction[c] = f32(0.0)
        for cell in range(r.n_segments.shape[0]):
            r.predicted[cell] = -1
            for s in range(r.n_segments[cell]):
                overlap = 0
                for k in range(r.segments.shape[2]):
                    other = r.segments[cell, s, k]
                    if other >= 0 and r.permanence[cell, s, k] >= f32(0.225) and r.context[other] > 0:
                        overlap += 1
                if overlap >= r.threshold and r.predicted[cell] < 0:
                    r.predicted[cell] = s
                    r.prediction[cell // cells] = f32(1.0)

    def update(r):
        columns = r.prediction.shape[0]
        cells = r.n_segments.shape[0] // columns
        before = r.winners[0]
        former = r.winners.copy()
        r.winners[0], n, loss = 0, 0, 0.0
        for i in range(r.state.shape[0]):
            r.state[i] = f32(0.0)
        for c in range(columns):
            loss += r.error[c] * r.error[c]
            if r.target[c] > 0:
                best = c * cells
                for cell in range(c * cells, (c + 1) * cells):
                    if r.prediction[c] == 0 or r.predicted[cell] >= 0:
                        r.state[cell] = f32(1.0)
                        r.active_out[1 + n] = cell
                        n += 1
                    if r.predicted[cell] > r.predicted[best] or (r.prediction[c] == 0
                                                                and r.n_segments[cell] < r.n_segments[best]):
                        best = cell
                r.winners[0] += 1
                r.winners[r.winners[0]] = best
                s = r.n_segments[best]
                if r.learn == 1 and r.prediction[c] == 0 and s < r.segments.shape[1] and before > 0:
                    r.n_segments[best] += 1
                    for k in range(min(before, r.segments.shape[2])):
                        r.segments[best, s, k] = former[1 + k]
                        r.permanence[best, s, k] = f32(0.3)
            if r.learn == 1 and r.prediction[c] > 0:
                for cell in range(c * cells, (c + 1) * cells):
                    s = r.predicted[cell]
                    for k in range(r.segments.shape[2] if s >= 0 else 0):
                        other = r.segments[cell, s, k]
                        if other >= 0:
                            good = r.target[c] > 0 and r.context[other] > 0
                            step = r.increment if good else -f32(0.5) * r.increment
                            r.permanence[cell, s, k] = min(max(r.permanence[cell, s, k] + step, f32(0.0)), f32(1.0))
        r.active_out[0] = n
        r.score[0] = loss / columns


class Mixer:
    """A gated linear neuron: mixes probabilities in the logit domain, with weights that side information selects."""

    LEARNED, PORTS, SCORE, NEEDS, Hyper = ("W",), ("prediction", "error"), "bits", ("context", "target"), Step

    def ports(hyper, shapes):
        return {"prediction": (2,), "error": (2,)}

    def allocate(hyper, shapes, rng):
        inputs = [i for e in shapes.context if e.source.endswith(".prediction") for i in range(e.start, e.stop)]
        side = [i for e in shapes.context if not e.source.endswith(".prediction") for i in range(e.start, e.stop)]
        return {"W": np.full((4, len(inputs)), 1 / max(1, len(inputs)), f32), "inputs": np.array(inputs, np.int32),
                "side": np.array(side, np.int32), "planes": rng.standard_normal((2, len(side))).astype(f32),
                "logits": np.zeros(len(inputs), f32), "row": np.zeros(1, np.int64)}

    def predict(r):
        row = 0
        for k in range(2):
            total = f32(0.0)
            for j in range(r.side.shape[0]):
                total += r.planes[k, j] * r.context[r.side[j]]
            row += (k + 1) * (total > 0)
        r.row[0] = row
        total = f32(0.0)
        for j in range(r.inputs.shape[0]):
            p = min(max(r.context[r.inputs[j]], f32(0.01)), f32(0.99))
            r.logits[j] = f32(math.log(p / (f32(1.0) - p)))
            total += r.W[row, j] * r.logits[j]
        p = f32(1.0) / (f32(1.0) + f32(math.exp(-min(max(total, f32(-5.0)), f32(5.0)))))
        r.prediction[0], r.prediction[1] = f32(1.0) - p, p

    def update(r):
        row = r.row[0]
        if r.learn == 1:
            for j in range(r.inputs.shape[0]):
                r.W[row, j] += r.learning_rate * (r.target[1] - r.prediction[1]) * r.logits[j]
        r.score[0] = 0.0
        for i in range(2):
            if r.target[i] > 0:
                r.score[0] -= r.target[i] * math.log2(max(r.prediction[i], f32(1e-12)))


class Leaky:
    """A sheet without a target: its state follows a fixed random map of its context."""

    ROLES, NEEDS, PORTS = ("context", "gate", "modulator"), ("context",), ("state",)

    @dataclass(frozen=True)
    class Hyper:
        """Constants of the dynamics."""

        rate: float = hyper(0.5, "share of the way that the state goes in a tick", low=0.0, high=1.0)

    def ports(hyper, shapes):
        return {"state": shapes.shape or (4,)}

    def allocate(hyper, shapes, rng):
        n = shapes.size or 4
        return {"W": rng.standard_normal((n, shapes.n_context)).astype(f32), "v": np.zeros(n, f32)}

    def predict(r):
        pass

    def update(r):
        for i in range(r.v.shape[0]):
            total = f32(0.0)
            for j in range(r.context.shape[0]):
                total += r.W[i, j] * r.context[j]
            r.v[i] += r.rate * (f32(math.tanh(total)) - r.v[i])
            r.state[i] = r.v[i]
        r.score[0] = 0.0


class Phases:
    """Minus and plus phase: predicts all through the trial, is told in the plus phase, learns at its last tick."""

    LEARNED, PORTS, NEEDS = ("W",), ("prediction", "error", "state"), ("context", "target")

    @dataclass(frozen=True)
    class Hyper:
        """Constants of the learning."""

        learning_rate: float = hyper(0.2, "normalised step size", low=0.0, high=1.0)
        learn_at: int = hyper(0, "place in the trial at which it learns", low=0)

    def ports(hyper, shapes):
        return dict.fromkeys(Phases.PORTS, (shapes.n_target,))

    def allocate(hyper, shapes, rng):
        return {"W": np.zeros((shapes.n_target, shapes.n_context), f32)}

    def predict(r):
        for i in range(r.prediction.shape[0]):
            r.prediction[i] = f32(0.0)
            for j in range(r.context.shape[0]):
                r.prediction[i] += r.W[i, j] * r.context[j]

    def update(r):
        length, loss = f32(0.01), 0.0
        for j in range(r.context.shape[0]):
            length += r.context[j] * r.context[j]
        for i in range(r.prediction.shape[0]):
            r.state[i] = r.target[i]
            loss += r.error[i] * r.error[i]
            if r.learn == 1 and r.place == r.learn_at:
                for j in range(r.context.shape[0]):
                    r.W[i, j] += r.learning_rate * r.error[i] * r.context[j] / length
        r.score[0] = loss / r.prediction.shape[0]


class Hidden:
    """A hidden layer: p = tanh(V x + b), learned from the feedback of whoever reads it."""

    ROLES, NEEDS, PORTS = ("context", "feedback", "gate", "modulator"), ("context",), ("prediction",)
    LEARNED, Hyper = ("V", "b"), Step

    def ports(hyper, shapes):
        return {"prediction": shapes.shape or (4,)}

    def allocate(hyper, shapes, rng):
        n = shapes.size or 4
        return {"V": rng.standard_normal((n, shapes.n_context)).astype(f32), "b": rng.standard_normal(n).astype(f32)}

    def predict(r):
        for i in range(r.b.shape[0]):
            total = r.b[i]
            for j in range(r.context.shape[0]):
                total += r.V[i, j] * r.context[j]
            r.prediction[i] = f32(math.tanh(total))

    def update(r):
        r.score[0] = 0.0
        for i in range(r.b.shape[0] if r.learn == 1 else 0):
            g = f32(0.0)
            for k in range(r.feedback_edges.shape[0]):
                if i < r.feedback_edges[k, 1] - r.feedback_edges[k, 0]:
                    g += r.feedback[r.feedback_edges[k, 0] + i]
            g *= r.learning_rate * (f32(1.0) - r.prediction[i] * r.prediction[i])
            r.b[i] += g
            for j in range(r.context.shape[0]):
                r.V[i, j] += g * r.context[j]


class Readout:
    """A linear layer with its weights on the predicted side: it sends W^T e back along its context edges."""

    WRITES_FEEDBACK, LEARNED, Hyper = True, ("W",), Step
    PORTS, NEEDS = ("prediction", "error", "feedback"), ("context", "target")

    def ports(hyper, shapes):
        return {"prediction": (shapes.n_target,), "error": (shapes.n_target,)}

    def allocate(hyper, shapes, rng):
        return {"W": (0.3 * rng.standard_normal((shapes.n_target, shapes.n_context))).astype(f32)}

    def predict(r):
        for i in range(r.prediction.shape[0]):
            r.prediction[i] = f32(0.0)
            for j in range(r.context.shape[0]):
                r.prediction[i] += r.W[i, j] * r.context[j]

    def compare(r):
        for j in range(r.context.shape[0]):
            r.feedback_out[j] = f32(0.0)
        for i in range(r.prediction.shape[0]):
            r.error[i] = r.target[i] - r.prediction[i]
            for j in range(r.context.shape[0]):
                r.feedback_out[j] += r.W[i, j] * r.error[i]

    def update(r):
        loss, length = 0.0, f32(1.0)
        for j in range(r.context.shape[0]):
            length += r.context[j] * r.context[j]
        for i in range(r.prediction.shape[0]):
            loss += r.error[i] * r.error[i]
            for j in range(r.context.shape[0] if r.learn == 1 else 0):
                r.W[i, j] += r.learning_rate / length * r.error[i] * r.context[j]
        r.score[0] = loss / r.prediction.shape[0]


FAKES = (Sense, Settle, Memory, Mixer, Leaky, Phases, Hidden, Readout)
