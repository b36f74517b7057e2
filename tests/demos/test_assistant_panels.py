"""The assistant's world in a browser: conversations in bubbles, three H's asked apart, the whole form, what is true."""

import random

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from test_studio import RULES

from rlhf_kit.labels import Response
from rlhf_kit.labels.rule_breaking import rule_labels
from rlhf_kit.studio import talks
from rlhf_kit.studio.answers import FLAGS
from rlhf_kit.studio.compare import Compare
from rlhf_kit.studio.red_team import RedTeam
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import world_of

WORLD = world_of("assistant")
EVIL = "<img src=x onerror=window.pwned=1> ${Object.assign(window,{pwned:1}).pwned}"


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "studio", world=WORLD)
    yield made
    made.close()


def view(lang):
    """A comparison of what the world's people answer, as the panel makes it of what policies answer."""
    prompt, answers = WORLD.of(lang).candidates(1, 6, seed=5)[0]
    numbers = random.Random(0)

    def sample(text):
        return {"pieces": [[text[i:i + 6], numbers.uniform(-1, 1), 0.1, 1.0] for i in range(0, len(text), 6)],
                "reward": 0.4, "kl": 1.0, "tokens": 9, "gold": round(WORLD.of(lang).gold(prompt, text), 4),
                "ended": True, **talks.truths(WORLD, prompt, text, lang)}
    columns = [{"name": name, "step": None, "steps": None, "reference": "before", "samples": list(map(sample, some))}
               for name, some in (("before", answers[:3]), ("after", answers[3:]))]
    return {"prompt": prompt, "beta": 0.04, "reward": "rm-1", "columns": columns, **talks.as_chat(prompt)}


@pytest.fixture
def compared(monkeypatch):
    monkeypatch.setattr(Compare, "saved", lambda self: {"views": [view(self.lang)], "histogram": None})


def violations(page):
    return {one["id"]: [node["html"][:160] for node in one["nodes"][:3]]
            for one in Axe().run(page, options=RULES).response["violations"]}


@pytest.mark.parametrize(("lang", "width", "height", "dark"), [("en", 1280, 800, False), ("zh", 390, 844, True)])
def test_three_h_and_broken_rules_stand_beside_each_sample_and_say_why(serve, visit, workspace, compared, lang, width,
                                                                       height, dark):
    page = visit(serve("compare", workspace=workspace), "zh" if lang == "zh" else "", width=width, height=height,
                 touch=width < 500, dark=dark)
    words, shown = Words(lang, "compare"), view(lang)
    page.locator("main .rk-token").first.wait_for()
    turns = page.locator(".rk-talk .rk-turn .rk-bubble")
    assert turns.all_inner_texts()[-1] == shown["chat"]["turns"][-1][1]
    line = page.locator(".rk-explain")
    for column in (0, 1):
        for row, sample in enumerate(shown["columns"][column]["samples"]):
            numbers = page.locator(".rk-sample").nth(2 * row + column).locator(".rk-numbers > dl")
            said = dict(text.split("\n", 1) for text in numbers.all_inner_texts())
            assert [said[words(f"card_{name}")] for name in talks.HS] == [f"{sample[name]:.2f}" for name in talks.HS]
            assert said[words("card_broken")] == str(len(sample["broken"]))
    costly = next((row, name) for row, one in enumerate(shown["columns"][0]["samples"]) for name in talks.HS
                  if one["why"][name])
    number = page.locator(".rk-sample").nth(2 * costly[0]).locator(".rk-numbers > dl",
                                                                   has_text=words(f"card_{costly[1]}")).first
    number.tap() if width < 500 else number.hover()
    expect(line).to_contain_text(shown["columns"][0]["samples"][costly[0]]["why"][costly[1]])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == {}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_three_questions_and_the_whole_form_by_keys(serve, visit, workspace, lang):
    page = visit(serve("rank", workspace=workspace), "zh" if lang == "zh" else "", width=1280, height=900)
    words = Words(lang, "rank")
    page.locator(".card").nth(3).wait_for()
    page.locator(".rk-fold-button:visible").first.click()
    page.get_by_label(words("asking_three")).check()
    page.get_by_label(words("instruct")).check()
    page.locator(".instruct").nth(3).wait_for()
    for question in talks.HS:
        expect(page.locator(".rk-cards .question")).to_contain_text(words(f"ask_{question}"))
        page.locator(".instruct").nth(3).wait_for()
        for card in range(4):
            page.locator(f'[data-card="{card}"] input[type=radio]').first.focus()
            for _ in range(card):
                page.keyboard.press("ArrowRight")
            page.keyboard.press("Space")
        fold = page.locator('[data-card="2"] .flagged summary')
        fold.focus()
        page.keyboard.press("Enter")
        for flag in ("instructions", "moral"):
            page.locator(f'[data-card="2"] input[value={flag}]').focus()
            page.keyboard.press("Space")
        assert page.locator('[data-card="2"] input[type=checkbox]').count() == len(FLAGS) == 11
        assert fold.inner_text() == words("flags_some", names=", ".join(words(f"flag_{one}")
                                                                       for one in ("instructions", "moral")))
        if question == "helpful":
            assert violations(page) == {}
        page.locator('[data-card="0"]').focus()
        page.keyboard.press("4")
        before = page.locator(".rk-cards .question").inner_text()
        page.keyboard.press("Control+Enter")
        expect(page.locator(".rk-cards .question")).not_to_have_text(before)
    said = workspace.labels.judgements(kinds=("rank",))
    assert sorted(one.question for one in said) == ["harmless", "helpful", "honest"]
    assert len({one.task_id for one in said}) == 1
    scores = workspace.labels.scores()
    assert sorted(one.score for one in scores) == sorted([1, 2, 3, 4] * 3)
    assert {tuple(sorted(one.flags)) for one in scores if one.score == 3} == {("instructions", "moral")}


