"""The documentation as a site: built without a warning, and looked at as somebody reads it, also on a telephone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

ROOT = Path(__file__).parents[2]
READ = ("index", "README.zh-CN", "docs/measured", "docs/zh/formulas", "docs/house", "notebooks/solutions/04a_best_of_n",
        "notebooks/zh/01_sentiment_ppo", "docs/reference/methods.ppo", "docs/reference/commands")

WCAG = {"runOnly": ["wcag2a", "wcag2aa"], "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, str(ROOT / "docs" / "site" / "build.py"), str(folder)], capture_output=True,
                          text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.timeout(900)
def test_it_is_built_without_a_warning_and_every_picture_says_what_it_shows(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 200
    for page in pages:
        for image in re.findall(r"<img [^>]*>", page.read_text(encoding="utf-8")):
            assert re.search(r'alt="[^"]+"', image), (page.name, image[:200])


@pytest.mark.timeout(900)
def test_chinese_words_are_found(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert {"奖励", "策略", "reward"} <= set(terms)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_fetched_nothing_is_too_wide_and_all_can_be_read(site, browser, scheme):
    for width, height in ((1280, 800), (390, 844)):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page, asked = context.new_page(), []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        for name in READ:
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            found = Axe().run(page, options=WCAG).response["violations"]
            assert not found, (name, [(one["id"], one["nodes"][0]["html"][:200]) for one in found])
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        context.close()
