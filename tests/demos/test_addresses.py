"""Every tab and every comparison has an address, and a comparison can be taken away as one file."""

import os
import shutil

import matplotlib
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from test_compare import EVIL, models, ready, saved  # noqa: F401  (fixtures are used by their names)

from rlhf_kit.studio import problems
from rlhf_kit.studio.comparing import Kept
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace


def selected(page):
    return page.locator("[role=tab][aria-selected=true]").get_attribute("data-tab-id")


def turned(page, name):
    page.wait_for_function(f"document.querySelector('[role=tab][aria-selected=true]')?.dataset.tabId === '{name}'")


def test_a_reload_the_back_button_and_the_other_language_stay_where_one_was(serve, visit):
    page = visit(serve("compare", "probe", "data"))
    assert "#" not in page.url
    page.get_by_role("tab", name="Data").click()
    assert page.url.endswith("/#data")
    page.get_by_role("tab", name="Reward model").click()
    assert page.url.endswith("/#probe")
    page.reload()
    turned(page, "probe")
    page.go_back()
    turned(page, "data")
    page.get_by_role("link", name="简体中文").click()
    page.get_by_role("heading", name=Words("zh", "studio")("title")).wait_for()
    assert page.url.endswith("/zh#data")
    turned(page, "data")
    page.go_back()
    turned(page, "data")
    page.go_back()
    turned(page, "compare")


def test_a_comparison_is_found_again_at_its_address(serve, visit, models, tmp_path):  # noqa: F811
    workspace = Workspace(tmp_path / "studio", models)
    address = serve("compare", "data", workspace=workspace)
    page = visit(address)
    ready(page)
    prompt, go = page.locator("#rk-compare-prompt textarea"), page.get_by_role("button", name="Generate")
    seen = []
    for text in ("the lamp", "the cup"):
        prompt.fill(text)
        go.click()
        page.locator(".rk-asked", has_text=text).wait_for(timeout=120_000)
        page.wait_for_function("n => location.hash.startsWith('#compare/') && !n.includes(location.hash)",
                               arg=[one for one, _ in seen])
        seen.append((page.evaluate("location.hash"), page.locator(".rk-tokens").all_inner_texts()))
    assert workspace.shelf.loaded()
    page.get_by_role("tab", name="Data").click()
    page.go_back()
    page.go_back()                                              # to the comparison before
    expect(page.locator(".rk-asked strong")).to_have_text("the lamp")
    assert page.locator(".rk-tokens").all_inner_texts() == seen[0][1]
    expect(prompt).to_have_value("the lamp")
    other = visit(address, "zh" + seen[1][0], locale="zh-CN")          # somebody else, in the other language
    expect(other.locator(".rk-asked strong")).to_have_text("the cup")
    assert other.locator(".rk-tokens").all_inner_texts() == [text.replace("⟨end⟩", "⟨结束⟩") for text in seen[1][1]]
    expect(other.locator("#rk-compare-prompt textarea")).to_have_value("the cup")
    nobody = visit(address, "#compare/" + "0" * 16)
    nobody.get_by_text("is not kept here any more").wait_for()


def test_a_comparison_stays_through_the_other_language_a_reload_and_the_back_button(serve, visit, models,  # noqa: F811
                                                                                   tmp_path):
    page = visit(serve("compare", "data", workspace=Workspace(tmp_path / "studio", models)))
    ready(page)
    page.locator("#rk-compare-prompt textarea").fill("the lamp")
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("Done in").wait_for(timeout=120_000)
    address, texts = page.evaluate("location.hash"), page.locator(".rk-tokens").all_inner_texts()
    assert address.startswith("#compare/")

    def shown(lang):
        """Once that comparison is there, in that language, and not the saved example."""
        page.get_by_text(Words(lang, "compare")("recalled")).wait_for()
        expect(page.locator(".rk-asked strong")).to_have_text("the lamp")
        assert page.url.endswith(("/zh" if lang == "zh" else "/") + address)
        end = {"en": "⟨end⟩", "zh": "⟨结束⟩"}
        assert page.locator(".rk-tokens").all_inner_texts() == [text.replace(end["en"], end[lang]) for text in texts]
    page.get_by_role("link", name="简体中文").click()
    shown("zh")
    page.reload()
    shown("zh")
    page.get_by_role("tab", name="数据").click()
    assert page.url.endswith("/zh#data")
    page.get_by_role("link", name="English").click()
    page.get_by_role("tab", name="Data").wait_for()
    turned(page, "data")
    assert page.url.endswith("/#data")
    page.go_back()
    turned(page, "data")
    page.go_back()
    turned(page, "compare")
    shown("zh")
    page.get_by_role("link", name="English").click()
    shown("en")


