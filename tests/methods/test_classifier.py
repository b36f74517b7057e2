"""The judge: it learns a rule that no single word decides, whatever its architecture."""

from dataclasses import replace

import pytest
import torch

from rlhf_kit.methods import classifier
from rlhf_kit.models import text, tiny
from rlhf_kit.models.judging import class_logits

# "not" turns the meaning around: counting words gives 50 %, reading them 100 %.
GOOD, BAD, THINGS = ("good", "fine"), ("poor", "weak"), ("lamp", "bag", "fan", "pan")
EXAMPLES = [(f"the {t} is {n}{w}.", int((w in GOOD) != bool(n)))
            for t in THINGS for w in GOOD + BAD for n in ("", "not ")]
QUICK = classifier.Config(steps=60, batch_size=16, learning_rate=5e-3, warmup=5, max_length=16)


def tokenizer():
    return text.train_tokenizer([t for t, _ in EXAMPLES], 60)


def accuracy(model, tok) -> float:
    guess = class_logits(model, tok, [t for t, _ in EXAMPLES], max_length=16).argmax(-1)
    return (guess == torch.tensor([label for _, label in EXAMPLES])).float().mean().item()


def test_a_judge_learns_negation():
    tok = tokenizer()
    model = tiny.classifier(tok, layers=2, width=32, heads=2, context=16)
    classifier.train(model, tok, EXAMPLES, replace(QUICK, steps=150))
    assert accuracy(model, tok) == 1.0


def test_a_judge_may_start_from_a_language_model():
    tok = tokenizer()
    model = tiny.classifier_from(tiny.language_model(tok, layers=2, width=32, heads=2, context=16))
    classifier.train(model, tok, EXAMPLES, replace(QUICK, steps=150))
    assert accuracy(model, tok) == 1.0


def test_a_run_cut_short_ends_with_the_same_weights(tmp_path):
    tok, config = tokenizer(), classifier.Config(steps=5, batch_size=8, max_length=16)
    new = lambda: tiny.classifier(tok, layers=1, width=16, heads=1, context=16, dropout=0.1)          # noqa: E731
    whole, first, second = new(), new(), new()
    classifier.train(whole, tok, EXAMPLES, config)
    stream = classifier.steps(first, tok, EXAMPLES, config, checkpoint=tmp_path, checkpoint_every=2)
    for _ in range(3):
        next(stream)
    stream.close()
    list(classifier.steps(second, tok, EXAMPLES, config, checkpoint=tmp_path, checkpoint_every=2))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(("examples", "message"), [
    ([("a", 1), ("b", 1)], "same label"), ([], "same label"), ([("a", 0), ("b", 2)], "has 2 classes")])
def test_labels_that_cannot_be_learnt_are_refused(examples, message):
    tok = tokenizer()
    with pytest.raises(ValueError, match=message):
        classifier.train(tiny.classifier(tok, layers=1, width=16, heads=1), tok, examples, QUICK)
