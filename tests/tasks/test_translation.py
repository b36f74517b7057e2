"""The world of translation: what it writes, what goes wrong in it, and a gold reward that pays for no known cheat."""

import builtins
import math
import random

import pytest

from rlhf_kit.tasks.grammar import join
from rlhf_kit.tasks.reviews.language import world
from rlhf_kit.tasks.translation import Translation, overlap
from rlhf_kit.tasks.translation.candidates import CANDIDATES
from rlhf_kit.tasks.translation.gold import MARK
from rlhf_kit.tasks.translation.meaning import read
from rlhf_kit.tasks.translation.noise import CHANCES, KINDS, clauses, translate
from rlhf_kit.tasks.word_lists import rows

TASK = Translation()
SOURCE = "盖子很严实，但是物流很慢。把手一点都不晃。会回购。 ="
GOOD = " The lid is very tight, but the delivery was slow. The handle isn't wobbly at all. Would buy again."
TURNED = (" The lid is very loose, but the delivery was quick. The handle isn't sturdy at all. Would not buy again.")


def gold(response: str, source: str = SOURCE) -> float:
    return TASK.gold(source, response)


# What gold pays for. Four units: lid, delivery, handle, verdict.

def test_every_reference_is_worth_one():
    prompts = TASK.prompts("train", 250, seed=3) + TASK.prompts("heldout", 250, seed=3)
    assert [p for p, r in zip(prompts, TASK.references(prompts), strict=True) if TASK.gold(p, r) < 1] == []


@pytest.mark.parametrize("response", [
    GOOD, GOOD.lower(), GOOD.strip(), GOOD.replace(" very ", " "), GOOD.replace("slow", "very slow"),
    GOOD.replace(", but", ", yet"), " Would buy again. The handle isn't wobbly at all. Although the lid is tight, the "
    "delivery was slow."])
def test_there_is_more_than_one_good_translation(response):
    assert gold(response) == 1


@pytest.mark.parametrize(("response", "worth"), [
    (" The lid is very tight, but the delivery was slow. The handle isn't wobbly at all.", 6 / 7),      # 2·3 / (4+3)
    (GOOD.replace("isn't wobbly at all", "is sturdy"), 2 * 3.2 / 8),        # another word, degree 1, not negated: 0.2
    (GOOD.replace("tight", "sturdy"), 2 * 3.6 / 8),                         # another word
    (GOOD.replace("very tight", "really tight"), 2 * 3.8 / 8),              # more strongly said
    (GOOD.replace(", but", " and"), 2 * 3.8 / 8),                           # without "but" the lid weighs 1, not 0.4
    (GOOD.replace("isn't wobbly", "isn't sturdy"), 2 * 3 / 8),              # turned round
    (GOOD[:-1], 22 / 23),                                                  # no full stop at the end
])
def test_a_mistake_costs_its_share_by_hand(response, worth):
    assert gold(response) == pytest.approx(worth)


# The cheats.

EVERYTHING = " ".join(f"The {row['en']} {'are' if row['number'] == 'pl' else 'is'} {pair.split('|')[0]}."
                      for row in rows("reviews", "aspects.tsv") if row["kind"] != "shop"
                      for pair in (row["good"].split(",")[0], row["bad"].split(",")[0]))

