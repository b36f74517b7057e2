"""The engine, on a grammar small enough to check on paper."""

import random
from collections import Counter

import pytest

from rlhf_kit.tasks.grammar import Grammar, Slot, Tree, join, make_rules, tokenize

NUMBER = [{"is": "is", "the": "this", "of": "one"}, {"is": "are", "the": "these", "of": "many"}]


def toy() -> Grammar:
    rules = [
        *make_rules("s", "$the {n:noun/$of} $is {a:adj}.", "{n}{a}。", domains=(NUMBER,)),
        *make_rules("s", "I like the {n:noun/one}.", "{n}我喜欢。", 2.0, "value=1"),
        *make_rules("noun/one", "cup", "杯子"),
        *make_rules("noun/one", "tea cup", "茶杯"),
        *make_rules("noun/many", "shoes", "鞋"),
        *make_rules("adj", "red", "很红"),
        *make_rules("adj", "not red", "不红"),
        *make_rules("top", "{x:s}", "{x}"),
    ]
    return Grammar(rules)


def texts(grammar: Grammar, lang: str) -> list[str]:
    return [tree.text(lang) for tree in grammar.trees("s")]


def test_all_texts_by_hand():
    assert sorted(texts(toy(), "en")) == [
        "I like the cup.", "I like the tea cup.", "These shoes are not red.", "These shoes are red.",
        "This cup is not red.", "This cup is red.", "This tea cup is not red.", "This tea cup is red."]
    assert "茶杯我喜欢。" in texts(toy(), "zh")
    assert "鞋不红。" in texts(toy(), "zh")


def test_count_is_the_number_of_trees():
    assert toy().count("s") == len(list(toy().trees("s"))) == 8   # 2 nouns x 2 + 1 noun x 2, and 2


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_text_is_read_back_as_its_own_tree(lang):
    grammar = toy()
    for tree in grammar.trees("s"):
        tokens = tokenize(tree.text(lang), lang)
        assert grammar.parse(tokens, "s", lang) == [(len(tokens), tree)]


def test_translation_is_parsing_and_reading_out():
    (_, tree), = toy().parse(tokenize("茶杯不红。", "zh"), "s", "zh")
    assert tree.text("en") == "This tea cup is not red."


def test_parse_starts_anywhere_and_says_where_it_ended():
    tokens = tokenize("oh dear this cup is red. more", "en")
    assert [end for end, _ in toy().parse(tokens, "s", "en", start=2)] == [7]
    assert toy().parse(tokens, "s", "en") == []


def test_a_rule_that_only_passes_on_keeps_its_place_in_the_tree():
    (_, tree), = toy().parse(["杯", "子", "很", "红", "。"], "top", "zh")
    assert [part.rule.symbol for part in tree.walk()] == ["top", "s", "adj", "noun/one"]


def test_a_rule_of_two_slots_needs_both():
    words = make_rules("x", "p", "甲") + make_rules("y", "q", "乙")
    grammar = Grammar([*make_rules("s", "{a:x} {b:y}", "{b}{a}"), *words])
    assert grammar.parse(["p"], "s", "en") == []
    assert [tree.text("zh") for _, tree in grammar.parse(["p", "q"], "s", "en")] == ["乙甲"]


def test_an_ambiguous_text_has_all_its_readings():
    banks = make_rules("b", "bank", "银行") + make_rules("b", "bank", "河岸")
    grammar = Grammar([*make_rules("s", "{a:b}", "{a}"), *banks])
    assert {tree.text("zh") for _, tree in grammar.parse(["bank"], "s", "en")} == {"银行", "河岸"}


def test_weights_are_relative_frequencies():
    rng, grammar = random.Random(0), toy()
    share = Counter(len(grammar.derive("s", rng).rule.meaning) for _ in range(4000))[1] / 4000
    assert abs(share - 2 / 4) < 0.03   # weight 2 of 1 + 1 + 2


def test_probabilities_by_hand_sum_to_one():
    """s weighs 1 + 1 + 2; then half of the nouns, half of the adjectives."""
    grammar = toy()
    chance = {tree.text("en"): grammar.probability(tree) for tree in grammar.trees("s")}
    assert chance["I like the cup."] == pytest.approx(2 / 4 / 2)
    assert chance["This cup is red."] == pytest.approx(1 / 4 / 2 / 2)
    assert chance["These shoes are red."] == pytest.approx(1 / 4 / 2)
    assert sum(chance.values()) == pytest.approx(1)


def test_derive_repeats_itself_for_a_seed():
    first, second = (toy().derive("s", random.Random(7)).text("zh") for _ in range(2))
    assert first == second


def test_restrict_drops_what_can_no_longer_be_finished():
    smaller = toy().restrict(lambda rule: rule.symbol != "noun/many")
    assert smaller.count("s") == 6
    assert "noun/many" not in smaller.symbols


def test_slots_are_shared_between_the_sides():
    rule, = make_rules("s", "the {n:noun}", "这{n}")
    assert rule.en == ("the", Slot("n", "noun"))
    assert rule.zh == ("这", Slot("n", "noun"))


@pytest.mark.parametrize(("en", "zh"), [
    ("the {n:noun}", "这个"), ("", "这"), ("{n:noun} {n}", "{n}"), ("the $x", "这")])
def test_a_wrong_rule_is_refused(en, zh):
    with pytest.raises(ValueError):
        make_rules("s", en, zh)


def test_an_unknown_symbol_is_named():
    with pytest.raises(ValueError, match="'verb' is no symbol"):
        toy().parse(["a"], "verb", "en")


def test_english_gets_spaces_and_capitals():
    assert join(["the", "cup", ",", "I", "think", ".", "it", "is", "."], "en") == "The cup, I think. It is."
    assert tokenize("I don't, my one-off.", "en") == ["i", "don't", ",", "my", "one-off", "."]


def test_a_tree_reads_each_slot_where_its_language_has_it():
    first, = make_rules("s", "{a:x} before {b:x}", "{b}之前{a}")
    p, q = make_rules("x", "p", "甲") + make_rules("x", "q", "乙")
    tree = Tree(first, (("a", Tree(p)), ("b", Tree(q))))
    assert (tree.text("en"), tree.text("zh")) == ("P before q", "乙之前甲")
