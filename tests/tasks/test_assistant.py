"""The assistant's world: what is asked, by whom and how, in both languages, and what is kept away from training."""

import math
import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from rlhf_kit.language import LANGS
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.cases import FORMS, KINDS, SPLITS, draw_case, goals, nouns, places, values
from rlhf_kit.tasks.assistant.derivation import grammar, meaning, read_answer
from rlhf_kit.tasks.assistant.prompts import MARKS, PROMPT_TYPES, case_of
from rlhf_kit.tasks.assistant.users import MOST, User, at_most, by_split, users, without_copies
from rlhf_kit.tasks.grammar import tokenize


@pytest.fixture(params=LANGS)
def task(request) -> Assistant:
    return Assistant(request.param)


def response_in(text: str) -> str:
    return re.split(r"(?:Assistant|Answer):|(?:助手|答)：", text)[-1]


# One derivation, two languages.

@pytest.mark.parametrize("lang", LANGS)
def test_every_sentence_is_read_as_it_was_meant(lang):
    """Every derivation of the small symbols: told and read back, it has one meaning."""
    for symbol in (one for one in grammar().symbols if one.startswith(("say/", "user/"))):
        for tree in (tree for tree in grammar().trees(symbol) if grammar().count(symbol) < 200):
            whole = "user" if symbol.startswith("user/") else "say"
            tokens = tokenize(tree.text(lang), lang)
            found = [meaning(other) for end, other in grammar().parse(tokens, whole, lang) if end == len(tokens)]
            assert found, tree.text(lang)
            assert all(one == meaning(tree) for one in found), (tree.text(lang), found)


def test_one_seed_asks_the_same_in_both_languages():
    asked = [Assistant(lang).asked(200, seed=1) for lang in LANGS]
    assert [(one.case, one.user, one.type) for one in asked[0]] == [(one.case, one.user, one.type) for one in asked[1]]


def test_prompts_are_read_back(task):
    for prompt in task.asked(300, seed=2) + task.asked(100, seed=2, split="heldout"):
        assert case_of(prompt.text, task.lang) == prompt.case, prompt.text
        assert not prompt.text.endswith(" ")


def test_the_seed_decides(task):
    for draw in (task.corpus, task.labelled, task.demonstrations, task.rankings, task.asked, task.sent):
        assert draw(4, seed=1) == draw(4, seed=1) != draw(4, seed=2)
    assert task.prompts(n=4, seed=1) == task.prompts(n=4, seed=1) != task.prompts(n=4, seed=2)
    assert len(set(task.prompts())) == 1000


# How much there is.

def test_there_are_more_than_a_hundred_thousand_dialogues(task):
    """Ways to ask what a keeper may do, times careful answers to it: each pair is another dialogue of one turn."""
    asks = {tree.text(task.lang) for tree in grammar().trees("ask/do/keeper")}
    answers = math.prod(len({tree.text(task.lang) for tree in grammar().trees(f"say/{step}")
                             if meaning(tree)["goal"] == "clean" and meaning(tree).get("common", "clock") == "clock"
                             and meaning(tree).get("called", "common") == "common"})
                        for step in ("one", "two", "three"))
    assert len(asks) == 2 * len(goals()) * len(nouns()) ** 2        # two wordings, each thing kept with each other one
    assert answers == 2 ** 3
    kept_and_seen = len(asks) * answers
    earlier = 3 * len(goals()) * len(nouns())                       # one turn before, about a thing of the asker's own
    assert kept_and_seen * earlier > 10 ** 5


def test_prompts_are_of_every_kind_form_and_type(task):
    prompts = task.asked(2000, seed=3)
    assert {(one.case.kind, one.case.form) for one in prompts} == {
        *((kind, form) for kind in KINDS for form in FORMS[kind]), ("fact", "there"), ("do", "it")}
    kinds = Counter(one.type for one in prompts)
    assert set(kinds) == set(PROMPT_TYPES)
    assert abs(kinds["user-based"] / 2000 - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 2000)
    sorts = Counter(one.case.sort for one in prompts)
    assert min(sorts[one] for one in ("known", "unknown", "borderline", "harmful")) > 100
    assert {one.type for one in task.asked(20, types=("few-shot",))} == {"few-shot"}


def test_a_prompt_has_at_most_three_statements_before_the_response(task):
    marks = MARKS[task.lang]
    for prompt in task.asked(400, seed=4, types=("plain", "user-based")):
        said = ["user" if part.startswith(marks.user) else "assistant" for part in prompt.text.split("\n\n")
                if not part.startswith(marks.about)]
        assert said in (["user", "assistant"], ["user", "assistant"] * 2)


def test_dialogues_are_short_and_varied(task):
    texts = task.corpus(1000, seed=5)
    lengths = sorted(len(tokenize(text, task.lang)) for text in texts)
    assert len(set(texts)) > 950
    assert lengths[-1] < {"en": 160, "zh": 280}[task.lang]
    assert len({token for text in texts for token in tokenize(text, task.lang)}) < 650


def test_chinese_text_is_chinese():
    for text in Assistant("zh").corpus(200, seed=6):
        assert not re.search(r"[A-Za-z]", text), text
        assert not re.search(r"[,.?!]", text), text


# What is held out.

def test_no_held_out_case_or_user_occurs_in_training(task):
    train, heldout = (task.asked(800, seed=7, split=split) for split in ("train", "heldout"))
    assert {one.case.split for one in train} == {"train"}
    assert {one.case.split for one in heldout} == {"heldout"}
    assert not {one.user.id for one in train} & {one.user.id for one in heldout}
    assert not {one.text for one in train} & {one.text for one in heldout}


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_of_a_held_out_case_is_met_in_training(kind):
    rng = random.Random(8)
    parts = [{part for _ in range(600) for part in draw_case(rng, split, kind=kind).roles} for split in SPLITS]
    assert parts[1] <= parts[0]


