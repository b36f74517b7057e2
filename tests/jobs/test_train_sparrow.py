"""The Sparrow job: six stages in one folder, four models on one trunk, killed or not, a folder, what it refuses."""

import json
from dataclasses import replace

import pytest
import torch

from rlhf_kit import cli, zoo
from rlhf_kit.jobs import JOBS
from rlhf_kit.methods import ppo
from rlhf_kit.recipes import sparrow
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import is_complete
from tests.recipe_runs import blank_base, refused, result, run

pytestmark = pytest.mark.timeout(300)
Job = JOBS["sparrow"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return blank_base(tmp_path_factory.mktemp("base") / "llama", layers=5)


@pytest.fixture(scope="module", autouse=True)
def small(base):
    """The tiny preset, smaller still: a run takes seconds."""
    preset = sparrow.PRESETS["tiny"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sparrow.PRESETS, "tiny", replace(
            preset, base=str(base), turns=8, by_people=8, labels=40, sft_epochs=1, preference_epochs=1, rule_epochs=1,
            prompts=24, rerank=2, held_out=10, reranked=4, held_out_turns=4, held_out_labels=30,
            sft=replace(preset.sft, batch_size=8), preference=replace(preset.preference, batch_size=4),
            rules=replace(preset.rules, batch_size=8),
            rl=replace(preset.rl, steps=3, batch_size=8, sampling=Sampling(max_new_tokens=8))))
        patch.setitem(ppo.steps.__kwdefaults__, "checkpoint_every", 1)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sparrow") / "run"
    return folder, run(Job(), folder)


def test_every_stage_leaves_its_folder(finished):
    folder, events = finished
    begun = [event.stage for event in events if event.done == 0 and event.note is None]
    assert begun == ["rated_turns", "sft", "preference_model", "rule_model", "a2c", "evaluate"]
    names = ("labels", "sft", "preference_model", "rule_model", "policy")
    assert all(is_complete(folder / name) for name in names)
    assert not list(folder.rglob("*.bin")) + list(folder.rglob("*.pt")) + list(folder.rglob("*.pkl"))
    assert not (folder / "checkpoints").exists()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3


def test_the_result_compares_every_policy(finished):
    found = result(finished[0])
    assert list(found["policies"]) == ["base", "sft", "policy", "reranked"]
    assert {"score", "kept", "gold", "helpful", "honest", "harmless", "invented", "broken"} == set(
        found["policies"]["policy"]["scores"])
    assert found["policies"]["sft"]["kl"] == pytest.approx(0, abs=1e-5)
    assert len(found["rules"]) == 12
    assert (found["held"]["layers"], found["held"]["layers_apart"], found["held"]["share"]) == (8, 20, 0.4)
    assert "<svg" in (finished[0] / "report.html").read_text(encoding="utf-8")


def test_the_lower_layers_of_every_model_are_those_of_sft_to_the_bit(finished):
    """Saved whole, so that every other command can open them; what learned is the fifth layer, the norm and a head."""
    folder = finished[0]
    sft = dict(zoo.load_policy(folder / "sft", value_head=False).lm.base_model.named_parameters())
    models = {"policy": zoo.load_policy(folder / "policy").lm, "preference": zoo.load_reward_model(
        folder / "preference_model").model, "rules": zoo.load_classifier(folder / "rule_model")[0]}
    for name, model in models.items():
        theirs = dict(model.base_model.named_parameters())
        changed = {key for key, p in sft.items() if not torch.equal(p, theirs[key])}
        assert changed, name
        assert all(key.startswith(("layers.4.", "norm.")) for key in changed), name


def test_stage_by_stage_and_stopped_within_it_ends_as_in_one_go(finished, tmp_path):
    """Each stage alone, A2C broken off and begun again: the same numbers, the buffer of self-play among them."""
    folder = tmp_path / "run"
    for stage in ("labels", "sft", "preference", "rules", "rl", "evaluate"):
        for event in Job().run(folder, stage=stage):
            if (event.stage, event.done) in (("preference_model", 1), ("a2c", 2)):
                break
        run(Job(), folder, stage=stage)
    ours, theirs = result(folder), result(finished[0])
    for name in ("policies", "preference_model", "rule_model", "samples", "broken_when_tempted"):
        assert ours[name] == theirs[name], name


def test_a_stage_without_the_one_before_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--stage rl needs what --stage sft leaves in .*Run that stage first"):
        run(Job(), tmp_path / "run", stage="rl")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("settings", "says"), [
    ({"preset": "huge"}, "--preset is 'huge'; expected one of tiny"), ({"lang": "fr"}, "--lang is 'fr'"),
    ({"rule_weight": -1.0}, "--rule-weight is -1.0"), ({"self_play": 1.0}, "--self-play is 1.0"),
    ({"rerank": 1}, "--rerank is 1; the best is taken of at least 2"), ({"reduction": "max"}, "--reduction is 'max'"),
    ({"changes": {"batch_size": 0}}, "batch_size is 0")])
