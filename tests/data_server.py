"""A small server on this machine that serves files well or badly, and a data set to get from it."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cortexsim.dataset_list import DataFile, DataSet

# more than one chunk of a download, and nothing that compresses away
LONG = b"".join(hashlib.sha256(b"%d" % k).digest() for k in range(6000))
SHORT = b"a,b\n1,2\n"


def data_file(path: str, content: bytes, *sources: str, convert: str = "") -> DataFile:
    return DataFile(path, len(content), hashlib.sha256(content).hexdigest(), "MIT", "A paper.",
                    sources or (f"origin/{path}",), convert)


LONG_FILE = data_file("deep/long.bin", LONG)
SHORT_FILE = data_file("short.csv", SHORT)
SMALL = DataSet("small", "two files", "tests", "nobody", (LONG_FILE, SHORT_FILE))
HELD = DataSet("held", "one file", "tests", "somebody", (data_file("x.csv", SHORT),), by_hand="it is a pickle")


class Server(ThreadingHTTPServer):
    """Serves `files`, path to content, in the way that `manner` names for a path: "plain" for most."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/origin/deep/long.bin": LONG, "/origin/short.csv": SHORT, "/origin/x.csv": SHORT}
        self.manner: dict[str, str] = {}
        self.asked: list[str] = []
        self.end = threading.Event()  # lets a server that keeps silent go

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave early are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Answers with a file, or fails in the way that is asked for."""

    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer; the name is the one that http.server asks for."""
        self.server.asked.append(self.path)
        manner = self.server.manner.get(self.path, "plain")
        content = self.server.files.get(self.path)
        if manner.isdigit() or content is None:
            self.send_error(int(manner) if manner.isdigit() else 404)
            return
        if manner == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "/moved" + self.path)
            self.end_headers()
            return
        body = {"packed": gzip.compress, "other": lambda body: bytes(reversed(body)), "longer": lambda body: 2 * body,
                "half": lambda body: body[: len(body) // 2]}.get(manner, bytes)(content)
        self.send_response(200)
        if manner == "packed":
            self.send_header("Content-Encoding", "gzip")
        if manner != "half":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: 2 * len(body) // 3] if manner in ("cut", "silent") else body)
        self.wfile.flush()
        if manner == "silent":
            self.server.end.wait(20)


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs within the block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.end.set()
        server.shutdown()
        server.server_close()
        thread.join()


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too, with what it holds."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
