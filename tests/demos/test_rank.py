"""Ranking in a browser: with keys only, with a finger, and with texts that would like to be something else."""

import sqlite3

import pytest
from studio_example import NINE

from rlhf_kit import zoo
from rlhf_kit.labels import Labels
from rlhf_kit.models import tiny

INJECTIONS = (
    "…${Object.assign(window,{pwned:1}).pwned+41}…", '<img src=x onerror="window.pwned=1">',
    "<script>window.pwned=1</script>", "</script><script>window.pwned=1</script>", "<svg onload=window.pwned=1>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>", "{{x}}", "{{{x}}}",
    "{{#each value}}{{this}}{{/each}}",
    "${x}", "`${window.pwned=1}`", "`;window.pwned=1;`", "javascript:window.pwned=1",
    '<a href="javascript:window.pwned=1">a</a>', '"><img src=x onerror=window.pwned=1>',
    "' onmouseover='window.pwned=1", "&lt;img src=x onerror=window.pwned=1&gt;",
    "<style>*{display:none!important}</style>", "<!-- ", "]]>",
    "<math><mi//xlink:href='data:x,<script>window.pwned=1</script>'>", "\u202egnp.exe\u202c \u2066x\u2069",
    "constructor.constructor('window.pwned=1')()", "<details open ontoggle=window.pwned=1>",
    "<base href=//example.org>",
    "%3Cscript%3Ewindow.pwned=1%3C/script%3E")


@pytest.fixture
def workspace(stand_in):
    return stand_in


def opened(page):
    """The page, with its cards."""
    page.locator(".card").first.wait_for()
    return page


def unfold(page):
    """The number of cards, the questions and the scores."""
    page.locator(".rk-fold-button:visible").click()


def letters(page):
    """The cards from top to bottom, such as "BACD"."""
    return "".join(page.locator(".card strong").all_inner_texts())


