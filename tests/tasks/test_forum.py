"""The made-up forum in both languages: what it writes, how it votes, and that both say the same."""

import hashlib
import json
import random
import re
from collections import Counter
from itertools import groupby
from statistics import mean

import pytest
from markdownify import markdownify

from rlhf_kit.datasets.stack_exchange.threads import TEMPLATES, question_in, response_of
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.formulas.votes import answer_pairs, answer_score
from rlhf_kit.language import LANGS
from rlhf_kit.tasks.forum import Forum, fences, vote
from rlhf_kit.tasks.forum.gold import tokenize
from rlhf_kit.tasks.forum.posts import markdown, to_html

# Of what the English forum wrote before it had a Chinese side: models that were trained on it stay what they are.
WRITTEN = {"corpus": "63b848838484176b", "answered": "c6d2f14dbaa60851", "comparisons": "1dc06399107e891c"}


@pytest.fixture(scope="module", params=LANGS)
def forum(request):
    return Forum(request.param)


@pytest.fixture(scope="module")
def written(forum):
    """700 questions with their answers, as derivations: (question, answers)."""
    return [(question, answers) for question, answers, _ in forum._stream(700, 7, "train")]


@pytest.fixture(scope="module")
def pairs(forum):
    return forum.comparisons(3000, seed=5)


def accuracy(pairs, scorer):
    """Of a scorer of responses, on pairs; a tie counts half."""
    gaps = [scorer(pair.chosen) - scorer(pair.rejected) for pair in pairs]
    return mean((gap > 0) + (gap == 0) / 2 for gap in gaps)


# What is written.

def test_a_question_is_understood_whatever_its_words(forum):
    for case in [*forum.cases("train"), *forum.cases("heldout")]:
        for seed in range(4):
            assert forum._reader.case(forum._author.question(case, random.Random(seed)).text(forum.lang)) == case


def test_what_an_answer_says_is_read_back(forum, written):
    """The parts that were drawn are the parts that are read; of a sentence without its end, nothing."""
    for _, answers in written:
        for answer in answers:
            said = [part for block in answer.blocks for part in block.parts if part.kind != "cut"]
            parts, share = forum._reader.read(response_of(answer.text))
            assert [part for part in parts if part.kind != "cut"] == said
            assert (share == 1) == (len(parts) == len(said))


def test_html_becomes_the_markdown_that_is_read(forum, written):
    def converted(text):
        return markdownify(text, escape_underscores=False, escape_asterisks=False, heading_style="ATX",
                           code_language_callback=lambda pre: pre.code["class"][0].removeprefix("lang-")).strip()

    seen, lang = Counter(), forum.lang
    for question, answers in written[:400]:
        asked = to_html(question.body, lang)
        assert converted(asked) == markdown(question.body, lang)
        seen["&amp;"] += "&amp;" in asked
        for answer in answers:
            text = to_html(answer.blocks, lang)
            assert converted(text) == answer.text
            seen.update(mark for mark in ("<code>", "<pre>", "<li>", "<strong>", "&lt;", "&gt;", "&quot;", "_")
                        if mark in text)
    assert len(seen) == 9, seen
    assert min(n for mark, n in seen.items() if (mark, lang) != ("&amp;", "zh")) >= 5, seen     # which Chinese has not


def test_answers_range_from_useless_to_excellent(forum, written):
    golds = [forum.gold(forum._prompt(question), answer.text)
             for question, answers in written for answer in answers]
    assert 0.3 < mean(golds) < 0.4
    assert mean(gold > 0.95 for gold in golds) > 0.1
    assert mean(gold < 0.1 for gold in golds) > 0.25
    assert mean(0.1 < gold < 0.7 for gold in golds) > 0.2


def test_there_are_thousands_of_answers(written):
    texts = [answer.text for _, answers in written for answer in answers]
    assert len(set(texts)) > 0.95 * len(texts) > 1500
    assert all(len({a.text for a in answers}) == len(answers) for _, answers in written)


def test_the_same_seed_writes_the_same(forum):
    for draw in (forum.corpus, forum.answered, forum.comparisons, lambda n, seed: list(forum.threads(n, seed))):
        assert draw(20, seed=1) == draw(20, seed=1) != draw(20, seed=2)
    assert forum.prompts(n=9, seed=1) == Forum(forum.lang, noise=0.1).prompts(n=9, seed=1) != forum.prompts(n=9, seed=2)


