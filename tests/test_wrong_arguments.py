"""What is handed to the public functions by mistake gets one line that says what to give instead."""

import copy
import math

import pytest

import rlhf_kit as kit
from rlhf_kit.models import tiny

TYPOS = (kit.ppo.Config, kit.sft.Config, kit.reward_model.Config, kit.classifier.Config, kit.Sampling, kit.LoRA)


def reward(prompts, responses):
    return [float(len(response)) for response in responses]


def run(loop):
    next(loop) if hasattr(loop, "__next__") else None


@pytest.mark.parametrize("record", TYPOS, ids=lambda record: record.__module__)
def test_a_setting_that_there_is_not_is_named_with_those_that_there_are(record):
    with pytest.raises(TypeError, match=r"has no setting 'learing_rate'\. .*It has "):
        record(learing_rate=1)


@pytest.mark.parametrize(("call", "said"), [
    (lambda p: kit.sft.steps("tiny-lm-en", ["a"]), r"a name, 'tiny-lm-en'; .*kit\.load_policy\('tiny-lm-en'\)"),
    (lambda p: kit.generate("tiny-lm-en", ["a"]), r"kit\.load_policy\('tiny-lm-en'\)"),
    (lambda p: kit.ppo.steps(None, p, ["a"], reward), r"the policy is None; .*kit\.load_policy\("),
    (lambda p: kit.sft.steps(p.lm, ["a"]), r"a GPT2LMHeadModel of transformers; .*kit\.Policy\(model, tokenizer\)"),
    (lambda p: kit.sft.steps(p, "hello"), r"one text, 'hello'; expected a list of texts, such as \['hello'\]"),
    (lambda p: kit.generate(p, "hello"), r"one text, 'hello'; expected a list"),
    (lambda p: kit.sample_rollout(p, "hello"), r"one text, 'hello'; expected a list"),
    (lambda p: kit.ppo.steps(p, p.reference(), "hello", reward), r"one text, 'hello'; expected a list"),
    (lambda p: kit.ppo.steps(p, None, ["a"], reward), r"the reference is None; .*policy\.reference\(\)"),
    (lambda p: kit.ppo.steps(p, p.reference(), ["a"], 0.5), r"the reward is 0\.5; expected a function"),
    (lambda p: kit.ppo.steps(p, p.reference(), ["a"], reward, {"steps": 3}), r"kit\.ppo\.Config\(\*\*settings\)"),
    (lambda p: kit.ppo.steps(p, p.reference(), ["a"], reward, kit.sft.Config()), r"config is Config.*kit\.ppo\.Config"),
    (lambda p: kit.sft.steps(p, ["a"], kit.ppo.Config()), r"kit\.sft\.Config\("),
    (lambda p: kit.evaluate.evaluate(p, p.reference(), ["a"], reward), r'expected named ones, such as \{"score"'),
    (lambda p: kit.reward_model.steps(None, "hello"), r"the rankings hold 'h'; expected kit\.Ranking\("),
    (lambda p: kit.classifier.steps(p, p.tokenizer, "hello"), r"the examples hold 'hello'; expected pairs of a text"),
    (lambda p: kit.classifier.steps(p, p.tokenizer, [("a", 1), "b"]), r"the examples hold 'b'; expected pairs"),
    (lambda p: kit.rewards.weighted([reward]), r"a part is <function reward.*pairs of a weight and a reward"),
    (lambda p: kit.rewards.weighted([(1.0, "judge")]), r"a part is \(1\.0, 'judge'\)"),
    (lambda p: kit.load_policy(None), r"the model is None; expected a folder, .*'tiny-lm-en'"),
    (lambda p: kit.load_policy({"name": "gpt2"}), r"the model is \{'name': 'gpt2'\}; expected a folder")])
def test_a_wrong_argument_is_one_line_that_says_what_to_give(policy, call, said):
    with pytest.raises((ValueError, OSError), match=said) as caught:
        run(call(copy.deepcopy(policy).requires_grad_(True)))
    assert "\n" not in str(caught.value)


def test_pairs_of_other_sequences_are_examples_too(tokenizer):
    judge = tiny.classifier(tokenizer, layers=1, width=16)
    examples = [["the lamp", 1], ("the pen", 0)] * 4
    assert next(kit.classifier.steps(judge, tokenizer, examples, kit.classifier.Config(steps=1, batch_size=4)))


@pytest.mark.parametrize("record", [kit.sft.Config, kit.classifier.Config, kit.reward_model.Config, kit.dpo.Config,
                                    kit.kto.Config, kit.distil.Config], ids=lambda record: record.__module__)
def test_a_gradient_is_not_turned_round_and_no_rate_leaves_its_schedule(record):
    """A norm below 0 climbs the loss and one of 0 learns nothing; a warm-up below 0 begins in the middle."""
    for name, values in {"max_grad_norm": (-1.0, 0.0, math.nan), "warmup": (-1,), "min_lr_ratio": (-0.1, 1.5, math.nan),
                         "weight_decay": (-0.1, math.nan, math.inf)}.items():
        for value in values if name in record.__dataclass_fields__ else ():
            with pytest.raises(ValueError, match=f"{name} (is )?{value}"):
                record(**{name: value})


def test_weights_of_a_loss_are_finite():
    for record, name, value in ((kit.kto.Config, "good_weight", math.inf), (kit.kto.Config, "bad_weight", math.nan),
                                (kit.rest.Config, "epsilon", math.nan), (kit.rest.Config, "temperature", math.inf)):
        with pytest.raises(ValueError, match=f"{name} (is )?{value}"):
            record(**{name: value})
