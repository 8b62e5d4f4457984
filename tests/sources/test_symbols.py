"""Streams of symbols: the grammars, what is told for scoring, seeking, and cuts that change nothing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import cortexsim as cs
from cortexsim.errors import InputError
from cortexsim.sources import SeekableStream, open_stream
from cortexsim.sources.symbols import GRAMMARS, REBER, REBER_SYMBOLS, SEQUENCES, SWAPPED, Stream

TICKS = 12_000


def told(stream, a=0, b=TICKS):
    return stream.symbols(a, b), stream.ends(a, b), stream.far(a, b), stream.legal(a, b)


def pieces(stream, n=TICKS):
    """The sequences of the first ticks, without the noise and the one that is cut off."""
    symbols, ends, _, _ = told(stream, 0, n)
    found, now = [], []
    for tick, (symbol, end) in enumerate(zip(symbols.tolist(), ends)):
        if stream.grammar != "sequences" or symbol < 10:
            now.append((tick, symbol))
        if end:
            found.append((now[0][0], tuple(symbol for _, symbol in now)))
            now = []
    return found


# -- sequences -------------------------------------------------------------------------------------------------------

def test_the_sequences_are_those_of_the_paper(data_dir):
    facts = json.loads((data_dir / "sequences" / "high_order_sequences.json").read_text())["numPredictions_1"]
    assert [list(sequence) for sequence in SEQUENCES] == facts["original"]
    assert [list(sequence) for sequence in SWAPPED] == facts["perturbed"]


def test_pairs_share_their_middle_and_exchange_their_last():
    for k in range(0, 8, 2):
        assert SEQUENCES[k][1:-1] == SEQUENCES[k + 1][1:-1] and SEQUENCES[k][0] != SEQUENCES[k + 1][0]
    assert all(a[:-1] == b[:-1] and a[-1] != b[-1] for a, b in zip(SEQUENCES, SWAPPED))


@pytest.mark.parametrize("seed", [0, 7])
def test_sequences_in_the_symbols_of_the_seed_with_noise_between_and_a_swap(seed):
    stream = Stream(seed=seed, swap_at=5000)
    found = pieces(stream)
    # each half has its own eight, which differ in the last symbol alone
    before, after = ({s for start, s in found if (start < 5000) == early} for early in (True, False))
    assert len(before) == len(after) == 8 and not before & after
    assert {s[:-1] for s in before} == {s[:-1] for s in after}
    symbols, ends, far, _ = told(stream)
    assert ((symbols[1:] >= 10) == ends[:-1]).all()  # noise after each end, and nowhere else
    assert np.array_equal(far, ends) and symbols.max() < 5010
    counts = [sum(s == sequence for _, s in found) for sequence in before]
    assert min(counts) > 0.7 * max(counts)
    noise = symbols[symbols >= 10]
    assert noise.min() < 100 and noise.max() > 4900


def renamings(wanted, done=0, rename=None):
    """Yield the ways to rename 0..9, as far as they are needed, that make the eight sequences the wanted ones."""
    if done == 8:
        yield rename
        return
    for target in wanted:
        made = dict(rename or {})
        same = len(target) == len(SEQUENCES[done]) and all(
            made.setdefault(a, b) == b for a, b in zip(SEQUENCES[done], target))
        if same and len(set(made.values())) == len(made):
            yield from renamings(wanted, done + 1, made)


def test_the_seed_renames_the_symbols():
    found = [{s for _, s in pieces(Stream(seed=seed, swap_at=0))} for seed in (3, 4)]
    assert all(any(True for _ in renamings(wanted)) for wanted in found)
    assert found[0] != found[1]
    assert not any(True for _ in renamings({(*s[:-1], s[0]) for s in found[0]}))  # so it is not true of anything


def test_without_noise_or_swap():
    stream = Stream(noise=0, swap_at=0, seed=1)
    assert stream.shapes() == {"symbol": (10,)} and len({s for _, s in pieces(stream, 50_000)}) == 8
    assert stream.symbols(0, 50_000).max() == 9


def test_what_is_legal_in_a_sequence():
    stream = Stream(seed=2, swap_at=4000)
    symbols, ends, far, legal = told(stream)
    assert legal.shape == (TICKS, 5010) and legal[np.arange(TICKS), symbols].all()
    counts = legal.sum(axis=1)
    assert (counts[far] == 1).all()  # the last symbol follows from the first
    assert (counts[symbols >= 10] == 5000).all() and not legal[symbols >= 10, :10].any()
    starts = np.flatnonzero(symbols >= 10)[:-1] + 1
    assert (counts[starts] == len({s[0] for s in SEQUENCES})).all()
    assert set(counts[starts + 1].tolist()) == {2}  # each first symbol begins two sequences


# -- Reber's grammar -------------------------------------------------------------------------------------------------

def accepts(word):
    """Walk through Reber's graph by hand; the symbols legal at each place, or None where the word is not of it."""
    state, legal = 0, []
    for symbol in word:
        moves = {said: after for before, after, said in REBER if before == state}
        legal.append(set(moves))
        if symbol not in moves:
            return None
        state = moves[symbol]
    return legal if state == 7 else None


