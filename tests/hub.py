"""A Hugging Face hub on this machine, which serves folders by name, and the environment in which it is asked."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serving(root: Path, token: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """(its address, what it was asked: "METHOD path user-agent"); `root` holds a folder for each name.

    With a token, whoever shows it may write: what is committed lies in `root` then.
    """
    asked: list[str] = []
    kind = _Hub if token is None else _Writable
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (kind,), {"root": root, "asked": asked, "token": token,
                                                                         "sent": {}}))
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
            model = {"id": about[1], "sha": COMMIT, "siblings": [{"rfilename": n} for n in names],
                     "cardData": _front_matter(self.root / about[1] / "README.md")}
            self._answer(200, json.dumps(listing if about[2] == "tree" else model).encode())
        else:
            known = (self.root / (file or about or [0, "?"])[1]).is_dir()
            self._answer(404, **{"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})

    do_HEAD = do_POST = do_GET

    def _say(self, status: int, **what: object) -> None:
        self._answer(status, json.dumps(what).encode(), **{"Content-Type": "application/json"})

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "X-Repo-Commit": COMMIT, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Nothing on the terminal."""


def _front_matter(page: Path) -> dict | None:
    """What a page says of itself, as the hub reads it."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return yaml.safe_load(text.split("---\n")[1]) if text.startswith("---\n") else None


class _Writable(_Hub):
    """The same with an owner, "me": repositories are made and committed to, large files go their own way."""

    token: str
    sent: dict[str, bytes]                  # large files by their hash, until a commit names them

    def do_GET(self) -> None:
        if self.path == "/api/whoami-v2":
            self.asked.append(f"GET {self.path}")
            self._say(200, type="user", name="me", orgs=[]) if self._known() else self._say(401, error="Invalid token")
        else:
            super().do_GET()

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.asked.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = f"http://127.0.0.1:{self.server.server_port}"
        if self.path == "/api/validate-yaml":
            self._say(200, errors=[], warnings=[])
        elif not self._known():
            self._say(401, error="Invalid username or password.")
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            new = not (self.root / name).exists()
            (self.root / name).mkdir(parents=True, exist_ok=True)
            self._say(200 if new else 409, url=f"{address}/{name}", id=name)
        elif match := re.fullmatch(r"/api/models/(.+)/preupload/main", self.path):
            self._say(200, files=[{"path": one["path"], "shouldIgnore": False, "uploadMode":
                                   "lfs" if one["path"].endswith(".safetensors") else "regular"}
                                  for one in json.loads(body)["files"]])
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            self._say(200, transfer="basic", objects=[
                {**one, "actions": {"upload": {"href": f"{address}/large/{one['oid']}"}}}
                for one in json.loads(body)["objects"]])
        elif match := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
            for line in map(json.loads, body.decode().splitlines()):
                what = line["value"]
                if line["key"] == "file":
                    (self.root / match[1] / what["path"]).write_bytes(base64.b64decode(what["content"]))
                elif line["key"] == "lfsFile":
                    (self.root / match[1] / what["path"]).write_bytes(self.sent[what["oid"]])
            self._say(200, success=True, commitOid=COMMIT, commitUrl=f"{address}/{match[1]}/commit/{COMMIT}",
                      hookOutput="")
        else:
            self._say(404, error="not a part of this hub")

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.sent[hashlib.sha256(content).hexdigest()] = content
        self._answer(200)

    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.token}"