@pytest.mark.parametrize(("lang", "width"), [("en", 1280), ("zh", 390)])
def test_three_votes_by_keys_before_the_names_are_shown(serve, visit, workspace, lang, width):
    """The pairs are of two models here: with those of the world's own people nobody is named."""
    task = WORLD.of(lang)
    prompt, (first, second) = task.candidates(1, 2, seed=8, split="heldout")[0]
    workspace.labels.add_tasks([(prompt, [Response(first, "model-a", 1), Response(second, "model-b", 1)])], kind="vote",
                               split="heldout")
    page = visit(serve("vote", workspace=workspace), "zh" if lang == "zh" else "", width=width, height=900)
    words = Words(lang, "vote")
    page.locator(".rk-pair .side").nth(1).wait_for()
    page.locator(f"#rk-vote-asked-{lang} input").click()
    page.get_by_role("option", name=words("asking_three")).click()
    for question, key in zip(talks.HS, "123", strict=True):
        expect(page.locator(".rk-pair .asked")).to_contain_text(words(f"ask_{question}"))
        assert page.locator(".rk-pair .whose").first.inner_text() == ""
        page.locator(".rk-pair h3").first.click()
        page.keyboard.press(key)
    page.locator(".rk-pair .whose", has_text="model").first.wait_for()
    said = workspace.labels.judgements(kinds=("vote",))
    assert {one.question: len(one.groups) for one in said} == {"helpful": 2, "honest": 1, "harmless": 2}
    assert page.locator(".rk-tables caption", has_text=words("win_rates")).count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == {}


def test_a_conversation_is_text_and_its_examples_and_preamble_are_folded(serve, visit, workspace):
    few = (f"{EVIL}\n\n---\n\nAnswer as before. {EVIL}\n\nQuestion: {EVIL}\n\nAnswer: {EVIL}\n\nQuestion: {EVIL}?\n\n"
           f"Answer:")
    workspace.labels.add_tasks([(few, [f" {one} {EVIL}" for one in "abcd"])], kind="rank")
    page = visit(serve("rank", workspace=workspace), width=390, height=844, touch=True)
    page.locator(".card").nth(3).wait_for()
    words, prompt = Words("en", "rank"), page.locator(".rk-cards .prompt")
    assert prompt.locator(".rk-kind").inner_text() == words("chat_few_shot")
    assert prompt.locator(".rk-turn:visible .rk-bubble").all_inner_texts() == [f"{EVIL}?"]
    for title in (words("chat_preamble"), words("chat_shown", n=1)):
        fold = prompt.locator("summary", has_text=title)
        fold.focus()
        page.keyboard.press("Enter")
    assert prompt.locator(".rk-turn:visible .rk-bubble").all_inner_texts() == [EVIL, EVIL, f"{EVIL}?"]
    assert prompt.locator(".rk-above").inner_text() == EVIL
    assert page.evaluate("window.pwned") is None
    assert prompt.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(("lang", "width", "dark"), [("en", 1280, False), ("zh", 390, True)])
def test_a_rule_is_drawn_a_model_tempted_and_the_level_kept(serve, visit, workspace, monkeypatch, lang, width, dark):
    """What the model answers is ours here, and tries to be more than text."""
    shelf = type(workspace.shelf)
    monkeypatch.setattr(shelf, "prepare", lambda *_: iter(()))
    monkeypatch.setattr(shelf, "policy", lambda *_: None)
    monkeypatch.setattr(RedTeam, "_answer", lambda *_: EVIL)
    page = visit(serve("rank", workspace=workspace), "zh" if lang == "zh" else "", width=width, height=900,
                 touch=width < 500, dark=dark)
    words = Words(lang, "rank")
    page.locator(".card").nth(3).wait_for()
    page.get_by_text(words("attack"), exact=True).click()
    panel = page.locator(f"#rk-attack-{lang}")
    rule = panel.locator(".rule")
    expect(rule).not_to_be_empty()
    first = rule.inner_text()
    panel.get_by_role("button", name=words("attack_other")).click()
    expect(rule).not_to_have_text(first)
    notice = page.locator(f"#rk-attack-notice-{lang}")
    page.locator(f"#rk-attack-ask-{lang}").click()
    expect(notice).to_contain_text(words("attack_empty"))
    page.locator(f"#rk-attack-said-{lang} textarea").fill(EVIL)
    page.locator(f"#rk-attack-ask-{lang}").click()
    expect(panel.locator(".rk-bubble")).to_have_text([EVIL, EVIL])
    assert violations(page) == {}
    drawn = rule.inner_text()
    level = panel.get_by_role("button", name=words("level_1"))
    level.click()
    expect(notice).to_contain_text(words("attack_tally", n=1, broken=1))
    expect(level).to_have_attribute("aria-pressed", "true")
    said, = rule_labels(workspace.labels)
    assert (said.rule, said.response, said.level) == (drawn, EVIL, "probably broken")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.pwned") is None
