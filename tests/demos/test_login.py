"""The door of a class: a form in the page's language, who one is, and the way out."""

from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from test_studio import RULES

from rlhf_kit.studio.words import Words

CODE = "three green pears"


@pytest.mark.parametrize(("lang", "path", "dark"), [("en", "", False), ("zh", "zh", True)])
def test_somebody_enters_is_named_and_leaves(serve, browser, stand_in, lang, path, dark):
    words, name = Words(lang, "studio"), "小明 <b>"
    address = serve("rank", "data", workspace=stand_in, code=CODE)
    context = browser.new_context(color_scheme="dark" if dark else "light", locale="fr-FR", viewport={"width": 390,
                                                                                                  "height": 800})
    page = context.new_page()
    page.goto(address + path)
    page.get_by_role("heading", name=words("title")).wait_for()
    assert page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[lang]
    assert page.title() == words("title")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert Axe().run(page, options=RULES).response["violations"] == []
    page.get_by_label(words("door_name")).fill(name)
    page.get_by_label(words("door_code")).fill("three green plums")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text(words("door_wrong")).wait_for()
    assert Axe().run(page, options=RULES).response["violations"] == []
    page.get_by_label(words("door_code")).fill(CODE)
    page.get_by_role("button", name=words("enter")).click()
    page.get_by_text(words("you_are", name=name)).wait_for()
    assert page.url == address + path
    assert not page.get_by_label(words("name"), exact=True).first.is_visible()      # it was given at the door
    page.get_by_role("button", name=words("leave")).click()
    page.get_by_label(words("door_code")).wait_for()
    assert page.url == address + path
    page.get_by_role("link", name=words("other_language")).click()
    page.get_by_text(Words({"en": "zh", "zh": "en"}[lang], "studio")("door_note")).wait_for()
    context.close()


def test_on_a_telephone_a_long_name_covers_nothing(serve, browser, stand_in):
    words, context = Words("en", "studio"), browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(serve("rank", "data", workspace=stand_in, code=CODE))
    page.get_by_label(words("door_name")).fill("Maximiliane von Hohenstein-Sigmaringen")
    page.get_by_label(words("door_code")).fill(CODE)
    page.get_by_role("button", name=words("enter")).click()
    name, leave = page.locator(".rk-who span"), page.get_by_role("button", name=words("leave"))
    leave.wait_for()
    page.locator("#rk-early").wait_for(state="detached")
    other, tab = page.locator(".rk-language a"), page.get_by_role("tab").first
    boxes = [one.bounding_box() for one in (name, leave, other)]
    assert all(left["x"] + left["width"] <= right["x"] for left, right in pairwise(boxes))
    assert all(box["y"] + box["height"] <= tab.bounding_box()["y"] for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_without_a_code_there_is_no_door_and_nobody_to_be(serve, visit, stand_in):
    page = visit(serve("rank", "data", workspace=stand_in))
    page.locator("[data-card]").first.wait_for()
    assert page.get_by_text("Nothing leaves this machine.").count() == 1
    assert page.locator(".rk-enters").count() == 0
