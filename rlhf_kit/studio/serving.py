"""How a page is served: on this machine only unless a class code guards it, and with nothing left to a default."""

from __future__ import annotations

import asyncio
import hmac
import importlib
import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from platformdirs import user_cache_path

from rlhf_kit.labels.records import check_name
from rlhf_kit.language import LANGS, counted
from rlhf_kit.network import PROXIES

if TYPE_CHECKING:
    import gradio as gr

LOCAL = ("127.0.0.1", "localhost", "::1")
SHORTEST_CODE = 6                   # characters of a class code
GUESSES_AT_ONCE = 10
WRONG_WAITS = 0.5                   # seconds before a wrong code is answered
FREE_GUESSES = 5                    # wrong codes of one name before it is locked for a while
LONGEST_LOCK = 60.0                 # seconds
NAMES_KEPT = 10_000
FORBIDDEN = "GRADIO_VIBE_MODE"      # lets whoever opens the page run code, by design


def prepare() -> None:
    """Settings that Gradio reads from the environment when it is imported: call this first of all.

    Raises: ValueError if the environment asks for what must not be.
    """
    if os.environ.get(FORBIDDEN):
        raise ValueError(f"{FORBIDDEN} is set; with it whoever opens the page can run code here. Unset it and start "
                         f"again.")
    for name in ("GRADIO_ALLOWED_PATHS", "GRADIO_SHARE", "GRADIO_MCP_SERVER", "GRADIO_ROOT_PATH",
                 "GRADIO_LOCAL_DEV_MODE"):
        os.environ.pop(name, None)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("GRADIO_TEMP_DIR", str(user_cache_path("rlhf-kit") / "gradio"))
    with asking_nobody_else():
        importlib.import_module("gradio")       # makes a client that fails on a proxy of a kind that httpx lacks


@contextmanager
def asking_nobody_else() -> Iterator[None]:
    """Without the environment's proxies: Gradio asks its own page whether it is there, and no proxy knows that."""
    proxies = {name: os.environ.pop(name) for name in [*os.environ] if name.upper() in PROXIES}
    try:
        yield
    finally:
        os.environ.update(proxies)


@dataclass
class Bucket:
    """At most `size` at once and then one every `seconds`, for each name on its own."""

    size: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, name: str) -> float:
        """0 if it may go on now, and then that is counted; else the seconds until it may."""
        with self._lock:
            now = self.clock()
            left, since = self._left.get(name, (float(self.size), now))
            left = min(left + (now - since) / self.seconds, float(self.size))
            if left < 1:
                self._left[name] = (left, now)
                return (1 - left) * self.seconds
            self._left[name] = (left - 1, now)
            if len(self._left) > NAMES_KEPT:                    # names are free, memory is not
                self._left = {n: seen for n, seen in self._left.items() if now - seen[1] < self.size * self.seconds}
            return 0.0


def class_code(code: str, teacher: tuple[str, str] | None = None, *,
               sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
               clock: Callable[[], float] = time.monotonic) -> Callable[[str, str], Awaitable[bool]]:
    """Gradio's `auth`: any printable name may enter with the right code, the teacher's only with a code of its own.

    A wrong one waits half a second for its answer, and at most ten may wait at once: 20 guesses a second, whoever asks.
    After five wrong ones in the same name the next are not looked at until 1, 2, 4, ... 60 seconds are over.

    Args:
        teacher: name and code of the one who sees everybody's labels.

    Raises: ValueError for a code that is too short, or that is the class's and the teacher's.
    """
    codes = {"--class-code": code, **({"--teacher-code": teacher[1]} if teacher else {})}
    for option, words in codes.items():
        if len(words) < SHORTEST_CODE:
            raise ValueError(f"{option} has {counted(len(words), 'character')}; expected at least {SHORTEST_CODE}, "
                             f"such as three words.")
    if len({*codes.values()}) < len(codes):
        raise ValueError("--teacher-code is the same as --class-code, which the whole class knows; expected another.")
    wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()          # name -> how often, and when last
    gate = asyncio.Semaphore(GUESSES_AT_ONCE)

    async def enter(name: str, guess: str) -> bool:
        """Whether that name may enter with that code."""
        async with gate:
            times, last = wrong.get(name, (0, 0.0))
            locked = times > FREE_GUESSES and clock() < last + min(2.0 ** (times - FREE_GUESSES - 1), LONGEST_LOCK)
            right = teacher[1] if teacher and name == teacher[0] else code
            if not locked and _may_be(name) and hmac.compare_digest(guess.encode(), right.encode()):
                wrong.pop(name, None)
                return True
            if not locked:
                wrong[name] = (times + 1, clock())
                wrong.move_to_end(name)
                while len(wrong) > NAMES_KEPT:
                    wrong.popitem(last=False)
            await sleep(WRONG_WAITS)
            return False

    return enter


