"""Archives from outside: every claim is checked against the file before memory is taken, and nothing is unpickled."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

from cortexsim import safe_npz
from cortexsim.curves import Curves
from cortexsim.errors import FileError
from cortexsim.sources import arrays
from fuzz.zips import Member, npy, put_together, take_apart

# -- npz ---------------------------------------------------------------------------------------------------------------

SOUND = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", bytes(24))


def archive(tmp_path, *members, before=b"", behind=b""):
    path = tmp_path / "x.npz"
    path.write_bytes(put_together(list(members), before, behind))
    return path


def header(descr="'<f4'", shape="(2, 3)", fortran="False"):
    return npy(f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}", bytes(24))


DAMAGED = {
    "more elements than memory": ([Member("x.npy", header(shape="(1152921504606846976,)"))],
                                  "member 'x': has a shape that no array can have"),
    "more elements than bytes": ([Member("x.npy", header(shape="(2, 300000000)"))],
                                 "member 'x': says <f4 of shape .* which does not make its 24 bytes"),
    "fewer elements": ([Member("x.npy", header(shape="(2,)"))], "does not make its 24 bytes"),
    "none of many": ([Member("x.npy", header(shape="(0, 4611686018427387904)"))], "a shape that no array can have"),
    "none of many small ones": ([Member("x.npy", header("'|b1'", shape="(0, 2305843009213693952)"))],
                                "a shape that no array can have"),
    "a negative length": ([Member("x.npy", header(shape="(-6,)"))], "has a header that numpy does not write"),
    "an expression": ([Member("x.npy", header(shape="(2**20,)"))], "has a header that numpy does not write"),
    "objects": ([Member("x.npy", header("'|O'"))], "must hold numbers, truth values or words"),
    "records": ([Member("x.npy", header("[('a', '<f4')]"))], "has a header that numpy does not write"),
    "dates": ([Member("x.npy", header("'<M8[ns]'"))], "has a header that numpy does not write"),
    "complex numbers": ([Member("x.npy", header("'<c8'"))], r"nothing else \(got '<c8'\)"),
    "immense words": ([Member("x.npy", header("'<U999999999'"))], r"nothing else \(got '<U999999999'\)"),
    "no text": ([Member("x.npy", npy("{'descr': '<U1', 'fortran_order': False, 'shape': (), }", b"\xff" * 4))],
                "holds what is no text"),
    "odd truth": ([Member("x.npy", npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", b"\x01\x02"))],
                  "holds truth values that are neither true nor false"),
    "digits without end": ([Member("x.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1" * 60000
                                                + "x, }"))], "has a header that numpy does not write"),
    "a path upwards": ([Member("../x.npy", SOUND)], r"a member whose name is no plain name \(got '../x.npy'\)"),
    "an absolute path": ([Member("/etc/x.npy", SOUND)], r"no plain name \(got '/etc/x.npy'\)"),
    "a path of Windows": ([Member("a\\x.npy", SOUND)], "no plain name"),
    "a name with NUL": ([Member("x\0.npy", SOUND)], "no plain name"),
    "a name twice": ([Member("x.npy", SOUND), Member("x.npy", SOUND)], "member 'x.npy': is there twice"),
    "another name in its place": ([Member("x.npy", SOUND)], "member 'y.npy': has another name in its own place"),
    "overlapping": ([Member("x.npy", SOUND), Member("y.npy", SOUND, lies={"at": 0})],
                    "member 'y.npy': overlaps member 'x.npy'|has another name in its own place"),
    "beyond the file": ([Member("x.npy", SOUND, lies={"size": 1 << 20, "packed": 1 << 20})], "reaches beyond its part"),
    "two sizes": ([Member("x.npy", SOUND, lies={"size": 1 << 20})], "is stored, yet has two sizes"),
    "a wrong check sum": ([Member("x.npy", SOUND, lies={"crc": 1})], "member 'x': is damaged: its check sum is wrong"),
    "a wrong check sum, packed": ([Member("x.npy", SOUND, zipfile.ZIP_DEFLATED, {"crc": 1})], "is damaged: Bad CRC"),
    "less than it says": ([Member("x.npy", SOUND, zipfile.ZIP_DEFLATED, {"size": len(SOUND) + 4})],
                          "does not make its 28 bytes|is damaged|ends after"),
    "encrypted": ([Member("x.npy", SOUND, lies={"flags": 0x801})], "is encrypted"),
    "another method": ([Member("x.npy", SOUND, lies={"method": 14})], "must be stored, or compressed by deflate"),
    "no array": ([Member("x.npy", b"\x80\x04" + bytes(60))], "is not an array that numpy saved"),
    "cut short": ([Member("x.npy", SOUND[:9])], "member 'x': ends after 9 of 10 bytes"),
    "something else": ([Member("x.npy", SOUND), Member("x.txt", b"hello")], "holds 'x.txt', which is no array"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_npz_is_refused_by_name(name, tmp_path):
    members, words = DAMAGED[name]
    path = archive(tmp_path, *members)
    if name == "another name in its place":
        content = path.read_bytes()
        path.write_bytes(content[:-60] + content[-60:].replace(b"x.npy", b"y.npy"))
    with pytest.raises(FileError, match=rf"^file '{path}'.*({words})"):
        safe_npz.read_npz(path)
    with pytest.raises(FileError, match=rf"^file '{path}'"):
        arrays.Stream(path)


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as member:
        head = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({1 << 28},), }}")
        member.write(head)
        for _ in range(1 << 8):
            member.write(bytes(1 << 20))
    made = []
    monkeypatch.setattr(np, "empty", lambda *arguments: made.append(arguments))
    for read in (safe_npz.read_npz, arrays.Stream):
        with pytest.raises(FileError, match=r"says that its members have 268\d+, more than 100 times as many; save it"):
            read(path)
    assert made == []


def test_a_bomb_of_the_callers_own_can_be_read(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.zeros(1000))
    with pytest.raises(FileError, match="more than 2 times as many"):
        safe_npz.read_npz(path, ratio=2, free=100)
    assert safe_npz.read_npz(path, ratio=None, free=0)["x"].shape == (1000,)
    assert safe_npz.read_npz(path, ratio=2, free=9000)["x"].shape == (1000,)


def test_a_member_that_holds_more_than_it_says_is_cut_off(tmp_path):
    # the directory says 24 bytes of values, deflate would go on for a megabyte
    content = SOUND + bytes(1 << 20)
    path = archive(tmp_path, Member("x.npy", content, zipfile.ZIP_DEFLATED, {"size": len(SOUND)}))
    with pytest.raises(FileError, match="member 'x': is damaged: Bad CRC"):
        safe_npz.read_npz(path)


class Payload:
    """What a pickle can do to who reads it."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return open, (self.mark, "w")


