"""A rule model: what it reads, what it learns, and its part in the total reward and in rerank."""

import random
from dataclasses import replace

import pytest
import torch

from rlhf_kit import rewards
from rlhf_kit.datasets.reading import FileError
from rlhf_kit.datasets.rule_labels import read_rule_labels
from rlhf_kit.evaluate import area
from rlhf_kit.formulas.records import RuleLabel
from rlhf_kit.formulas.rule_reward import LEVELS
from rlhf_kit.methods import best_of_n, classifier
from rlhf_kit.models import text, tiny
from rlhf_kit.models.judging import class_logits
from rlhf_kit.models.ruling import KEEP, ask, ask_without_rule, examples, kept_probability, rules_as_labels
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.rule_labels import rule_labels

WORDS = ("red", "blue", "big", "old")
PUT = {"train": "do not say {} .", "heldout": "never say {} ."}
QUICK = classifier.Config(steps=150, batch_size=16, learning_rate=5e-3, max_length=40, keep=KEEP)


def labels(n, seed, put="train"):
    """Rules that forbid a word each; half of the answers hold the forbidden word, half another rule's."""
    rng, found = random.Random(seed), []
    for _ in range(n):
        word, broken = rng.choice(WORDS), rng.random() < 0.5
        said = word if broken else rng.choice([one for one in WORDS if one != word])
        level = rng.choice(LEVELS[:2] if broken else LEVELS[3:]) if rng.random() < 0.9 else "unsure"
        asked = f"what of number {rng.randrange(9)} ?"
        found.append(RuleLabel(asked, f" it is {said} .", PUT[put].format(word), level))
    return found


@pytest.fixture(scope="module")
def reader():
    some = [one for put in PUT for one in labels(200, 0, put)]
    return text.train_tokenizer([ask(one.prompt + one.response, one.rule) for one in some], 120)


def trained(reader, reads=ask, seed=0, steps=QUICK.steps):
    model = rules_as_labels(tiny.classifier(reader, layers=2, width=48, context=40, seed=seed))
    classifier.train(model, reader, examples(labels(400, seed), reads), replace(QUICK, steps=steps, seed=seed))
    return model


def told(model, reader, some, reads=ask):
    sure = examples(some, reads)
    logits = class_logits(model, reader, [text for text, _ in sure], max_length=40, keep=KEEP)
    return area(logits[:, 1] - logits[:, 0], torch.tensor([label for _, label in sure])).mean


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_with_the_rule_s_text_it_tells_what_without_it_nobody_can(reader, seed):
    """By .05 of the area at least, and also under a wording that no training shows."""
    conditioned, blind = trained(reader, seed=seed, steps=400), trained(reader, ask_without_rule, seed, steps=100)
    examined = labels(300, 99)
    assert told(conditioned, reader, examined) > told(blind, reader, examined, ask_without_rule) + 0.05
    assert told(conditioned, reader, labels(300, 98, "heldout")) > 0.6
    assert told(blind, reader, examined, ask_without_rule) == pytest.approx(0.5, abs=0.12)


def test_unsure_labels_are_left_out_and_the_rule_stands_in_the_text():
    some = [RuleLabel("a", " b", "no c", level) for level in LEVELS]
    assert [label for _, label in examples(some)] == [1, 1, 0, 0]
    assert examples(some)[0][0] == "Rule: no c\n\na b\n\nIs the rule broken?"


def test_every_rule_is_asked_about_every_response(reader):
    model = trained(reader, steps=2)
    rules = [PUT["train"].format(word) for word in WORDS]
    kept = kept_probability(model, reader, ["what of number 1 ?"] * 2, [" it is red .", " it is old ."], rules,
                            max_length=40)
    one = kept_probability(model, reader, ["what of number 1 ?"], [" it is old ."], rules[2:3], max_length=40)
    assert kept.shape == (2, 4)
    assert kept[1, 2].item() == pytest.approx(one.item(), abs=1e-6)
    logits = class_logits(model, reader, [ask("what of number 1 ? it is old .", rules[2])], max_length=40)
    assert one.item() == pytest.approx(1 - logits.softmax(-1)[0, 1].item(), abs=1e-6)       # broken is the second
    with pytest.raises(ValueError, match="no rules"):
        kept_probability(model, reader, ["a"], ["b"], [], max_length=40)
    plain = tiny.classifier(reader, layers=1, width=16, context=40)
    with pytest.raises(ValueError, match="negative, positive; a rule model"):
        kept_probability(plain, reader, ["a"], ["b"], rules, max_length=40)


# --- rewards ----------------------------------------------------------------------------------------------------------

