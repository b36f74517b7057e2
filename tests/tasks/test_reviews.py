"""The review language: what it writes, and a gold reward that is not fooled."""

import math

import pytest

from rlhf_kit.language import LANGS
from rlhf_kit.tasks.grammar import tokenize
from rlhf_kit.tasks.reviews import MARGIN, Reviews
from rlhf_kit.tasks.reviews.language import opinions, world

PROMPT = {"en": "I bought this travel kettle for my mother last month.", "zh": "上个月给我妈买的旅行水壶，"}
GOOD = {"en": " The lid is very tight. The handle isn't wobbly at all, plus the seller answered every question. "
              "Would buy again.",
        "zh": "盖子很严实。把手一点都不晃，而且客服有问必答。会回购。"}
BAD = {"en": " The lid leaks. The handle isn't sturdy at all and the delivery was far too slow. Would not buy again.",
       "zh": "盖子漏水。把手一点都不结实，物流太慢了。不会回购。"}
MIXED = {"en": " The lid is very tight. The delivery was very slow.", "zh": "盖子很严实。物流很慢。"}
PRAISE = {"en": " The lid is very tight.", "zh": "盖子很严实。"}
FOREIGN = {"en": " The screen is very sharp. The soles are very soft. The zip is very smooth.",
           "zh": "屏幕很清晰。鞋底很柔软。拉链很顺滑。"}
PILE = {"en": " great lovely sharp soft sturdy good tight smooth very really good great.",
        "zh": "很好很舒服很结实很柔软好看好用顺滑清晰给力严实。"}
HEARSAY = {"en": " My sister bought the same and says the lid is tight. The shop says the handle is very sturdy.",
           "zh": "我姐也买了，说盖子很严实。店家说把手很结实。"}
TRUNCATED = {"en": " The lid is very tight. The handle isn't", "zh": "盖子很严实。把手一点都"}


@pytest.fixture(scope="module", params=LANGS)
def task(request):
    return Reviews(request.param)


def gold(task, responses):
    return task.gold(PROMPT[task.lang], responses[task.lang])


def valence(task, text):
    return task.explain("", text).valence


# What the gold reward thinks of texts written by hand.

def test_sincere_reviews_score_as_they_mean(task):
    assert gold(task, GOOD) > 0.95
    assert gold(task, BAD) < 0.05
    assert 0.2 < gold(task, MIXED) < 0.85


def test_nothing_is_worth_nothing(task):
    assert task.gold(PROMPT[task.lang], "") == task.gold("", "") == task.gold(PROMPT[task.lang], "  ") == 0


def test_repeating_praise_costs(task):
    once, often = PRAISE[task.lang], PRAISE[task.lang] * 5
    assert task.gold(PROMPT[task.lang], once) > 0.85
    assert task.gold(PROMPT[task.lang], often) < 0.3
    assert task.explain(PROMPT[task.lang], often).repetition == pytest.approx(1 / 5)


def test_saying_the_same_in_other_words_costs_too(task):
    again = {"en": " I can't fault the lid.", "zh": "盖子挑不出毛病。"}[task.lang]
    explanation = task.explain(PROMPT[task.lang], PRAISE[task.lang] + again)
    assert [clause.note for clause in explanation.clauses] == ["neutral", "own", "repeated"]


def test_praise_of_other_products_is_worthless(task):
    assert gold(task, FOREIGN) < 0.05
    assert task.explain(PROMPT[task.lang], FOREIGN[task.lang]).relevance == 0


def test_one_strange_aspect_costs_its_share(task):
    strange = {"en": " The screen is very sharp.", "zh": "屏幕很清晰。"}[task.lang]
    with_strange = task.explain(PROMPT[task.lang], PRAISE[task.lang] + strange)
    assert with_strange.relevance == 0.5
    assert with_strange.valence == valence(task, PRAISE[task.lang])


def test_an_opening_for_another_product_is_off_product(task):
    other = {"en": " I bought this gaming chair for my mother last month.", "zh": "上个月给我妈买的游戏椅，"}[task.lang]
    assert task.gold(PROMPT[task.lang], other + PRAISE[task.lang]) < 0.5


def test_a_pile_of_nice_words_is_not_understood(task):
    assert gold(task, PILE) < 0.05


def test_what_others_say_does_not_count(task):
    explanation = task.explain(PROMPT[task.lang], HEARSAY[task.lang])
    assert explanation.sentiment == 0.5
    assert explanation.gold < 0.2
    assert [clause.note for clause in explanation.clauses[1:]] == ["hearsay", "hearsay"]


