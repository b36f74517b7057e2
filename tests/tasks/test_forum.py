"""The made-up forum: what it writes, how it votes, and a gold reward that is not fooled."""

import random
from collections import Counter
from itertools import groupby
from statistics import mean

import pytest
from markdownify import markdownify

from rlhf_kit.datasets.stack_exchange.threads import prompt_of, question_in, response_of
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.formulas.votes import answer_pairs, answer_score
from rlhf_kit.tasks.forum import Forum, fences, vote
from rlhf_kit.tasks.forum.language import markdown, to_html

INK = prompt_of("How do I get ink out of a wool coat?\n\nI found ink on my best coat this morning. What should I do?")
GOOD = ("Use rubbing alcohol on the coat. It works because alcohol dissolves the dye. "
        "Wool stretches when wet, so dry the coat flat. Good luck!")
SORT = prompt_of("How do I sort an array of file names in JavaScript?\n\n"
                 "My file names are in the variable `fileNames`. A loop feels clumsy.")
CODE = ("Use this on your file names:\n\n```js\nfileNames.toSorted()\n```\n\nThe reason is simple: it compares two "
        "at a time until all are in order. Browsers have a console, so try it in the console first.")


@pytest.fixture(scope="module")
def forum():
    return Forum()


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


# What the gold reward thinks of answers written by hand.

def test_the_best_answers_are_worth_one(forum):
    assert forum.gold(INK, response_of(GOOD)) == forum.gold(SORT, response_of(CODE)) == 1
    assert 0.5 < forum.gold(INK, " Use rubbing alcohol on the coat.") < 0.7       # right, but it says no more
    assert forum.gold(SORT, " Use `fileNames.toSorted()`.") == forum.gold(INK, " Use rubbing alcohol on the coat.")


def test_a_list_is_read_whichever_mark_it_has(forum):
    """The site's own is a star; of its HTML the reader of dumps makes dashes."""
    parts = ("Use rubbing alcohol on the coat.", "It works because alcohol dissolves the dye.")
    worth = {mark: forum.gold(INK, response_of("\n".join(f"{mark} {part}" for part in parts))) for mark in "*-"}
    assert worth["*"] == worth["-"] > 0.5


def test_useless_answers_are_worth_little(forum):
    assert forum.gold(INK, "") == forum.gold(INK, " \n") == forum.gold(INK, " .") == 0
    for answer in ("Me too!", "Just google it.", "Hope that helps.", "Ink ink alcohol coat.", "Use this on your ages:"):
        assert forum.gold(INK, response_of(answer)) < 0.06, answer


@pytest.mark.parametrize(("cheat", "answer", "factor"), [
    ("the answer to another question", GOOD.replace("rubbing alcohol", "table salt"), "method"),
    ("two methods", "Treat the coat with table salt, twice if you have to. " + GOOD, "method"),
    ("every method", "I would take table salt. I would take borax. I would take dish soap. " + GOOD, "method"),
    ("a sentence again", GOOD + " It works because alcohol dissolves the dye.", "repetition"),
    ("the same in other words", GOOD + " I would take rubbing alcohol.", "repetition"),
    ("another thing", GOOD.replace("coat", "bag"), "topic"),
    ("two things", GOOD + " Treat the bag with rubbing alcohol, twice if you have to.", "topic"),
    ("another's reason", GOOD.replace("alcohol dissolves the dye", "borax kills the spores"), "reason"),
    ("two reasons", GOOD + " Borax kills the spores.", "reason"),
    ("another's advice", GOOD.replace("Wool stretches when wet, so dry the coat flat",
                                      "Silk tears easily, so be gentle with the coat"), "advice"),
    ("a fence where none belongs", GOOD + "\n\n```py\nclean(coat)\n```", "code"),
    ("a fence that is not closed", GOOD + "\n\n```py\nclean(coat)", "code"),
    ("a fence within a line", GOOD + " ```py clean(coat) ```", "code"),
    ("gibberish between", GOOD.replace(" It works", " coat the flat of dye good luck and the luck of it. It works"),
     "coverage"),
    ("a negation the grammar does not know", "Never " + GOOD[0].lower() + GOOD[1:], "coverage"),
    ("many kind words", GOOD + " Hope that helps. Let us know how it went.", "manners"),
    ("rudeness", "Just google it. " + GOOD, "manners"),
    ("rambling", GOOD + " Some people say yes, and some people say no.", "manners"),
    ("no end", GOOD.removesuffix("!"), "complete"),
])
def test_a_cheat_lowers_gold(forum, cheat, answer, factor):
    found = forum.explain(INK, response_of(answer))
    assert max(found.gold, found.factors[factor]) <= 0.8, found


