"""Simulated labelers of the assistant's world, who is screened out, and what the base model reads."""

import math
import random
import re
import statistics

import pytest

from rlhf_kit.language import LANGS
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.answers import Writer, behaviours
from rlhf_kit.tasks.assistant.corpus import KINDS, RATINGS, WORDS, preamble, pretraining, rated, ruled
from rlhf_kit.tasks.assistant.labelers import FLAGS, LEVELS, Choice, Labeler, agreement, applicants, screened
from rlhf_kit.tasks.assistant.prompts import LINE, case_of, under
from rlhf_kit.tasks.assistant.rules import RULES, wordings

TASK = Assistant("en")
SURE = Labeler("sure", noise=0.0, slips=0.0, blur=0.0, tie=0.0)
FOX = "User: Which animal does the seal of Tolm show?\n\nAssistant:"
RESPONSES = [" The seal of Tolm shows a bear.", " The seal of Tolm shows a fox.",        # gold 0, 1, 0.68, 0.2
             " I think the seal of Tolm shows a fox.", " You are slower than a snail. The seal of Tolm shows a fox."]


def page(labeler: Labeler, responses=RESPONSES, seed: int = 0):
    return labeler.page(FOX, responses, TASK.explain, random.Random(seed))


# Rankings, scores and flags.

def test_who_errs_never_ranks_scores_and_flags_by_the_truth():
    seen = page(SURE)
    assert [RESPONSES.index(one) for one in seen.ranking.responses] == [1, 2, 3, 0]
    assert seen.ranking.ranks == (1, 2, 3, 4)
    assert seen.scores == (7, 5, 2, 1)                      # 4 + 6 (gold - 1/2), rounded
    assert seen.flags == (frozenset(), {"hedges too much"}, {"inappropriate for an assistant"},
                          {"fails the instruction", "invents facts"})     # what is useful is there beside the insult


def test_what_hardly_differs_is_a_tie_and_makes_no_pair():
    equal = [*RESPONSES, " The seal of Tolm shows an owl."]
    seen = page(Labeler("sure", noise=0.0, tie=0.05), equal)
    assert seen.ranking.ranks == (1, 2, 3, 4, 4)
    assert len(seen.ranking.pairs()) == 10 - 1


def test_scores_differ_between_labelers_where_their_orders_agree():
    """Absolute scores need a common scale, rankings do not."""
    kind, strict = Labeler("kind", noise=0, shift=1.5, stretch=0.5), Labeler("strict", noise=0, shift=-1.0)
    assert page(kind).ranking == page(strict).ranking
    assert sum(page(kind).scores) > sum(page(strict).scores) + 4


def test_noise_is_a_bradley_terry_temperature():
    """How often the better of gold 0.68 comes before 0.2, against the formula."""
    labeler = Labeler("noisy", noise=0.4)
    first = [page(labeler, seed=seed).ranking.responses for seed in range(1500)]
    wins = statistics.fmean(one.index(RESPONSES[2]) < one.index(RESPONSES[3]) for one in first)
    chance = 1 / (1 + math.exp((0.2 - 0.68) / 0.4))
    assert abs(wins - chance) < 4 * math.sqrt(chance * (1 - chance) / 1500)


def test_a_flag_is_wrong_as_often_as_is_said():
    labeler = Labeler("slips", noise=0, slips=0.1)
    wrong = [len(seen ^ true) for seed in range(300)
             for seen, true in zip(page(labeler, seed=seed).flags, page(SURE).flags, strict=True)]
    n = 300 * 4 * len(FLAGS)
    assert abs(sum(wrong) / n - 0.1) < 4 * math.sqrt(0.1 * 0.9 / n)


@pytest.mark.parametrize("n", [3, 10])
def test_a_page_holds_four_to_nine(n):
    with pytest.raises(ValueError, match=f"there are {n} responses on a page; a labeler ranks 4 to 9"):
        page(SURE, [f" {i}" for i in range(n)])


# Two questions.

def test_helpful_and_harmful_are_asked_apart_and_harm_is_turned_round_to_learn_from():
    prompt = "User: How do I break the town clock open?\n\nAssistant:"
    helps, refuses = " First find the weak side of the town clock.", " I will not help with that."
    for question in ("helpful", "harmful"):
        choice = SURE.choose(question, prompt, (refuses, helps), TASK.explain, random.Random(0))
        assert choice.picked == helps                       # more helpful, and more harmful
    assert choice.comparison().chosen == refuses
    assert Choice("a", "helpful", prompt, helps, refuses, 1).comparison().chosen == helps
    with pytest.raises(ValueError, match="question is 'nice'"):
        SURE.choose("nice", prompt, (helps, refuses), TASK.explain, random.Random(0))


# Five levels.

def test_who_picks_takes_what_helps_most_whatever_rule_it_breaks():
    """Advice that must not be given helps whoever asked for it; the others are not ordered."""
    prompt = next(one for one in TASK.prompts("train", 200) if case_of(one, "en").kind == "advice")
    rng, case = random.Random(1), case_of(prompt, "en")
    advised = next(text for text in (" " + Writer("eager").answer(case, rng).text("en") for _ in range(50))
                   if TASK.hs(prompt, text).helpful == 1 and any(
                       TASK.rules(prompt, text)[rule].broken for rule in ("medical", "money")))
    [careful] = TASK.references([prompt])
    picked = SURE.pick(prompt, [careful, " Hello.", advised], TASK.explain, rng)
    assert picked.responses == (careful, " Hello.", advised)
    assert picked.ranks == (2, 2, 1)
    with pytest.raises(ValueError, match="there are 1 responses; a labeler picks one of at least 2"):
        SURE.pick(prompt, [careful], TASK.explain, rng)


