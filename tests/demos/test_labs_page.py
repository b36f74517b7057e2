"""The page of `rlhf-kit labs` as somebody looks at it: light and dark, on a telephone, with anybody's texts in it."""

from dataclasses import asdict

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rlhf_kit.studies import labs
from rlhf_kit.studies.labs import page as labs_page

EVIL = "</td><img src=x onerror=\"document.title='run'\">"
KINDS = {"sft": {"demonstrations": 3000}, "instructgpt": {"demonstrations": 256, "ranked": 2731},
         "anthropic": {"compared": 2990}, "sparrow": {"picked": 1296, "rules": 1672}}


def policy(name: str, level: float) -> dict:
    around = {one: {"mean": level, "low": level - 0.05, "high": level + 0.05, "n": 240} for one in labs.MEASURES}
    texts = [{"kind": "asked", "prompt": f"User: question {i}\n\nAssistant:", "response": f" said by {name} {EVIL}",
              "gold": level} for i in range(4)]
    return {"policy": name, "measures": around, "kl": {"mean": 3.0, "low": 3.0, "high": 3.0, "n": 1},
            "labels": KINDS.get(name, {}), "cpu_seconds": 200.0, "texts": texts, "seeds": []}


RESULT = {"base": "tiny-base-en", "lang": "en", "labs": list(labs.LABS), "seeds": [0], "size": asdict(labs.Size()),
          "policies": [policy(name, 0.2 + 0.1 * i) for i, name in enumerate((*labs.REFERENCES, *labs.LABS))]}


@pytest.fixture(params=["en", "zh"])
def look(browser, request, tmp_path):
    """look(width, scheme) -> the page, in either language; at the end no script has failed and nothing was fetched."""
    labs_page.write(tmp_path, request.param, RESULT)
    wrong, contexts = [], []

    def opened(width: int = 1280, scheme: str = "light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.endswith("report.html") else wrong.append(asked.url))
        page.goto((tmp_path / "report.html").as_uri())
        return page
    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def test_texts_are_texts(look):
    page = look()
    expect(page.locator("td.said").nth(5)).to_contain_text(f"said by sparrow {EVIL}")
    assert page.locator("img").count() == 0
    assert page.title() != "run"


def test_on_a_telephone_only_tables_and_picture_scroll(look):
    assert look(width=390).evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everybody(look, scheme):
    found = Axe().run(look(scheme=scheme), options={"runOnly": ["wcag2a", "wcag2aa"],
                                                    "resultTypes": ["violations"]}).response["violations"]
    assert not found, [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
