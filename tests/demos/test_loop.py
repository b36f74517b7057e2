"""The loop by clicks and keys: somebody ranks, trains a reward model and a policy, and sees it beside its base; slow.

Only how often an aspect is mentioned is asked of the policy itself, since no page says it.
"""

import re

import pytest

from rlhf_kit import zoo
from rlhf_kit.sampling import sample_rollout
from rlhf_kit.studio import scripted
from rlhf_kit.studio.train_runs import FEWEST
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import world_of
from rlhf_kit.tasks.reviews import Reviews

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LONG = 900_000                      # milliseconds; a training on a busy machine
WORD = {"en": "delivery", "zh": "物流"}


class Person:
    """Somebody in front of a page, who ranks by a rule."""

    def __init__(self, page, lang: str, rule: scripted.Rule) -> None:
        self.page, self.lang, self.rule = page, lang, rule

    def said(self, panel: str, key: str, **values) -> str:
        return Words(self.lang, panel)(key, **values)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=self.said("studio", name)).click()

    def press(self, panel: str, key: str) -> None:
        self.page.get_by_role("button", name=self.said(panel, key), exact=True).locator("visible=true").click()

    def rank(self) -> bool:
        """One list, by the keys of the places; a new one is asked for where there is none. True if one is better."""
        page, cards = self.page, self.page.locator("[data-card]:visible")
        question = page.locator(".rk-cards .question")
        if not cards.count():
            self.press("rank", "more")
            cards.first.wait_for(timeout=LONG)
        asked = question.inner_text()
        texts = {card.get_attribute("data-card"): card.locator(".text").inner_text() for card in cards.all()}
        costs = dict(zip(texts, self.rule(list(texts.values())), strict=True))
        for card, cost in costs.items():
            page.locator(f'[data-card="{card}"]').focus()
            page.keyboard.press(str(1 + sum(other < cost for other in costs.values())))
        page.keyboard.press("Control+Enter")
        page.wait_for_function(
            "asked => document.querySelector('.rk-cards .question')?.textContent !== asked"
            " || !document.querySelector('.rk-cards .empty').hidden", arg=asked)
        return len(set(costs.values())) > 1

    def pick(self, field: str, name: str) -> None:
        """Choose from a list of models, by its id without the language."""
        self.page.locator(f"#{field}-{self.lang} input").click()
        self.page.get_by_role("option", name=name, exact=True).click()

    def train(self, key: str, name: str) -> None:
        self.press("train", key)
        row = self.page.locator(f'.rk-train li[data-job="{name}"]')
        row.and_(self.page.locator('[data-state="done"], [data-state="failed"]')).wait_for(timeout=LONG)
        assert row.get_attribute("data-state") == "done", row.inner_text()

    def counted(self) -> int:
        """How many lists the page counts."""
        self.page.wait_for_timeout(4_000)                                   # it asks for news every two seconds
        return int(re.search(r"\d+", self.page.locator(".rk-train .counted").inner_text())[0])

    def loop(self) -> None:
        """Rank until there is enough, and press the two buttons."""
        self.tab("rank")
        self.page.locator("[data-card]").first.wait_for()
        missing = FEWEST
        while missing > 0:                                                  # a list that comes again is no new one
            self.tab("rank")
            while missing > 0:
                missing -= self.rank()
            self.tab("train")
            missing = FEWEST - self.counted()
        self.train("train_it", "rm-1")
        self.page.wait_for_function(f"document.querySelector('#rk-train-judge-{self.lang} input')?.value === 'rm-1'")
        self.train("run_it", "policy-1")

    def row(self, key: str) -> list[float]:
        """A line of the table of what came of it: before and after."""
        found = self.page.locator(".rk-train tr", has_text=self.said("train", key)).first.locator("td")
        return [float(text) for text in found.all_inner_texts()]

    def compare(self) -> None:
        """See the policy beside its base, with a sample of each."""
        self.press("train", "compare")
        self.page.wait_for_function("document.querySelector('#rk-compare-second input')?.value === 'policy-1'")
        assert self.page.locator("#rk-compare-first input").input_value() == f"tiny-lm-{self.lang}"
        self.page.locator(".rk-column h3", has_text="policy-1").wait_for(timeout=LONG)
        done = self.said("compare", "done").split("{")[0]
        self.page.locator("#rk-compare-line .rk-notice", has_text=done).wait_for(timeout=LONG)
        assert self.page.locator(".rk-by").inner_text() == self.said("compare", "scored_by", name="rm-1")


def mentioned(policy: str, lang: str) -> float:
    """The share of 256 answers about products that it never met."""
    texts = sample_rollout(zoo.load_policy(policy), Reviews(lang).prompts("heldout", 256, seed=3), seed=5).responses
    return sum(WORD[lang] in text for text in texts) / len(texts)


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "studio")
    yield made
    made.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_who_prefers_short_answers_gets_them(serve, visit, workspace, lang):
    page = visit(serve(workspace=workspace), "zh" if lang == "zh" else "", height=1600)
    person = Person(page, lang, scripted.shortest)
    person.loop()
    before, after = person.row("row_length")
    print(f"{lang}: {before} tokens, then {after}")
    assert after <= 0.7 * before
    person.compare()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_who_prefers_an_aspect_gets_it_more_often(serve, visit, workspace, lang):
    page = visit(serve(workspace=workspace), "zh" if lang == "zh" else "", height=1600)
    person = Person(page, lang, scripted.mentions(WORD[lang]))
    person.loop()
    before = mentioned(f"tiny-lm-{lang}", lang)
    after = mentioned(str(workspace.jobs.run_folder("policy-1") / "policy"), lang)
    print(f"{lang}: {before:.0%} of the answers mention {WORD[lang]}, then {after:.0%}")
    assert after >= before + 0.15                   # five standard errors of the difference, as in test_loop_signatures
    person.compare()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_second_round_on_the_assistant_begins_where_the_first_ended(serve, visit, tmp_path, lang):
    """Lists are there from the start; then those that policy-1 writes are ranked, and all of them are learnt from."""
    workspace = Workspace(tmp_path / "studio", world=world_of("assistant"))
    page = visit(serve(workspace=workspace), "zh" if lang == "zh" else "", height=1600)
    person = Person(page, lang, scripted.shortest)
    person.loop()
    first, learnt = person.row("row_length"), person.counted()
    person.tab("rank")
    person.press("rank", "own_lists")
    person.pick("rk-rank-writer", "policy-1")
    person.press("rank", "write_lists")
    written = re.compile(re.escape(person.said("rank", "lists_written")).replace(r"\{made\}", r"\d+").replace(
        r"\{total\}", r"\d+"))
    page.locator(f"#rk-rank-notice-{lang}", has_text=written).wait_for(timeout=LONG)
    page.locator("[data-card]:visible").nth(3).wait_for()
    while page.locator("[data-card]:visible").count():
        person.rank()
    person.tab("train")
    assert person.counted() > learnt
    person.train("train_it", "rm-2")
    page.wait_for_function(f"document.querySelector('#rk-train-judge-{lang} input')?.value === 'rm-2'")
    person.pick("rk-train-start", "policy-1")
    person.train("run_it", "policy-2")
    second = person.row("row_length")
    print(f"{lang}: {first} tokens, then {second}")
    assert first[1] <= 0.8 * first[0]
    assert second[1] <= 1.1 * first[1]              # it keeps what the first round won: its start is policy-1
    workspace.close()
