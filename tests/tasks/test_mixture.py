"""What the base of the assistants reads: every world in its share, and nothing that is held out."""

import math
from collections import Counter

import pytest

from rlhf_kit.language import LANGS
from rlhf_kit.tasks import mixture
from rlhf_kit.tasks.translation import Translation
from rlhf_kit.tasks.translation.gold import MARK


def world_of(text: str, lang: str) -> str:
    if text.startswith("# "):
        return "forum"
    if MARK in text and "\n" not in text:
        return "translation"
    speaks = {"en": ("Assistant:", "Answer:", "What users ask:", "First ", "To begin with"),
              "zh": ("助手：", "答：", "用户的请求：", "先", "首先")}[lang]
    return "assistant" if any(mark in text for mark in speaks) else "reviews or facts"


@pytest.mark.parametrize("lang", LANGS)
def test_each_world_has_its_share(lang):
    seen = Counter(world_of(text, lang) for text in mixture.texts(lang, 1500, seed=1))
    for name in ("forum", "translation"):
        share = mixture.PARTS[name][1]
        assert abs(seen[name] / 1500 - share) < 4 * math.sqrt(share * (1 - share) / 1500)
    assert seen["assistant"] > 0.6 * 1500
    assert sum(share for _, share in mixture.PARTS.values()) == pytest.approx(1)


def test_the_seed_decides_and_the_two_splits_differ():
    assert mixture.texts("en", 40, seed=1) == mixture.texts("en", 40, seed=1) != mixture.texts("en", 40, seed=2)
    for name in mixture.PARTS:
        train, heldout = (set(mixture.part(name, "zh", 60, split=split)) for split in ("train", "heldout"))
        assert len(heldout - train) > 50                        # of villages there are few, and each is in both


def test_translations_in_it_are_faithful():
    """What ReST begins with has errors to be filtered; here the base would only forget them."""
    for text in mixture.part("translation", "en", 40, seed=2):
        source, mark, translated = text.partition(MARK)
        assert Translation().gold(source + mark, translated) == 1


@pytest.mark.parametrize("call", [lambda: mixture.texts("en", 0), lambda: mixture.texts("en", 5, split="dev"),
                                  lambda: mixture.part("poems", "en", 5)])
def test_bad_arguments_are_one_line(call):
    with pytest.raises(ValueError) as caught:
        call()
    assert "\n" not in str(caught.value)