def test_what_is_typed_as_an_address_reads_no_other_file(tmp_path):
    kept = Kept(tmp_path / "compared")
    key = kept.keep({"a": 1}, {"view": {}, "asked": {}})
    (tmp_path / "secret.json").write_text("{}")
    assert kept.found(key) == {"view": {}, "asked": {}}
    for wrong in ("../secret", key.upper() + "/", key[:-1], "", None, 3, {}, key + "\n"):
        assert kept.found(wrong) is None, wrong


def test_only_the_last_comparisons_are_kept_and_other_files_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studio.comparing.ADDRESSES", 2)
    kept = Kept(tmp_path)
    (tmp_path / "mine.json").write_text("{}")
    keys = [kept.keep({"n": n}, {"n": n}) for n in range(4)]
    assert sum(kept.found(key) is not None for key in keys) == 2
    assert kept.found(keys[-1]) == {"n": 3}
    assert (tmp_path / "mine.json").exists()


@pytest.mark.parametrize("path", ["", "zh"])
def test_a_comparison_is_taken_away_as_one_file_in_which_text_is_text(serve, visit, browser, monkeypatch, tmp_path,
                                                                       path):
    monkeypatch.setattr(problems, "example", lambda lang: saved([(text, 0.5) for text in EVIL]))
    page = visit(serve("compare"), path)
    page.locator(".rk-token").first.wait_for()
    with page.expect_download() as taken:
        page.get_by_role("button", name=Words("zh" if path else "en", "compare")("save_file")).click()
    file = tmp_path / "taken.html"
    taken.value.save_as(file)
    assert "http" not in file.read_text(encoding="utf-8")       # it needs nobody
    alone = browser.new_context(offline=True).new_page()
    alone.goto(file.as_uri())
    assert alone.locator("table tr").count() == 4
    assert alone.locator("td").nth(1).locator("span").all_text_contents() == EVIL
    assert alone.evaluate("window.pwned") is None
    assert alone.locator("img, script").count() == 0
    assert alone.evaluate("document.documentElement.scrollWidth") <= 1300
    alone.context.close()


def taken(page, lang, what):
    with page.expect_download() as file:
        page.get_by_role("button", name=Words(lang, "compare")(what)).click()
    return file.value


def view_of(monkeypatch, *texts, prompt="p"):
    found = saved([(text, 1 - 0.4 * i) for i, text in enumerate(texts)])
    for view in found["compare"]["views"]:
        view["prompt"] = prompt
    monkeypatch.setattr(problems, "example", lambda lang: found)


@pytest.mark.parametrize(("lang", "path", "dark"), [("en", "", True), ("zh", "zh", False)])
def test_a_comparison_is_taken_away_as_a_picture(serve, visit, monkeypatch, tmp_path, lang, path, dark):
    """Full blue is half of #0072B2 on white; what is not coloured is white on a dark page, too."""
    view_of(monkeypatch, *EVIL[:3], "wo" * 300, "没有什么可挑剔的。" * 40)
    page = visit(serve("compare"), path, dark=dark)
    page.locator(".rk-token").first.wait_for()
    file = taken(page, lang, "save_picture")
    assert file.suggested_filename == "rlhf-kit-comparison.png"
    file.save_as(tmp_path / "taken.png")
    seen = np.asarray(Image.open(tmp_path / "taken.png").convert("RGB")).astype(int)
    assert seen.shape[1] == 2400
    assert (abs(seen - (127, 184, 216)) <= 2).all(axis=2).sum() > 2_000
    for edge in (seen[:, -40:], seen[-20:]):                            # nothing is cut, however long a word is
        assert (edge == 255).all()


def test_what_is_chinese_in_a_picture_can_be_read(serve, visit, monkeypatch):
    """With boxes in place of characters these two would be one picture."""
    seen = []
    for prompt in ("中文", "语言"):
        view_of(monkeypatch, "好", prompt=prompt)
        page = visit(serve("compare"), "zh")
        page.locator(".rk-token").first.wait_for()
        with open(taken(page, "zh", "save_picture").path(), "rb") as file:
            seen.append(file.read())
    assert seen[0] != seen[1]


def test_where_no_font_has_chinese_that_is_said_and_the_other_file_saved(serve, browser, monkeypatch, tmp_path):
    (tmp_path / "fonts.conf").write_text(f"""<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
        <fontconfig><dir>{matplotlib.get_data_path()}/fonts/ttf</dir><cachedir>{tmp_path}</cachedir></fontconfig>""")
    view_of(monkeypatch, "good", prompt="中文")
    poor = browser.browser_type.launch(executable_path=shutil.which("chromium"),
                                       env={**os.environ, "FONTCONFIG_FILE": str(tmp_path / "fonts.conf")})
    try:
        page = poor.new_page()
        page.goto(serve("compare"))
        page.locator(".rk-token").first.wait_for()
        assert taken(page, "en", "save_picture").suggested_filename.endswith(".html")
        page.get_by_text("This computer has no font with Chinese characters").wait_for()
    finally:
        poor.close()
