"""What stands around the panels."""

import time

import gradio as gr
from playwright.sync_api import expect

from rlhf_kit.studio import rank
from rlhf_kit.studio.widget import widget
from rlhf_kit.studio.words import Words


def test_english_at_the_root_and_chinese_at_zh(serve, visit):
    """Each page says its own language and title, also to a browser that would rather have the other one."""
    said = "[document.documentElement.lang, document.title].join()"
    page = visit(serve("rank", "data"))
    assert page.locator("h1").inner_text() == "rlhf-kit studio"
    page.wait_for_function(f"{said} === 'en,rlhf-kit studio'")
    page.get_by_role("link", name="简体中文").click()
    page.get_by_role("heading", name="rlhf-kit 工作室").wait_for()
    assert page.url.endswith("/zh")
    page.wait_for_function(f"{said} === 'zh-CN,rlhf-kit 工作室'")
    time.sleep(1)                                               # Gradio's own script has had its say by then
    assert page.evaluate(said) == "zh-CN,rlhf-kit 工作室"
    page.get_by_role("link", name="English").click()
    page.get_by_role("heading", name="rlhf-kit studio").wait_for()
    page.wait_for_function(f"{said} === 'en,rlhf-kit studio'")


def test_the_keys_can_be_switched_off_in_the_cards_too(serve, visit, stand_in):
    page = visit(serve("rank", workspace=stand_in), "zh")
    order = page.locator(".card strong")
    page.locator(".card").first.focus()
    page.keyboard.press("Control+.")
    page.locator(".rk-keys[role=status]", has_text="文本框之外的快捷键已关闭").wait_for()
    for key in ("4", "t", "s"):
        page.keyboard.press(key)
    assert order.all_inner_texts() == ["A", "B", "C", "D"]
    assert page.locator(".card.tied").count() == 0
    page.keyboard.press("ArrowDown")                            # no other way leads to the next card
    assert page.locator(".card:focus strong").inner_text() == "B"
    page.keyboard.press("Control+.")
    page.locator(".rk-keys", has_text="文本框之外的快捷键已打开").wait_for()
    page.keyboard.press("4")
    assert order.all_inner_texts() == ["A", "C", "D", "B"]
    page.keyboard.press("s")
    page.get_by_text("已跳过。").wait_for()


def keys_only(lang, workspace):
    """A panel with a field of each kind, and three buttons that count how often their keys pressed them."""
    gr.Dropdown(["a", "b"], label="Choose", interactive=True)
    gr.Textbox(label="Text", interactive=True)
    gr.Slider(0, 9, 5, label="Slide", interactive=True)
    gr.Checkbox(label="Tick", interactive=True)
    for key in ("escape", "7", "8"):
        n = gr.Number(0, label=f"n of {key}")
        gr.Button(key, elem_classes=f"rk-key-{key}").click(None, n, n, js="n => n + 1")


def test_keys_press_buttons_where_nobody_types_or_chooses(serve, visit, monkeypatch):
    monkeypatch.setattr(rank, "build", keys_only)
    page = visit(serve("rank"))
    pressed = [page.get_by_label(f"n of {key}") for key in ("escape", "7")]
    warm_up = page.get_by_label("n of 8")
    while warm_up.input_value() == "0":                         # what is pressed before a button listens is lost
        page.keyboard.press("8")
        page.wait_for_timeout(500)
    for place, presses, counts in (("Text", ["7", "Escape"], ["1", "0"]), ("Choose", ["Escape", "Escape"], ["1", "0"]),
                                   ("Tick", ["7", "Escape"], ["2", "1"])):
        page.get_by_label(place, exact=True).first.focus()
        for key in presses:
            page.keyboard.press(key)
        for field, count in zip(pressed, counts, strict=True):
            expect(field, place).to_have_value(count, timeout=15_000)
    page.locator("input[type=range]").focus()
    page.keyboard.press("7")
    page.wait_for_function("[...document.querySelectorAll('input[type=number]')].some(n => n.value === '2')")
    assert [field.input_value() for field in pressed] == ["2", "2"]     # nothing that came late, either


def lines_only(lang, workspace):
    """A panel whose line changes twenty times in two seconds."""
    line = widget("notice", Words(lang, "rank"), elem_id="rk-line")

    def count():
        for i in range(21):
            time.sleep(0.1)
            yield f"{i} / 20"
    gr.Button("count").click(count, None, line)


def test_a_line_that_changes_quickly_is_seen_at_once_and_read_out_seldom(serve, visit, monkeypatch):
    monkeypatch.setattr(rank, "build", lines_only)
    page = visit(serve("rank"))
    page.evaluate("""() => {
        const live = document.querySelector('#rk-line [aria-live]'), all = document.querySelector('#rk-line');
        Object.assign(window, { read: [], seen: [] });
        const note = (of, into) => { const t = of.innerText.trim(); if (t && into.at(-1) !== t) into.push(t); };
        new MutationObserver(() => { note(live, read); note(all, seen); })
            .observe(all, { childList: true, characterData: true, subtree: true });
    }""")
    page.get_by_role("button", name="count").click()
    page.locator("#rk-line [aria-live]", has_text="20 / 20").wait_for()
    read, seen = page.evaluate("[read, seen]")
    assert read[-1] == seen[-1] == "20 / 20"
    assert len(read) <= 3
    assert len(seen) > 2 * len(read)
