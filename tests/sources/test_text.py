"""The characters or bytes of a file as a stream."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cortexsim.errors import FileError, InputError
from cortexsim.sources import SeekableStream, open_stream
from cortexsim.sources.text import Stream

TEXT = "to be, or not to be\u2014that is\r\nthe question \U0001f480\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "play.txt"
    file.write_bytes(TEXT.encode())
    return file


@pytest.mark.parametrize("code", ["one_hot", "sparse"])
@pytest.mark.parametrize("unit", ["character", "byte"])
def test_the_text_comes_back_however_it_is_cut(path, unit, code):
    stream = Stream(path, unit, code, columns=512, active=20)
    held = TEXT if unit == "character" else TEXT.encode()
    assert isinstance(stream, SeekableStream) and stream.text == held and stream.length == len(held)
    whole = stream.read(10_000)["symbol"]
    assert whole.dtype == np.float32 and whole.shape == (len(held), *stream.shapes()["symbol"])
    assert stream.encoder.decode(whole) == held and stream.read(5)["symbol"].shape == (0, whole.shape[1])
    stream.seek(0)
    cut = [stream.read(n)["symbol"] for n in (3, 0, 1, 20, 1000)]
    assert np.array_equal(np.concatenate(cut), whole)
    for tick in (7, 0, len(held) - 1):
        stream.seek(tick)
        assert stream.position == tick and np.array_equal(stream.read(4)["symbol"], whole[tick:tick + 4])
    stream.seek(10**6)
    assert stream.position == len(held)


def test_the_alphabet_is_that_of_the_file_or_given(path):
    stream = Stream(path)
    alphabet = "".join(sorted(set(TEXT)))
    assert stream.encoder.alphabet == alphabet and stream.shapes() == {"symbol": (len(alphabet),)}
    assert stream.symbols(0, 5).tolist() == [alphabet.index(c) for c in TEXT[:5]]
    assert Stream(path, alphabet=alphabet + "z").shapes() == {"symbol": (len(alphabet) + 1,)}
    assert Stream(path, "byte").shapes() == {"symbol": (256,)}


def test_unseen_characters(path):
    message = (f"file {str(path)!r}, line 2, character {TEXT.index('q')} is not in the alphabet")
    letters = "".join(sorted(set(TEXT) - set("q")))
    with pytest.raises(InputError, match=re.escape(message.replace(" is not", ": is not")) + r".*\(got 'q'\)"):
        Stream(path, alphabet=letters)
    stream = Stream(path, alphabet=letters, unknown="unit")
    assert stream.encoder.decode(stream.read(100)["symbol"]) == TEXT.replace("q", "\ufffd")
    sparse = Stream(path, code="sparse", alphabet=letters, unknown="unit")
    assert sparse.encoder.decode(sparse.read(100)["symbol"]) == TEXT.replace("q", "\ufffd")


def test_a_file_of_one_symbol_and_a_byte_order_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfaaaa")
    stream = open_stream({"name": "text", "path": "a.txt"}, base_dir=tmp_path)
    assert stream.read(10)["symbol"].tolist() == [[1]] * 4
    assert Stream(tmp_path / "a.txt", "byte").length == 7


def test_files_and_options_that_will_not_do(path, tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "latin.txt").write_bytes("\u00e9t\u00e9".encode("latin-1"))
    with pytest.raises(InputError, match="empty.txt': is empty"):
        Stream(tmp_path / "empty.txt")
    with pytest.raises(FileError, match="latin.txt': is not text in UTF-8: .*; unit='byte' reads any file"):
        Stream(tmp_path / "latin.txt")
    assert Stream(tmp_path / "latin.txt", "byte").text == b"\xe9t\xe9"
    with pytest.raises(FileError, match="nowhere.txt': no such file"):
        Stream(tmp_path / "nowhere.txt")
    with pytest.raises(FileError, match="cannot be read"):
        Stream(tmp_path)
    for options, message in (({"unit": "word"}, "unit must be 'character' or 'byte' (got 'word')"),
                             ({"code": "dense"}, "code must be one of 'one_hot', 'sparse' (got 'dense')"),
                             ({"alphabet": "a", "unit": "byte"}, "has no alphabet of bytes"),
                             ({"unknown": "drop"}, "unknown must be one of 'error', 'unit' (got 'drop')")):
        with pytest.raises(InputError, match=re.escape(message)):
            Stream(path, **options)
