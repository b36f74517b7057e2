"""Whole runs at full size: what the README promises, seeded. `make test-slow` (about ten minutes)."""

import json
import os
import subprocess
import sys

import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from rlhf_kit import zoo
from rlhf_kit.evaluate import Estimate
from rlhf_kit.models.judging import class_logits
from rlhf_kit.tasks.reviews import Reviews

pytestmark = pytest.mark.slow


def counts(tokenizer, texts):
    """How often each token occurs in each text: all that a bag of words knows."""
    rows = tokenizer(texts).input_ids
    where = [(i, token) for i, row in enumerate(rows) for token in row]
    return csr_matrix(([1.0] * len(where), tuple(zip(*where, strict=True))), shape=(len(rows), len(tokenizer)))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_bag_of_words_stays_eight_points_under_a_small_transformer(lang, tmp_path):
    """Same training texts, same tokens; judged on reviews of products that neither has seen."""
    task, recipe = Reviews(lang), zoo.Judge()
    list(recipe.steps(task, tmp_path / "judge"))
    model, tokenizer = zoo.load_classifier(tmp_path / "judge")
    train, held_out = task.labelled(recipe.texts, seed=recipe.seed), task.labelled(2000, seed=99, split="heldout")
    texts, labels = [t for t, _ in held_out], [y for _, y in held_out]

    bag = LogisticRegression(C=0.3, max_iter=2000).fit(counts(tokenizer, [t for t, _ in train]), [y for _, y in train])
    of_bag = bag.score(counts(tokenizer, texts), labels)
    guess = class_logits(model, tokenizer, texts, max_length=96).argmax(-1)
    of_transformer = (guess == torch.tensor(labels)).float().mean().item()
    print(f"{lang}: bag of words {of_bag:.3f}, transformer {of_transformer:.3f}")
    assert of_transformer >= of_bag + 0.08


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_tour_keeps_its_promises_from_an_empty_cache(lang, tmp_path):
    """The bounds are those of the design, fixed before anything was measured."""
    environment = {**os.environ, "RLHF_KIT_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "rlhf_kit.cli", "tour", "--lang", lang, "--json", "--output",
                           str(tmp_path / "tour")], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    result = json.loads(done.stdout)
    before, after = result["before"], result["after"]
    score, gold = ({when: Estimate(**side["scores"][name]) for when, side in (("before", before), ("after", after))}
                   for name in ("score", "gold"))
    assert score["before"].mean < 0.55
    assert score["after"].mean >= 0.90
    error = (gold["before"].standard_error ** 2 + gold["after"].standard_error ** 2) ** 0.5
    assert gold["after"].mean - gold["before"].mean > 3 * error
    assert after["kl"] < 12
    assert after["eos_rate"] >= 0.95
    assert after["distinct"] >= 0.5
