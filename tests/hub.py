"""A Hugging Face hub on this machine, which serves folders by name, and the environment in which it is asked."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serving(root: Path) -> Iterator[tuple[str, list[str]]]:
    """(its address, what it was asked: "METHOD path user-agent"); `root` holds a folder for each name."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (_Hub,), {"root": root, "asked": asked}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path} {self.headers.get('user-agent')}")
        path = self.path.partition("?")[0]
        about = re.fullmatch(r"/api/(?:models|datasets)/(.+?)(?:/(tree|revision)/[^/]+(/.*)?)?", path)
        file = re.fullmatch(r"/(?:datasets/)?(.+)/resolve/[^/]+/(.+)", path)
        if file and (self.root / file[1] / file[2]).is_file():
            content = (self.root / file[1] / file[2]).read_bytes()
            self._answer(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"')
        elif about and (self.root / about[1]).is_dir() and not about[3]:
            names = sorted(f.name for f in (self.root / about[1]).iterdir())
            listing = [{"type": "file", "path": n, "oid": COMMIT, "size": 1} for n in names]
            model = {"id": about[1], "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            self._answer(200, json.dumps(listing if about[2] == "tree" else model).encode())
        else:
            known = (self.root / (file or about or [0, "?"])[1]).is_dir()
            self._answer(404, **{"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})

    do_HEAD = do_POST = do_GET

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "X-Repo-Commit": COMMIT, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Nothing on the terminal."""
