"""Reber grammars: the streams are what they should be, and memories carry the long-range symbol."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.experiments import reber
from benchmarks.measures import Result, meets


@pytest.fixture(scope="module")
def embedded():
    path = reber.walk(0, embedded=True)
    return path, reber.foretell(path, 0)


def text(path: reber.Walk) -> str:
    return "".join(reber.SYMBOLS[s] for s in path.symbols)


def test_an_embedded_sequence_ends_as_it_began_and_holds_a_sequence_of_reber():
    path = reber.walk(3, embedded=True, ticks=2_000)
    last = 0
    for end in np.flatnonzero(path.far):
        sequence = text(path)[last:end + 2]
        assert sequence[0] == "B" and sequence[-1] == "E" and sequence[1] == sequence[-2]
        state = 0
        for symbol in sequence[2:-2]:
            state = next(to for to, s in reber.REBER[state] if s == symbol)
        assert state == reber.END
        last = end + 2
    assert path.legal[np.arange(2_000), path.symbols].all(), "what comes is legal"
    assert (path.legal[path.far].sum(axis=1) == 1).all()


def test_without_embedding_no_symbol_is_a_long_range_one_and_the_ideal_is_as_published():
    path = reber.walk(0, embedded=False)
    assert not path.far.any()
    assert reber.ideal(path) == pytest.approx(0.75, abs=0.02)


def test_every_state_of_a_random_grammar_lies_on_a_way_from_b_to_e():
    for seed in range(20):
        grammar = reber.random_grammar(np.random.default_rng(seed))
        path = reber.walk(seed, True, grammar, ticks=3_000)
        assert path.far.sum() > 50
        assert all(len({s for _, s in moves}) == len(moves) for moves in grammar.values()), "a symbol leads one way"


def test_a_table_counts_what_followed_and_backs_off():
    path = reber.Walk(np.array([0, 1, 0, 2, 0]), np.ones((5, 7), bool), np.zeros(5, bool))
    said = reber.tables(path, (1,))
    assert said["marginal"][0] == pytest.approx(np.full(7, 1 / 7))
    marginal = (np.array([2, 1, 1, 0, 0, 0, 0]) + 1 / 7) / 5
    assert said["marginal"][4] == pytest.approx(marginal)
    assert said["order-1 table"][4] == pytest.approx(marginal), "nothing followed 2 yet"
    shorter = (np.array([2, 1, 0, 0, 0, 0, 0]) + 1 / 7) / 4
    assert said["order-1 table"][3] == pytest.approx((np.eye(7)[1] + shorter) / 2), "1 followed 0 once"


def test_epochs_are_counted_until_the_last_of_a_flawless_row():
    path = reber.walk(1, embedded=False, ticks=4_000)
    knowing = path.legal / path.legal.sum(axis=1, keepdims=True)
    assert reber.epochs(knowing, path) == reber.FLAWLESS
    ends = np.flatnonzero(path.symbols == reber.SYMBOLS.index("E"))
    wrong = knowing.copy()
    wrong[ends[reber.EPOCH]] = 0  # the end of the first sequence of the second epoch
    assert reber.epochs(wrong, path) == reber.FLAWLESS + 2
    assert reber.epochs(np.zeros_like(wrong), path) == np.inf


def test_the_graph_learns_both_grammars(embedded):
    path, said = embedded
    plain = reber.walk(0, embedded=False)
    expected = reber.foretell(plain, 0)
    for measure, value in {"legal": reber.legal(expected, plain), "embedded_legal": reber.legal(said, path),
                           "long_range": reber.long_range(said, path)}.items():
        assert meets(reber.GOALS[measure], Result(value)), (measure, value)
    assert reber.bits(expected, plain) < reber.ideal(plain) + reber.ABOVE_IDEAL
    assert reber.bits(said, path) < reber.ideal(path) + reber.ABOVE_IDEAL


def test_the_memories_carry_the_long_range_symbol(embedded):
    path, said = embedded
    without = reber.foretell(path, 0, memories=False)
    assert reber.long_range(without, path) < 0.7, "little better than chance"
    likeliest = without.argmax(axis=1)
    near = np.flatnonzero(~path.far)[-reber.SCORED:]
    assert path.legal[near, likeliest[near]].mean() > 0.99, "all else is foretold as before"


def test_nothing_is_made_to_measure_for_one_grammar():
    assert meets(reber.GOALS["other_grammars"], reber.others(0))