def fits(page):
    """Whether nothing sticks out to the right."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_with_keys_only_from_the_page_to_the_database(serve, visit, workspace):
    page = opened(visit(serve("rank", workspace=workspace)))
    texts = [page.locator(f'[data-card="{i}"] .text').inner_text() for i in range(4)]
    page.keyboard.press("Control+Enter")
    page.get_by_text('Move a card, or press "All equal".').wait_for()
    page.locator(".card").first.focus()
    for key in "4213":                                          # A, B, C, D get their places
        page.keyboard.press(key)
    assert letters(page) == "CBDA"
    page.keyboard.press("t")                                    # D, which has the focus, ties with B above
    assert page.locator(".said").inner_text() == "D ties with B."
    assert page.locator(".count").inner_text() == "5 pairs:"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Response D, place 2 of 4, tied with B"
    page.keyboard.press("Alt+ArrowDown")                        # out of the tie, and back again with Ctrl+Z
    assert page.locator(".count").inner_text() == "6 pairs:"
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Saved: C > B = D > A (5 pairs).").wait_for()
    said, = workspace.labels.judgements("me")
    stored = workspace.labels.task(said.task_id).texts
    assert [{stored[i].strip() for i in group} for group in said.groups] == [
        {texts[2]}, {texts[1], texts[3]}, {texts[0]}]
    assert page.evaluate("document.activeElement.className") == "card"      # ready for the next list
    page.keyboard.press("Control+z")                            # nothing is moved yet, so the save is taken back
    page.get_by_text("Taken back.").wait_for()
    assert not workspace.labels.judgements()
    assert letters(page) == "CBDA"
    page.keyboard.press("s")
    page.get_by_text("Skipped.").wait_for()


@pytest.mark.parametrize("k", [4, 9])
def test_a_finger_drags_a_card_on_a_narrow_screen(serve, visit, workspace, k):
    page = opened(visit(serve("rank", workspace=workspace), "zh", width=390, height=1400, touch=True, dark=k == 9))
    if k == 9:
        unfold(page)
        page.get_by_label("卡片数").click()
        page.get_by_role("option", name="9").click()
        page.locator(".card").nth(8).wait_for()
    assert fits(page)
    page.locator(".card").first.scroll_into_view_if_needed()
    start = page.locator('[data-card="2"] .handle').bounding_box()
    goal = page.locator('[data-card="0"]').bounding_box()
    x, y = start["x"] + 8, start["y"] + start["height"] / 2
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        to = y + (goal["y"] + 2 - y) * step / 8
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": to}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("document.querySelector('.card strong')?.textContent === 'C'")
    assert letters(page) == "CABDEFGHI"[:k]
    assert fits(page)
    page.get_by_role("button", name="保存并继续").click()
    page.get_by_text(f"已保存：C > A > B > {' > '.join('DEFGHI'[:k - 3])}（{k * (k - 1) // 2} 对）").wait_for()
    assert len(workspace.labels.judgements()[0].groups) == k


def test_a_mouse_drags_into_a_tie_and_buttons_do_the_rest(serve, visit, workspace):
    page = opened(visit(serve("rank", workspace=workspace), height=1200))
    page.get_by_role("button", name="B ties with the one above").click()
    assert page.locator(".count").inner_text() == "5 pairs:"
    page.locator('[data-card="3"] .handle').hover()
    page.mouse.down()
    box = page.locator('[data-card="1"]').bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 5, steps=6)       # between A and B, which tie
    page.mouse.up()
    assert letters(page) == "ADBC"
    assert page.locator(".count").inner_text() == "3 pairs:"
    page.get_by_role("button", name="Move C up").click()
    page.get_by_role("button", name="Keys").click()
    assert page.locator(".help tr").count() == 9
    page.get_by_role("button", name="All equal").click()
    page.get_by_role("button", name="Save and next").click()
    page.get_by_text("Saved: A = B = C = D (0 pairs).").wait_for()


def test_texts_are_texts(serve, visit, workspace):
    """Nine at a time, one of them as the prompt too; the last list has a card of a million characters."""
    huge = "x<b>" * 250_000
    texts = [*INJECTIONS, huge]
    lists = [texts[i:i + 9] for i in range(0, len(texts), 9)]
    for i, nine in enumerate(lists):
        workspace.labels.add_task(f"{nine[0][:60]} {i}", nine)
    page = opened(visit(serve("rank", workspace=workspace)))
    unfold(page)
    page.get_by_label("Cards", exact=True).click()
    page.get_by_role("option", name="9").click()
    seen = set()
    for turn in range(len(lists)):
        page.locator(".card").nth(8).wait_for()
        seen |= set(page.locator(".card .text").evaluate_all("all => all.map(one => one.textContent)"))
        assert page.locator(".card .text > *").count() == page.locator(".prompt > *").count() == 0
        page.get_by_role("button", name="All equal").click()
        page.get_by_role("button", name="Save and next").click()
        page.wait_for_function(f"document.querySelector('.question, .empty')?.textContent && "
                               f"document.body.innerText.includes('List {turn + 2} of') || "
                               f"document.body.innerText.includes('All {len(lists)} done')")
    assert seen == set(texts)
    assert page.evaluate("window.pwned") is None
    assert "Error rendering" not in page.locator("body").inner_text()


def test_a_long_text_is_folded_and_o_opens_it(serve, visit, workspace):
    workspace.labels.add_task("It", ["\n".join(f"line {i}" for i in range(30)), *NINE["en"][:3]])
    page = opened(visit(serve("rank", workspace=workspace)))
    long = page.locator(".card", has_text="line 0")
    short = long.bounding_box()["height"]
    assert page.locator(".open:visible").count() == 1
    long.focus()
    page.keyboard.press("o")
    assert long.bounding_box()["height"] > 2 * short
    assert not workspace.labels.judgements()


def test_scores_and_flags_in_the_browser(serve, visit, workspace):
    page = opened(visit(serve("rank", workspace=workspace), width=390, height=1400))
    unfold(page)
    page.get_by_label("Score each card too").check()
    page.locator(".instruct").nth(3).wait_for()
    assert fits(page)
    page.get_by_role("button", name="All equal").click()
    page.get_by_role("button", name="Save and next").click()
    page.get_by_text("Give each card a score from 1 to 7 first.").wait_for()
    for card in range(4):
        page.locator(f'[data-card="{card}"]').get_by_label(str(card + 1), exact=True).check()
    page.locator('[data-card="0"] .flagged summary').click()
    page.locator('[data-card="0"]').get_by_label("gives harmful advice").check()
    assert page.locator('[data-card="0"] .flagged summary').inner_text() == "It … gives harmful advice"
    page.get_by_role("button", name="Save and next").click()
    page.get_by_text("Saved:").wait_for()
    assert sorted((said.score, said.flags) for said in workspace.labels.scores()) == [
        (1.0, ("harmful",)), (2.0, ()), (3.0, ()), (4.0, ())]


def test_an_order_that_could_not_be_saved_stays_on_the_page(serve, visit, workspace, tmp_path):
    workspace.labels = Labels(tmp_path / "studio" / "labels.db", timeout=0.1)
    page = opened(visit(serve("rank", workspace=workspace)))
    page.locator(".card").first.focus()
    page.keyboard.press("4")
    other = sqlite3.connect(tmp_path / "studio" / "labels.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Not saved. What you did is kept on this page.").wait_for()
    other.close()
    assert letters(page) == "BCDA"
    page.keyboard.press("Control+Enter")
    page.get_by_text("Saved: B > C > D > A (6 pairs).").wait_for()
    assert len(workspace.labels.judgements()) == 1


def test_an_order_outlives_a_page_that_is_loaded_again(serve, visit, workspace):
    page = opened(visit(serve("rank", workspace=workspace)))
    page.locator(".card").first.focus()
    page.keyboard.press("3")
    page.reload()
    opened(page)
    assert letters(page) == "BCAD"
    page.keyboard.press("Control+Enter")
    page.get_by_text("Saved: B > C > A > D (6 pairs).").wait_for()
    page.reload()
    opened(page)
    assert letters(page) == "ABCD"                              # another list, untouched


def test_a_reward_model_trained_meanwhile_is_asked_when_one_comes_back_to_the_tab(serve, visit, workspace, tokenizer):
    page = opened(visit(serve("rank", "probe", workspace=workspace)))
    page.locator(".card").first.focus()
    page.keyboard.press("3")
    page.get_by_role("tab", name="3 Reward model").click()
    run = workspace.folder / "runs" / "rm-1"
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16), run / "model")
    (run / "settings.json").write_text('{"job": "rewardmodel", "lang": "en"}')
    page.get_by_role("tab", name="2 Rank").click()
    page.wait_for_function("document.querySelector('#rk-rank-judge-en input')?.value === 'rm-1'")
    assert letters(page) == "BCAD"                              # the order that was begun is still there
    page.get_by_role("tab", name="3 Reward model").click()
    page.wait_for_function("document.querySelector('#rk-probe-judge input')?.value === 'rm-1'")
    page.get_by_label("Reward model or classifier").click()
    page.get_by_role("option", name="tiny-judge-en").click()
    page.get_by_role("tab", name="2 Rank").click()
    page.keyboard.press("Control+Enter")
    page.get_by_text("rm-1 has").wait_for()
    page.get_by_role("tab", name="3 Reward model").click()
    page.wait_for_timeout(700)
    assert page.locator("#rk-probe-judge input").input_value() == "tiny-judge-en"       # chosen by the person


def test_two_pages_of_one_person_leave_one_order_the_last(serve, visit, workspace):
    address = serve("rank", workspace=workspace)
    pages = [opened(visit(address)) for _ in range(2)]
    for page, key in zip(pages, "42", strict=True):
        page.locator(".card").first.focus()
        page.keyboard.press(key)
        page.keyboard.press("Control+Enter")
        page.get_by_text("Saved: B > ").wait_for()              # one after the other; who comes second replaces
    pages[1].get_by_text("this order replaces the old one").wait_for()
    said, = workspace.labels.judgements("me")
    shown = workspace.labels.show(said.task_id, "me")
    assert [shown.order.index(card) for group in said.groups for card in group] == [1, 0, 2, 3]


def test_a_dragged_card_shows_the_place_that_it_would_get(serve, visit, stand_in):
    page = visit(serve("rank", workspace=stand_in))
    page.locator("[data-card]").first.wait_for()

    def places():
        return [card.locator(".place").inner_text() for card in page.locator("[data-card]").all()]
    handle, third = page.locator(".rk-cards .handle").first, page.locator("[data-card]").nth(2)
    start = handle.bounding_box()
    page.mouse.move(start["x"] + 5, start["y"] + 5)
    page.mouse.down()
    box = third.bounding_box()
    page.mouse.move(start["x"] + 5, box["y"] + box["height"] - 2, steps=8)
    assert places() == ["3", "1", "2", "4"]
    page.mouse.move(start["x"] + 5, start["y"] + 5, steps=8)
    assert places() == ["1", "2", "3", "4"]
    page.mouse.up()
    assert page.locator(".card strong").all_inner_texts() == ["A", "B", "C", "D"]


def test_tab_closes_an_open_list(serve, visit, stand_in):
    page = visit(serve("rank", workspace=stand_in))
    field = page.locator("#rk-rank-judge-en input")
    field.click()
    page.get_by_role("listbox").wait_for()
    page.keyboard.press("Tab")
    page.get_by_role("listbox").wait_for(state="detached")
    assert page.get_by_role("button", name="What would it have said?").evaluate("e => e === document.activeElement")


def test_my_policy_writes_lists_to_prompts_of_my_own(serve, visit, stand_in, policy, tmp_path):
    zoo.save_policy(policy, tmp_path / "mine")
    stand_in.shelf.named = {"mine": str(tmp_path / "mine")}
    page = visit(serve("rank", workspace=stand_in), "zh", locale="zh-CN")
    page.locator("[data-card]").first.wait_for()
    page.get_by_role("button", name="排任意模型写的回答").click()
    page.wait_for_function("document.querySelector('#rk-rank-writer-zh input')?.value === 'mine'")
    page.locator("#rk-rank-prompts-zh textarea").fill("the lamp\nthe bag")
    page.get_by_role("button", name="让它写", exact=True).click()
    page.get_by_text("2 个提示得到 2 组新回答").wait_for(timeout=60_000)
    prompt = page.locator(".rk-cards .prompt")
    page.wait_for_function("['the lamp', 'the bag'].includes(document.querySelector('.rk-cards .prompt')?.textContent)")
    first = prompt.inner_text()
    page.locator("[data-card]").first.focus()
    page.keyboard.press("2")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("first => document.querySelector('.rk-cards .prompt').textContent !== first", arg=first)
    assert prompt.inner_text() in ("the lamp", "the bag")