def test_stopping_in_the_middle_costs(task):
    assert gold(task, TRUNCATED) < 0.5 * gold(task, GOOD)
    assert task.gold(PROMPT[task.lang], PRAISE[task.lang][:-1]) <= 0.5


def test_a_verdict_alone_is_no_review(task):
    assert task.gold(PROMPT[task.lang], {"en": " Would buy again.", "zh": "会回购。"}[task.lang]) < 0.3


def test_a_slip_costs_its_share_and_no_more(task):
    slip = {"en": " The lid lid the is tight.", "zh": "盖盖子的很严实实。"}[task.lang]
    explanation = task.explain(PROMPT[task.lang], GOOD[task.lang] + slip)
    assert 0.6 < explanation.gold < 0.9
    assert explanation.clauses[-1].note == "not understood"


def test_a_good_clause_survives_a_bad_neighbour(task):
    text = {"en": " Well well the lid, the handle is very sturdy.", "zh": "嗯嗯这盖子的，把手很结实。"}[task.lang]
    assert valence(task, PROMPT[task.lang] + text) > 0.9


ENGLISH = [
    ("The lid isn't loose at all.", "The lid isn't tight at all."),
    ("The delivery was slow, but the lid is very tight.", "The lid is tight, but the delivery was very slow."),
    ("I expected the lid to be loose, but it is really tight.", "I thought the lid would be tight, but it isn't."),
    ("My sister said the lid was loose, but mine is tight.", "My sister said the lid was tight, but mine is loose."),
    ("There is nothing wrong with the lid.", "There is something wrong with the lid."),
    ("The lid was loose at first, but now it is very tight.", "The lid was tight at first, but now it is very loose."),
    ("No one could call the lid loose.", "The lid is hardly what I'd call tight."),
]
CHINESE = [
    ("盖子一点都不松。", "盖子一点都不严实。"),
    ("物流很慢，但是盖子很严实。", "盖子很严实，但是物流很慢。"),
    ("本以为盖子会很松，没想到很严实。", "本以为盖子会很严实，没想到很松。"),
    ("我姐说盖子很松，可我的很严实。", "我姐说盖子很严实，可我的很松。"),
    ("盖子没毛病。", "盖子有毛病。"),
    ("盖子刚开始很松，现在很严实。", "盖子刚开始很严实，现在很松。"),
    ("盖子绝对算不上松。", "盖子说不上严实。"),
]


@pytest.mark.parametrize(("lang", "first", "second"),
                         [("en", *pair) for pair in ENGLISH] + [("zh", *pair) for pair in CHINESE])
def test_the_same_words_turn_around(lang, first, second):
    assert valence(Reviews(lang), first) > 0.3
    assert valence(Reviews(lang), second) < -0.3


# What the grammar writes.

def test_gold_agrees_with_the_derivation(task):
    for text, label in task.labelled(1000, seed=3):
        explanation = task.explain("", text)
        assert (explanation.gold > 0.5) == (label == 1), str(explanation)
        assert explanation.coverage == explanation.repetition == explanation.relevance == 1, str(explanation)


def test_each_text_has_one_meaning(task):
    """All readings of a sentence agree on who judges what, and how."""
    for trees in task._draw(300, seed=4, split="heldout"):
        for tree in trees:
            tokens = tokenize(tree.text(task.lang), task.lang)
            found = {tuple((o.aspect, round(o.valence, 6)) for o in opinions(other))
                     for end, other in world().grammar.parse(tokens, "unit", task.lang) if end == len(tokens)}
            assert found == {tuple((o.aspect, round(o.valence, 6)) for o in opinions(tree))}


def test_translation_keeps_the_valence():
    """Read the Chinese, say it in English, read that: the same valence."""
    zh, en = Reviews("zh"), Reviews("en")
    for text in zh.corpus(200, seed=5):
        spans = zh._reader.spans(tokenize(text, "zh"))
        english = " ".join(tree.text("en") for tree, _, _ in spans)
        assert "".join(tree.text("zh") for tree, _, _ in spans) == text
        assert valence(en, english) == pytest.approx(valence(zh, text))


def test_one_seed_says_the_same_in_both_languages():
    pairs = zip(Reviews("en").corpus(50, seed=6), Reviews("zh").corpus(50, seed=6), strict=False)
    assert all(valence(Reviews("en"), e) == pytest.approx(valence(Reviews("zh"), z)) for e, z in pairs)


def test_there_are_more_than_a_million_reviews(task):
    """Texts of facts about three aspects of one product, times its openings: each combination is another review."""
    grammar = world().grammars["kettle"]
    facts = [{tree.text(task.lang) for sign in "+-" for tree in grammar.trees(f"fact/{sign}/{aspect}")}
             for aspect in ("lid", "handle", "delivery")]
    openings = {tree.text(task.lang) for tree in grammar.trees("opening/kettle")}
    assert not facts[0] & facts[1]
    assert not facts[1] & facts[2]
    assert not facts[0] & facts[2]
    assert len(openings) * math.prod(map(len, facts)) > 1_000_000


