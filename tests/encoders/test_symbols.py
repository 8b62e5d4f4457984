"""Names, characters, bytes and random codes: round trips, unions, symbols that are unknown or absent."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexsim.encoders import Bytes, Category, Characters, RandomCodes, find_encoder, list_encoders
from cortexsim.errors import InputError


def test_random_codes_come_back_and_have_as_many_ones_as_said():
    codes = RandomCodes(300, size=512, active=12, seed=5)
    rows = codes.encode(np.arange(300))
    assert rows.shape == (300, 512) and rows.dtype == np.float32 and set(np.unique(rows)) == {0, 1}
    assert (rows.sum(axis=1) == 12).all() and codes.decode(rows).tolist() == list(range(300))
    assert np.array_equal(codes.overlaps(rows), rows @ rows.T)
    shared = codes.overlaps(rows)[~np.eye(300, dtype=bool)]
    assert shared.mean() == pytest.approx(12**2 / 512, rel=0.1) and shared.max() <= 6


def test_a_symbol_more_moves_no_other():
    few, many = RandomCodes(10, seed=3), RandomCodes(5000, seed=3)
    assert np.array_equal(few.units, many.units[:10])
    one, other = RandomCodes(["a", "b", "c"], seed=3), RandomCodes(["x", "c", "a"], seed=3)
    assert np.array_equal(one.encode(["c", "a"]), other.encode(["c", "a"]))
    assert not np.array_equal(one.units, RandomCodes(["a", "b", "c"], seed=4).units)
    assert not np.array_equal(few.units, RandomCodes(10, seed=4).units)


@given(st.sets(st.integers(0, 199), max_size=8), st.integers(0, 3))
def test_a_union_holds_its_symbols(symbols, seed):
    codes = RandomCodes(200, size=2048, active=41, seed=seed)
    union = codes.encode(sorted(symbols)).max(axis=0, initial=0)
    assert set(np.flatnonzero(codes.predicted(union)[0]).tolist()) == symbols
    assert codes.predicted(union, threshold=42).sum() == 0
    best = codes.decode(union)[0]
    assert best == (min(symbols) if symbols else -1)


def test_weights_count():
    codes = RandomCodes(["yes", "no"], size=100, active=10)
    rows = codes.encode(["yes", "no"])
    mixed = 0.4 * rows[0] + 0.6 * rows[1]
    assert codes.decode(mixed) == ["no"] and codes.overlaps(mixed).dtype == np.float32
    assert codes.overlaps(mixed)[0] == pytest.approx([(mixed * row).sum() for row in rows])
    assert codes.decode(np.zeros(100)) == [None]


def test_codes_with_more_ones_than_a_byte_counts():
    codes = RandomCodes(3, size=1000, active=400)
    assert codes.overlaps(codes.encode([1]))[0, 1] == 400


def test_random_codes_refuse():
    codes, named = RandomCodes(5), RandomCodes(["left", "right"])
    assert np.isnan(codes.encode([1, np.nan])).all(axis=1).tolist() == [False, True]
    assert np.isnan(named.encode(["left", None])).all(axis=1).tolist() == [False, True]
    assert codes.encode([]).shape == (0, 2048) and codes.decode(codes.encode([])).shape == (0,)
    for call, message in [
        (lambda: codes.encode([0, 5]), "encoder RandomCodes: row 1 is none of the symbols 0 to 4 (got 5)"),
        (lambda: codes.encode([0.5]), "row 0 is none of the symbols 0 to 4 (got 0.5)"),
        (lambda: codes.encode(["left"]), "needs numbers of symbols (got 'dtype <U4')"),
        (lambda: named.encode(["rihgt"]), "row 0 is none of the names (got 'rihgt'); did you mean 'right'?"),
        (lambda: codes.decode(np.ones(7)), "decodes rows of shape [n, 2048] (got (7,))"),
        (lambda: codes.decode(np.ones(2048), quantiles=(0.5,)), "has no quantiles: symbols have no order"),
        (lambda: RandomCodes(0), "symbols must be a whole number of at least 1 (got 0)"),
        (lambda: RandomCodes([]), "symbols must be different names, at least one (got [])"),
        (lambda: RandomCodes(["a", "a"]), "symbols must be different names, at least one (got 'a')"),
        (lambda: RandomCodes("ab"), "symbols must be a number of symbols, or a list of names (got 'ab')"),
        (lambda: RandomCodes(3, size=10, active=11), "active must be at most size (10) (got 11)"),
        (lambda: RandomCodes(3, seed=-1), "seed must be a whole number of at least 0 (got -1)"),
    ]:
        with pytest.raises(InputError, match=re.escape(message)):
            call()


def test_categories():
    weather = Category(["sun", "rain", "snow"])
    rows = weather.encode(["snow", "sun"])
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0]] and weather.decode(rows) == ["snow", "sun"]
    assert Category([3, 7]).decode(Category([3, 7]).encode([7, 3])) == ["7", "3"]
    assert np.isnan(weather.encode(["sun", None])).all(axis=1).tolist() == [False, True]
    assert weather.encode([]).shape == (0, 3) and weather.decode(np.zeros((1, 3))) == [None]
    assert weather.encode("rain").tolist() == [[0, 1, 0]]
    message = ("encoder Category: row 1 is none of the names (got 'rian'); did you mean 'rain'?; unknown='unit' gives "
               "all others a unit of their own")
    with pytest.raises(InputError, match=re.escape(message)):
        weather.encode(["sun", "rian"])
    other = Category(["sun"], unknown="unit")
    assert other.shape == (2,) and other.encode(["hail", "sun", "fog"]).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert other.decode([[0.2, 0.8]]) == [None]
    for names, got in ((["a", "b", "a"], "'a'"), ([], r"\[\]"), ("ab", "'ab'"), ([1.5], r"\[1.5\]")):
        with pytest.raises(InputError, match=rf"encoder Category: names must .* \(got {got}\)"):
            Category(names)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(TEXTS, st.sampled_from(["one_hot", "sparse"]))
def test_any_text_comes_back(text, code):
    characters = Characters("".join(sorted(set(text))) or "a", code)
    rows = characters.encode(text)
    assert rows.shape == (len(text), *characters.shape) and rows.dtype == np.float32
    assert characters.decode(rows) == text


@given(st.binary(max_size=60), st.sampled_from(["one_hot", "sparse"]))
def test_any_bytes_come_back(data, code):
    bytes_ = Bytes(code)
    rows = bytes_.encode(data)
    assert rows.shape == (len(data), 256 if code == "one_hot" else 2048)
    assert bytes_.decode(rows) == data
    assert np.array_equal(bytes_.encode(np.frombuffer(data, np.uint8)), rows)


def test_characters_of_another_alphabet_keep_their_sparse_codes():
    one, other = Characters("abc", "sparse"), Characters("xca", "sparse")
    assert np.array_equal(one.encode("ac"), other.encode("ac"))


def test_one_character_and_unknown_ones():
    assert Characters("a").encode("aa").tolist() == [[1], [1]]
    message = ("encoder Characters: row 2 is not in the alphabet of 2 characters (got 'c'); unknown='unit' gives all "
               "others a symbol of their own")
    with pytest.raises(InputError, match=re.escape(message)):
        Characters("ab").encode("abc")
    for code in ("one_hot", "sparse"):
        known = Characters("ab", code, unknown="unit")
        rows = known.encode("axb?")
        assert known.decode(rows) == "a\ufffdb\ufffd" and np.array_equal(rows[1], rows[3])
        assert known.decode(np.zeros((1, known.size))) == "\ufffd"
    assert Bytes().decode(np.zeros((1, 256))) == b"?"
    for make, message in ((lambda: Characters(""), "alphabet must be a text of at least one character"),
                          (lambda: Characters("abca"), "the characters of alphabet must all be different (got 'a')"),
                          (lambda: Characters("a", "dense"), "code must be one of 'one_hot', 'sparse' (got 'dense')"),
                          (lambda: Characters("a", "sparse", size=5, active=6), "active must be at most size (5)"),
                          (lambda: Characters("a").encode(b"a"), "encodes a text (got 'bytes')"),
                          (lambda: Bytes().encode("a"), "encodes bytes, or an array of dtype uint8 (got 'str')"),
                          (lambda: Bytes().encode(np.zeros(2)), "or an array of dtype uint8 (got 'float64')")):
        with pytest.raises(InputError, match=re.escape(message)):
            make()


# -- by name ---------------------------------------------------------------------------------------------------------

NEEDED = {"scalar": {"low": 0, "high": 1}, "population": {"low": 0, "high": 1}, "periodic": {"period": 7},
          "category": {"names": ["a"]}, "random_codes": {"symbols": 3}, "characters": {"alphabet": "ab"}}


@pytest.mark.parametrize("name", list_encoders())
def test_every_encoder_is_found_by_name_and_says_what_it_is(name):
    encoder = find_encoder(name, **NEEDED.get(name, {}))
    assert type(encoder).__name__.lower() == name.replace("_", "")
    assert encoder.size == np.prod(encoder.shape) and encoder.takes in ("numbers", "names", "times", "text")
    assert encoder.memory == {"difference": 1, "standardise": None}.get(name, 0)
    assert find_encoder(name, **NEEDED.get(name, {})) == encoder  # parameters alone make it
    hash(encoder)


@pytest.mark.parametrize(("name", "options", "message"), [
    ("scalr", {}, "encoder 'scalr': no encoder has this name; did you mean 'scalar'?"),
    ("scalar", {"low": 0, "hihg": 1}, "encoder 'scalar': unknown option 'hihg'; did you mean 'high'?"),
    ("scalar", {"low": 0}, "encoder 'scalar': needs the option 'high'"),
    ("standardise", {"then": {"encoder": "scalr"}}, "encoder 'scalr': no encoder has this name"),
    ("standardise", {"then": 3}, "encoder Standardise: then must be an encoder of numbers that needs no past (got"),
    ("no.such:Thing", {}, "encoder 'no.such:Thing': module 'no.such' cannot be imported"),
    ("cortexsim.encoders:Skalar", {}, "has no class 'Skalar'"),
])
def test_bad_names_and_options(name, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        find_encoder(name, **options)


def test_encoders_from_outside():
    assert find_encoder("cortexsim.encoders.category:Bytes") == Bytes()
