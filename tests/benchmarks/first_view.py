"""How long until a page shows something, in Chromium: the studio's first view, in both languages.

    make bench ARGS=first_view                  PAGES=3 changes it

Each time a server of its own, just started, in an empty folder, and a browser that has never been there: from the
moment the address is asked for until a coloured token of the saved example can be seen, until the page's own have taken
the place of those that it shows while it is made, and until the panel knows which models there are.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import tempfile
import time
from pathlib import Path

PAGES = int(os.environ.get("PAGES", 3))
PORT = 7898


def main() -> None:
    """One line for each language."""
    from playwright.sync_api import sync_playwright

    from tests.benchmarks.class_load import started
    print("| page | first coloured token, s | can be used, s | models known, s | server ready, s |\n"
          "|---|---|---|---|---|")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for path in ("", "zh"):
            seen = []
            for _ in range(PAGES):
                with tempfile.TemporaryDirectory() as folder:
                    began = time.monotonic()
                    server = started(Path(folder) / "studio", PORT)
                    ready = time.monotonic() - began
                    try:
                        seen.append((*_view(browser, f"http://127.0.0.1:{PORT}/{path}"), ready))
                    finally:
                        os.killpg(server.pid, signal.SIGKILL)
                        server.wait()
            print(f"| /{path} | " + " | ".join(
                f"{statistics.median(column):.1f} ({min(column):.1f} – {max(column):.1f})"
                for column in zip(*seen, strict=True)) + " |")
        browser.close()


def _view(browser, address: str) -> tuple[float, float, float]:
    context = browser.new_context()
    page = context.new_page()
    began = time.monotonic()
    page.goto(address, wait_until="commit")
    page.locator(".rk-token").first.wait_for(timeout=60_000)
    token = time.monotonic() - began
    page.locator("main .rk-token").first.wait_for(timeout=60_000)
    page.locator("#rk-early").wait_for(state="detached", timeout=60_000)
    live = time.monotonic() - began
    page.wait_for_function("document.querySelector('#rk-compare-first input')?.value", timeout=60_000)
    known = time.monotonic() - began
    context.close()
    return token, live, known
