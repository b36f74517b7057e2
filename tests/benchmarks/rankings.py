"""A reward model on real rank lists beside its peers, all examined on the same held-out lists: the README's table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rlhf_kit.datasets.labelled import FileReviews
from rlhf_kit.datasets.rankings import hold_out, read_rankings, texts_of
from rlhf_kit.datasets.reading import same_text
from rlhf_kit.evaluate import Estimate, agreement
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.jobs.train_reward_model import HELD_OUT
from tests.benchmarks.measured import keep

HEADER = "| what | pairs right | whole lists right | calibration error | CPU s |\n|---|---|---|---|---|"
SEEDS = (0, 1, 2)


def kit(*options: str) -> tuple[dict, list[dict]]:
    """One run of the command line: its result, and what it said of the examples."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rlhf_kit.cli", "train", "reward-model", "--json", "--output",
                   f"{folder}/run", *options]
        output = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True,
                                stdout=subprocess.PIPE).stdout
    return json.loads(output), json.loads(output)["examples"]


def pairwise_linear(learn: Sequence[Ranking], vectors: object) -> Callable:
    """Logistic regression on the difference of two texts' features, as a reward."""
    features = vectors.fit_transform([text for one in learn for text in one.responses])
    first, second, start = [], [], 0
    for one in learn:
        pairs = [(start + i, start + j) for i in range(len(one.ranks)) for j in range(i + 1, len(one.ranks))]
        first, second, start = first + [i for i, _ in pairs], second + [j for _, j in pairs], start + len(one.ranks)
    sign = np.where(np.arange(len(first)) % 2, 1, -1)
    gaps = (features[first] - features[second]).multiply(sign[:, None]).tocsr()
    model = LogisticRegression(C=0.1 if type(vectors) is CountVectorizer else 3,
                               fit_intercept=False, solver="liblinear").fit(gaps, sign)
    return lambda prompts, responses: (vectors.transform(responses) @ model.coef_[0]).tolist()


def sentiment(reviews: FileReviews, held_out: Sequence[Ranking]) -> Callable:
    """Logistic regression on labelled reviews, none of which is examined: it has seen no ranking."""
    seen = {same_text(text) for one in held_out for text in texts_of(one)}
    kept = [(t, y) for t, y in zip(reviews.texts, reviews.labels, strict=True) if same_text(t) not in seen]
    vectors = CountVectorizer(analyzer="char", ngram_range=(1, 2), min_df=2, binary=True)
    model = LogisticRegression(C=0.1, solver="liblinear").fit(vectors.fit_transform([t for t, _ in kept]),
                                                              [y for _, y in kept])
    return lambda prompts, responses: model.decision_function(vectors.transform(responses)).tolist()


def row(name: str, seen: dict, cpu: float) -> str:
    """A line of the table; intervals are bootstrap (pairs) and Wilson's (lists)."""
    pairs, lists = (Estimate(**seen[key]) for key in ("pair_accuracy", "list_accuracy"))
    return f"| {name} | {pairs} | {lists} | {seen['calibration_error']:.3f} | {cpu:.0f} |"


def main() -> None:
    """RANKINGS names the file of rank lists, REVIEWS (optional) one with the columns review and label."""
    if "RANKINGS" not in os.environ:
        sys.exit("name the file: make bench ARGS=rankings RANKINGS=FILE.tsv REVIEWS=FILE.csv (columns review, label)")
    path, reviews = os.environ["RANKINGS"], os.environ.get("REVIEWS")
    ranked = read_rankings(path)
    learn, held_out = hold_out(ranked, HELD_OUT)
    best, worst = ranked[0].responses[0], ranked[0].responses[-1]
    print(HEADER, flush=True)
    lines = HEADER.splitlines()

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)
    for seed in SEEDS:
        result, examples = kit("--rankings", path, "--seed", str(seed), "--example", best, "--example", worst)
        say(row(f"rlhf-kit, a tiny encoder from nothing, seed {seed}", result["agreement"], result["cpu_seconds"]))
        print(f"<!-- the file's first list: best {examples[0]['score']:+.2f}, worst {examples[1]['score']:+.2f} -->")
    if reviews:
        result, _ = kit("--rankings", path, "--pretrain", reviews, "--text-column", "review", "--label-column", "label")
        say(row(f"rlhf-kit, pretrained on {result['pretrained_on']:,} labelled reviews", result["agreement"],
                result["cpu_seconds"]))
    bigrams = {"analyzer": "char", "min_df": 2}
    peers = [("pairwise linear model, characters and bigrams",
              lambda: pairwise_linear(learn, CountVectorizer(ngram_range=(1, 2), binary=True, **bigrams))),
             ("pairwise linear model, tf-idf up to trigrams",
              lambda: pairwise_linear(learn, TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True, **bigrams)))]
    if reviews:
        table = FileReviews.read(reviews, text="review", label="label")
        peers.append(("sentiment classifier that saw no ranking",
                      lambda: sentiment(table, held_out)))
    for name, make in peers:
        began = time.process_time()
        say(row(name, agreement(make(), held_out).numbers(), time.process_time() - began))
    keep("rankings", "make bench ARGS=rankings RANKINGS=ranked_reviews.tsv REVIEWS=online_shopping_reviews.csv.gz",
         lines)
    print(f"\n{len(ranked):,} lists of {Path(path).name}: {len(learn):,} learnt from, {len(held_out)} held out.")
