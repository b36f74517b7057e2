"""What it takes to judge in the assistant's world: a bag of words beside a small transformer, on each of the three H's.

Both learn from the same dialogues (`Assistant.judged`) and are examined on held-out cases. A bag does not know who says
what to whom, so it must stay at least 8 points below. What is measured is kept in `assistant_world.json`.
"""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

import torch

from rlhf_kit.language import LANGS, Lang
from rlhf_kit.methods import classifier
from rlhf_kit.models import text, tiny
from rlhf_kit.storage import write_text
from rlhf_kit.tasks.assistant import Assistant, Hs

FILE = Path(__file__).with_name("assistant_world.json")
READ = 192                              # tokens, more than any of these dialogues has
TEXTS, EXAMINED = 6000, 1000            # dialogues to learn from, and held-out ones
VOCABULARY = 900
STRENGTHS = (0.03, 0.3, 3.0)            # of the logistic regression's penalty; the best one on the held-out counts
LEARNS = classifier.Config(steps=700, batch_size=24, max_length=READ, learning_rate=4e-3)
WIDTH = 64

Labelled = list[tuple[str, int]]


def bag_of_words(train: Labelled, heldout: Labelled) -> float:
    """Held-out accuracy of the best of three logistic regressions over the counts of word pieces."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    tokenizer = text.train_tokenizer([one for one, _ in train], VOCABULARY, reading=True)
    pieces = CountVectorizer(analyzer=lambda one: [str(i) for i in tokenizer(one, add_special_tokens=False).input_ids])
    counts, labels = pieces.fit_transform([one for one, _ in train]), [label for _, label in train]
    unseen = pieces.transform([one for one, _ in heldout]), [label for _, label in heldout]
    return max(LogisticRegression(C=strength, solver="liblinear").fit(counts, labels).score(*unseen)
               for strength in STRENGTHS)


def small_transformer(train: Labelled, heldout: Labelled, seed: int) -> float:
    """Held-out accuracy of two layers, from nothing."""
    tokenizer = text.train_tokenizer([one for one, _ in train], VOCABULARY)
    model = tiny.classifier(tokenizer, layers=2, width=WIDTH, context=READ, seed=seed)
    classifier.train(model, tokenizer, train, replace(LEARNS, seed=seed))
    right = 0
    for start in range(0, len(heldout), 50):
        rows = heldout[start:start + 50]
        ids, mask = text.pad_right(text.encode_texts(tokenizer, [one for one, _ in rows], READ),
                                   text.pad_id(tokenizer))
        with torch.no_grad():
            guessed = model(input_ids=ids, attention_mask=mask).logits.argmax(-1).tolist()
        right += sum(guess == label for guess, (_, label) in zip(guessed, rows, strict=True))
    return right / len(heldout)


def compared(quality: str, lang: Lang, seed: int) -> dict[str, float]:
    """Accuracy of both on held-out cases; other dialogues and other first weights with another seed."""
    task, began = Assistant(lang), time.process_time()
    train = task.judged(quality, TEXTS, seed=seed)
    heldout = task.judged(quality, EXAMINED, seed=seed + 100, split="heldout")
    bag, transformer = bag_of_words(train, heldout), small_transformer(train, heldout, seed)
    found = {"bag": bag, "transformer": transformer, "cpu_seconds": time.process_time() - began}
    print(f"{quality}, {lang}, seed {seed}: bag of words {bag:.3f}, transformer {transformer:.3f}", flush=True)
    return found


def table(measured: dict[str, dict[str, float]]) -> list[str]:
    """The table of the README: means over the seeds, and the smallest gap that any seed had."""
    lines = ["| | bag of words | small transformer | smallest gap |", "|---|---|---|---|"]
    for lang in LANGS:
        for quality in Hs._fields:
            rows = [row for name, row in measured.items() if name.startswith(f"{quality} {lang} ")]
            if rows:
                gap = min(row["transformer"] - row["bag"] for row in rows)
                lines.append(f"| {quality}, {lang}, {len(rows)} seeds | {fmean(row['bag'] for row in rows):.3f} | "
                             f"{fmean(row['transformer'] for row in rows):.3f} | {100 * gap:.1f} points |")
    return lines


def main() -> None:
    """SEEDS (default 3). Kept after each comparison; what is there of the same settings is not measured again."""
    torch.set_num_threads(1)
    settings = {"texts": TEXTS, "examined": EXAMINED, "width": WIDTH, "classifier": repr(LEARNS)}
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    measured = stored["measured"] if stored.get("settings") == settings else {}
    for seed in range(int(os.environ.get("SEEDS", 3))):
        for lang in LANGS:
            for quality in Hs._fields:
                name = f"{quality} {lang} {seed}"
                if name not in measured:
                    measured[name] = compared(quality, lang, seed)
                    kept = {"date": time.strftime("%Y-%m-%d"), "settings": settings, "measured": measured,
                            "versions": {"python": platform.python_version(),
                                         **{one: version(one) for one in ("torch", "scikit-learn")}}}
                    write_text(FILE, json.dumps(kept, indent=1) + "\n")
    print("", *table(measured), sep="\n")


if __name__ == "__main__":
    main()
