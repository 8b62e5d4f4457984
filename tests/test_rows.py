"""The row functions as machine code: what they mean, and that a sum has the same bits wherever it stands."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from cortexsim import rows
from cortexsim.native import KERNEL_FLAGS

F = np.float32
WIDTHS = (1, 3, 4, 15, 16, 17, 31, 32, 33, 48, 50, 67, 130)
COUNTS = (0, 1, 2, 3, 7, 16, 17, 35)


def compiled(function):
    return numba.njit(**KERNEL_FLAGS)(function)


@compiled
def _multiply(W, count, n, x, out):
    rows.multiply(W, 2, count, n, x, 1, out, 3)


@compiled
def _learn(W, count, n, keep, g, z):
    rows.learn(W, 2, count, n, keep, g, 1, z, 2)


@compiled
def _learn_multiply(W, count, n, keep, g, z, x, out):
    rows.learn_multiply(W, 2, count, n, keep, g, 1, z, 2, x, 1, out, 3)


@compiled
def _encode(W, count, n, x, y, out):
    rows.encode(W, 2, count, n, x, 1, y, 3, out, 2)


@compiled
def _learn_encode(W, count, n, g, z, x, y, out):
    rows.learn_encode(W, 2, count, n, g, 1, z, 2, x, 1, y, 3, out, 2)


@compiled
def _spread(W, count, n, y, out):
    rows.spread(W, 2, count, n, y, 1, out, 3)


@compiled
def _squash(out, n, x, inner, outer, middle):
    rows.squash(out, 2, n, x, 1, inner, outer, middle)


@compiled
def _dot(a, i, b, j, n):
    return rows.dot(a, i, b, j, n)


def drawn(*sizes: int, seed: int = 0) -> list[np.ndarray]:
    """Arrays of so many random numbers, and of a few beyond them."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=size + 8).astype(F) for size in sizes]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.tobytes() == b.tobytes()


@pytest.mark.parametrize("n", [*WIDTHS, 1100])
@pytest.mark.parametrize("count", COUNTS)
def test_sweeps_mean_what_they_say_and_write_nothing_else(count, n):
    W, g, z, x, out = drawn(count * n, count, n, n, count)
    matrix, factors, old, right = W[2 : 2 + count * n].reshape(count, n), g[1 : 1 + count], z[2 : 2 + n], x[1 : 1 + n]
    want = F(0.75) * matrix + np.outer(factors, old)
    for change, learns in ((W.copy(), False), (W.copy(), True)):
        found = out.copy()
        if learns:
            _learn_multiply(change, count, n, F(0.75), g, z, x, found)
        else:
            _multiply(change, count, n, x, found)
        expected = want if learns else matrix
        np.testing.assert_allclose(change[2 : 2 + count * n].reshape(count, n), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found[3 : 3 + count], expected.astype(float) @ right, rtol=1e-4, atol=1e-4)
        assert same(change[:2], W[:2]) and same(change[2 + count * n :], W[2 + count * n :])
        assert same(found[:3], out[:3]) and same(found[3 + count :], out[3 + count :])


@pytest.mark.parametrize("n", [*WIDTHS, 1100])
@pytest.mark.parametrize("count", COUNTS)
def test_one_sweep_has_the_bits_of_two(count, n):
    W, g, z, x, y, out = drawn(count * n, count, n, n, count, n)
    one, two, first, second = W.copy(), W.copy(), y.copy(), y.copy()
    _learn_multiply(one, count, n, F(0.9), g, z, x, first)
    _learn(two, count, n, F(0.9), g, z)
    _multiply(two, count, n, x, second)
    assert same(one, two) and same(first, second)
    one, two, spread, apart = W.copy(), W.copy(), out.copy(), out.copy()
    _learn_encode(one, count, n, g, z, x, first, spread)
    _learn(two, count, n, F(1), g, z)
    _encode(two, count, n, x, second, apart)
    assert same(one, two) and same(first, second) and same(spread, apart)
    weights = two[2 : 2 + count * n].reshape(count, n).astype(float)
    codes = weights @ x[1 : 1 + n]
    np.testing.assert_allclose(spread[2 : 2 + n], out[2 : 2 + n] + weights.T @ codes, rtol=1e-3, atol=1e-3 * n)
    assert same(spread[:2], out[:2]) and same(spread[2 + n :], out[2 + n :])


@pytest.mark.parametrize("n", [*WIDTHS, 300])
@pytest.mark.parametrize("count", COUNTS)
def test_the_transpose_of_a_matrix_is_spread_over_a_sum(count, n):
    W, y, out = drawn(count * n, count, n)
    found = out.copy()
    _spread(W, count, n, y, found)
    matrix = W[2 : 2 + count * n].reshape(count, n).astype(float)
    np.testing.assert_allclose(found[3 : 3 + n], out[3 : 3 + n] + y[1 : 1 + count] @ matrix, rtol=1e-4, atol=1e-4)
    assert same(found[:3], out[:3]) and same(found[3 + n :], out[3 + n :])


@pytest.mark.parametrize("n", WIDTHS)
def test_the_hyperbolic_tangent_is_near_and_keeps_what_is_no_number(n):
    x = np.linspace(-12, 12, n + 8).astype(F)
    x[1 : 1 + n][::7] = [F(np.nan), F(np.inf), F(-np.inf), F(1e-6), F(0)][n % 5]
    for inner, outer, middle in ((1.0, 1.0, 0.0), (0.5, 0.5, 0.5)):
        out = np.full(n + 8, 7, F)
        _squash(out, n, x, F(inner), F(outer), F(middle))
        wanted = middle + outer * np.tanh(inner * x[1 : 1 + n].astype(float))
        np.testing.assert_allclose(out[2 : 2 + n], wanted, rtol=5e-7, atol=2e-7 if middle else 1e-10)
        assert (out[:2] == 7).all() and (out[2 + n :] == 7).all()
        assert (np.abs(out[2 : 2 + n][~np.isnan(wanted)]) <= 1).all()


