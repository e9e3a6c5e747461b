"""A strict receiver of OpenLineage events: a real HTTP server in a process of its own.

It appends every event it takes to a file, so a killed receiver forgets nothing it has taken. How
it behaves stands in a second file that tests rewrite while it runs: ``take``, ``fail`` (503),
``hang`` (never answers), ``refuse <asset>`` (422 for events of that job), ``lose`` (takes the event
and dies before it answers), ``redirect`` (302), ``deny`` (401).
"""

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "lineage-token"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        mode, _, argument = (self.folder / "mode").read_text().partition(" ")
        self._log("request", mode)
        if self.path != "/api/v1/lineage" or self.headers["Content-Type"] != "application/json":
            return self._answer(404)
        if mode == "deny" or self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._answer(401)
        if mode == "fail":
            return self._answer(503)
        if mode == "hang":
            threading.Event().wait()
        if mode == "redirect":
            return self._answer(302, Location="/login")
        if mode == "refuse" and json.loads(body)["job"]["name"] == argument:
            return self._answer(422)
        self._log("events", json.dumps(json.loads(body)))
        if mode == "lose":
            os._exit(1)
        return self._answer(201)

    def do_GET(self) -> None:
        self._answer(200)

    def _log(self, name: str, line: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write(line + "\n")

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@dataclass
class Receiver:
    """The server, started and stopped by the test that wants it; keeps its port over restarts."""

    folder: Path
    port: int = 0
    process: "subprocess.Popen[str] | None" = field(default=None)

    @property
    def url(self) -> str:
        """Where events are posted."""
        return f"http://127.0.0.1:{self.port}/api/v1/lineage"

    def start(self, mode: str = "take") -> None:
        """Start the server; returns when it listens."""
        self.folder.mkdir(exist_ok=True)
        self.set(mode)
        self.port = self.port or _free_port()
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self.folder), str(self.port)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "listening\n"

    def stop(self) -> None:
        """Kill the server, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def set(self, mode: str) -> None:
        """Behave like this from the next request on."""
        temporary = self.folder / "mode.tmp"
        temporary.write_text(mode)
        temporary.replace(self.folder / "mode")

    @property
    def requests(self) -> int:
        """How many requests have come in, answered or not."""
        path = self.folder / "request"
        return len(path.read_text().splitlines()) if path.exists() else 0

    @property
    def events(self) -> list[dict]:
        """All events taken so far, in the order of their arrival."""
        path = self.folder / "events"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _serve(folder: Path, port: int) -> None:
    _Handler.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
