"""What it takes to judge in the assistant's world: a bag of words beside a small transformer, on each of the three H's.

Both learn from the same dialogues (`Assistant.judged`) and are examined on held-out cases. A bag does not know who says
what to whom, so it must stay at least 8 points below. The transformer begins from the base of the assistants: whether
an answer is true takes facts, and those it has read. What is measured is kept in `assistant_world.json`.
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
from typing import Any

import torch

from rlhf_kit import zoo
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.methods import classifier
from rlhf_kit.models import text
from rlhf_kit.storage import write_text
from rlhf_kit.tasks import BASES
from rlhf_kit.tasks.assistant import Assistant, Hs

FILE = Path(__file__).with_name("assistant_world.json")
READ = 192                              # tokens, more than any of these dialogues has
TEXTS, EXAMINED = 8000, 1000            # dialogues to learn from, and held-out ones
VOCABULARY = 900                        # of the bag
STRENGTHS = (0.03, 0.3, 3.0)            # of the logistic regression's penalty; the best one on the held-out counts
LEARNS = classifier.Config(steps=500, batch_size=16, max_length=READ, learning_rate=1e-3)

HEAD = {"en": "| `make bench ARGS=assistant_world` | bag of words | small transformer | smallest gap |",
        "zh": "| `make bench ARGS=assistant_world` | 词袋 | 小 Transformer | 最小差距 |"}
ZH = {"helpful": "有用", "honest": "诚实", "harmless": "无害", "en": "英文", "zh": "中文"}
POINTS = {"en": "points", "zh": "个百分点"}

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


def small_transformer(train: Labelled, heldout: Labelled, lang: Lang, seed: int) -> float:
    """Held-out accuracy of the base with a new head, five layers, all of which learn."""
    model, tokenizer = zoo.load_classifier(BASES[lang], new_head=True, seed=seed)
    classifier.train(model.requires_grad_(True), tokenizer, train, replace(LEARNS, seed=seed))
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
    """Accuracy of both on held-out cases; other dialogues, another head and other batches with another seed."""
    zoo.cached(BASES[lang])
    task, began = Assistant(lang), time.process_time()
    train = task.judged(quality, TEXTS, seed=seed)
    heldout = task.judged(quality, EXAMINED, seed=seed + 100, split="heldout")
    bag, transformer = bag_of_words(train, heldout), small_transformer(train, heldout, lang, seed)
    found = {"bag": bag, "transformer": transformer, "cpu_seconds": time.process_time() - began}
    print(f"{quality}, {lang}, seed {seed}: bag of words {bag:.3f}, transformer {transformer:.3f}", flush=True)
    return found


def table(stored: dict[str, Any], shown: Lang = "en") -> list[str]:
    """The page's rows: means over the seeds, and the smallest gap that any seed had."""
    lines = [HEAD[shown], "|---|---|---|---|"]
    for lang in LANGS:
        for quality in Hs._fields:
            rows = [row for name, row in stored["measured"].items() if name.startswith(f"{quality} {lang} ")]
            if rows:
                gap = f"{100 * min(row['transformer'] - row['bag'] for row in rows):.1f}"
                what = (f"{quality}, {lang}, {len(rows)} seed{'s' * (len(rows) > 1)}" if shown == "en" else
                        f"{ZH[quality]}，{ZH[lang]}，{len(rows)} 个种子")
                lines.append(f"| {what} | {fmean(row['bag'] for row in rows):.3f} | "
                             f"{fmean(row['transformer'] for row in rows):.3f} | {gap} {POINTS[shown]} |")
    return lines


def kept() -> dict[str, dict[str, float]]:
    """What is there already, measured with the same settings and bases."""
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return stored["measured"] if stored.get("settings") == settings() else {}


def settings() -> dict[str, object]:
    return {"texts": TEXTS, "examined": EXAMINED, "classifier": repr(LEARNS),
            "bases": [zoo.place(name).name for name in BASES.values()]}


def keep(name: str, found: dict[str, float]) -> None:
    """Write one comparison beside the others; another process may measure the other language."""
    made_by = {"python": platform.python_version(), **{one: version(one) for one in ("torch", "scikit-learn")}}
    write_text(FILE, json.dumps({"date": time.strftime("%Y-%m-%d"), "versions": made_by, "settings": settings(),
                                 "measured": {**kept(), name: found}}, indent=1) + "\n")


def main() -> None:
    """SEEDS (default 3), LANGUAGES (default "en zh"). What was kept is not measured again."""
    torch.set_num_threads(1)
    for seed in range(int(os.environ.get("SEEDS", 3))):
        for lang in os.environ.get("LANGUAGES", " ".join(LANGS)).split():
            for quality in Hs._fields:
                if (name := f"{quality} {lang} {seed}") not in kept():
                    keep(name, compared(quality, lang, seed))
    print("", *table(json.loads(FILE.read_text(encoding="utf-8"))), sep="\n")


if __name__ == "__main__":
    main()