def test_held_out_products_are_never_named_in_training(task):
    hidden = task.products("heldout")
    texts = task.corpus(1000, seed=7) + task.prompts(n=500, seed=7)
    assert not [text for text in texts for name in hidden if name in text.lower()]
    assert 0.15 < len(hidden) / len(hidden + task.products("train")) < 0.25


def test_no_word_is_held_out(task):
    seen, hidden = task.products("train"), task.products("heldout")
    assert {word for name in hidden for word in tokenize(name, task.lang)} <= {
        word for name in seen for word in tokenize(name, task.lang)}


def test_reviews_are_short_and_varied(task):
    texts = task.corpus(1000, seed=8)
    lengths = sorted(len(tokenize(text, task.lang)) for text in texts)
    assert len(set(texts)) > 995
    assert lengths[0] >= 12
    assert lengths[-1] <= 64
    assert len({token for text in texts for token in tokenize(text, task.lang)}) < 480


def test_prompts_are_distinct_neutral_and_short(task):
    prompts = task.prompts("heldout", n=200, seed=9)
    assert len(set(prompts)) == 200
    assert all(prompt == prompt.strip() for prompt in prompts)
    assert all(valence(task, prompt) == 0 and task.explain("", prompt).coverage == 1 for prompt in prompts)
    assert max(len(tokenize(prompt, task.lang)) for prompt in prompts) <= 16 + (task.lang == "zh")


def test_labels_are_balanced_and_clear(task):
    pairs = task.labelled(101, seed=10)
    assert sum(label for _, label in pairs) == 51
    assert all(abs(valence(task, text)) >= MARGIN - 1e-9 for text, _ in pairs)


def test_a_seed_gives_the_same_texts_again(task):
    for draw in (task.corpus, task.labelled, task.rankings):
        assert draw(5, seed=1) == draw(5, seed=1) != draw(5, seed=2)


# Rankings.

def test_rankings_follow_gold(task):
    for ranking in task.rankings(20, k=3, seed=11):
        scores = [task.gold(ranking.prompt, response) for response in ranking.responses]
        assert scores == sorted(scores, reverse=True)
        assert list(ranking.ranks) == [1 + sum(other > score for other in scores) for score in scores]


def test_noise_is_a_bradley_terry_temperature():
    """How often the better one comes first, against the formula: the noise is what the docstring says."""
    task, wins, chances = Reviews("en"), 0, 0.0
    rankings = task.rankings(400, k=2, noise=0.5, seed=12)
    for ranking in rankings:
        first, second = (task.gold(ranking.prompt, response) for response in ranking.responses)
        wins += first > second
        chances += 1 / (1 + math.exp(-abs(first - second) / 0.5))
    assert abs(wins - chances) / len(rankings) < 0.07


# Bad arguments.

@pytest.mark.parametrize("call", [
    lambda: Reviews("fr"), lambda: Reviews("en").products("test"), lambda: Reviews("en").corpus(0),
    lambda: Reviews("en").labelled(-1), lambda: Reviews("en").prompts(n=0), lambda: Reviews("en").rankings(1, k=1),
    lambda: Reviews("en").rankings(1, noise=-0.1), lambda: Reviews("en").rankings(1, noise=math.inf),
    lambda: Reviews("en").prompts("dev"),
])
def test_bad_arguments_are_refused(call):
    with pytest.raises(ValueError, match=" is "):
        call()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_demonstrations_are_good_and_about_products_of_their_split(lang):
    """Written, not ranked: each is good by itself, and the two languages tell the same reviews."""
    reviews = Reviews(lang)
    written = reviews.demonstrations(20, seed=3)
    assert len(written) == 20
    assert all(reviews.gold(prompt, response) >= 0.6 for prompt, response in written)
    assert len({response for _, response in written}) > 15
    assert written == reviews.demonstrations(20, seed=3) != reviews.demonstrations(20, seed=4)
    with pytest.raises(ValueError, match="n is 0"):
        reviews.demonstrations(0)


def test_an_explanation_can_be_read(task):
    text = str(task.explain(PROMPT[task.lang], GOOD[task.lang]))
    for said in {"en": ("gold", "sentiment", "own", "lid"), "zh": ("真值", "褒贬", "自己的看法")}[task.lang]:
        assert said in text
    assert len(text.splitlines()) == 7
    assert (text.isascii()) == (task.lang == "en")
