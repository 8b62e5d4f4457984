"""Data from outside: the list of it, where it is looked for, and downloads that end well or leave nothing."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import sys
import threading
from pathlib import Path

import pooch
import pytest

from cortexsim import datasets, downloads
from cortexsim.dataset_list import SETS, DataFile, DataSet
from cortexsim.datasets import locate
from cortexsim.errors import FileError, InputError
from data_server import HELD, LONG, LONG_FILE, SHORT, SHORT_FILE, SMALL, data_file, files_below, serving

GOOD = {"small/deep/long.bin": LONG, "small/short.csv": SHORT}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A cache of the test's own, no folder of the user's, and no proxy."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("CORTEXSIM_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(datasets, "SETS", (*SETS, SMALL, HELD))


@pytest.fixture
def server(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("CORTEXSIM_DATA_URL", server.address)
        yield server


def fill(folder: Path, *files: DataFile, content: bytes = SHORT) -> Path:
    for file in files:
        path = folder / "small" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "small"


# --- the list ---

def test_every_set_of_the_list_is_whole():
    assert len({data.name for data in SETS}) == len(SETS) == 9
    assert [data.name for data in datasets.list_datasets()] == sorted(data.name for data in (*SETS, SMALL, HELD))
    for data in SETS:
        assert data.what and data.use and data.origin and data.files, data.name
        assert all(bool(file.sources) != bool(data.by_hand) for file in data.files), data.name
        assert len({file.path for file in data.files}) == len(data.files)
        for file in data.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0 and file.licence and file.citation
            assert file.convert in downloads.CONVERSIONS
            assert not Path(file.path).is_absolute() and ".." not in Path(file.path).parts
            for source in file.sources:
                # a commit, or a release: what lies there stays as it is; and nothing that runs when it is opened
                assert re.fullmatch(r"[\w-]+/[\w-]+/([0-9a-f]{40}|v[\d.]+)/[\w/-]+\.(csv|json|txt)", source)


def test_sizes_and_checksums_are_those_of_the_data(data_dir, monkeypatch):
    monkeypatch.setenv("CORTEXSIM_DATA", str(data_dir))
    wrong = [f"{data.name}/{file.path}" for data in SETS for file in data.files
             if datasets.state(data, file) != ("here", data_dir / data.name / file.path)]
    assert wrong == []


def test_the_checksum_of_a_set_depends_on_every_file_and_its_name():
    first = datasets.checksum(SMALL)
    assert re.fullmatch("[0-9a-f]{64}", first)
    turned = DataSet("small", "", "", "", SMALL.files[::-1])
    other = DataSet("small", "", "", "", (LONG_FILE, data_file("other.csv", SHORT)))
    assert datasets.checksum(turned) == first != datasets.checksum(other)


# --- where data is looked for ---

def test_the_cache_is_where_pooch_has_it():
    assert datasets.cache_folder() == Path(pooch.os_cache("cortexsim")) / "data"


@pytest.mark.parametrize(("platform", "variable", "below"), [
    ("linux", None, ".cache"), ("darwin", None, "Library/Caches"), ("win32", None, "AppData/Local"),
    ("win32", "LOCALAPPDATA", "own"), ("linux", "XDG_CACHE_HOME", "own")])
def test_each_system_has_its_cache(platform, variable, below, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "own"))
    assert datasets.cache_folder() == tmp_path / below / "cortexsim" / "data"


def test_locate_looks_in_the_named_folder_first_then_in_the_cache(tmp_path, monkeypatch):
    cached = fill(datasets.cache_folder(), LONG_FILE, SHORT_FILE)
    assert locate("small") == cached
    own = fill(tmp_path / "own", SHORT_FILE)
    monkeypatch.setenv("CORTEXSIM_DATA", str(tmp_path / "own"))
    assert locate("small/short.csv") == own / "short.csv"
    assert locate("small") == cached, "only one of its files is in the named folder"
    assert locate("small/deep") == cached / "deep"
    fill(tmp_path / "own", LONG_FILE)
    assert locate("small") == locate("small/") == own
    assert datasets.state(SMALL, SHORT_FILE) == ("here", own / "short.csv")
    assert datasets.state(SMALL, LONG_FILE) == ("changed", own / "deep" / "long.bin")


def test_locate_says_how_to_get_what_is_not_here(tmp_path, monkeypatch):
    assert datasets.state(SMALL, SHORT_FILE) == ("missing", None)
    cache = re.escape(str(datasets.cache_folder()))
    with pytest.raises(FileError, match=f"^data set 'small': it is not in {cache}; cortexsim data get small$"):
        locate("small")
    monkeypatch.setenv("CORTEXSIM_DATA", str(tmp_path))
    own = re.escape(f"$CORTEXSIM_DATA ({tmp_path})")
    with pytest.raises(FileError, match=f"^data set 'small': short.csv is neither in {own} nor in {cache}; cortexsim"):
        locate("small/short.csv")
    with pytest.raises(FileError, match=r"it cannot be downloaded: set CORTEXSIM_DATA to a folder that holds held/ \("):
        locate("held")


def test_names_that_are_not_known_get_the_nearest(monkeypatch):
    with pytest.raises(InputError, match="^data set 'smal': is not known; did you mean 'small'"):
        locate("smal")
    with pytest.raises(InputError, match=r"^data set 'small': has no such file \(got 'short.cvs'\); did you mean '"):
        locate("small/short.cvs")
    monkeypatch.setenv("CORTEXSIM_DATA", "no/such/folder")
    with pytest.raises(FileError, match=r"^\$CORTEXSIM_DATA: names no folder that is there \(got 'no/such/folder'\)"):
        locate("small")


# --- downloads that go well ---

def test_a_set_is_downloaded_once_and_found(server):
    came = []
    root = datasets.cache_folder()
    assert downloads.get(SMALL, root, came.append) == [LONG_FILE, SHORT_FILE]
    assert files_below(root) == GOOD and locate("small") == root / "small"
    assert sum(came) == SMALL.size and len(came) > 2, "told chunk by chunk"
    assert downloads.get(SMALL, root) == [] and len(server.asked) == 2
    assert stat.S_IMODE((root / "small" / "short.csv").stat().st_mode) & 0o444 == 0o444 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_that_was_changed_is_replaced(server, tmp_path):
    fill(tmp_path / "to", SHORT_FILE, content=b"a,b\n1,3\n")
    fill(tmp_path / "to", LONG_FILE, content=LONG)
    assert downloads.get(SMALL, tmp_path / "to") == [SHORT_FILE]
    assert files_below(tmp_path / "to") == GOOD


@pytest.mark.parametrize("manner", ["packed", "elsewhere"])
def test_packed_and_moved_files_are_taken(server, tmp_path, manner):
    server.manner["/origin/deep/long.bin"] = manner
    server.files["/moved/origin/deep/long.bin"] = LONG
    downloads.get(SMALL, tmp_path)
    assert files_below(tmp_path) == GOOD


def test_the_second_address_serves_where_the_first_has_no_such_file(server, tmp_path):
    file = data_file("a.csv", SHORT, "gone/a.csv", "origin/short.csv")
    path = downloads.download(SMALL, file, tmp_path)
    assert path.read_bytes() == SHORT and server.asked == ["/gone/a.csv", "/origin/short.csv"]
    server.manner["/gone/a.csv"] = "503"
    with pytest.raises(FileError, match=r"/gone/a.csv: the server answers with status 503"):
        downloads.download(SMALL, file, tmp_path)


def test_many_at_once_get_the_same_file_whole(server, tmp_path):
    failures = []

    def work():
        try:
            downloads.download(SMALL, LONG_FILE, tmp_path)
            assert (tmp_path / "small/deep/long.bin").read_bytes() == LONG
        except BaseException as error:  # a thread's own would only be printed
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and files_below(tmp_path) == {"small/deep/long.bin": LONG}
    assert pooch.get_logger().filters == []


# --- downloads that fail ---

FAILURES = [
    ("404", "the server answers with status 404"),
    ("500", "the server answers with status 500"),
    ("cut", r"the connection broke after [\d,]+ of 192,000 bytes"),
    ("half", r"what came \(96,000 bytes\) has not the SHA-256 that is expected \(\w{12}\.\.\.\), and was thrown away"),
    ("other", r"what came \(192,000 bytes\) has not the SHA-256 that is expected"),
    ("longer", "the server sends more than the file can hold, so it is another one"),
    ("silent", r"the connection broke after [\d,]+ of 192,000 bytes"),
]


@pytest.mark.parametrize(("manner", "what"), FAILURES)
@pytest.mark.parametrize("earlier", [None, b"an earlier version"])
def test_a_failure_says_what_and_leaves_what_was_there(server, tmp_path, monkeypatch, manner, what, earlier):
    monkeypatch.setattr(downloads, "SECONDS", 0.2)
    server.manner["/origin/deep/long.bin"] = manner
    if earlier:
        fill(tmp_path, LONG_FILE, content=earlier)
    before = files_below(tmp_path)
    url, path = re.escape(f"{server.address}/origin/deep/long.bin"), re.escape(str(tmp_path / "small/deep/long.bin"))
    with pytest.raises(FileError, match=f"^data file small/deep/long.bin: cannot be downloaded from {url}: {what}.*; "
                                        f"try again later, or bring the file to {path}$"):
        downloads.get(SMALL, tmp_path)
    assert files_below(tmp_path) == before and list(tmp_path.glob(".*")) == []


def test_files_that_came_before_a_failure_stay(server, tmp_path):
    server.manner["/origin/short.csv"] = "cut"
    with pytest.raises(FileError, match="^data file small/short.csv: .*: the connection broke after 0 of 8 bytes; "):
        downloads.get(SMALL, tmp_path)
    assert files_below(tmp_path) == {"small/deep/long.bin": LONG}
    server.manner.clear()
    assert downloads.get(SMALL, tmp_path) == [SHORT_FILE] and files_below(tmp_path) == GOOD


def test_without_a_network_the_error_says_so(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        monkeypatch.setenv("CORTEXSIM_DATA_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        with pytest.raises(FileError, match=r"long.bin: the server cannot be reached \(ConnectionError\); is there a"):
            downloads.get(SMALL, tmp_path)
    monkeypatch.setenv("CORTEXSIM_DATA_URL", "nonsense")
    with pytest.raises(FileError, match="from nonsense/origin/deep/long.bin: MissingSchema: Invalid URL"):
        downloads.get(SMALL, tmp_path)
    assert files_below(tmp_path) == {}


def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("CORTEXSIM_DATA_URL", f"http://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(FileError, match="the server said nothing for 0.2 seconds"):
            downloads.get(SMALL, tmp_path)
    assert files_below(tmp_path) == {}


def test_an_interrupt_leaves_nothing_half(server, tmp_path):
    fill(tmp_path, LONG_FILE, content=b"earlier")

    def interrupt(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        downloads.get(SMALL, tmp_path, interrupt)
    assert files_below(tmp_path) == {"small/deep/long.bin": b"earlier"} and list(tmp_path.glob(".*")) == []


def test_a_folder_that_cannot_be_written_to(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileError, match=r"^data file small/deep/long.bin: cannot be written to '.*/file/small/deep' "
                                        r"\(.+\); make room, or name another folder: cortexsim data get --to DIR$"):
        downloads.get(SMALL, tmp_path / "file")

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads.os, "replace", full)
    with pytest.raises(FileError, match=r"cannot be written to '.*/to/small/deep' \(No space left on device\)"):
        downloads.get(SMALL, tmp_path / "to")
    assert files_below(tmp_path / "to") == {}


def test_a_disk_that_fills_up_in_the_middle(server, tmp_path, monkeypatch):
    def full(self, chunk):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads._Download, "write", full)
    with pytest.raises(FileError, match=r"cannot be written to .*\(No space left on device\)"):
        downloads.get(SMALL, tmp_path)
    assert files_below(tmp_path) == {} and list(tmp_path.glob(".*")) == []


def test_without_pooch_the_error_names_the_extra(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    message = 'downloads: need pooch, which is not installed; pip install "cortexsim[data]"'
    with pytest.raises(FileError, match=f"^{re.escape(message)}$"):
        downloads.get(SMALL, tmp_path)
    fill(datasets.cache_folder(), LONG_FILE, SHORT_FILE)
    assert locate("small"), "what is here is found without it"


def test_a_set_that_must_be_brought_by_hand_says_why(server, tmp_path):
    with pytest.raises(InputError, match=r"^data set 'held': cannot be downloaded: it is a pickle; see somebody, and "
                                         r"set CORTEXSIM_DATA to a folder that holds held/$"):
        downloads.get(HELD, tmp_path)
    assert server.asked == []


# --- files that are kept in another form than their origin serves ---

LABELS = {"realTweets/x.csv": ["2015-03-14"], "realKnownCause/y.csv": [], "artificialNoAnomaly/z.csv": []}


@pytest.mark.parametrize(("convert", "served", "kept"), [
    ("lf", b"a\r\nb\r\n\x1a", b"a\nb\n\x1a"),
    ("nab_labels", json.dumps(LABELS, indent=4).encode(),
     b'{\n "artificialNoAnomaly/z.csv": [],\n "realKnownCause/y.csv": []\n}'),
    ("sunspots", b'"YEAR","SUNACTIVITY"\n1700,5\n1751,47.7\n', b",YEAR,SUNACTIVITY\n0,1700.0,5.0\n1,1751.0,47.7\n"),
    ("co2", b"date,co2\n19580329,316.1\n19580510,\n", b",co2\n1958-03-29,316.1\n1958-05-10,\n"),
])
def test_a_file_is_brought_into_its_form_and_then_checked(server, tmp_path, convert, served, kept):
    file = data_file("made", kept, convert=convert)
    server.files["/origin/made"] = served
    assert downloads.download(SMALL, file, tmp_path).read_bytes() == kept
    # nothing of another form, of another content, or without an end gets the name
    for bad in (b"<html>no</html>", b"[1]", b"[" * 10_000, b"\xff\n\xff,1\n", served + b" 1\r\n", bytes(2 << 20)):
        server.files["/origin/made"] = bad
        with pytest.raises(FileError, match="has not the SHA-256 that is expected|more than the file can hold"):
            downloads.download(SMALL, file, tmp_path)
        assert files_below(tmp_path) == {"small/made": kept}


def test_the_data_is_what_conversions_make_of_its_origins(data_dir):
    def check(name, served):
        title, _, path = name.partition("/")
        (file,) = [file for file in datasets.find_dataset(title).files if file.path == path]
        assert downloads.converted(served, file) == (data_dir / name).read_bytes()

    sunspots = [line.split(",")[1:] for line in (data_dir / "series/sunspots.csv").read_text().splitlines()]
    served = '"YEAR","SUNACTIVITY"\n' + "".join(f"{float(a):.0f},{float(b):g}\n" for a, b in sunspots[1:])
    check("series/sunspots.csv", served.encode())
    check("series/co2.csv", b"date" + (data_dir / "series/co2.csv").read_bytes().replace(b"-", b""))
    check("text/alice29.txt", (data_dir / "text/alice29.txt").read_bytes().replace(b"\n", b"\r\n"))
    for name in ("windows", "labels"):
        labels = json.loads((data_dir / f"nab/labels/combined_{name}.json").read_text())
        check(f"nab/labels/combined_{name}.json", json.dumps({"realTraffic/x.csv": [], **labels}, indent=4).encode())