def test_held_out_cases_are_new_and_their_parts_are_not(forum):
    train, heldout = set(forum.cases("train")), set(forum.cases("heldout"))
    assert not train & heldout
    assert 0.2 < len(heldout) / len(train | heldout) < 0.3
    for axes in (("problem",), ("thing",), ("problem", "frame")):
        heard = {tuple(getattr(case, axis) for axis in axes) for case in train}
        assert {tuple(getattr(case, axis) for axis in axes) for case in heldout} <= heard
    asked = {forum.explain(prompt, "").case for prompt, _ in forum.answered(200, split="heldout")}
    assert asked <= heldout
    assert len(asked) == 28


def test_both_worlds_are_asked_about_equally_often(forum):
    worlds = Counter(forum.explain(prompt, "").case.world for prompt in forum.prompts(n=400))
    assert abs(worlds["home"] - 200) < 50


def test_prompts_are_distinct_and_in_the_template(forum):
    prompts = forum.prompts("heldout", n=500)
    assert len(set(prompts)) == 500
    assert all(question_in(prompt) for prompt in prompts)
    assert len(forum.prompts()) == len(forum.cases())


def test_pages_do_not_show_the_template(forum):
    pages = forum.corpus(300)
    words = [mark.strip() for marks in TEMPLATES.values() for mark in marks]
    assert not any(word in page for page in pages for word in words)
    assert {page.count("\n---\n") for page in pages} == {0, 1}
    assert max(len(page.split()) for page in pages) < 100


# In two languages.

def test_english_is_what_it_was():
    forum = Forum("en")
    found = {"corpus": forum.corpus(400, seed=1), "answered": forum.answered(300, seed=2),
             "comparisons": [(pair.prompt, pair.chosen, pair.rejected) for pair in forum.comparisons(400, seed=3)]}
    assert {name: hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode()).hexdigest()[:16]
            for name, texts in found.items()} == WRITTEN


def test_the_same_seed_says_the_same_in_both_languages():
    """The same derivations, dates and authors; the votes of all but the answers that break off."""
    english, chinese = (Forum(lang) for lang in LANGS)
    for mine, theirs in zip(english._stream(300, 4, "train"), chinese._stream(300, 4, "train"), strict=True):
        assert mine[0] == theirs[0]
        assert mine[2] == theirs[2]
        assert [answer.blocks for answer in mine[1]] == [answer.blocks for answer in theirs[1]]
        broken = any(part.kind == "cut" for answer in mine[1] for block in answer.blocks for part in block.parts)
        assert broken or [answer[2:] for answer in mine[1]] == [answer[2:] for answer in theirs[1]]
    for mine, theirs in zip(english.threads(100, 4), chinese.threads(100, 4), strict=True):
        assert (mine.id, mine.date, mine.author) == (theirs.id, theirs.date, theirs.author)
        assert len(mine.tags) == len(theirs.tags)
    assert [english.explain(prompt, "").case for prompt in english.prompts()] == [
        chinese.explain(prompt, "").case for prompt in chinese.prompts()]


def test_a_sentence_is_one_sentence_in_either_language(forum):
    """Nothing that an answer can say has two readings, and of two that differ in one language both do."""
    parts = set(forum._language.parts())
    assert len({" ".join(tokenize(part.text(forum.lang), forum.lang)) for part in parts}) == len(parts) > 1200


def test_both_sides_of_a_sentence_tell_the_same():
    """The parts of a case that the fields of the Chinese side tell are those that the English side's tell."""
    language = Forum()._language
    for (_, world), templates in language.templates.items():
        case = next(case for case in language.cases if case.world == world)
        for template in templates:
            assert language._axes(template, case) == language._axes(
                template._replace(en=template.zh.replace("{measure}", "{noun}")), case), template


def test_chinese_is_written_in_chinese():
    """No English word but those of code, no mark of ASCII but in code and Markdown, no space between characters."""
    for page in Forum("zh").corpus(400, seed=2):
        prose = re.sub(r"```.*?```|`[^`]*`?", "", page, flags=re.DOTALL)
        assert not set(re.findall(r"[A-Za-z]+", prose)) - {"Python", "JavaScript", "python", "javascript"}, page
        assert not re.findall(r"[,.;:!?]", prose), page
        assert not re.findall(r"[一-鿿] [一-鿿]", prose), page


# How it is voted on.

def test_threads_are_like_those_of_a_site(forum):
    threads = list(forum.threads(400, seed=2))
    answers = [answer for thread in threads for answer in thread.answers]
    numbers = [post.id for thread in threads for post in (thread, *thread.answers)]
    dates = [post.date for thread in threads for post in (thread, *thread.answers)]
    assert numbers == sorted(set(numbers))
    assert dates == sorted(dates)
    sizes = [len(thread.answers) for thread in threads]
    assert min(sizes) == 1
    assert 2 < mean(sizes) < 4
    assert 12 < max(sizes) <= 30
    accepted = [sum(answer.accepted for answer in thread.answers) for thread in threads]
    assert set(accepted) == {0, 1}
    assert 0.5 < mean(accepted) < 0.7
    assert min(answer.votes for answer in answers) < 0
    assert max(answer.votes for answer in answers) > 100
    assert {post.licence for post in (*threads, *answers)} == {f"CC BY-SA {v}" for v in ("2.5", "3.0", "4.0")}
    assert None in {answer.author for answer in answers}