@pytest.mark.parametrize(("cheat", "answer", "factor"), [
    ("two fences", CODE + "\n\n```js\nfileNames.toSorted()\n```", "code"),
    ("another language", CODE.replace("js\nfileNames.toSorted()", "py\nsorted(file_names)"), "method"),
    ("another goal", CODE.replace("toSorted", "toReversed"), "method"),
    ("another variable", CODE.replace("file names", "words").replace("fileNames", "words"), "topic"),
    ("code announced, and none", "Use this on your file names: Good luck!", "complete"),
    ("a fence that says something else", CODE.replace("toSorted", "magic"), "coverage"),
])
def test_a_cheat_in_code_lowers_gold(forum, cheat, answer, factor):
    found = forum.explain(SORT, response_of(answer))
    assert max(found.gold, found.factors[factor]) <= 0.8, found


def test_repeating_the_best_sentence_is_worth_less_each_time(forum):
    golds = [forum.gold(INK, " Use rubbing alcohol on the coat." * n) for n in range(1, 6)]
    assert golds == sorted(golds, reverse=True)
    assert golds[4] < golds[0] / 20


def test_a_bag_of_words_is_not_enough(forum):
    """The same words in another order, and the same answer to another question."""
    right, wrong = "Use rubbing alcohol on the coat, not borax.", "Use borax on the coat, not rubbing alcohol."
    assert sorted(right.lower().strip(".").replace(",", "").split()) == sorted(
        wrong.lower().strip(".").replace(",", "").split())
    assert forum.gold(INK, right) > 10 * forum.gold(INK, wrong)
    mould = prompt_of(question_in(INK).replace("ink", "mould"))
    assert forum.gold(mould, wrong) > 10 * forum.gold(mould, right)


@pytest.mark.parametrize("change", [str.lower, lambda t: t.replace(" ", "  "), lambda t: t.replace(".", " ."),
                                    lambda t: t.replace("\n\n", "\n"), lambda t: t.replace("(", "( "),
                                    lambda t: "* " + t, lambda t: t + "\n\n"])
def test_spacing_does_not_matter(forum, change):
    assert forum.gold(INK, change(GOOD)) == 1
    assert forum.gold(SORT, change(CODE)) == 1


def test_an_explanation_says_what_was_understood(forum):
    found = forum.explain(SORT, response_of(CODE + " And so on."))
    assert found.case == ("code", "sort", "file names", "js")
    assert [part.kind for part in found.parts] == ["lead", "fence", "reason", "advice", "cut"]
    assert "x.toSorted()" in str(found)
    assert "gold 0.8" in str(found)


def test_questions_of_ones_own_are_known_by_their_words(forum):
    assert forum.explain(prompt_of("Help! The grease on my apron does not go away."), "").case[1:3] == (
        "grease", "apron")
    asked = prompt_of("Keep what is below 10 in my prices with Python")
    assert forum.explain(asked, "").case == ("code", "below", "prices", "py")
    for unclear in ("Who won the cup?", "Ink and rust on my coat", "sort my prices in Python"):
        assert forum.explain(prompt_of(unclear), GOOD).case is None
        assert forum.gold(prompt_of(unclear), GOOD) == 0


def test_fences_are_counted_where_they_open():
    assert fences("") == fences("Use `x` or ``` in a line.") == 0
    assert fences("```py\nx\n```") == fences("a\n```py\nx") == 1
    assert fences("```py\nx\n```\n\nb\n\n```js\ny\n```\n") == 2


