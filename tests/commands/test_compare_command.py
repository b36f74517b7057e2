"""`rlhf-kit compare`: two models, the same prompts, one judge; what is told, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from rlhf_kit import cli, zoo
from rlhf_kit.models import heads, tiny

FEW = ["--max-new-tokens", "8", "--device", "cpu"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, policy, tokenizer, sentences):
    """A model, a drifted copy of it in a run that began with it, a reward model, prompts, rewards."""
    folder = tmp_path_factory.mktemp("match") / "desk"
    zoo.save_policy(policy, folder / "lm")
    other = heads.Policy(tiny.language_model(tokenizer, layers=2, width=32, heads=2, context=48), tokenizer)
    other.load_state_dict(policy.state_dict())
    with torch.no_grad():
        other.lm.transformer.wte.weight += 0.05 * torch.randn(other.lm.transformer.wte.weight.shape,
                                                              generator=torch.Generator().manual_seed(0))
    zoo.save_policy(other, folder / "run" / "policy")
    (folder / "run" / "settings.json").write_text(json.dumps({"job": "ppo", "model": str(folder / "lm")}))
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48), folder / "scorer")
    prompts = list(dict.fromkeys(" ".join(text.split()[:4]) for text in sentences))
    (folder / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in prompts))
    (folder / "good.py").write_text("def longer(prompts, responses):\n    return [len(r) for r in responses]\n"
                                    "def same(prompts, responses):\n    return [0.0] * len(responses)\n")
    return folder


@pytest.fixture(autouse=True)
def desk(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


def compared(capsys, *words: str) -> dict:
    assert cli.main(["compare", *words, "--prompts", "prompts.txt", *FEW, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_model_ties_with_itself(capsys):
    found = compared(capsys, "lm", "lm", "--reward", "good.py:longer", "--reference", "lm")
    assert found["win_rate"]["mean"] == 0.5
    assert found["difference"] == {"mean": 0, "low": 0, "high": 0, "n": found["prompts"]}
    assert found["longer"]["mean"] == 0
    assert [abs(model["kl"]) < 1e-4 for model in found["models"]] == [True, True]


def test_a_run_stands_for_its_model_and_its_kl_is_from_what_it_began_with(capsys):
    found = compared(capsys, "run", "lm", "--judge", "scorer")
    a, b = found["models"]
    assert a["kl"] > 0.01
    assert b["kl"] is None
    assert ["compare_no_reference", {"model": "lm"}] in found["notes"]
    assert 0 <= found["win_rate"]["low"] <= found["win_rate"]["mean"] <= found["win_rate"]["high"] <= 1
    assert found["samples"][0]["a"]["prompt"] == found["samples"][0]["b"]["prompt"]
    assert {"score", "response", "prompt"} == found["samples"][0]["a"].keys()
    both = compared(capsys, "run", "run/policy", "--judge", "scorer", "--reference", "lm")
    assert both["models"][0]["kl"] == both["models"][1]["kl"] == a["kl"]


def test_the_score_decides_who_wins_and_turned_round_it_is_the_other(capsys):
    forth = compared(capsys, "run", "lm", "--reward", "good.py:longer")
    back = compared(capsys, "lm", "run", "--reward", "good.py:longer")
    assert forth["win_rate"]["mean"] == pytest.approx(1 - back["win_rate"]["mean"])
    assert forth["difference"]["mean"] == pytest.approx(-back["difference"]["mean"])
    assert forth["difference"]["mean"] == pytest.approx(forth["longer"]["mean"])       # this score is the length
    assert compared(capsys, "run", "lm", "--reward", "good.py:same")["win_rate"]["mean"] == 0.5


def test_what_was_drawn_and_that_it_is_little_is_said(capsys):
    found = compared(capsys, "lm", "run", "--reward", "good.py:longer", "--limit", "6")
    notes = dict(map(tuple, found["notes"]))
    assert found["prompts"] == 6
    assert notes["compare_drawn"] == {"n": 6, "of": 15}
    assert notes["few_examined"]["n"] == 6
    asked = Path("prompts.txt").read_text().splitlines()
    assert all(pair["a"]["prompt"] in asked for pair in found["samples"])


def test_without_a_judge_there_is_no_win_rate_and_that_is_said(capsys):
    found = compared(capsys, "lm", "run")
    assert "win_rate" not in found
    assert ["compare_no_judge", {}] in found["notes"]
    assert found["longer"]["n"] == found["prompts"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_is_shown_side_by_side(capsys, lang):
    assert cli.main(["compare", "run", "lm", "--prompts", "prompts.txt", "--reward", "good.py:longer", "--lang", lang,
                     *FEW]) == 0
    out = capsys.readouterr().out
    assert "A: run" in out
    assert "B: lm" in out
    assert {"en": "The same at equal length: ", "zh": "长度相同时的这一比例："}[lang] in out


def test_conversations_are_asked_by_each_model_s_own_template(capsys, tokenizer, policy):
    rows = [{"messages": [{"role": "user", "content": f"is the {noun} cheap?"}]} for noun in ("lamp", "pen", "bag")]
    Path("chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli.main(["compare", "lm", "run", "--prompts", "chats.jsonl", *FEW]) == 2
    assert "has no chat template" in capsys.readouterr().err
    assert cli.main(["compare", "lm", "run", "--prompts", "chats.jsonl", "--template", "zephyr", "--reward",
                     "good.py:longer", "--json", *FEW]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["prompts"] == 3
    assert found["samples"][0]["a"]["prompt"] == "is the lamp cheap?\n"                # as a person reads it


@pytest.mark.parametrize(("words", "said"), [
    (["lm", "run", "--judge", "scorer", "--reward", "good.py:longer"], "both --judge and --reward"),
    (["lm", "nowhere/at/all"], "does not exist"), (["lm", "started"], "has left no whole model"),
    (["lm", "run", "--limit", "1"], "--limit is 1"), (["lm", "run", "--temperature", "0"], "temperature is 0"),
    (["lm", "run", "--judge", "scorer", "--judge-class", "good"], "is a reward model"),
    (["lm", "run", "--judge-class", "good"], "there is none. Name it with --judge"),
    (["lm", "run", "--reward", "good.py:missing"], "missing"), (["lm", "run", "--reference", "gone/lm"], "gone/lm"),
    (["lm", "run", "--prompts", "none.txt"], "none.txt does not exist"),
    (["lm", "run", "--prompts", "one.txt"], "has 1 prompt that both models can be asked")])
def test_what_cannot_be_compared_is_one_line(capsys, words, said):
    Path("one.txt").write_text("the lamp\n")
    Path("started").mkdir()
    Path("started/settings.json").write_text("{}")
    assert cli.main(["compare", *(["--prompts", "prompts.txt"] if "--prompts" not in words else []), *words, *FEW,
                     "--lang", "en", "--json"]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.count("\n") == 1
    assert out == ""