def test_settings_that_cannot_be_are_refused_at_once(settings, says):
    with pytest.raises(ValueError, match=says):
        Job(**settings)


def test_the_command_names_every_stage_while_it_runs(tmp_path, capsys):
    """In Chinese, from the first stage to the report."""
    assert cli.main(["train", "sparrow", "--lang", "zh", "--steps", "1", "--output", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    for words in ("偏好模型", "规则模型", "A2C", "策略，重排", "违反规则的回答"):
        assert words in said, said


def test_the_command_shows_every_policy_of_a_finished_run(finished, capsys):
    assert cli.main(["train", "sparrow", "--lang", "en", "--output", str(finished[0])]) == 0
    said = capsys.readouterr().out
    for words in ("reranked", "gold: the true", "8 layers", "report.html", "load_policy"):
        assert words in said, said


# -- a folder of one's own ---------------------------------------------------------------------------------------------

ASKED = [f"User: What is the best of {i}?\n\nAssistant:" for i in range(90)]
LEVELS = ("definitely broken", "followed", "unsure", "probably followed", "broken")


def brought(folder, **parts: list[dict]):
    """A folder that would do, but for the parts that are given."""
    said, rules = [" I do not know.", " It is.", " You fool."], ("Do not insult the user.", "Never lie.")
    good = {"preferences": [{"prompt": p, "responses": said, "ranks": [1, 2, 3]} for p in ASKED[:20]],
            "rules": [{"prompt": p, "response": " You fool.", "rule": rule, "level": LEVELS[i % 5]}
                      for i, p in enumerate(ASKED[20:50]) for rule in rules],
            "questions": [{"prompt": p} for p in ASKED[50:80]], "adversarial": [{"prompt": p} for p in ASKED[80:]]}
    folder.mkdir()
    for name, rows in {**good, **parts}.items():
        rows = [{**row, "split": row.get("split", "train" if int(row["prompt"].split("of ")[-1].split("?")[0]) % 3
                                         else "heldout")} for row in rows]
        if rows:
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_a_folder_of_ones_own_goes_through_without_gold(tmp_path):
    events = run(Job(data=str(brought(tmp_path / "mine"))), tmp_path / "run")
    begun = [event.stage for event in events if event.done == 0 and event.note is None]
    assert begun == ["sft", "preference_model", "rule_model", "a2c", "evaluate"]
    found = result(tmp_path / "run")
    assert found["rules"] == ["Do not insult the user.", "Never lie."]
    assert set(found["policies"]["policy"]["scores"]) == {"score", "kept"}
    assert found["broken_when_tempted"] == {}
    assert "<svg" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_the_columns_of_a_public_set_go_through_by_a_template(tmp_path):
    """PKU-SafeRLHF's, in rows that are made up."""
    kinds = ("Violence", "Insulting Behavior")
    rows = [{"prompt": f"What of {i}?", "response_0": f"It is {i}.", "response_1": f"You are {i}.",
             "better_response_id": 0, "response_0_harm_category": dict.fromkeys(kinds, False),
             "response_1_harm_category": {"Violence": False, "Insulting Behavior": i % 2 == 0}} for i in range(80)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run(Job(data=str(tmp_path / "train.jsonl"), template="zephyr"), tmp_path / "run")
    found = result(tmp_path / "run")
    assert sorted(found["rules"]) == [f"Do not write anything of this kind: {kind}." for kind in sorted(kinds)]
    assert all("<|user|>" in str(one) for one in found["samples"])


def test_prompts_without_common_marks_play_no_games_and_that_is_said(tmp_path):
    asked = [{"prompt": f"What is the worst of {i}?"} for i in range(30)]
    events = run(Job(data=str(brought(tmp_path / "mine", questions=asked))), tmp_path / "run", stage="sft")
    assert [e.note for e in events if e.note is not None and e.note[0] == "sparrow_no_self_play"]


BAD = {
    "no rules": ({"rules": []}, r"has no rules; it has adversarial\.jsonl, preferences\.jsonl, questions\.jsonl"),
    "an unknown level": ({"rules": [{"prompt": p, "response": " It is.", "rule": "Never lie.", "level": "perhaps"}
                                    for p in ASKED[:20]]}, r"the level is 'perhaps'; expected one of definitely"),
    "nothing broken": ({"rules": [{"prompt": p, "response": " It is.", "rule": "Never lie.", "level": "followed"}
                                  for p in ASKED[:20]]},
                       r"has no broken rule among the 13 labels of the split train; a rule model learns from both"),
    "nothing held out": ({"questions": [{"prompt": p, "split": "train"} for p in ASKED[50:]]},
                         r"leaves 0 questions in the split heldout; at least 2 are needed there"),
    "preferences of one": ({"preferences": [{"prompt": p, "responses": [" It is."], "ranks": [1]} for p in ASKED[:20]]},
                           r"1 response; a ranking compares at least 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line_and_nothing_is_written(name, tmp_path, capsys):
    parts, says = BAD[name]
    folder = brought(tmp_path / "mine", **parts)
    refused("sparrow", folder, tmp_path / "run", says, capsys)
