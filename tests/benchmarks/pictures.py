"""The README's pictures of the studio, taken anew in Chromium: what anybody sees who opens it, before a model is made.

    make pictures                   docs/studio-*.png, in both languages
    OUT=FOLDER make pictures        every panel there, on a desktop and a telephone, light and dark, to be looked at
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from rlhf_kit.language import LANGS
from rlhf_kit.studio import PANELS

DOCS = Path(__file__).parents[2] / "docs"
DESKTOP, TELEPHONE = (1280, 800), (390, 844)
SEEN = {"compare": ".rk-token", "rank": ".card", "probe": ".rk-says", "vote": ".side", "data": ".rk-live p",
        "train": ".rk-train .rk-chart", "frontier": ".rk-frontier .point"}      # what a panel has once it is there
GAP = 24                                                # pixels between two telephones


def main() -> None:
    """One line for each picture."""
    from rlhf_kit.studio.serving import prepare
    prepare()
    from playwright.sync_api import sync_playwright

    from rlhf_kit.studio import pages
    from rlhf_kit.studio.workspace import Workspace
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        workspace = Workspace(folder)
        served, address = pages.serve(workspace)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))

        def taken(lang: str, panel: str, size: tuple[int, int], dark: bool) -> Image.Image:
            return _taken(browser, f"{address}{'' if lang == LANGS[0] else lang}#{panel}", panel, size, dark)
        try:
            for lang in LANGS:
                if out := os.environ.get("OUT"):
                    for panel in PANELS:
                        for size, where in ((DESKTOP, "desktop"), (TELEPHONE, "telephone")):
                            for dark in (False, True):
                                name = f"{panel}.{lang}.{where}.{'dark' if dark else 'light'}.png"
                                _save(taken(lang, panel, size, dark), Path(out) / name)
                    continue
                _save(taken(lang, "compare", DESKTOP, False), DOCS / f"studio-compare.{lang}.png")
                _save(taken(lang, "rank", DESKTOP, False), DOCS / f"studio-rank.{lang}.png")
                _save(_beside([taken(lang, panel, TELEPHONE, dark) for panel, dark in (
                    ("compare", False), ("rank", True), ("probe", False))]), DOCS / f"studio-telephone.{lang}.png")
        finally:
            browser.close()
            served.close(verbose=False)
            workspace.close()


def _taken(browser, address: str, panel: str, size: tuple[int, int], dark: bool) -> Image.Image:
    """The first screen of that panel, as it is without anybody pressing anything."""
    small = size[0] < 500
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=small, is_mobile=small,
                                  color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(address)
    page.locator(SEEN[panel]).first.wait_for(timeout=60_000)
    page.wait_for_timeout(2_500)                        # Gradio fades its fields in; the first answers arrive
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return picture


def _beside(pictures: list[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (sum(one.width for one in pictures) + GAP * (len(pictures) + 1),
                              max(one.height for one in pictures) + 2 * GAP), "#d4d4d8")
    left = GAP
    for one in pictures:
        whole.paste(one, (left, GAP))
        left += one.width + GAP
    return whole


def _save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}  {picture.width} x {picture.height}, {file.stat().st_size // 1000} kB")