def test_the_graph_is_that_of_the_facts(data_dir):
    facts = json.loads((data_dir / "sequences" / "reber_fsa.json").read_text())
    assert sorted((a, b, label) for a, b, _, label in facts["transitions"]) == sorted(REBER)
    leaving = [sum(edge[0] == state for edge in REBER) for state in range(8)]
    assert all(p == 1 / leaving[a] for a, _, p, _ in facts["transitions"])
    assert (facts["start"], facts["end"]) == (0, 7)


@pytest.mark.parametrize("grammar", ["reber", "embedded_reber"])
def test_walks_are_of_the_grammar_and_told_right(grammar):
    stream = Stream(grammar, seed=5)
    symbols, ends, far, legal = told(stream)
    assert legal[np.arange(TICKS), symbols].all() and stream.names == list(REBER_SYMBOLS)
    words = [(start, "".join(stream.names[k] for k in s)) for start, s in pieces(stream)]
    inside = 0 if grammar == "reber" else 2
    for start, word in words:
        inner = word[inside:len(word) - inside]
        wanted = accepts(inner)
        assert wanted is not None, word
        for place, symbols_there in enumerate(wanted):
            assert {stream.names[k] for k in np.flatnonzero(legal[start + inside + place])} == symbols_there
        if inside:
            assert word[0] == "B" and word[-1] == "E" and word[1] == word[-2] and word[1] in "TP"
            assert np.flatnonzero(far[start:start + len(word)]).tolist() == [len(word) - 2]
            assert legal[start + 1].sum() == 2 and legal[start + len(word) - 2].sum() == 1
    assert far.any() == bool(inside)
    assert np.mean([len(word) for _, word in words]) == pytest.approx(8 + 2 * inside, abs=0.3)
    bits = np.log2(legal.sum(axis=1)).mean()  # both ways are equally likely
    assert bits == pytest.approx(0.75 if not inside else 0.75 * 8 / 12 + 1 / 12, abs=0.02)


def test_ways_are_taken_equally():
    stream = Stream("reber", seed=1)
    symbols, _, _, legal = told(stream, 0, 50_000)
    two = legal.sum(axis=1) == 2
    first = legal[two].argmax(axis=1) == symbols[two]
    assert first.mean() == pytest.approx(0.5, abs=0.01)


def test_another_graph():
    edges = [["a", "b", "x"], ["b", "b", "y"], ["b", "c", "z"], ["c", "end", "w"]]
    stream = Stream("reber", edges=edges, seed=0)
    assert stream.names == ["x", "y", "z", "w"]
    words = {"".join(stream.names[k] for k in s) for _, s in pieces(stream, 2000)}
    assert all(re.fullmatch("xy*zw", word) for word in words) and len(words) > 3
    embedded = Stream("embedded_reber", edges=edges, seed=0)
    assert embedded.names == ["B", "T", "x", "y", "z", "w", "P", "E"]
    words = ["".join(embedded.names[k] for k in s) for _, s in pieces(embedded, 2000)]
    assert all(re.fullmatch("B(Txy*zwT|Pxy*zwP)E", word) for word in words)


