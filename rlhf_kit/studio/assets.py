"""How a page comes fast: Gradio's own files from memory and all at once, and the saved example before Gradio begins.

A page of Gradio's asks for about eighty files in four rounds: each script names those of the next, and the last round
is what the page's components are made of. Each file that is looked for on the disk costs the server 2 ms, and each
round waits for the one before. Which files a page will need can be read from the scripts themselves; so the page names
them at its head. Then Gradio makes two hundred components, which takes a second; meanwhile `scripts/early.js` shows the
example that the page will show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from html import escape
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from rlhf_kit.studio.widget import read_script

MARK = b"window.gradio_config"                              # is in a page, and not in a form that asks for a code
FOREVER = b"public, max-age=31536000, immutable"            # the name of such a file is made of what is in it
HASHED = re.compile(r"-[\w-]{8}\.(js|css)$")
ENTRY = re.compile(r'<script type="module"[^>]* src="\./assets/([^"]+)"')
NUMBERED = re.compile(r"m\.f=\[([^\]]*)\]")                 # the files that a script may ask for later, by number
ASKED = re.compile(r"import\(`\./([^`]+)`\)(?:(?!import\(`).)*?__vite__mapDeps\(\[([\d,]*)\]\)")
COMPONENTS = "core"                                         # the script that knows the files of each component
NEXT = ("Index", COMPONENTS, "Blocks")                      # the scripts on the way there, by how their names begin


def frontend() -> Path:
    """The folder of the page that Gradio brings, with its `assets`."""
    import gradio
    return Path(gradio.__file__).parent / "templates" / "frontend"


def needed(components: Iterable[str], place: Path) -> list[str]:
    """The files that a page with these components asks for, in the order of the rounds.

    Args:
        components: their types, such as "dropdown".
        place: Gradio's `frontend`.

    Returns: names in `assets`; fewer, or none, where Gradio's scripts are not written as they were: a page then finds
    its files by itself.
    """
    found = ENTRY.search((place / "index.html").read_text(encoding="utf-8"))
    if found is None:
        return []
    wanted, scripts = {found[1]: None}, [found[1]]
    for name in scripts:                                    # grows while it is walked through
        for asked, files in _asked((place / "assets" / name).read_text(encoding="utf-8")):
            if (asked.split("-")[0] in NEXT[:2] and name == found[1]) or asked.startswith(NEXT[2]):
                wanted |= dict.fromkeys(files)
                scripts += [asked] if asked not in scripts else []
    for name in scripts:
        if name.startswith(COMPONENTS):
            text = (place / "assets" / name).read_text(encoding="utf-8")
            for component in sorted({*components}):
                wanted |= dict.fromkeys(_of_component(component, text))
    return [name for name in wanted if (place / "assets" / name).is_file()]


def _asked(script: str, whole: str | None = None) -> list[tuple[str, list[str]]]:
    """What a script may ask for later: (script, the files that come with it)."""
    listed = NUMBERED.search(whole or script)
    names = re.findall(r'"\./([^"]+)"', listed[1]) if listed else []
    return [(asked, [names[int(n)] for n in numbers.split(",") if n and int(n) < len(names)])
            for asked, numbers in ASKED.findall(script)]


def _of_component(component: str, script: str) -> list[str]:
    """The files of one component: what stands behind its name, `dropdown:{example:...,component:...}`."""
    found = re.search(r"[,{]" + re.escape(component) + r":\{((?:example|base|component):.*?)\}[,}]", script)
    return [name for _, files in _asked(found[1], script) for name in files] if found else []


def head(names: Iterable[str]) -> str:
    """What asks for these files at once, put at the beginning of a page's head."""
    kinds = {"js": 'rel="modulepreload"', "css": 'rel="preload" as="style"'}
    return "".join(f'<link {kinds[name.rsplit(".", 1)[1]]} crossorigin href="./assets/{escape(name)}">'
                   for name in names if HASHED.search(name))


def early() -> str:
    """What shows the saved example at once, put at the beginning of a page's body."""
    parts = '<section id="rk-early" inert aria-hidden="true"><b></b><p></p><div></div></section>'
    return f'<style>{read_script("early.css")}</style>{parts}<script>{read_script("early.js")}</script>'


class FromMemory:
    """ASGI: Gradio's files without looking for them each time, and pages that come with more than Gradio gives them.

    Args:
        pages: their paths, without slashes.
        more: what is put right behind a tag of theirs: (the tag's beginning, such as "<body", HTML).
    """

    def __init__(self, app: Callable, pages: Iterable[str], more: Sequence[tuple[str, str]]) -> None:
        self.app, self.pages, self.more = app, {*pages}, [(tag.encode(), text.encode()) for tag, text in more]
        place = frontend() / "assets"
        self.files = {file.name: file for file in place.iterdir() if HASHED.search(file.name)}

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")).strip("/")
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
        elif path.startswith("assets/") and (file := self.files.get(path.removeprefix("assets/"))):
            body, headers = read(file, b"br" in dict(scope["headers"]).get(b"accept-encoding", b""))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        elif path in self.pages:
            await self.app(scope, receive, _adding(send, self.more))
        else:
            await self.app(scope, receive, send)


@cache
def read(file: Path, brotli: bool) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """(body, headers) of a file that never changes."""
    body = file.read_bytes()
    headers = [(b"content-type", f"{guess_type(file.name)[0]}; charset=utf-8".encode()), (b"cache-control", FOREVER),
               (b"vary", b"Accept-Encoding")]
    if brotli:
        from brotli import compress  # Gradio's own
        body = compress(body, quality=4)
        headers.append((b"content-encoding", b"br"))
    return body, [*headers, (b"content-length", str(len(body)).encode())]


def _adding(send: Callable, more: Sequence[tuple[bytes, bytes]]) -> Callable:
    """`send`, for a page that comes in one piece; other answers stay as they are."""
    started: list[dict[str, Any]] = []

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
            return
        if started:
            first, body = started.pop(), message.get("body", b"")
            whole = body if message.get("more_body") or MARK not in body else _with(body, more)
            length = str(len(whole)).encode()
            await send({**first, "headers": [(key, length if key == b"content-length" and whole != body else value)
                                             for key, value in first["headers"]]})
            message = {**message, "body": whole}
        await send(message)

    return sending


def _with(page: bytes, more: Sequence[tuple[bytes, bytes]]) -> bytes:
    for tag, text in more:
        if (at := page.find(tag)) >= 0:
            at = page.index(b">", at) + 1
            page = page[:at] + text + page[at:]
    return page
