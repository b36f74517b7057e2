"""What a linear model on character bigrams makes of the same reviews and the same split: the judge's peer."""

from __future__ import annotations

import os
import sys

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from rlhf_kit.datasets.labelled import FileReviews
from rlhf_kit.evaluate import share


def main() -> None:
    """Train on what each judge sees (one half) and on both halves; REVIEWS names the file."""
    if "REVIEWS" not in os.environ:
        sys.exit("name the file: make bench ARGS=bigrams REVIEWS=FILE (columns review and label)")
    reviews = FileReviews.read(os.environ["REVIEWS"], text="review", label="label")
    held_out, labels = zip(*reviews.labelled(split="heldout"), strict=True)
    for name, half in (("one half", 0), ("both halves", None)):
        texts, marks = zip(*reviews.labelled(half=half), strict=True)
        model = make_pipeline(CountVectorizer(analyzer="char", ngram_range=(1, 2), min_df=2, binary=True),
                              LogisticRegression(C=0.1, solver="liblinear"))
        right = sum(model.fit(texts, marks).predict(held_out) == labels)
        print(f"characters and bigrams, logistic regression, trained on {name}: {share(right, len(labels))}",
              flush=True)