# -- streams ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [{"grammar": grammar} for grammar in GRAMMARS] + [
    {"code": "sparse", "columns": 128, "active": 6, "noise": 40}], ids=str)
def test_cuts_and_seeks_change_nothing(options):
    stream = Stream(**options, seed=4)
    assert isinstance(stream, SeekableStream)
    whole = stream.read(6000)["symbol"]
    assert whole.dtype == np.float32 and whole.shape == (6000, *stream.shapes()["symbol"]) and stream.position == 6000
    cut = Stream(**options, seed=4)
    rows = np.concatenate([cut.read(n)["symbol"] for n in (1, 0, 2500, 7, 1, 3491)])
    assert np.array_equal(rows, whole)
    symbols, ends, far, legal = told(stream, 0, 6000)
    for tick in (5999, 0, 2200, 4096, 1):
        fresh = Stream(**options, seed=4)
        for one in (stream, fresh):  # forwards without having been there, and back
            one.seek(tick)
            assert np.array_equal(one.read(900)["symbol"][:6000 - tick], whole[tick:tick + 900])
        for a, b in zip(told(fresh, tick, 6000), (symbols, ends, far, legal)):
            assert np.array_equal(a, b[tick:])
    other = Stream(**options, seed=5)
    assert not np.array_equal(other.symbols(0, 100), symbols[:100])
    code = stream.encoder
    assert np.array_equal(code.decode(whole) if code else whole.argmax(axis=1), symbols)
    assert (whole.sum(axis=1) == (6 if code else 1)).all()
    assert stream.symbols(5, 5).shape == (0,) and stream.legal(9, 3).shape == (0, len(stream.names))


def test_a_far_tick_is_reached_without_its_rows():
    stream = Stream("embedded_reber", seed=0)
    stream.seek(200_000)
    there = stream.read(10)["symbol"]
    stream.seek(100)
    stream.read(50)
    assert np.array_equal(stream.symbols(200_000, 200_010), there.argmax(axis=1))


def test_a_graph_learns_from_it_by_name():
    stream = open_stream({"name": "symbols", "grammar": "reber"}, seed=3)
    graph = cs.RegionGraph(stream={"name": "symbols", "grammar": "reber"})
    graph.add_source("symbol", size=7)
    graph.add_region("next", predicts="symbol", context=["symbol@1", "symbol@2"], output="softmax", learning_rate=0.3)
    sim = cs.Simulation(graph, seed=0)
    probe = sim.record("next.prediction")
    sim.run(stream, ticks=3000)
    legal = stream.legal(2000, 3000)
    guess = probe.values[2000:].argmax(axis=1)
    assert legal[np.arange(1000), guess].mean() > 0.85


@pytest.mark.parametrize(("options", "message"), [
    ({"grammar": "rebr"}, "stream 'symbols': knows no grammar 'rebr'; did you mean 'reber'?"),
    ({"code": "dense"}, "stream 'symbols': code must be 'one_hot' or 'sparse' (got 'dense')"),
    ({"noise": -1}, "stream 'symbols': noise must be a whole number of at least 0 (got -1)"),
    ({"swap_at": 1.5}, "stream 'symbols': swap_at must be a whole number of at least 0 (got 1.5)"),
    ({"code": "sparse", "columns": 10, "active": 11}, "encoder RandomCodes: active must be at most size (10) (got 11)"),
    ({"grammar": "reber", "edges": []}, "edges must be a list of [from, to, symbol] (got [])"),
    ({"grammar": "reber", "edges": [[0, 1]]}, "edges must be a list of [from, to, symbol] (got [[0, 1]])"),
    ({"grammar": "reber", "edges": [[0, 1, "a"], [1, 2, "b"], [1, 3, "c"], [3, 3, "d"]]},
     "edges must lead from every state to one that none leaves (got 3)"),
    ({"seed": -2}, "seed must be a whole number of at least 0 (got -2)"),
])
def test_bad_options(options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Stream(**options)


def test_bad_ticks():
    for call in (lambda s: s.seek(-1), lambda s: s.symbols(-1, 3)):
        with pytest.raises(InputError, match=r"must be a whole number of at least 0 \(got -1\)"):
            call(Stream("reber"))