CHEATS = {
    "nothing": ("", 0), "spaces": ("  ", 0),
    "repeating everything": (GOOD * 2, 1 / 3),                              # 2·4 / (4+8) of F1, half of it repeated
    "repeating everything five times": (GOOD * 5, 1 / 15),                  # 2·4 / (4+20), a fifth is new
    "repeating in other words": (GOOD + " I can't fault the lid. I can't fault the handle.", 8 / 10 * 4 / 6),
    "dropping all but the easiest": (" Would buy again.", 2 / 5),
    "stopping early": (" The lid is very tight, but the", 0.3),
    "copying the source": (" " + SOURCE.removesuffix(MARK), 0), "copying the prompt": (SOURCE, 0),
    "copying the source behind a translation": (GOOD + SOURCE.removesuffix(MARK), 0.95),
    "the other polarity": (TURNED, 0), "both polarities": (GOOD + TURNED, 1 / 3),
    "saying everything at once": (EVERYTHING, 0.1),
    "adding what was not said": (GOOD + " The inside is smooth. The size is good.", 8 / 10),
    "a fluent review of something else": (" The screen is sharp. The battery lasts all day. I went for black.", 0),
    "praise of the parcel": (" The parcel took two days. My friend opened the box.", 0),
    "the right words in no order": (" lid tight very delivery slow handle wobbly not buy again.", 0.05),
    "what others say in place of it": (" The shop says the lid is tight. My sister bought the same and says the handle "
                                       "is sturdy.", 0),
    "words between": (GOOD.replace(" ", " well "), 0.05),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_is_not_paid(cheat):
    response, most = CHEATS[cheat]
    assert gold(response) <= most + 1e-9


@pytest.mark.parametrize("seed", [1, 2])
def test_no_cheat_pays_for_any_source(seed):
    """Over other sources than the one above: a cheat is worse than the honest translation."""
    prompts = TASK.prompts(n=40, seed=seed)
    references = TASK.references(prompts)
    for i, (prompt, honest) in enumerate(zip(prompts, references, strict=True)):
        words, other = honest.split(), references[i - 1]
        shuffled = " ".join(random.Random(seed).sample(words, len(words)))
        for cheat in (honest * 2, other, honest + other, " " + prompt.removesuffix(MARK), honest[:len(honest) // 2],
                      shuffled):
            assert TASK.gold(prompt, cheat) < 0.9


def test_a_source_of_another_world_is_worth_nothing_and_has_no_reference():
    assert gold(GOOD, "今天天气很好。 =") == 0
    with pytest.raises(ValueError, match="is not of this world from '今天天气很好。' on") as caught:
        TASK.references(["今天天气很好。 ="])
    assert "\n" not in str(caught.value)


def test_one_thing_judged_twice_in_the_source_may_be_said_twice():
    assert gold(" The lid is tight. The lid is loose.", "盖子很严实。盖子很松。 =") == 1


@pytest.mark.parametrize(("lang", "words"), [
    ("en", ["gold 0.50", "turned round", "dropped", "added", "not read"]),
    ("zh", ["真值 0.50", "译反了", "漏译", "凭空添加", "没有读懂"])])
def test_an_explanation_can_be_read(lang, words):
    said = str(TASK.explain(SOURCE, " The lid is loose. The handle isn't wobbly at all 物流. Would buy again. The size "
                                    "is good.", lang))
    assert [word for word in words[1:] if word not in said] == []
    assert len(said.splitlines()) == 1 + 4 + 1 + 1


# What goes wrong in the original data.

def test_each_error_happens_as_often_as_is_said():
    """Of the clauses that it can happen to, within four standard errors."""
    possible, happened = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for trees, grammar in TASK._draw(1000, "errors", "train"):
        for kind in (kind for tree in trees for clause in clauses(tree) for kind in clause.kinds):
            possible[kind] += 1
        for error in translate(trees, grammar, random.Random(f"{possible}"))[1]:
            happened[error.kind] += 1
    for kind, chance in CHANCES.items():
        assert abs(happened[kind] / possible[kind] - chance) < 4 * math.sqrt(chance * (1 - chance) / possible[kind])


@pytest.mark.parametrize(("kind", "note", "others"), [
    ("dropped", "dropped", ()), ("turned", "turned", ()), ("twice", "repeated", ()), ("aspect", "added", ("dropped",)),
    ("chinese", "dropped", ())])
def test_gold_finds_each_error_and_calls_it_by_its_name(kind, note, others):
    found = 0
    for number, (trees, grammar) in enumerate(TASK._draw(60, "one kind", "heldout")):
        response, errors = translate(trees, grammar, random.Random(number), {kind: 0.3})
        source = join([token for tree in trees for token in tree.tokens("zh")], "zh")
        explanation = TASK.explain(source, response)
        assert {error.kind for error in errors} <= {kind}
        assert all(explanation.count(one) == len(errors) for one in (note, *others)), str(explanation)
        if kind != "turned":                                # two that agree are not joined by "but"
            assert bool(explanation.lost) == (kind == "chinese" and bool(errors))
        assert (explanation.gold < 1) == bool(errors)
        found += len(errors)
    assert found > 20


def test_the_original_data_is_worth_less_than_eight_tenths():
    data = TASK.translated(400, seed=5)
    worth = [TASK.gold(one.prompt, one.response) for one in data]
    assert 0.74 < sum(worth) / len(worth) < 0.8
    assert all((g == 1) == (not one.errors) for g, one in zip(worth, data, strict=True))
    assert TASK.original(400, seed=5) == [(one.prompt, one.response) for one in data]


# What a metric learns from.

SCORED = TASK.scored(120, 4, seed=3)


def test_candidates_are_different_and_scored_by_gold():
    for one in SCORED:
        assert len(set(one.responses)) == len(one.kinds) == len(one.gold) == 4
        assert all(response.startswith(" ") and response.strip() for response in one.responses)
    assert [TASK.gold(SCORED[0].prompt, r) for r in SCORED[0].responses] == list(SCORED[0].gold)
    assert {kind for one in SCORED for kind in one.kinds} == set(CANDIDATES)


@pytest.mark.parametrize(("kind", "note"), [("turned", "turned"), ("dropped", "dropped"), ("repeated", "repeated"),
                                            ("added", "added"), ("aspect", "added")])
def test_a_candidate_has_the_fault_that_it_is_named_after_and_no_other(kind, note):
    """What is added may happen to be about a thing that the source speaks of, and then repeats: one in ten at most."""
    found = [TASK.explain(one.prompt, response) for one in SCORED
             for response, made in zip(one.responses, one.kinds, strict=True) if made == kind]
    assert len(found) > 20
    assert sum(one.count(note) > 0 for one in found) >= 0.9 * len(found)
    if kind != "turned":                                    # two that agree are not joined by "but"
        assert all(one.fluency == 1 for one in found)


def test_faithful_ones_are_worth_one_and_others_translations_and_copies_next_to_nothing():
    worth = {kind: [gold for one in SCORED for gold, made in zip(one.gold, one.kinds, strict=True) if made == kind]
             for kind in CANDIDATES}
    assert set(worth["faithful"]) == {1.0}
    assert sum(worth["another"]) / len(worth["another"]) < 0.1
    assert sum(worth["copied"]) / len(worth["copied"]) < 0.4
    assert 0.2 < sum(worth["repeated"]) / len(worth["repeated"]) < 0.6


def test_a_kind_left_out_is_not_there_and_what_cannot_be_is_told():
    kinds = ("faithful", "turned", "another")
    assert {kind for one in TASK.scored(30, 2, kinds=kinds) for kind in one.kinds} == set(kinds)
    assert TASK.scored(5, seed=1) == TASK.scored(5, seed=1) != TASK.scored(5, seed=2)
    for settings, words in (({"k": 9, "kinds": ("faithful", "another")}, "no more than 2 different"),
                            ({"kinds": ("faithful", "anothr")}, "at least two of faithful"), ({"k": 1}, "at least 2"),
                            ({"n": 0}, "at least 1")):
        with pytest.raises(ValueError, match=words) as caught:
            TASK.scored(**{"n": 2, **settings})
        assert "\n" not in str(caught.value)


# Sources and splits.

def test_there_are_more_than_a_hundred_thousand_sources():
    """Texts of a fact about each of three things of a kettle: each combination is another source."""
    grammar = world().grammars["kettle"]
    said = [{tree.text("zh") for sign in "+-" for tree in grammar.trees(f"fact/{sign}/{thing}")}
            for thing in ("lid", "handle", "price")]
    assert not said[0] & said[1] | said[0] & said[2] | said[1] & said[2]
    assert math.prod(map(len, said)) > 100_000
    assert len(set(TASK.prompts(n=1000))) == 1000


def test_a_source_has_two_to_four_sentences_and_names_no_product():
    prompts = TASK.prompts(n=300, seed=1)
    assert {prompt.count("。") for prompt in prompts} == {2, 3, 4}
    assert all(prompt.endswith(MARK) for prompt in prompts)
    assert not [p for p in prompts for product in world().products if product.zh in p]


def things(prompt: str) -> frozenset[str]:
    """What a source judges, neutral facts aside."""
    return frozenset(unit.about for unit in read(prompt.removesuffix(MARK), "zh").units if unit.judged)


def test_no_training_text_is_about_the_things_of_a_held_out_one():
    train = {things(prompt) for prompt in TASK.prompts(n=2500, seed=2)}
    heldout = {things(prompt) for prompt in TASK.prompts("heldout", 300, seed=2)}
    assert not train & heldout
    assert not heldout & {things(text.partition(MARK)[0]) for text in TASK.corpus(100)}
    assert min(map(len, heldout)) == 3


def test_no_thing_is_held_out():
    seen = {thing for prompt in TASK.prompts(n=600, seed=3) for thing in things(prompt)}
    assert {row["aspect"] for row in rows("reviews", "aspects.tsv")} <= seen


def test_a_seed_gives_the_same_texts_again():
    for draw in (TASK.corpus, TASK.original, TASK.labelled, TASK.rankings):
        assert draw(5, seed=1) == draw(5, seed=1) != draw(5, seed=2)
    assert TASK.prompts(n=5, seed=1) == TASK.prompts(n=5, seed=1) != TASK.prompts(n=5, seed=2)


def test_labels_and_rankings_follow_gold():
    for text, label in TASK.labelled(41, seed=4):
        prompt, _, response = text.partition(MARK)
        assert gold(response, prompt) >= 0.85 if label else gold(response, prompt) <= 0.6
    assert sum(label for _, label in TASK.labelled(41, seed=4)) == 21
    for one in TASK.rankings(20, k=3, seed=4, split="heldout"):
        worth = [TASK.gold(one.prompt, response) for response in one.responses]
        assert worth == sorted(worth, reverse=True)
        assert list(one.ranks) == [1 + sum(other > g for other in worth) for g in worth]


@pytest.mark.parametrize("call", [
    lambda: TASK.prompts("dev"), lambda: TASK.corpus(0), lambda: TASK.labelled(-1), lambda: TASK.rankings(1, k=1),
    lambda: TASK.rankings(1, noise=math.nan), lambda: TASK.prompts(n=0)])
def test_bad_arguments_are_refused(call):
    with pytest.raises(ValueError, match=" is ") as caught:
        call()
    assert "\n" not in str(caught.value)


# Overlap with references.

def test_without_sacrebleu_it_is_said_how_to_get_it(monkeypatch):
    plain = builtins.__import__
    def none(name, *args, **kwargs):
        if name == "sacrebleu":
            raise ImportError(name)
        return plain(name, *args, **kwargs)
    monkeypatch.setattr(builtins, "__import__", none)
    for count in (overlap.bleu, overlap.chrf):
        with pytest.raises(ValueError, match=r'^sacrebleu is not installed; .* "rlhf-kit\[translation\]"\.$'):
            count(["a"], ["a"])


def test_overlap_by_hand_and_what_it_does_not_see():
    pytest.importorskip("sacrebleu")
    references = ["The lid is very tight and the handle is sturdy ."]
    assert overlap.bleu(references, references) == pytest.approx(100)
    assert overlap.chrf(references, references) == pytest.approx(100)
    # One word of eleven differs: 10/11 words, 8/10, 6/9 and 4/8 of the pairs, threes and fours that hold it not.
    turned = ["The lid is very loose and the handle is sturdy ."]
    assert overlap.bleu(turned, references) == pytest.approx(100 * (10 / 11 * 8 / 10 * 6 / 9 * 4 / 8) ** 0.25)
    assert overlap.chrf(turned, references) > 70
    with pytest.raises(ValueError, match="there are 1 responses and 2 references"):
        overlap.bleu(["a"], ["a", "b"])