@pytest.mark.parametrize("n", WIDTHS)
def test_a_sum_has_the_same_bits_wherever_it_stands(n):
    W, x, out = drawn(35 * n, n, 35)
    for count in (1, 2, 17, 35):
        _multiply(W, count, n, x, out)
        assert [out[3 + k] for k in range(count)] == [_dot(W, 2 + k * n, x, 1, n) for k in range(count)]


@compiled
def _listed(out, n, W, active, count, f, keep, g):
    rows.add_rows(out, 1, n, W, 2, active, 1, count, f, 3)
    rows.learn_rows(W, 2, n, active, 1, count, keep, f, 3, g, 1)


@pytest.mark.parametrize("n", WIDTHS)
def test_lists_of_rows(n):
    W, out, f, g = drawn(9 * n, n, 9, n)
    active = np.array([-1, 7, 0, 4, -1], np.int32)
    matrix, start, listed = W[2 : 2 + 9 * n].reshape(9, n).copy(), out[1 : 1 + n].copy(), active[1:4]
    _listed(out, n, W, active, 3, f, F(0.5), g)
    np.testing.assert_allclose(out[1 : 1 + n], start + f[3:6] @ matrix[listed], rtol=1e-4, atol=1e-5)
    matrix[listed] = F(0.5) * matrix[listed] + np.outer(f[3:6], g[1 : 1 + n])
    np.testing.assert_allclose(W[2 : 2 + 9 * n].reshape(9, n), matrix, rtol=1e-5, atol=1e-6)


@compiled
def _each(a, b, c, d, e, n):
    rows.blend(a, 1, n, F(0.5), b, 2, c, 3)
    rows.add(b, 1, n, c, 0)
    rows.subtract(c, 2, n, a, 1, b, 1)
    rows.approach(d, 1, n, F(0.25), a, 2)
    length = rows.note(e, 1, n, d, 1)
    rows.copy(b, 1, n, d, 1)
    rows.clear(a, 1, n)
    return length, rows.zeros(a, 1, n)


@pytest.mark.parametrize("n", [0, *WIDTHS])
def test_elements_one_by_one(n):
    a, b, c, d, e = drawn(n, n, n, n, n)
    wanted = [array.copy() for array in (a, b, c, d, e)]
    blended = F(0.5) * a[1 : 1 + n] + b[2 : 2 + n] * c[3 : 3 + n]
    summed = b[1 : 1 + n] + c[:n]
    wanted[0][1 : 1 + n] = blended
    near = d[1 : 1 + n] + F(0.25) * (wanted[0][2 : 2 + n] - d[1 : 1 + n])
    wanted[2][2 : 2 + n] = blended - summed
    wanted[0][1 : 1 + n] = 0
    for array in (wanted[1], wanted[3], wanted[4]):
        array[1 : 1 + n] = near
    length, zeros = _each(a, b, c, d, e, n)
    for found, want in zip((a, b, c, d, e), wanted, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(length, (near.astype(float) ** 2).sum(), rtol=1e-5)
    assert zeros == n


@compiled
def _scored(y, p, e, g, b, last, mean, n, out):
    loss = rows.errors(y, p, e, g, b, n, F(0.1), F(1))
    rows.track(y, 0, last, 0, mean, 0, n, F(0.25), out, 1)
    return loss


@pytest.mark.parametrize("n", [0, *WIDTHS])
def test_errors_and_baselines(n):
    y, p, e, g, b, last, mean, out = drawn(n, n, n, n, n, n, n, 4)
    before = [array.copy() for array in (b, last, mean, out)]
    loss = _scored(y, p, e, g, b, last, mean, n, out)
    error = y[:n] - p[:n]
    assert same(e[:n], error) and same(g[:n], F(0.1) * error)
    np.testing.assert_allclose(loss, (error.astype(float) ** 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(b[:n], before[0][:n] + F(0.1) * error, rtol=1e-5, atol=1e-6)
    far, off = (((y[:n] - old[:n]).astype(float) ** 2).sum() for old in before[1:3])
    np.testing.assert_allclose(out[1:3], [far, off], rtol=1e-4)
    assert same(last[:n], y[:n]) and same(out[3:], before[3][3:])
    np.testing.assert_allclose(mean[:n], before[2][:n] + F(0.25) * (y[:n] - before[2][:n]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", WIDTHS)
def test_lists_of_what_is_active(n):
    rng = np.random.default_rng(n)
    x = np.where(rng.random((6, n)) < 0.4, rng.normal(size=(6, n)), 0).astype(F)
    x[0], x[1] = 0, 1
    lists = np.full((7, n + 1), -5, np.int32)
    rows.list_active(x, lists[:6])
    for row, found in zip(x, lists, strict=False):
        assert found[1 : 1 + found[0]].tolist() == np.flatnonzero(row).tolist()
    assert (lists[6] == -5).all()


def test_arrays_of_another_type_are_refused():
    @compiled
    def wrong(a):
        rows.add(a, 0, 2, a, 0)

    with pytest.raises(numba.TypingError, match=r"add\(\) takes arrays of float32"):
        wrong(np.zeros(4))
