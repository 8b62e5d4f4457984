"""The command ``cortexsim data``: the list, the names, the download, and what it says when something is wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import pytest

from cli_examples import refused
from cortexsim import cli, datasets, downloads
from cortexsim.dataset_list import SETS
from data_server import HELD, LONG, LONG_FILE, SHORT, SHORT_FILE, SMALL, files_below, serving


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("CORTEXSIM_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(datasets, "SETS", (SMALL, HELD))


@pytest.fixture
def server(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("CORTEXSIM_DATA_URL", server.address)
        yield server


def bring(folder, data, content=None):
    for file in data.files:
        path = folder / data.name / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes({LONG_FILE.path: LONG}.get(file.path, SHORT) if content is None else content)


def table(capsys) -> dict[str, str]:
    """The lines of the list, by their first word."""
    assert cli.main(["data"]) == 0
    return {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}


# --- the list ---

def test_the_list_is_aligned_sorted_and_says_what_is_here(capsys, tmp_path, monkeypatch):
    lines = table(capsys)
    assert list(lines)[:3] == ["set", "held", "small"]
    assert re.fullmatch(r"held +by hand  - +8 B  [0-9a-f]{12} +MIT +somebody", lines["held"])
    assert re.fullmatch(r"small +yes +- +192.0 kB  [0-9a-f]{12}  MIT +nobody", lines["small"])
    starts = {line.index(word) for line, word in ((lines["set"], "origin"), (lines["held"], "somebody"),
                                                  (lines["small"], "nobody"))}
    assert len(starts) == 1, "columns stand below their names"
    assert lines["cache:"] == f"cache: {datasets.cache_folder()}" and "$CORTEXSIM_DATA:" not in lines
    bring(datasets.cache_folder(), SMALL)
    (tmp_path / "own").mkdir()
    bring(tmp_path / "own", HELD, b"changed")
    monkeypatch.setenv("CORTEXSIM_DATA", str(tmp_path / "own"))
    lines = table(capsys)
    assert " yes      cache " in lines["small"] and "  $CORTEXSIM_DATA (1 changed)  " in lines["held"]
    assert lines["$CORTEXSIM_DATA:"] == f"$CORTEXSIM_DATA: {tmp_path / 'own'}"
    (datasets.cache_folder() / "small" / "short.csv").unlink()
    assert "  1 of 2 files, cache  " in table(capsys)["small"]


def test_a_name_tells_all_of_a_set(capsys):
    bring(datasets.cache_folder(), SMALL)
    assert cli.main(["data", "small", "held"]) == 0
    text = capsys.readouterr().out
    for part in ("small: two files\n", "  get      cortexsim data get small\n", LONG_FILE.sha256, SHORT_FILE.sha256,
                 f"  short.csv, 8 bytes, MIT; here: {datasets.cache_folder() / 'small' / 'short.csv'}\n    ",
                 "A paper.", "https://raw.githubusercontent.com/origin/short.csv\n", "\n\nheld: one file\n",
                 "  get      by hand: it is a pickle\n", "  x.csv, 8 bytes, MIT; not here\n"):
        assert part in text, part


def test_the_list_for_programs(capsys):
    bring(datasets.cache_folder(), SMALL)
    assert cli.main(["data", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folders"] == {"cache": str(datasets.cache_folder())}
    assert list(found["sets"]) == ["held", "small"]
    small = found["sets"]["small"]
    assert (small["get"], small["bytes"], small["licence"]) == (True, len(LONG) + len(SHORT), "MIT")
    assert small["sha256"] == datasets.checksum(SMALL)
    assert small["files"][1] == {
        "path": "short.csv", "bytes": 8, "sha256": SHORT_FILE.sha256, "licence": "MIT", "citation": "A paper.",
        "urls": [f"{downloads.RAW_FILES}/origin/short.csv"], "converted": False, "state": "here",
        "at": str(datasets.cache_folder() / "small" / "short.csv")}
    assert cli.main(["data", "held", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["sets"]
    assert list(found) == ["held"] and found["held"]["by_hand"] == "it is a pickle"
    assert found["held"]["files"][0]["state"] == "missing" and found["held"]["files"][0]["at"] is None


def test_the_list_of_the_library_can_be_printed(capsys, monkeypatch):
    monkeypatch.undo()
    lines = table(capsys)
    assert {"nab", "text", "series", "macaque29", "sequences", "conformance", "conditioning", "dysts",
            "hcp_mmp1"} <= set(lines)


@pytest.mark.parametrize(("argv", "message"), [
    (["smal"], "data set 'smal': is not known; did you mean 'small'?"),
    (["gte", "small"], "data set 'gte': is not known; did you mean 'get'?"),
    (["small", "hold"], "data set 'hold': is not known; did you mean 'held'?"),
    (["get", "smalll"], "data set 'smalll': is not known; did you mean 'small'?"),
    (["get"], "cortexsim data get: needs the names of data sets, or all; cortexsim data lists them"),
    (["get", "small", "held"], "data set 'held': cannot be downloaded: it is a pickle; see somebody, and set "),
    (["get", "small", "--json"], "option --json: goes with the list only"),
    (["small", "--to", "x"], "option --to: goes with 'cortexsim data get' only"),
    (["--quiet"], "option --quiet: goes with 'cortexsim data get' only"),
    (["--jsn"], "option --jsn: is not known to 'cortexsim data'; did you mean '--json'?"),
])
def test_command_lines_that_are_refused(capsys, server, argv, message):
    assert message in refused(capsys, "data", *argv)
    assert server.asked == [], "nothing is downloaded before all names are known"


def test_a_folder_that_is_not_there(capsys, monkeypatch):
    monkeypatch.setenv("CORTEXSIM_DATA", "no/folder")
    assert "$CORTEXSIM_DATA: names no folder that is there (got 'no/folder')" in refused(capsys, "data")


# --- download ---

def test_get_downloads_what_is_not_here(capsys, server):
    folder = datasets.cache_folder()
    assert cli.main(["data", "get", "small"]) == 0
    out, err = capsys.readouterr()
    assert out == f"small: 2 files, 192.0 kB, in {folder / 'small'}\n" and err == "", "no bar where nobody watches"
    assert files_below(folder) == {"small/deep/long.bin": LONG, "small/short.csv": SHORT}
    assert cli.main(["data", "get", "small", "small"]) == 0
    assert capsys.readouterr().out == f"small: already here, in {folder / 'small'}\n" and len(server.asked) == 2
    (folder / "small" / "short.csv").write_bytes(b"changed")
    assert cli.main(["data", "get", "small", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "") and server.asked[2:] == ["/origin/short.csv"]


def test_get_all_leaves_out_what_must_be_brought(capsys, server, tmp_path):
    assert cli.main(["data", "get", "all", "--to", str(tmp_path / "to")]) == 0
    assert capsys.readouterr().out == (f"small: 2 files, 192.0 kB, in {tmp_path / 'to' / 'small'}\n"
                                       f"set CORTEXSIM_DATA={tmp_path / 'to'} to use what is there\n")
    assert set(files_below(tmp_path / "to")) == {"small/deep/long.bin", "small/short.csv"}
    assert not datasets.cache_folder().exists()


def test_get_takes_what_the_named_folder_holds_as_had(capsys, server, tmp_path, monkeypatch):
    for data in (SMALL, HELD):
        bring(tmp_path / "own", data)
    monkeypatch.setenv("CORTEXSIM_DATA", str(tmp_path / "own"))
    assert cli.main(["data", "get", "small", "held"]) == 0
    assert capsys.readouterr().out == (f"small: already here, in {tmp_path / 'own' / 'small'}\n"
                                       f"held: already here, in {tmp_path / 'own' / 'held'}\n")
    assert server.asked == []
    changed = tmp_path / "own" / "small" / "short.csv"
    changed.write_bytes(b"changed")
    assert cli.main(["data", "get", "small"]) == 0
    assert capsys.readouterr().err == (f"cortexsim: {changed} is not the file of the list, and is found before the one "
                                       "in the cache\n")


def test_a_failed_download_is_an_error_of_one_line(capsys, server):
    server.manner["/origin/short.csv"] = "other"
    message = refused(capsys, "data", "get", "small")
    assert message.startswith("data file small/short.csv: cannot be downloaded from http://127.0.0.1:")
    assert "what came (8 bytes) has not the SHA-256" in message
    assert set(files_below(datasets.cache_folder())) == {"small/deep/long.bin"}


def test_an_interrupt_keeps_whole_files(capsys, server, monkeypatch):
    true = downloads.download

    def interrupted(data, file, root, tell):
        if file is SHORT_FILE:
            raise KeyboardInterrupt
        return true(data, file, root, tell)

    monkeypatch.setattr(downloads, "download", interrupted)
    assert cli.main(["data", "get", "small"]) == 130
    assert capsys.readouterr().err == "cortexsim: interrupted; the files that were complete are kept\n"
    assert files_below(datasets.cache_folder()) == {"small/deep/long.bin": LONG}


def test_a_terminal_gets_a_bar(capsys, server, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert cli.main(["data", "get", "small"]) == 0
    err = capsys.readouterr().err
    assert "small:" in err and "192k" in err and "SHA256" not in err


def test_ctrl_c_in_the_middle_of_a_download_leaves_nothing(server, monkeypatch):
    monkeypatch.setattr(datasets, "SETS", SETS)
    path = "/" + datasets.find_dataset("series").files[0].sources[0]
    server.files[path], server.manner[path] = LONG, "silent"
    # a process that was started in the background would not hear Ctrl-C
    code = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from cortexsim.cli import main; sys.exit(main(['data', 'get', 'series']))")
    running = subprocess.Popen([sys.executable, "-c", code], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not list(datasets.cache_folder().glob(".part-*/*")):
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, "") and err.startswith("cortexsim: interrupted; the files that were")
    assert list(datasets.cache_folder().iterdir()) == []