def _may_be(name: str) -> bool:
    try:
        check_name(name)
    except ValueError:
        return False
    return True


class NameProblem(ValueError):
    """What was typed is no name."""


def annotator(request: gr.Request, typed: str) -> str:
    """Who is asking: in a class the name of the login, else the one typed. Raises: NameProblem."""
    name = getattr(request, "username", None) or (typed or "").strip()
    try:
        check_name(name)
    except ValueError as error:
        raise NameProblem(str(error)) from error
    return name


class OwnPagesOnly:
    """ASGI: 403 for what a page of somebody else's asks in a visitor's browser, and for files: no panel takes any.

    Gradio lets any page read its answers, cookies and all, as soon as its own address is not this machine's. And a name
    that was made to point to this machine (DNS rebinding) would be taken for its own. So: an Origin has to be the Host,
    and on this machine the Host has to be this machine.
    """

    def __init__(self, app: Callable, local: bool) -> None:
        self.app, self.local = app, local

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] in ("http", "websocket") and (not self._own(dict(scope["headers"]))
                                                       or scope["path"].rstrip("/").endswith("/upload")):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"This page answers its own visitors only."})
            return
        await self.app(scope, receive, send)

    def _own(self, headers: dict[bytes, bytes]) -> bool:
        host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin", b"").decode("latin-1")
        if self.local and urlsplit(f"//{host}").hostname not in LOCAL:
            return False
        return not origin or urlsplit(origin).netloc == host


def launch_settings(*, host: str, port: int | None, code: str | None, teacher: tuple[str, str] | None = None,
                    inline: bool = False) -> dict[str, Any]:
    """What `Blocks.launch` is given, all of it. Raises: ValueError if others reach the host and there is no code."""
    check_door(host, port, code, teacher)
    from starlette.middleware import Middleware

    from rlhf_kit.studio.door import Door
    from rlhf_kit.studio.look import HEAD, THEME
    from rlhf_kit.studio.words import Words
    guard = {} if code is None else {"auth": class_code(code, teacher),
                                     "auth_message": " ".join(Words(lang, "studio")("class_code") for lang in LANGS)}
    if not inline:                                  # a notebook's page may come through a proxy of another name
        doors = [] if code is None else [Middleware(Door, pages={"": LANGS[0], LANGS[1]: LANGS[1]})]
        guard["app_kwargs"] = {"middleware": [Middleware(OwnPagesOnly, local=host in LOCAL), *doors]}
    return {"server_name": host, "server_port": port, "share": False, "run_history": False,
            "enable_monitoring": False, "mcp_server": False, "ssr_mode": False, "pwa": False, "footer_links": [],
            "max_file_size": "1mb", "allowed_paths": [], "strict_cors": True, "show_error": True,
            "state_session_capacity": 200, "quiet": True, "theme": THEME, "head": HEAD,
            "inline": inline, "height": 620, "prevent_thread_lock": True, **guard}


def check_door(host: str, port: int | None, code: str | None, teacher: tuple[str, str] | None = None) -> None:
    """Raises: ValueError if others reach the host and there is no code, or for a code or a port that cannot be."""
    if host not in LOCAL and code is None:
        raise ValueError(f"--host {host} lets others in; that needs --class-code, a word that you tell your class. "
                         f"Leave --host out to keep the page on this machine.")
    if code is not None:
        class_code(code, teacher)
    if port is not None:
        _check_port(host, port)


def seen_from_outside(host: str, address: str) -> str:
    """Where others on the network find what is served at `address`; the address itself where that cannot be known.

    For 0.0.0.0 it is the address from which this machine would send to another network; nothing is sent.
    """
    if host not in ("0.0.0.0", "::"):
        return address
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.connect(("192.0.2.1", 9))                      # kept for documentation, RFC 5737: nobody's
        return address.replace("localhost", door.getsockname()[0], 1)
    return address


def _check_port(host: str, port: int) -> None:
    """Raises: ValueError, one line, if nothing can be served there."""
    if not 1 <= port <= 65535:
        raise ValueError(f"--port is {port}; expected a number from 1 to 65535, such as 7860. Leave --port out, and a "
                         f"free one is taken.")
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise ValueError(f"--port {port} of {host} cannot be used: {error.strerror or error}. Close what uses it, or "
                         f"leave --port out, and a free one is taken.") from error
