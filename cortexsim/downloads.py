"""Download of data sets through pooch: every file is checked before it gets its name, and nothing half is left.

A file comes into a folder of its own beside the sets, is brought into the form that is kept, checked by its SHA-256,
and renamed. So an error, Ctrl-C, and others who get the same file at the same time leave good files as they are.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from cortexsim.dataset_list import DataFile, DataSet
from cortexsim.datasets import FOLDER, is_sound
from cortexsim.errors import FileError, InputError

ADDRESS = "CORTEXSIM_DATA_URL"
RAW_FILES = "https://raw.githubusercontent.com"
SECONDS = 30  # without a byte from the server
CHUNK = 1 << 16
MOST = 1 << 20  # bytes of a download whose size is not known, as the list has that of what is made of it


class _TooLong(Exception):
    """A server sends more than the file can hold."""


class _Refused(Exception):
    """A server answers that it does not serve the file."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def get(data: DataSet, root: Path, tell: Callable[[int], Any] = lambda count: None) -> list[DataFile]:
    """Download the files of a set that are not yet there, or not sound.

    Parameters
    ----------
    data : DataSet
    root : pathlib.Path
        They go to the folder of the set's name in it.
    tell : callable
        Called with how many bytes more have come.

    Returns
    -------
    list of DataFile
        Those that were downloaded.

    Raises
    ------
    InputError
        The set cannot be downloaded.
    FileError
        pooch is not installed, or a file cannot be downloaded, is not the expected one, or cannot be written; files
        that came before it stay.
    """
    refuse_by_hand(data)
    missing = [file for file in data.files if not is_sound(root / data.name / file.path, file)]
    for file in missing:
        download(data, file, root, tell)
    return missing


def refuse_by_hand(data: DataSet) -> None:
    """Raise an InputError for a set that cannot be downloaded.

    Parameters
    ----------
    data : DataSet

    Raises
    ------
    InputError
        It says why, and what to do instead.
    """
    if data.by_hand:
        raise InputError(f"data set {data.name!r}", f"cannot be downloaded: {data.by_hand}",
                         hint=f"see {data.origin}, and set {FOLDER} to a folder that holds {data.name}/")


def download(data: DataSet, file: DataFile, root: Path, tell: Callable[[int], Any] = lambda count: None) -> Path:
    """Download one file of a set; one of that name is replaced by it once it is whole and checked.

    Parameters
    ----------
    data : DataSet
    file : DataFile
    root : pathlib.Path
    tell : callable
        As for :func:`get`.

    Returns
    -------
    pathlib.Path
        Of the file.

    Raises
    ------
    FileError
        As for :func:`get`.
    """
    job = _Download(data, file, root, tell)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".part-") as scratch:
            # a new file, as pooch's own can be read by nobody else
            whole = Path(scratch) / "whole"
            whole.write_bytes(job.fetch(scratch))
            job.target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(whole, job.target)
    except FileError:
        raise
    except OSError as error:
        raise FileError(job.where, f"cannot be written to {str(job.target.parent)!r} ({error.strerror or error})",
                        hint="make room, or name another folder: cortexsim data get --to DIR") from error
    return job.target


def addresses(file: DataFile) -> list[str]:
    """Where a file is downloaded from, the first to try first.

    Parameters
    ----------
    file : DataFile

    Returns
    -------
    list of str
        Below ``$CORTEXSIM_DATA_URL`` where that is set: a mirror with the same paths.
    """
    base = os.environ.get(ADDRESS) or RAW_FILES
    return [f"{base.rstrip('/')}/{source}" for source in file.sources]