@pytest.mark.parametrize("read", [safe_npz.read_npz, arrays.Stream, Curves.from_npz])
def test_a_pickle_is_never_run(read, tmp_path):
    mark = tmp_path / "mark"
    content = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps(Payload(mark)))
    path = archive(tmp_path, Member("words.npy", content), Member("acc.npy", content))
    with pytest.raises(FileError, match="must hold numbers, truth values or words"):
        read(path)
    assert not mark.exists()
    np.load(path, allow_pickle=True)["words"]
    assert mark.exists(), "the trap is one"


def test_every_plain_array_comes_back(tmp_path):
    data = {"a": np.eye(3), "b": np.float32([1, 2]), "c": np.array("h\u00e9"), "d": np.array(True),
            "e": np.zeros((0, 3)), "f": np.asfortranarray(np.arange(6).reshape(2, 3)), "g": np.array(3.5, np.float16),
            "h": np.arange(3, dtype=">i4"), "i": np.array(["a", "bcd"]), "j/k.l": np.ones((2, 2), bool)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **data)
        read = safe_npz.read_npz(tmp_path / "x.npz")
        assert list(read) == list(data)
        for name, values in data.items():
            assert read[name].dtype == values.dtype and np.array_equal(read[name], values), name


STRICT = {
    "compressed": ([Member("x.npy", SOUND, zipfile.ZIP_DEFLATED)], {}, "must be stored uncompressed"),
    "bytes before": ([Member("x.npy", SOUND)], {"before": b"#!/bin/sh\n"}, "lies behind 10 bytes"),
    "bytes behind": ([Member("x.npy", SOUND)], {"behind": b"more"}, "holds bytes that belong to no member"),
}


