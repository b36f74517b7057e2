"""A bag of words does not know who says what to whom: it stays below a small transformer on the same dialogues."""

import pytest
import torch

from rlhf_kit.methods import classifier
from rlhf_kit.models import text, tiny
from rlhf_kit.tasks.assistant import Assistant

READ = 192                          # tokens, more than any of these dialogues has
Labelled = list[tuple[str, int]]


def bag_of_words(train: Labelled, heldout: Labelled) -> float:
    """Held-out accuracy of the best of three logistic regressions over the counts of word pieces."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    tokenizer = text.train_tokenizer([one for one, _ in train], 900, reading=True)
    pieces = CountVectorizer(analyzer=lambda one: [str(i) for i in tokenizer(one, add_special_tokens=False).input_ids])
    counts, labels = pieces.fit_transform([one for one, _ in train]), [label for _, label in train]
    unseen = pieces.transform([one for one, _ in heldout]), [label for _, label in heldout]
    return max(LogisticRegression(C=strength, solver="liblinear").fit(counts, labels).score(*unseen)
               for strength in (0.03, 0.3, 3.0))


def small_transformer(train: Labelled, heldout: Labelled, width: int, steps: int, learning_rate: float) -> float:
    """Held-out accuracy of two layers, from nothing."""
    tokenizer = text.train_tokenizer([one for one, _ in train], 900)
    model = tiny.classifier(tokenizer, layers=2, width=width, context=READ)
    classifier.train(model, tokenizer, train, classifier.Config(steps=steps, batch_size=24, max_length=READ,
                                                                learning_rate=learning_rate))
    right = 0
    for start in range(0, len(heldout), 50):
        rows = heldout[start:start + 50]
        ids, mask = text.pad_right(text.encode_texts(tokenizer, [one for one, _ in rows], READ),
                                   text.pad_id(tokenizer))
        with torch.no_grad():
            guessed = model(input_ids=ids, attention_mask=mask).logits.argmax(-1).tolist()
        right += sum(guess == label for guess, (_, label) in zip(guessed, rows, strict=True))
    return right / len(heldout)


def compared(quality: str, lang: str, texts: int, **settings) -> tuple[float, float]:
    """Accuracy of both on held-out cases."""
    task = Assistant(lang)
    train, heldout = task.judged(quality, texts), task.judged(quality, 1500, seed=1, split="heldout")
    bag, transformer = bag_of_words(train, heldout), small_transformer(train, heldout, **settings)
    print(f"{quality}, {lang}: bag of words {bag:.3f}, transformer {transformer:.3f}")
    return bag, transformer


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_bag_of_words_stays_eight_points_below_a_transformer_on_harm(lang):
    """Half a minute of one core each; in English 0.757 and 0.953."""
    bag, transformer = compared("harmless", lang, 8000, width=64, steps=650, learning_rate=4e-3)
    assert bag + 0.08 <= transformer


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_bag_of_words_stays_below_a_transformer_on_honesty():
    """Facts must be learnt by heart: two minutes and a half of one core.

    Measured once before the bound was written down: 0.657 and 0.744. Five points leave room for another machine.
    """
    bag, transformer = compared("honest", "en", 16000, width=128, steps=1750, learning_rate=2e-3)
    assert bag + 0.05 <= transformer