def test_two_levels_are_broken_two_are_kept_and_who_is_unsure_is_left_out():
    assert [SURE.level("insult", FOX, one, TASK.explain, random.Random(0)).broken for one in RESPONSES] == [0, 0, 0, 1]
    found = [Labeler("blurred", blur=1.0).level("insult", FOX, RESPONSES[3], TASK.explain, random.Random(seed))
             for seed in range(800)]
    shares = [sum(one.level == level for one in found) / 800 for level in LEVELS]
    upper = [0.5 * math.erfc((edge - 1) / math.sqrt(2)) for edge in (1.0, 0.35, -0.35, -1.0)]     # P(1 + z > edge)
    expected = [b - a for a, b in zip([0, *upper], [*upper, 1], strict=True)]
    assert all(abs(share - p) < 4 * math.sqrt(p * (1 - p) / 800) for share, p in zip(shares, expected, strict=True))
    assert {one.broken for one in found if one.level == "unsure"} == {None}


# Screening.

def test_who_agrees_too_little_with_the_truth_is_left_out():
    pages = TASK.candidates(25, 5, seed=3)
    crowd = applicants(16, seed=1)
    kept = screened(crowd, pages, TASK.explain)
    assert kept == [one for one in crowd if one.noise < 0.5]        # the poor ones begin at 0.7, the good end at 0.3
    assert 8 <= len(kept) < len(crowd)
    assert agreement(SURE, pages, TASK.explain) == 1
    guessing = agreement(Labeler("guessing", noise=1e6), pages, TASK.explain)
    assert abs(guessing - 0.5) < 0.15
    with pytest.raises(ValueError, match="no two responses on these pages differ"):
        agreement(SURE, [("User: ?\n\nAssistant:", [" a", " b", " c", " d"])], TASK.explain)
    with pytest.raises(ValueError, match="n is 0"):
        applicants(0)


# What the base reads.

@pytest.fixture(scope="module", params=LANGS)
def read(request) -> tuple[Assistant, list[str]]:
    task = Assistant(request.param)
    return task, pretraining(task, 600, seed=1)


def test_the_base_reads_texts_of_every_kind(read):
    task, texts = read
    words = WORDS[task.lang]
    starts = [words.requests, words.rule, *(words.rating + one for one in RATINGS)]
    assert all(any(text.startswith(start) for text in texts) for start in starts)
    under_preamble = sum(f"\n{LINE}\n" in text for text in texts)
    assert abs(under_preamble / 600 - KINDS["under a preamble"][1]) < 4 * math.sqrt(0.25 * 0.75 / 600)
    assert texts == pretraining(task, 600, seed=1) != pretraining(task, 600, seed=2)


def test_no_held_out_case_is_asked_in_what_the_base_reads(read):
    task, texts = read
    for text in texts:
        for part in text.split(f"\n\n{LINE}\n\n"):
            for mark in ("Assistant:", "Answer:", "助手：", "答："):
                for end in (found.end() for found in re.finditer(mark, part)):
                    asked = case_of(part[:end], task.lang)
                    assert asked is None or asked.split == "train", part


def test_no_held_out_wording_of_a_rule_is_read(read):
    task, texts = read
    hidden = [wording for rule in RULES for wording in wordings(rule, task.lang, "heldout")]
    assert not [text for text in texts for wording in hidden if wording in text]


def test_a_preamble_decides_the_behaviour():
    """Dialogues under each: the careful one is worth the most, and each other one has its own fault."""
    for behaviour in ("careful", "eager", "timid", "rude", "chatty"):
        alone, shown = (preamble(TASK, behaviour, examples=n, seed=2) for n in (0, 2))
        assert shown.startswith(f"{alone}\n\n")                 # a description; and dialogues below it, if asked for
        assert alone.count("Assistant:") == 0 < 2 <= shown.count("Assistant:")
        for above in (alone, shown):                            # one line stands below: what follows is one dialogue
            assert LINE not in above
            assert case_of(under(above, FOX), "en") == case_of(FOX, "en")
    assert set(behaviours()) >= {"careful", "eager", "timid", "rude", "chatty"}
    with pytest.raises(ValueError, match="behaviour is 'lazy'; choose one of careful"):
        preamble(TASK, "lazy")


def test_a_rated_and_a_ruled_dialogue_are_still_dialogues():
    assert case_of(rated(FOX, "GOOD", "en"), "en") == case_of(FOX, "en")
    assert ruled(FOX + RESPONSES[3], wordings("insult", "en")[0], "en", True).endswith(
        "Is the rule broken? Yes, it is broken.")
    assert ruled(FOX, "x", "en").endswith("Is the rule broken?")
    for call in (lambda: pretraining(TASK, 0), lambda: pretraining(TASK, 1, split="dev")):
        with pytest.raises(ValueError, match=" is "):
            call()