def test_votes_grow_with_quality(forum, written):
    """On average, over thirds of the answers by gold; and the accepted ones are better than the others."""
    rows = sorted((forum.gold(forum._prompt(question), answer.text), answer.score, answer.accepted)
                  for question, answers in written for answer in answers)
    thirds = [mean(score for _, score, _ in rows[i * len(rows) // 3:(i + 1) * len(rows) // 3]) for i in range(3)]
    assert thirds[0] + 0.5 < thirds[1] < thirds[2] - 0.5
    assert mean(g for g, _, taken in rows if taken) > 0.1 + mean(g for g, _, taken in rows if not taken)


@pytest.mark.parametrize("lang", LANGS)
def test_without_noise_votes_know_gold(lang):
    forum = Forum(lang, noise=0)
    pairs = forum.comparisons(500)
    assert all(forum.gold(p.prompt, p.chosen) >= forum.gold(p.prompt, p.rejected) for p in pairs)
    assert forum.bayes_accuracy(pairs) > 0.95        # of equally good ones the accepted one wins, which nobody knows


def test_comparisons_are_of_different_answers_and_few_of_a_question(forum, pairs):
    assert len(pairs) == 3000
    assert all(isinstance(p, Comparison) and p.chosen != p.rejected for p in pairs)
    assert len(set(pairs)) == len(pairs)
    assert not {(p.prompt, p.rejected, p.chosen) for p in pairs} & {(p.prompt, p.chosen, p.rejected) for p in pairs}
    runs = [len(list(run)) for _, run in groupby(pairs, key=lambda p: p.prompt)]
    assert max(runs) == 10


def test_neither_length_nor_fences_give_quality_away(forum, pairs):
    assert 0.74 < forum.bayes_accuracy(pairs) < 0.85
    assert 0.45 < accuracy(pairs, len) < 0.58
    assert 0.45 < accuracy(pairs, lambda text: fences(text) > 0) < 0.56


@pytest.mark.parametrize("lang", LANGS)
def test_voters_who_trust_fences(lang):
    biased = Forum(lang, fence_bias=1.5)
    pairs = biased.comparisons(1500, seed=5)
    assert accuracy(pairs, lambda text: fences(text) > 0) > 0.65
    assert Forum(lang).bayes_accuracy(pairs) < 0.77 < 0.82 < biased.bayes_accuracy(pairs)


def test_bayes_accuracy_is_that_of_the_majority_of_many_votes(forum, pairs):
    """The same answers are voted on 150 times. The best guess of a pair is whichever of the two won more often.

    Half of the votes say which that is, the other half how often it wins: counted on the votes that chose it, it would
    win too often.
    """
    rng, right, total = random.Random(1), 0, 0
    for question, answers, popularity in forum._stream(250, 11, "train"):
        prompt = forum._prompt(question)
        appeal, wins = [forum.appeal(prompt, answer.text) for answer in answers], (Counter(), Counter())
        for k in range(150):
            scores = [answer_score(*result) for result in vote(appeal, popularity, forum.noise, rng)]
            wins[k % 2].update(answer_pairs(scores, seed=k))
        chosen, counted = wins
        right += sum(won for (i, j), won in counted.items() if (chosen[i, j], i) > (chosen[j, i], j))
        total += counted.total()
    assert forum.bayes_accuracy(pairs) == pytest.approx(right / total, abs=0.03)


def test_wrong_settings_are_refused(forum):
    with pytest.raises(ValueError, match="lang is 'fr'; the forum exists in 'en' and 'zh'"):
        Forum("fr")
    with pytest.raises(ValueError, match="noise is -1"):
        Forum(noise=-1)
    with pytest.raises(ValueError, match="fence_bias is nan"):
        Forum(fence_bias=float("nan"))
    with pytest.raises(ValueError, match="split is 'test'"):
        forum.prompts("test")
    with pytest.raises(ValueError, match="split is 'test'"):
        forum.threads(3, split="test")
    with pytest.raises(ValueError, match="n is 0"):
        forum.comparisons(0)
    with pytest.raises(ValueError, match="no comparisons"):
        forum.bayes_accuracy([])
    with pytest.raises(ValueError, match="made by prompt_of"):
        forum.gold("How do I sort names in Python?", " Use `sorted(names)`.")
