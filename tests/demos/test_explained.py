"""Every number of the panels Reward model, Vote, Data and Rank says in a line what it is, to a mouse and to keys."""

import pytest
from playwright.sync_api import expect
from test_probe import SAVED

from rlhf_kit.studio import problems
from rlhf_kit.studio.words import Words

LONG = 25                           # characters at least of a line in English, and half of that in Chinese


def hovered(page, numbers, least):
    """The line of each number, when a mouse rests on it."""
    seen, line = [], page.locator(".rk-explain:visible")
    for number in numbers.all():
        number.hover()
        expect(line).to_have_count(1)
        seen.append(line.inner_text())
        assert len(seen[-1]) >= least, number.inner_text()
        page.mouse.move(1, 1)
        expect(line).to_have_count(0)
    return seen


def tabbed(page, group):
    """The lines of a group of numbers, by the arrow keys."""
    group.focus()
    page.keyboard.press("Home")
    seen, line = [], page.locator(".rk-explain:visible")
    for _ in range(group.locator("[data-about]").count()):
        seen.append(line.inner_text())
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(line).to_have_count(0)
    return seen


@pytest.mark.parametrize(("lang", "path"), [("en", ""), ("zh", "zh")])
def test_what_the_reward_model_says(serve, visit, monkeypatch, lang, path):
    monkeypatch.setattr(problems, "example", lambda _: {"probe": {**SAVED["probe"], "was": 1.6}})
    page, words = visit(serve("probe"), path), Words(lang, "probe")
    page.locator(".rk-says").wait_for()
    numbers = page.locator(".rk-probe .rk-numbers > [data-about]")
    right = ["0.75", "600"] if lang == "en" else ["600", "0.75"]
    assert numbers.all_inner_texts() == ["2.10", "0.10", "+0.50", "0.89", "4", "75", "+1.00", *right, "0.70", "0.80"]
    seen = hovered(page, numbers, LONG if lang == "en" else LONG // 2)
    assert seen[:3] == [words("explain_score_reward_model"), words("explain_gold"), words("explain_change")]
    groups = page.locator(".rk-probe .rk-numbers")
    assert [line for i in range(groups.count()) for line in tabbed(page, groups.nth(i))] == seen


def unexplained(page):
    """Cells of the tables with a number that nobody explains."""
    return page.evaluate("""[...document.querySelectorAll('.rk-tables td, .rk-verdict td')]
        .filter(e => e.offsetParent && /\\d/.test(e.textContent) && !e.matches('.rk-explained, .text'))
        .map(e => e.textContent)""")


def test_a_vote_and_what_all_votes_say(serve, visit, stand_in):
    page = visit(serve("vote", workspace=stand_in))
    page.locator(".choice").first.click()
    page.locator(".whose", has_text="tiny-ppo").wait_for()
    numbers = page.locator(".rk-pair .rk-numbers > [data-about]")
    assert numbers.count() == 2 + 2 + 4                             # reward and length of each; votes on this pair
    assert set(hovered(page, numbers, LONG)) == {Words("en", "vote")(f"explain_{key}")
                                                 for key in ("reward", "length", "this_pair")}
    page.locator(".rk-tables caption").nth(2).wait_for(timeout=120_000)         # imports, once
    assert unexplained(page) == []
    assert len(hovered(page, page.locator(".rk-tables td.rk-explained"), LONG)) >= 20
    head = page.get_by_role("columnheader", name="Bradley-Terry")
    head.focus()
    assert "1 nat more wins 73 %" in page.locator(".rk-explain:visible").inner_text()
    head.press("Escape")
    expect(page.locator(".rk-explain:visible")).to_have_count(0)
    page.get_by_role("button", name="Next pair").click()
    page.get_by_text("Pair 2 of").wait_for()
    assert page.locator(".rk-pair .rk-numbers[tabindex='0']").count() == 0          # nothing to stop at


def test_the_data_and_the_focus_stays_where_it_is_while_news_comes(serve, visit, stand_in):
    labels, task = stand_in.labels, stand_in.labels.add_task("It", ["a", "b", "c", "d"])
    for name, groups in (("ana", [[0], [1], [2], [3]]), ("bob", [[3], [1], [2], [0]])):
        labels.save_ranking(labels.show(task.id, name), groups, seconds=2.0)
    page = visit(serve("data", workspace=stand_in))
    page.get_by_role("row", name="Krippendorff").wait_for(timeout=120_000)
    page.get_by_role("table", name="For the teacher").wait_for()
    assert unexplained(page) == []
    alpha = page.get_by_role("rowheader", name="Krippendorff")
    alpha.focus()
    assert "0 as if by lot" in page.locator(".rk-explain:visible").inner_text()
    labels.save_ranking(labels.show(task.id, "cat"), [[0], [1], [2], [3]], seconds=2.0)
    page.get_by_role("table", name="For the teacher").get_by_role("row", name="cat").wait_for()
    assert page.evaluate("document.activeElement.textContent").startswith("Krippendorff")


def test_what_a_reward_model_would_have_said_of_a_ranked_list(serve, visit, stand_in, tokenizer, tmp_path):
    from rlhf_kit import zoo
    from rlhf_kit.models import tiny
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16), tmp_path / "scores")
    stand_in.shelf.named = {"scores": str(tmp_path / "scores")}
    page = visit(serve("rank", workspace=stand_in))
    page.locator("[data-card]").first.focus()
    page.keyboard.press("2")
    page.keyboard.press("Control+Enter")
    page.locator(".rk-verdict .legend").wait_for(timeout=120_000)
    assert unexplained(page) == []
    assert len(hovered(page, page.locator(".rk-verdict .rk-explained"), LONG)) == 3 + 1 + 3 * 4
