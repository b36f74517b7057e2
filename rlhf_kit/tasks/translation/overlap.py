"""BLEU and chrF of whole sets of translations, counted by sacrebleu: how much of them stands in references.

Neither knows what a text means: "isn't" for "is" costs BLEU one word of ten.
"""

from __future__ import annotations

from collections.abc import Sequence

MISSING = "sacrebleu is not installed; BLEU and chrF need it. pip install \"rlhf-kit[translation]\"."


def bleu(responses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU from 0 to 100: the geometric mean of the shares of 1- to 4-grams that the references have, too,

        BLEU = 100 · BP · exp(mean over n of log p_n),        BP = min(1, exp(1 - reference length / response length))

    Args:
        responses, references: as many of one as of the other; sacrebleu cuts them into words (13a), case counts.

    Raises: ValueError, one line, without sacrebleu or for lists that do not match.
    Source: Papineni et al. 2002, doi:10.3115/1073083.1073135; sacrebleu: Post 2018, arXiv:1804.08771.
    """
    return _sacrebleu().corpus_bleu(*_checked(responses, references)).score


def chrf(responses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus chrF from 0 to 100: the F-score (β = 2) of character 1- to 6-grams, spaces aside.

    Args and errors as of `bleu`. Source: Popović 2015, doi:10.18653/v1/W15-3049.
    """
    return _sacrebleu().corpus_chrf(*_checked(responses, references)).score


def _sacrebleu():
    try:
        import sacrebleu
    except ImportError as error:
        raise ValueError(MISSING) from error
    return sacrebleu


def _checked(responses: Sequence[str], references: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    if len(responses) != len(references) or not len(responses):
        raise ValueError(f"there are {len(responses)} responses and {len(references)} references; expected one "
                         f"reference for each response, and at least one.")
    return [one.strip() for one in responses], [[one.strip() for one in references]]
