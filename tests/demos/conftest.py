"""A studio served by the test's own process, and Debian's Chromium to look at it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from rlhf_kit.studio.serving import prepare

prepare()

import studio_example  # noqa: E402
from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

from rlhf_kit.studio import PANELS  # noqa: E402
from rlhf_kit.studio import pages as studio  # noqa: E402
from rlhf_kit.studio import workspace as shared  # noqa: E402
from rlhf_kit.studio.workspace import Workspace  # noqa: E402

CUT_OFF = ("AbortError", "Connection errored out")      # what Gradio's script says when one leaves in mid-request
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


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> Iterator[Workspace]:
    """An empty folder, with lists and pairs of the stand-in for the saved example."""
    monkeypatch.setattr(shared, "example", studio_example.example)
    made = Workspace(tmp_path / "studio")
    yield made
    made.close()


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., str]]:
    """serve("rank", ...) -> address; a `Workspace` in an empty folder, or the one given as `workspace=`."""
    with ExitStack() as opened:
        def start(*panels: str, workspace: Workspace | None = None, **options) -> str:
            pages, address = studio.serve(workspace or Workspace(tmp_path / "studio"), panels or PANELS,
                                          **{"port": _free_port(), **options})
            opened.callback(pages.close, verbose=False)
            return address
        yield start


def _free_port() -> int:
    """One that nobody has, and that the tests which run beside these will not be given."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., Page]]:
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
            context = browser.new_context(viewport={"width": width, "height": height}, has_touch=touch, is_mobile=touch,
                                          locale=locale, color_scheme="dark" if dark else "light")
            opened.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(WAIT)
            page.on("request", lambda request: None if request.url.startswith((address, "data:", "blob:"))
                    else seen["outside"].append(request.url))
            page.on("pageerror", lambda error: note(str(error)))
            page.on("console", lambda said: note(said.text) if said.type == "error" else None)
            page.goto(address + path)
            page.locator(".rk-language a").wait_for()
            page.locator("#rk-early").wait_for(state="detached")           # what is shown before the page can be used
            return page
        yield look
    assert seen == {"outside": [], "errors": []}