@pytest.mark.parametrize("name", STRICT)
def test_a_file_of_the_packages_own_is_held_to_its_exact_form(name, tmp_path):
    members, around, words = STRICT[name]
    path = archive(tmp_path, *members, **around)
    assert safe_npz.read_npz(path)["x"].shape == (2, 3), "others may be like that"
    with pytest.raises(FileError, match=rf"^file '{path}': .*{words}"):
        safe_npz.Members(path, stored_only=True)


def test_members_are_read_into_their_place_or_named(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.float32([[1, 2], [3, 4]]))
    with safe_npz.Members(tmp_path / "x.npz", stored_only=True) as members:
        place = np.zeros((2, 2), np.float32)
        members.read_into("x", place)
        assert place.tolist() == [[1, 2], [3, 4]]
        for wrong in (np.zeros((2, 2)), np.zeros(4, np.float32)):
            with pytest.raises(FileError, match=r"member 'x': must be an array .* of shape .* \(got \('<f4', \(2, 2\)"):
                members.read_into("x", wrong)
        with pytest.raises(FileError, match="holds no member 'y.npy'"):
            members.read("y")
        with pytest.raises(FileError, match=r"holds no member 'manifest.json'"):
            members.text("manifest.json")


def test_a_text_is_read_up_to_a_limit(tmp_path):
    path = archive(tmp_path, Member("manifest.json", b"{}"), Member("bad.json", b"\xff"))
    with safe_npz.Members(path, stored_only=True) as members:
        assert members.texts == ("manifest.json", "bad.json") and members.text("manifest.json") == "{}"
        with pytest.raises(FileError, match=r"member 'manifest.json': must have at most 1 bytes \(got 2\)"):
            members.text("manifest.json", limit=1)
        with pytest.raises(FileError, match="member 'bad.json': is not UTF-8 text"):
            members.text("bad.json")


@pytest.mark.parametrize("name", ["", ".", "no\0where", "folder"])
def test_what_is_no_file_is_named(name, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match="there is no such file|is not a file|cannot be read"):
        safe_npz.read_npz(tmp_path / name if name else tmp_path / "none")


# -- curves ------------------------------------------------------------------------------------------------------------

WRONG_WORDS = [
    ({"regions": "V1"}, "regions must be a list of words"), ({"kinds": [1]}, "kinds must be a list of words"),
    ({"start": -1}, "start must be a whole number of 0 or more"), ({"n_ticks": True}, "n_ticks must be a whole number"),
    ({"n_ticks": 1 << 62}, "n_ticks must be a whole number"), ({"bin_width": 3}, "bin_width must be a power of two"),
    ({"bin_width": 0}, "bin_width must be a whole number of 1 or more"), ({"events": {}}, "events must be a list"),
    ({"events": [{"tick": 1}]}, "event 0 must have tick, what, where, detail, count"),
    ({"n_ticks": 5}, "holds 5 ticks in 4 bins of 1"), ({"format": []}, "holds curves of another format"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG_WORDS)
def test_words_of_curves_are_checked(changes, words, tmp_path):
    path = tmp_path / "c.npz"
    Curves(["V1"], ["delta"], ["mse"], ["forecast"], ["x"], bins=4).to_npz(path)
    with np.load(path) as data:
        acc, good = data["acc"], json.loads(str(data["words"]))
    np.savez(path, acc=acc, words=np.array(json.dumps(good | changes)))
    with pytest.raises(FileError, match=rf"^file '{path}': {words}"):
        Curves.from_npz(path)


def test_curves_of_a_long_list_of_regions_are_read_however_well_they_compress(tmp_path):
    names = [f"r{k}" for k in range(1200)]
    Curves(names, ["delta"] * 1200, ["mse"] * 1200, ["forecast"] * 1200, ["x"] * 1200).to_npz(tmp_path / "c.npz")
    assert (tmp_path / "c.npz").stat().st_size * 100 < 1200 * 512 * 15 * 8
    assert Curves.from_npz(tmp_path / "c.npz").regions == names


def test_the_parts_of_an_archive_can_be_taken_and_put_together(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", x=np.eye(2))
    members = take_apart((tmp_path / "x.npz").read_bytes())
    path = archive(tmp_path, *members)
    assert np.array_equal(np.load(path)["x"], np.eye(2))