class _Download:
    """One file on its way: through pooch, into a folder of its own, with every failure told in the same form."""

    def __init__(self, data: DataSet, file: DataFile, root: Path, tell: Callable[[int], Any]) -> None:
        try:
            self.pooch = importlib.import_module("pooch")
        except ImportError:
            raise FileError("downloads", "need pooch, which is not installed",
                            hint='pip install "cortexsim[data]"') from None
        self.errors = importlib.import_module("requests.exceptions")  # pooch stands on it
        self.file, self.tell, self.came = file, tell, 0
        self.where = f"data file {data.name}/{file.path}"
        self.target = root / data.name / file.path

    def fetch(self, scratch: str) -> bytes:
        """The checked content, from the first of the addresses that has it."""
        urls = addresses(self.file)
        for url in urls:
            try:
                with _quiet(self.pooch):
                    return self._fetch_from(url, scratch)
            except _Refused as error:
                if error.status != 404 or url == urls[-1]:
                    raise self._failure(url, f"the server answers with status {error.status}") from error
        raise AssertionError("a file has an address")

    def _fetch_from(self, url: str, scratch: str) -> bytes:
        known = None if self.file.convert else self.file.sha256
        self.came = 0
        try:
            kept = self.pooch.retrieve(url, known, fname="came", path=scratch, downloader=self._receive)
            return converted(Path(kept).read_bytes(), self.file)
        except _TooLong as error:
            raise self._failure(url, "the server sends more than the file can hold, so it is another one") from error
        except self.errors.RequestException as error:
            raise self._failure(url, self._broken(error)) from error
        except ValueError as error:  # pooch's, too
            raise self._failure(url, f"what came ({self.came:,} bytes) has not the SHA-256 that is expected "
                                f"({self.file.sha256[:12]}...), and was thrown away") from error

    def _receive(self, url: str, path: str, _: Any) -> None:
        """Download as pooch asks its downloaders to; the checksum is pooch's part."""
        with open(path, "wb") as self.out:
            try:
                self.pooch.HTTPDownloader(timeout=SECONDS, chunk_size=CHUNK)(url, self, None)
            except self.errors.HTTPError as error:
                raise _Refused(error.response.status_code) from error

    def write(self, chunk: bytes) -> None:
        """Take a chunk from pooch."""
        self.came += len(chunk)
        if self.came > (MOST if self.file.convert else self.file.size):
            raise _TooLong
        self.out.write(chunk)
        self.tell(len(chunk))

    def flush(self) -> None:
        """Pooch asks for it after every chunk."""

    def _broken(self, error: Exception) -> str:
        if isinstance(error, self.errors.Timeout):
            return f"the server said nothing for {SECONDS} seconds"
        of = "" if self.file.convert else f" of {self.file.size:,}"
        # requests calls a server that falls silent amid the file a lost connection, too
        if self.came or isinstance(error, (self.errors.ChunkedEncodingError, self.errors.ContentDecodingError)):
            return f"the connection broke after {self.came:,}{of} bytes"
        if isinstance(error, self.errors.ConnectionError):
            return f"the server cannot be reached ({type(error).__name__}); is there a network?"
        return f"{type(error).__name__}: {error}"

    def _failure(self, url: str, what: str) -> FileError:
        return FileError(self.where, f"cannot be downloaded from {url}: {what}",
                         hint=f"try again later, or bring the file to {self.target}")


@contextlib.contextmanager
def _quiet(pooch: Any) -> Iterator[None]:
    """Without pooch's own lines, which would run into the progress bar."""

    def grave(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger = pooch.get_logger()
    logger.addFilter(grave)  # and not another level: two threads would give back each other's
    try:
        yield
    finally:
        logger.removeFilter(grave)


# --- from what an origin serves to what is kept ---

def converted(content: bytes, file: DataFile) -> bytes:
    """Bring what an origin serves into the form that is kept, and check that.

    Parameters
    ----------
    content : bytes
        As it came.
    file : DataFile

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        It cannot be, or the SHA-256 of what is made of it is not that of `file`.
    """
    try:
        made = CONVERSIONS[file.convert](content)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it has another form") from error
    if sha256(made).hexdigest() != file.sha256:
        raise ValueError("it has another checksum")
    return made


def _same(content: bytes) -> bytes:
    return content


def _lines(content: bytes) -> bytes:
    r"""End every line with \n alone."""
    return content.replace(b"\r\n", b"\n")


def _nab_labels(content: bytes) -> bytes:
    """Keep the labels of the three groups of series that are in the set, of the seven at the origin."""
    groups = ("artificialNoAnomaly/", "artificialWithAnomaly/", "realKnownCause/")
    labels = {name: found for name, found in json.loads(content).items() if name.startswith(groups)}
    return json.dumps(labels, indent=1, sort_keys=True).encode()


def _sunspots(content: bytes) -> bytes:
    """Write the numbers of each row as floats, behind a number of the row."""
    rows = [line.split(",") for line in content.decode("ascii").splitlines()[1:]]
    text = "".join(f"{k},{float(year)},{float(spots)}\n" for k, (year, spots) in enumerate(rows))
    return (",YEAR,SUNACTIVITY\n" + text).encode()


def _co2(content: bytes) -> bytes:
    """Write each date, 19580329, as 1958-03-29."""
    rows = [line.split(",") for line in content.decode("ascii").splitlines()[1:]]
    text = "".join(f"{datetime.datetime.strptime(day, '%Y%m%d').date()},{ppm}\n" for day, ppm in rows)
    return (",co2\n" + text).encode()


CONVERSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": _same, "lf": _lines, "nab_labels": _nab_labels, "sunspots": _sunspots, "co2": _co2}