def test_one_user_in_five_is_held_out():
    assert 0.15 < sum(user.split == "heldout" for split in SPLITS for user in users(split)) / 288 < 0.25


# Users.

def test_a_user_sends_so_many_prompts_at_most_and_no_copies(task):
    sent = task.sent(1500, seed=9)
    assert max(Counter(one.user.id for one in sent).values()) > MOST
    kept = at_most(sent)
    assert max(Counter(one.user.id for one in kept).values()) == MOST
    assert [one for one in kept if one.user == kept[0].user] == [one for one in sent if one.user == kept[0].user][:MOST]
    texts = [one.text for one in without_copies(kept)]
    assert len(texts) == len(set(texts)) < len(kept)


def test_of_prompts_that_begin_alike_one_is_kept():
    [one] = Assistant("en").asked(1)
    sent = [replace(one, text=text) for text in ("abcdefghij", "xyz", "abcdefghiJ", "abcdeFGHIJ", "xyz")]
    assert [prompt.text for prompt in without_copies(sent, 0.9)] == ["xyz", "abcdefghiJ", "abcdeFGHIJ"]
    assert [prompt.text for prompt in without_copies(sent, 0.5)] == ["xyz", "abcdeFGHIJ"]


def test_no_user_is_in_two_splits(task):
    split = by_split(task.sent(800, seed=10))
    assert not {one.user.id for one in split["train"]} & {one.user.id for one in split["heldout"]}
    assert {one.case.split for one in split["heldout"]} == {"heldout"}
    assert User("Mara", charge="clock").id == "mara-clock"


# Labels.

def test_labels_and_rankings_follow_gold(task):
    for text, label in task.labelled(41, seed=11):
        response = response_in(text)
        gold = task.gold(text[:len(text) - len(response)], response)
        assert gold >= 0.7 if label else gold <= 0.3
    assert sum(label for _, label in task.labelled(41, seed=11)) == 21
    for one in task.rankings(20, k=5, seed=12, split="heldout"):
        worth = [task.gold(one.prompt, response) for response in one.responses]
        assert worth == sorted(worth, reverse=True)
        assert list(one.ranks) == [1 + sum(other > gold for other in worth) for gold in worth]
        assert len(set(one.responses)) == 5


@pytest.mark.parametrize("quality", ["helpful", "honest", "harmless"])
def test_one_quality_is_judged_with_as_many_of_each_within_each_kind(quality):
    task = Assistant("en")
    seen = Counter()
    for text, label in task.judged(quality, 120, seed=13):
        response = response_in(text)
        prompt = text[:len(text) - len(response)]
        worth = getattr(task.hs(prompt, response), quality)
        assert worth >= 0.7 if label else worth <= 0.5
        seen[case_of(prompt, "en").kind, label] += 1
    assert all(seen[kind, 0] == seen[kind, 1] for kind in KINDS)


def test_demonstrations_are_careful(task):
    found = task.demonstrations(60, seed=14)
    assert all(task.gold(prompt, response) == pytest.approx(1) for prompt, response in found)
    assert all(response.startswith(" ") == (task.lang == "en") for _, response in found)


def test_demonstrations_have_the_faults_of_who_writes_them(task):
    """The prompts are the same; one in two is careful, whose gold is 1, and the rude insult more often than not."""
    rude, careful = task.demonstrations(80, seed=14, writers={"rude": 1}), task.demonstrations(80, seed=14)
    mixed = task.demonstrations(80, seed=14, writers={"careful": 1, "rude": 1})
    assert [prompt for prompt, _ in rude] == [prompt for prompt, _ in careful] == [prompt for prompt, _ in mixed]
    worth = [sum(task.gold(*pair) for pair in pairs) / 80 for pairs in (rude, mixed, careful)]
    assert worth[0] < 0.5 < worth[1] < worth[2] == pytest.approx(1)
    with pytest.raises(KeyError):
        task.demonstrations(1, writers={"nobody": 1})


def test_a_response_is_cut_into_its_sentences(task):
    for prompt, response in task.demonstrations(40, seed=15):
        sentences, coverage, whole = read_answer(response, task.lang)
        assert (coverage, whole) == (1, True), prompt + response
        assert ("" if task.lang == "zh" else " ").join(one.text for one in sentences) == response.strip()


def test_the_tables_agree():
    assert len(places()) == 10
    assert all(2 <= sum(word == "?" for word in row) <= 3 for row in _unknown())
    assert sum(len(options) for options in values().values()) == 34


def _unknown() -> list[list[str]]:
    from rlhf_kit.tasks.word_lists import rows
    return [list(row.values()) for row in rows("assistant", "places.tsv")]


@pytest.mark.parametrize("call", [
    lambda: Assistant("fr"), lambda: Assistant("en").corpus(0), lambda: Assistant("en").prompts("dev"),
    lambda: Assistant("en").labelled(-1), lambda: Assistant("en").rankings(1, k=1), lambda: at_most([], 0),
    lambda: Assistant("en").rankings(1, noise=math.nan), lambda: Assistant("en").judged("nice", 1),
    lambda: without_copies([], 0), lambda: Assistant("en").asked(0), lambda: Assistant("en").sent(0)])
def test_bad_arguments_are_refused(call):
    with pytest.raises(ValueError, match=" is ") as caught:
        call()
    assert "\n" not in str(caught.value)