def fixed_rules(*rows):
    """A reward of rules with given probabilities, by response."""
    table = dict(rows)

    def reward(prompts, responses):
        return kept(prompts, responses).mean(-1)

    def kept(prompts, responses):
        return torch.tensor([table[one] for one in responses])
    reward.kept = kept
    return reward


RULES = fixed_rules(("good", (0.95, 0.9, 0.2)), ("User: me", (0.95, 0.9, 0.2)))


def liked(prompts, responses):
    return [0.8] * len(responses)


def test_the_total_of_the_fact_sheet_and_what_is_no_turn():
    for reduction, expected in (("sum", 2.85), ("mean", 1.4833)):
        total = rewards.total(liked, RULES, reduction=reduction, normalise=False)
        assert total(["q"], ["good"]).item() == pytest.approx(expected, abs=5e-5)
    total = rewards.total(liked, RULES, normalise=False, price_per_character=0.1, valid=rewards.one_turn(["User:"]))
    assert total(["q"] * 2, ["good", "User: me"]).tolist() == pytest.approx([1.0833, 1.4833 - 0.8 - 2], abs=1e-4)


def test_normalised_the_scale_of_the_preference_model_does_not_matter():
    """The same scores in other units; without it the larger ones decide everything."""
    rules = fixed_rules(*((str(i), (i / 10,)) for i in range(10)))
    asked = ["q"] * 10, [str(i) for i in range(10)]
    for normalise, same in ((True, True), (False, False)):
        found = [rewards.total(lambda p, r, size=size: [size * ((7 * int(x)) % 10) for x in r], rules,
                               normalise=normalise)(*asked) for size in (1.0, 100.0)]
        assert torch.allclose(*found, atol=1e-4) == same


def test_a_normalised_total_remembers_its_scale_for_a_checkpoint():
    total = rewards.total(liked, RULES)
    total(["q"], ["good"])
    assert total.state_dict()["0"]["count"] == 1


def test_rerank_compares_with_the_other_candidates_of_the_same_prompt(policy, prompts):
    rules = fixed_rules(("a", (0.9, 0.9)), ("b", (0.9, 0.0)), ("c", (0.5, 0.5)))
    score = rewards.reranked(lambda p, r: [{"a": 1.0, "b": 9.0, "c": 1.0}[x] for x in r], rules)
    found = score(["x", "x", "y", "x"], ["a", "b", "c", "c"])
    assert found[1] == 0
    assert found[0] > found[3]
    assert found[2].item() == pytest.approx(0.25)                   # alone: as good as the average, times .5

    def kept(prompts, responses):
        return torch.tensor([[float("loud" not in one), 1.0] for one in responses])
    plain = lambda p, r: kept(p, r).mean(-1)                                                        # noqa: E731
    plain.kept = kept
    drawn = list(best_of_n.draws(policy, prompts[:2], rewards.reranked(lambda p, r: [float(len(x)) for x in r], plain),
                                 best_of_n.Config(n=8, sampling=Sampling(max_new_tokens=8))))
    assert all("loud" not in one.response for one in drawn)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: rewards.total(liked, liked), "no reward of rules"),
    (lambda: rewards.reranked(liked, liked), "no reward of rules"),
    (lambda: rewards.total(liked, RULES, price_per_character=-1), "price_per_character is -1"),
    (lambda: rewards.one_turn([]), "no marks")])
def test_bad_rewards_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- labels -----------------------------------------------------------------------------------------------------------

def test_a_file_of_labels_in_five_levels_or_two(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,response,rule,level\nq,a,No a.,Definitely broken\nq,b,No a.,followed\n"
                                    "q,c,No a.,unsure\nq,d,No a.,1\n")
    assert [one.level for one in read_rule_labels(tmp_path / "a.csv")] == [
        "definitely broken", "definitely followed", "unsure", "definitely broken"]
    (tmp_path / "b.csv").write_text("prompt,response,rule,level\nq,a,No a.,maybe\n")
    with pytest.raises(FileError, match="level is 'maybe'"):
        read_rule_labels(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("prompt,response,rule\nq,a,No a.\n")
    with pytest.raises(FileError, match="no column 'level'"):
        read_rule_labels(tmp_path / "c.csv")


def test_the_assistants_labels_hold_each_rule_broken_and_followed():
    found = rule_labels(Assistant("en"), 200)
    assert found[:9] == rule_labels(Assistant("en"), 9)
    truth = [LEVELS.index(one.level) < 2 for one in found]
    assert 0.3 < sum(truth) / len(truth) < 0.7
    assert len({one.rule for one in found}) > 24                                    # several wordings of each
    other = {one.rule for one in rule_labels(Assistant("en"), 30, 2, "heldout", "heldout")}
    assert not other & {one.rule for one in found}
