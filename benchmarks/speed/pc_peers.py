"""The others at the work of :mod:`benchmarks.speed.predictive_coding`, each in a process of its own.

``python -m benchmarks.speed.pc_peers PEER VARIANT MOVES ASKS THREADS`` answers lines of JSON: ``{"check": true}`` with
some of what it has computed, ``{"seconds": s}`` with its rate over about so many.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial, reduce
from operator import rshift
from typing import Any

import numpy as np

from benchmarks.speed.clock import Turn
from benchmarks.speed.peers._worker import pin
from benchmarks.speed.predictive_coding import CHUNK, LEARNING_RATE, RATE, SIZES, Ours, Work, checked, f32


def move_states(v: np.ndarray, f: np.ndarray, e: np.ndarray, back: np.ndarray, slope: np.ndarray) -> None:
    """``v <- v + rate ((1 - f^2) back - e)``, in place."""
    np.multiply(f, f, slope)
    np.subtract(f32(1.0), slope, slope)
    back *= slope
    back -= e
    back *= f32(RATE)
    v += back


class Arrays:
    """NumPy: every product in a buffer, both hidden layers in one array, weights changed in place by BLAS."""

    def __init__(self, work: Work, variant: str, threads: int) -> None:
        self.work = work

    def run(self) -> Any:
        """One chunk."""
        if self.work.asks:
            return self.settle(self.work.x[:CHUNK])
        rows = self.work.rows()
        return [self.learn(x, y) for x, y in zip(self.work.x[rows], self.work.y[rows])]

    def learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """One sample."""
        from scipy.linalg.blas import sger

        (W1, W2, W3), (b1, b2, b3), n = self.work.W, self.work.b, SIZES[1]
        v, f, e, mu, back, part = np.empty((6, n + SIZES[2]), f32)
        mu3, e3 = np.empty((2, SIZES[3]), f32)
        np.dot(W1, x, mu[:n])
        mu[:n] += b1
        v[:n] = mu[:n]
        np.dot(W2, np.tanh(v[:n]), v[n:])
        v[n:] += b2
        for move in range(self.work.moves + 1):
            np.tanh(v, f)
            np.dot(W2, f[:n], mu[n:])
            mu[n:] += b2
            np.dot(W3, f[n:], mu3)
            mu3 += b3
            np.subtract(v, mu, e)
            np.subtract(y, mu3, e3)
            if move < self.work.moves:
                np.dot(e[n:], W2, back[:n])
                np.dot(e3, W3, back[n:])
                move_states(v, f, e, back, part)
        for W, b, error, z in zip(self.work.W, self.work.b, (e[:n], e[n:], e3), (x, f[:n], f[n:])):
            sger(LEARNING_RATE, z, error, a=W.T, overwrite_a=1)
            b += f32(LEARNING_RATE) * error

    def settle(self, x: np.ndarray) -> np.ndarray:
        """All questions at once."""
        (W1, W2, W3), (b1, b2, b3) = self.work.W, self.work.b
        v1, v2, v3 = (np.zeros((CHUNK, n), f32) for n in SIZES[1:])
        (f1, e1, back1), (f2, e2, back2), (e3,) = ([np.empty_like(v) for _ in range(k)]
                                                   for v, k in ((v1, 3), (v2, 3), (v3, 1)))
        drive = x @ W1.T + b1
        for _ in range(self.work.moves):
            np.tanh(v1, f1)
            np.tanh(v2, f2)
            np.subtract(v1, drive, e1)
            np.dot(f1, W2.T, e2)
            e2 += b2
            np.subtract(v2, e2, e2)
            np.dot(f2, W3.T, e3)
            e3 += b3
            np.subtract(v3, e3, e3)
            np.dot(e2, W2, back1)
            np.dot(e3, W3, back2)
            for v, f, e, back in ((v1, f1, e1, back1), (v2, f2, e2, back2)):
                move_states(v, f, e, back, f)
            v3 -= f32(RATE) * e3
        return v3

    def weights(self) -> list[np.ndarray]:
        """All weights."""
        return self.work.W


class Scan:
    """JAX: samples in a scan, moves in a loop, everything in one compiled call."""

    def __init__(self, work: Work, variant: str, threads: int) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.work = jax, jnp, work
        self.state = tuple(map(jnp.asarray, work.W)), tuple(map(jnp.asarray, work.b))
        whole = self.learn_all if variant == "minibatches" else partial(jax.lax.scan, self.learn)
        self.call = jax.jit(self.settle) if work.asks else jax.jit(whole, donate_argnums=0)

    def run(self) -> Any:
        """One chunk."""
        rows = self.work.rows()
        if self.work.asks:
            return self.jax.block_until_ready(self.call(self.state, self.work.x[:CHUNK]))
        self.state, _ = self.call(self.state, (self.work.x[rows], self.work.y[rows]))
        return self.jax.block_until_ready(self.state)

    def relax(self, state: Any, x: Any, y: Any) -> Any:
        """Activities and errors where the states have settled, of one sample or of one in each row."""
        (W1, W2, W3), (b1, b2, b3) = state
        # `inner`, since a transposed matrix would be written out anew at every move
        inner, tanh = self.jnp.inner, self.jnp.tanh
        drive = inner(x, W1) + b1
        v = drive, inner(tanh(drive), W2) + b2

        def errors(v1: Any, v2: Any) -> Any:
            f1, f2 = tanh(v1), tanh(v2)
            return (f1, f2), (v1 - drive, v2 - inner(f1, W2) - b2, y - inner(f2, W3) - b3)

        def move(_: Any, v: Any) -> Any:
            (f1, f2), (e1, e2, e3) = errors(*v)
            return v[0] + RATE * ((1 - f1 * f1) * (e2 @ W2) - e1), v[1] + RATE * ((1 - f2 * f2) * (e3 @ W3) - e2)

        return errors(*self.jax.lax.fori_loop(0, self.work.moves, move, v, unroll=4))

    def learn(self, state: Any, sample: Any) -> Any:
        """One sample."""
        x, y = sample
        (f1, f2), e = self.relax(state, x, y)
        W = tuple(W + LEARNING_RATE * error[:, None] * z[None] for W, error, z in zip(state[0], e, (x, f1, f2)))
        return (W, tuple(b + LEARNING_RATE * error for b, error in zip(state[1], e))), None

    def learn_all(self, state: Any, samples: Any) -> Any:
        """All samples of a chunk at once, with one update."""
        x, y = samples
        (f1, f2), e = self.relax(state, x, y)
        rate = LEARNING_RATE / CHUNK
        W = tuple(W + rate * error.T @ z for W, error, z in zip(state[0], e, (x, f1, f2)))
        return (W, tuple(b + rate * error.sum(0) for b, error in zip(state[1], e))), None

    def settle(self, state: Any, x: Any) -> Any:
        """All questions at once."""
        (W1, W2, W3), (b1, b2, b3) = state
        inner, tanh = self.jnp.inner, self.jnp.tanh
        drive = inner(x, W1) + b1

        def move(_: Any, v: Any) -> Any:
            v1, v2, v3 = v
            f1, f2 = tanh(v1), tanh(v2)
            e1, e2, e3 = v1 - drive, v2 - inner(f1, W2) - b2, v3 - inner(f2, W3) - b3
            return (v1 + RATE * ((1 - f1 * f1) * (e2 @ W2) - e1), v2 + RATE * ((1 - f2 * f2) * (e3 @ W3) - e2),
                    v3 - RATE * e3)

        v = tuple(self.jnp.zeros((CHUNK, n), f32) for n in SIZES[1:])
        return self.jax.lax.fori_loop(0, self.work.moves, move, v)[2]

    def weights(self) -> list[np.ndarray]:
        """All weights."""
        return [np.asarray(W) for W in self.state[0]]


class Tensors:
    """PyTorch without autograd, eager or one compiled function a sample."""

    def __init__(self, work: Work, variant: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.torch, self.work = torch, work
        self.W, self.b = [torch.from_numpy(W) for W in work.W], [torch.from_numpy(b) for b in work.b]
        self.x, self.y = torch.from_numpy(work.x), torch.from_numpy(work.y)
        self.one = torch.compile(self.learn) if variant == "compiled" else self.learn

    def run(self) -> Any:
        """One chunk."""
        with self.torch.inference_mode():
            if self.work.asks:
                return self.settle(self.x[:CHUNK], *self.W, *self.b).numpy()
            rows = self.work.rows()
            return [self.one(x, y, *self.W, *self.b) for x, y in zip(self.x[rows], self.y[rows])]

    def learn(self, x: Any, y: Any, W1: Any, W2: Any, W3: Any, b1: Any, b2: Any, b3: Any) -> None:
        """One sample."""
        addmv, mv = self.torch.addmv, self.torch.mv
        drive = addmv(b1, W1, x)
        v1, v2 = drive, addmv(b2, W2, drive.tanh())
        for _ in range(self.work.moves):
            f1, f2 = v1.tanh(), v2.tanh()
            e2, e3 = v2 - addmv(b2, W2, f1), y - addmv(b3, W3, f2)
            v1 = v1 + RATE * (mv(W2.t(), e2) * (1 - f1 * f1) - (v1 - drive))
            v2 = v2 + RATE * (mv(W3.t(), e3) * (1 - f2 * f2) - e2)
        f1, f2 = v1.tanh(), v2.tanh()
        errors = v1 - drive, v2 - addmv(b2, W2, f1), y - addmv(b3, W3, f2)
        for W, b, error, z in zip((W1, W2, W3), (b1, b2, b3), errors, (x, f1, f2)):
            W.addr_(error, z, alpha=LEARNING_RATE)
            b.add_(error, alpha=LEARNING_RATE)

    def settle(self, x: Any, W1: Any, W2: Any, W3: Any, b1: Any, b2: Any, b3: Any) -> Any:
        """All questions at once."""
        addmm = self.torch.addmm
        drive = addmm(b1, x, W1.t())
        v1, v2, v3 = (self.torch.zeros(CHUNK, n) for n in SIZES[1:])
        for _ in range(self.work.moves):
            f1, f2 = v1.tanh(), v2.tanh()
            e2, e3 = v2 - addmm(b2, f1, W2.t()), v3 - addmm(b3, f2, W3.t())
            v1.add_((e2 @ W2).mul_(f1.mul_(f1).neg_().add_(1)).sub_(v1 - drive), alpha=RATE)
            v2.add_((e3 @ W3).mul_(f2.mul_(f2).neg_().add_(1)).sub_(e2), alpha=RATE)
            v3.sub_(e3, alpha=RATE)
        return v3

    def weights(self) -> list[np.ndarray]:
        """All weights."""
        return [W.numpy() for W in self.W]


class Pcx:
    """pcx: gradients of an energy by its own transformations, a jitted call a sample, or a scan over samples."""

    def __init__(self, work: Work, variant: str, threads: int) -> None:
        import jax
        import jax.numpy as jnp
        import optax
        import pcx.functional as pxf
        import pcx.nn as pxnn
        import pcx.predictive_coding as pxc
        import pcx.utils as pxu

        class Net(pxc.EnergyModule):
            def __init__(self) -> None:
                super().__init__()
                self.layers = [pxnn.Linear(m, n) for m, n in zip(SIZES, SIZES[1:])]
                self.vodes = [pxc.Vode() for _ in self.layers]
                self.vodes[-1].h.frozen = True

            def __call__(self, x: Any, y: Any = None) -> None:
                for k, (layer, vode) in enumerate(zip(self.layers, self.vodes)):
                    x = vode(layer(jnp.tanh(x) if k else x))
                if y is not None:
                    self.vodes[-1].set("h", y)

        def energy(x: Any, *, model: Any) -> Any:
            model(x)
            return model.energy()

        def begin(x: Any, y: Any, model: Any) -> None:
            with pxu.step(model, (pxc.STATUS.INIT, None), clear_params=pxc.VodeParam.Cache):
                model(x, y)

        def learn(x: Any, y: Any, *, model: Any, states: Any, weights: Any) -> Any:
            begin(x, y, model)
            for optimiser, chosen, times in ((states, hidden, work.moves), (weights, layers, 1)):
                for _ in range(times):
                    with pxu.step(model, clear_params=pxc.VodeParam.Cache):
                        _, found = pxf.value_and_grad(chosen().to([False, True]))(energy)(x, model=model)
                    optimiser.step(model, found["model"])
            return (), None

        def many(xs: Any, ys: Any, **net: Any) -> None:
            pxf.scan(lambda sample, **net: learn(*sample, **net), xs=(xs, ys))(**net)

        # a mask is used up by what it is mapped to: each use needs its own
        hidden, layers = partial(pxu.M_hasnot, pxc.VodeParam, frozen=True), partial(pxu.M, pxnn.LayerParam)
        self.jax, self.work, self.scans = jax, work, variant == "scan over samples"
        model = Net()
        for layer, W, b in zip(model.layers, work.W, work.b):
            layer.nn.weight.set(jnp.asarray(W))
            layer.nn.bias.set(jnp.asarray(b))
        begin(work.x[0], work.y[0], model)
        self.net = {"model": model, "states": pxu.Optim(lambda: optax.sgd(RATE), hidden()(model)),
                    "weights": pxu.Optim(lambda: optax.sgd(LEARNING_RATE), layers()(model))}
        self.call = pxf.jit()(many if self.scans else learn)

    def run(self) -> None:
        """One chunk."""
        rows = self.work.rows()
        x, y = self.work.x[rows], self.work.y[rows]
        for sample in ((x, y),) if self.scans else zip(x, y):
            self.call(*sample, **self.net)
        self.jax.block_until_ready(self.weights())

    def weights(self) -> list[np.ndarray]:
        """All weights."""
        return [layer.nn.weight.get() for layer in self.net["model"].layers]


class Cells:
    """ngc-learn: its cells, and synapses both ways, copied after each sample; each move a process, or all in a scan."""

    def __init__(self, work: Work, variant: str, threads: int) -> None:
        import jax
        import jax.numpy as jnp
        from ngclearn import Context, MethodProcess
        from ngclearn.components import GaussianErrorCell, HebbianSynapse, RateCell, StaticSynapse
        from ngclearn.utils.distribution_generator import DistributionGenerator
        from ngcsimlib.global_state import stateManager

        self.jax, self.work = jax, work
        zero = DistributionGenerator.constant(0.0)
        with Context("net"):
            z1, z2 = self.z = [RateCell(f"z{k}", n, tau_m=1 / RATE, act_fx="tanh") for k, n in zip((1, 2), SIZES[1:])]
            e1, e2, e3 = self.errors = [GaussianErrorCell(f"e{k}", n) for k, n in enumerate(SIZES[1:], 1)]
            W1, W2, W3 = self.W = [
                HebbianSynapse(f"W{k}", shape=W.T.shape, weight_init=lambda *_, W=W: jnp.asarray(W.T), bias_init=zero,
                               eta=LEARNING_RATE, w_bound=0.0, sign_value=-1.0) for k, W in enumerate(work.W, 1)]
            E2, E3 = self.back = [
                StaticSynapse(f"E{k}", shape=W.shape, weight_init=lambda *_, W=W: jnp.asarray(W), bias_init=zero)
                for k, W in enumerate(work.W[1:], 2)]
            for synapse, error in zip(self.W, self.errors):
                synapse.outputs >> error.mu
                error.dmu >> synapse.post
            for z, error, following, synapse, feedback in ((z1, e1, e2, W2, E2), (z2, e2, e3, W3, E3)):
                z.zF >> synapse.inputs
                z.zF >> synapse.pre
                z.z >> error.target
                error.dtarget >> z.j_td
                following.dmu >> feedback.inputs
                feedback.outputs >> z.j
            predict = [MethodProcess(f"predict{k}") >> W.advance_state for k, W in enumerate(self.W[:2])]
            compare = [cell.advance_state for cell in (W2, W3, e1, e2, e3)]
            move = reduce(rshift, compare + [c.advance_state for c in (E2, E3, z1, z2)], MethodProcess("move"))
            learn = reduce(rshift, compare + [W.evolve for W in self.W], MethodProcess("learn"))
        self.processes = *predict, move, learn
        self.state, self.scans = dict(stateManager.state), variant == "scan over samples"
        if self.scans:
            after, _ = jax.eval_shape(self.learn, self.state, (work.x[:1], work.y[:1]))
            self.state = {key: jnp.zeros(like.shape, like.dtype) + self.state[key] for key, like in after.items()}
            self.scan = jax.jit(partial(jax.lax.scan, self.learn))

    def run(self) -> None:
        """One chunk."""
        rows = self.work.rows()
        samples = self.work.x[rows, None], self.work.y[rows, None]
        if self.scans:
            self.state, _ = self.scan(self.state, samples)
        for sample in () if self.scans else zip(*samples):
            self.state, _ = self.learn(self.state, sample)
        self.jax.block_until_ready(self.state)

    def learn(self, state: Any, sample: Any) -> Any:
        """One sample: everything's new state from the old one."""
        (x, y), (*first, move, learn) = sample, (process.run.compiled for process in self.processes)
        state = {**state, self.W[0].inputs.root: x, self.W[0].pre.root: x, self.errors[2].target.root: y}
        for process, W, z in zip(first, self.W, self.z):
            state, _ = process(state, [])
            found = state[W.outputs.root]
            state = {**state, z.z.root: found, z.zF.root: self.jax.numpy.tanh(found)}
        for _ in range(self.work.moves):
            state, _ = move(state, [1.0])
        state, _ = learn(state, [1.0])
        return {**state, **{E.weights.root: state[W.weights.root].T for E, W in zip(self.back, self.W[1:])}}, None

    def weights(self) -> list[np.ndarray]:
        """All weights."""
        return [np.asarray(self.state[W.weights.root]).T for W in self.W]


PEERS = {peer.__name__: peer for peer in (Ours, Arrays, Scan, Tensors, Pcx, Cells)}


def main(name: str, variant: str, moves: int, asks: int, threads: int) -> None:
    """Answer lines until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    pin(threads)
    run: Any = None
    turn = Turn(lambda n: [run.run() for _ in range(n)], CHUNK, threads, elsewhere=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if "check" in asked:
                run = PEERS[name](Work(moves, bool(asks)), variant, threads)
                answer: dict[str, Any] = {"checked": checked(run)}
            else:
                turn.prepare(asked["seconds"])
                answer = {"rate": turn.rate()}
        except Exception as error:  # a peer that fails is reported, and the others go on
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:6]))
