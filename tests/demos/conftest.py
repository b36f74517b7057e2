"""A studio served by the test's own process, and Debian's Chromium to look at it."""

from __future__ import annotations

import os
import shutil
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from rlhf_kit.studio.serving import prepare

prepare()

import studio_example  # noqa: E402
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright  # noqa: E402

from rlhf_kit.studio import PANELS  # noqa: E402
from rlhf_kit.studio import pages as studio  # noqa: E402
from rlhf_kit.studio import workspace as shared  # noqa: E402
from rlhf_kit.studio.workspace import Workspace  # noqa: E402

CUT_OFF = ("AbortError", "Connection errored out")      # what Gradio's script says when one leaves in mid-request
LONGEST = {"test_site.py": 0, "test_studio.py": 1}
WAIT = 20_000                       # milliseconds; a busy machine takes its time
expect.set_options(timeout=WAIT)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; while it runs, nothing else in this process may run an event loop."""
    place = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if place is None and os.environ.get("RLHF_KIT_BROWSER") != "required":
        pytest.skip("there is no Chromium; sh tests/demos/browser.sh installs Debian's")
    assert place, "there is no Chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=place)
        yield running
        running.close()


def pytest_collection_modifyitems(items):
    """What takes longest comes first: last, one worker would wait for it with nothing to do."""
    items.sort(key=lambda item: LONGEST.get(item.path.name, len(LONGEST)))


class Tabs:
    """Pages, each in a context of its own. One that a test has left comes again, emptied: there Chromium has Gradio's
    scripts compiled, and compiling them is two thirds of what it takes to load a page."""

    def __init__(self, browser: Browser) -> None:
        self._browser, self._left = browser, defaultdict(list)

    def take(self, width: int, height: int, **kind) -> Page:
        """A page at about:blank, where nothing is stored, in a context of that kind."""
        size, left = {"width": width, "height": height}, self._left[tuple(kind.items())]
        if left:
            page = left.pop()
            page.set_viewport_size(size)
        else:
            page = self._browser.new_context(viewport=size, **kind).new_page()
        page.set_default_timeout(WAIT)
        return page

    def leave(self, page: Page, listeners: dict[str, Callable], **kind) -> None:
        """It forgets where it was, and who was there; one that the test has closed, or that does not answer, goes."""
        try:
            page.unroute_all()
            page.mouse.move(0, 0)                               # nothing of the next page is pointed at
            page.evaluate("localStorage.clear(), sessionStorage.clear()")
            for event, listener in listeners.items():           # they have heard all that was said until now
                page.remove_listener(event, listener)
            page.goto("about:blank")
            page.context.clear_cookies()
        except Error:
            page.context.close()
        else:
            self._left[tuple(kind.items())].append(page)


@pytest.fixture(scope="module")
def tabs(browser) -> Tabs:
    return Tabs(browser)


@pytest.fixture(scope="module")
def port() -> int:
    """Of one server after the other in a module: what is compiled of a script is found by its address."""
    return _free_port()


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> Iterator[Workspace]:
    """An empty folder, with lists and pairs of the stand-in for the saved example."""
    monkeypatch.setattr(shared, "example", studio_example.example)
    made = Workspace(tmp_path / "studio")
    yield made
    made.close()


@pytest.fixture
def serve(tmp_path, port) -> Iterator[Callable[..., str]]:
    """serve("rank", ...) -> address; a `Workspace` in an empty folder, or the one given as `workspace=`."""
    with ExitStack() as opened:
        def start(*panels: str, workspace: Workspace | None = None, **options) -> str:
            pages, address = studio.serve(workspace or Workspace(tmp_path / "studio"), panels or PANELS,
                                          **{"port": _free_port(port), **options})
            opened.callback(pages.close, verbose=False)
            return address
        yield start


def _free_port(wanted: int = 0) -> int:
    """The one that is wanted, or another where somebody has it."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as found:
            return found.getsockname()[1]
    except OSError:
        return _free_port()


@pytest.fixture
def visit(tabs) -> Iterator[Callable[..., Page]]:
    """visit(address, ...) -> the page, ready. At the end: nothing was asked of another machine, no script failed.

    What is said of a request that was cut off by leaving the page does not count.
    """
    seen = {"outside": [], "errors": []}

    def note(error: str) -> None:
        if not any(words in error for words in CUT_OFF):
            seen["errors"].append(error)

    with ExitStack() as opened:
        def look(address: str, path: str = "", *, width: int = 1100, height: int = 900, touch: bool = False,
                 dark: bool = False, locale: str = "en-US") -> Page:
            kind = {"has_touch": touch, "is_mobile": touch, "locale": locale,
                    "color_scheme": "dark" if dark else "light"}
            page = tabs.take(width, height, **kind)
            listeners = {
                "request": lambda request: None if request.url.startswith((address, "data:", "blob:"))
                else seen["outside"].append(request.url),
                "pageerror": lambda error: note(str(error)),
                "console": lambda said: note(said.text) if said.type == "error" else None}
            for event, listener in listeners.items():
                page.on(event, listener)
            opened.callback(tabs.leave, page, listeners, **kind)
            page.goto(address + path)
            page.locator(".rk-language a").wait_for()
            page.locator("#rk-early").wait_for(state="detached")           # what is shown before the page can be used
            return page
        yield look
    assert seen == {"outside": [], "errors": []}
