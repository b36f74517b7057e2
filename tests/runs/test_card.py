"""What a card says of jobs whose results have a form of their own, and of those it does not know."""

import json

import pytest
from huggingface_hub import ModelCard

from rlhf_kit.runs import card
from rlhf_kit.runs.card import Origin


def estimate(mean: float, n: int = 64) -> dict:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": n}


def measured(**scores: float) -> dict:
    return {"scores": {name: estimate(mean) for name, mean in scores.items()}, "kl": 1.5, "eos_rate": 0.9,
            "length": 20.0, "distinct": 0.8, "distinct_2": 0.4}


SAMPLES = [{"before": {"prompt": "Why?", "response": " No idea."}, "after": {"prompt": "Why?", "response": " So."}}]
RESULTS = {
    "stackllama": ({"job": "stackllama", "preset": "tiny", "model": None, "data": None}, {
        "policies": {name: measured(score=0.1 * i, gold=0.2 * i, fenced=0.5)
                     for i, name in enumerate(("base", "sft", "ppo"), 1)}, "samples": SAMPLES}),
    "human": ({"job": "human", "model": "tiny-lm-en", "lang": "en"}, {
        "job": "human", "settings": {"config": {}}, "ratings": 30, "before": measured(), "after": measured(),
        "samples": SAMPLES}),
    "judge": ({"job": "judge", "model": "new", "lang": "zh"}, {
        "job": "judge", "accuracy": estimate(0.9), "commonest": 0.55, "held_out": 300}),
    "of later": ({"job": "orpo", "model": "gpt2", "lang": "en"}, {"job": "orpo", "loss": {"before": 1.0}}),
}


def written(tmp_path, kind: str, lang: str = "en") -> str:
    settings, result = RESULTS[kind]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    (tmp_path / "result.json").write_text(json.dumps(result))
    return card.write(tmp_path, "me/it", lang, command="rlhf-kit ...", size=2_000_000)[0]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", RESULTS)
def test_every_kind_has_a_card_that_the_hub_can_read(tmp_path, kind, lang):
    text = written(tmp_path, kind, lang)
    data = ModelCard(text).data
    assert {"rlhf-kit", "rlhf"} <= set(data.tags)
    assert data.pipeline_tag == ("text-classification" if kind == "judge" else "text-generation")
    assert "2.0 MB" in text
    assert "{" not in text.split("```")[0].split("---\n")[2]                     # no field was left unfilled


def test_the_pipeline_has_three_columns(tmp_path):
    text = written(tmp_path, "stackllama")
    assert "| measure | base | after SFT | after PPO |" in text
    assert "| gold, the true quality | 0.200 (0.100–0.300) | 0.400 (0.300–0.500) | 0.600 (0.500–0.700) |" in text
    assert "Measured on 64 texts" in text
    assert {"ppo", "lora"} <= set(ModelCard(text).data.tags)


def test_what_is_special_to_a_kind(tmp_path):
    assert "on 30 ratings of one person" in written(tmp_path, "human")
    judge = written(tmp_path, "judge")
    assert "| judge: right on held-out reviews | 0.900 (0.800–1.000) |" in judge
    assert ModelCard(judge).data.language == ["zh"]
    later = written(tmp_path, "of later")
    assert "trained with the method orpo" in later
    assert "## Before and after" not in later                           # what it measured has a form nobody knows
    assert ModelCard(later).data.base_model == "gpt2"


def test_data_of_somebody_s_own_leave_the_licence_open_and_a_known_base_gives_its_own():
    base = Origin(base="gpt2", base_on_hub=True, sets=(), files=(), world="reviews-en")
    assert card._following(base, {"gpt2": "mit"}) == "mit"
    own = Origin(base=None, base_on_hub=False, sets=(), files=("mine.csv",), world=None)
    assert card._following(own, {}) is None
    public = Origin(base=None, base_on_hub=False, sets=("a/b",), files=(), world=None)
    assert card._following(public, {"a/b": "mit"}) is None