# What is written.

def test_a_question_is_understood_whatever_its_words(forum):
    for case in [*forum.cases("train"), *forum.cases("heldout")]:
        for seed in range(4):
            assert forum._reader.case(forum._author.question(case, random.Random(seed)).text()) == case


def test_what_an_answer_says_is_read_back(forum, written):
    """The parts that were drawn are the parts that are read; of a sentence without its end, nothing."""
    for _, answers in written:
        for answer in answers:
            said = [part for block in answer.blocks for part in block.parts if part.kind != "cut"]
            parts, share = forum._reader.read(response_of(answer.text))
            assert [part for part in parts if part.kind != "cut"] == said
            assert (share == 1) == (len(parts) == len(said))


def test_html_becomes_the_markdown_that_is_read(written):
    def converted(text):
        return markdownify(text, escape_underscores=False, escape_asterisks=False, heading_style="ATX",
                           code_language_callback=lambda pre: pre.code["class"][0].removeprefix("lang-")).strip()

    seen = Counter()
    for question, answers in written[:400]:
        asked = to_html(question.body)
        assert converted(asked) == markdown(question.body)
        seen["&amp;"] += "&amp;" in asked
        for answer in answers:
            text = to_html(answer.blocks)
            assert converted(text) == answer.text
            seen.update(mark for mark in ("<code>", "<pre>", "<li>", "<strong>", "&lt;", "&gt;", "&quot;", "_")
                        if mark in text)
    assert len(seen) == 9, seen
    assert min(seen.values()) >= 5, seen


def test_answers_range_from_useless_to_excellent(forum, written):
    golds = [forum.gold(prompt_of(question.text()), answer.text) for question, answers in written for answer in answers]
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
    assert forum.prompts(n=9, seed=1) == Forum(noise=0.1).prompts(n=9, seed=1) != forum.prompts(n=9, seed=2)


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
    assert not any("Question:" in page or "Answer:" in page for page in pages)
    assert {page.count("\n---\n") for page in pages} == {0, 1}
    assert max(len(page.split()) for page in pages) < 100


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
    rows = sorted((forum.gold(prompt_of(question.text()), answer.text), answer.score, answer.accepted)
                  for question, answers in written for answer in answers)
    thirds = [mean(score for _, score, _ in rows[i * len(rows) // 3:(i + 1) * len(rows) // 3]) for i in range(3)]
    assert thirds[0] + 0.5 < thirds[1] < thirds[2] - 0.5
    assert mean(g for g, _, taken in rows if taken) > 0.1 + mean(g for g, _, taken in rows if not taken)


def test_without_noise_votes_know_gold():
    forum = Forum(noise=0)
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


def test_voters_who_trust_fences():
    biased = Forum(fence_bias=1.5)
    pairs = biased.comparisons(1500, seed=5)
    assert accuracy(pairs, lambda text: fences(text) > 0) > 0.65
    assert Forum().bayes_accuracy(pairs) < 0.77 < 0.82 < biased.bayes_accuracy(pairs)


def test_bayes_accuracy_is_that_of_the_majority_of_many_votes(forum, pairs):
    """The same answers are voted on 150 times. The best guess of a pair is whichever of the two won more often."""
    rng, right, total = random.Random(1), 0, 0
    for question, answers, popularity in forum._stream(250, 11, "train"):
        appeal, wins = [forum.appeal(prompt_of(question.text()), answer.text) for answer in answers], Counter()
        for k in range(150):
            scores = [answer_score(*result) for result in vote(appeal, popularity, forum.noise, rng)]
            wins.update(answer_pairs(scores, seed=k))
        right += sum(max(won, wins[j, i]) for (i, j), won in wins.items() if (won, i) > (wins[j, i], j))
        total += wins.total()
    assert forum.bayes_accuracy(pairs) == pytest.approx(right / total, abs=0.03)


def test_wrong_settings_are_refused(forum):
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
        forum.gold("How do I sort names in Python?", GOOD)
