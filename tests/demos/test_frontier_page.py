"""The page of `rlhf-kit frontier` as somebody looks at it: marks, keys, rows, light and dark, on a telephone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rlhf_kit.studies.frontier import page as frontier_page

EVIL = "</script><img src=x onerror=\"document.title='run'\">"


def point(method: str, value: float | None, kl: float, proxy: float, gold: float) -> dict:
    around = {name: {"mean": x, "low": x - 0.03, "high": x + 0.03, "n": 256} for name, x in (("proxy", proxy),
                                                                                             ("gold", gold))}
    texts = [{"prompt": f"prompt {i}", "response": f" of {method} {value} {EVIL}", "proxy": proxy, "gold": gold}
             for i in range(4)]
    return {"method": method, "dial": "kl", "value": value, "root_kl": kl**0.5, "kl": kl, **around, "texts": texts,
            "drawn": 3200, "reward_calls": 3200, "cpu_seconds": 30.0, "draws_per_answer": 1, "distinct": 1.0,
            "config": {"steps": 50, "kl": {"coefficient": value}}, "seeds": [{"root_kl": kl**0.5, "proxy": proxy,
                                                                              "gold": gold}]}


RESULT = {"world": "reviews-en", "start": "tiny-lm-en", "judge": "tiny-rm-en", "seeds": [0], "lang": "en",
          "methods": ["sft", "ppo", "grpo"], "size": {"held_out": 256},
          "points": [point("sft", None, 0.0, 0.3, 0.2), point("ppo", 0.1, 2.0, 0.6, 0.4),
                     point("ppo", 0.003, 25.0, 0.9, 0.1),
                     point("grpo", 0.1, 1.0, 0.5, 0.35)]}


@pytest.fixture(params=["en", "zh"])
def look(browser, request, tmp_path):
    """look(width, scheme) -> the page, in either language; at the end no script has failed and nothing was fetched."""
    frontier_page.write(tmp_path, request.param, RESULT)
    wrong, contexts = [], []

    def opened(width: int = 1280, scheme: str = "light", touch: bool = False):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme,
                                            has_touch=touch))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith("file:") and asked.url.endswith("report.html")
                else wrong.append(asked.url))
        page.goto((tmp_path / "report.html").as_uri())
        return page
    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def centre(page, name: str) -> tuple[float, float]:
    box = page.locator(f"#{name}").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_mark_that_is_pointed_at_shows_its_settings_and_four_texts(look):
    page = look()
    expect(page.locator("#texts .answer")).to_have_count(4)
    expect(page.locator("#texts")).to_contain_text("of ppo 0.1")            # it opens with the most gold
    page.mouse.move(*centre(page, "gold-2"))
    expect(page.locator("#texts")).to_contain_text("of ppo 0.003")
    expect(page.locator("#title")).to_contain_text("0.003")
    expect(page.locator("#settings")).to_contain_text("coefficient 0.003")
    expect(page.locator("tr.on")).to_have_attribute("data-place", "2")
    ring, mark = page.locator("figure").nth(1).locator("circle").bounding_box(), centre(page, "gold-2")
    assert abs(ring["x"] + ring["width"] / 2 - mark[0]) < 2
    page.mouse.move(*centre(page, "proxy-3"))
    expect(page.locator("#texts")).to_contain_text("of grpo 0.1")


def test_texts_are_texts(look):
    page = look()
    expect(page.locator("#texts")).to_contain_text(EVIL)
    assert page.locator("img").count() == 0
    assert page.title() != "run"


def test_keys_and_rows_do_the_same(look):
    page = look()
    page.locator("figure").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("tr.on")).to_have_attribute("data-place", "2")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("tr.on")).to_have_attribute("data-place", "0")
    page.locator("tr[data-place='3'] button").click()
    expect(page.locator("#texts")).to_contain_text("of grpo 0.1")


def test_on_a_telephone_a_finger_is_enough_and_nothing_is_too_wide(look):
    page = look(width=390, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#gold-2").scroll_into_view_if_needed()
    page.touchscreen.tap(*centre(page, "gold-2"))
    expect(page.locator("#texts")).to_contain_text("of ppo 0.003")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everybody(look, scheme):
    page = look(scheme=scheme)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"],
                                     "resultTypes": ["violations"]}).response["violations"]
    assert not found, [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
