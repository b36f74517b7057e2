"""The Anthropic job: every stage in one folder, a round online, one's own folder, killed or not, what it refuses."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from rlhf_kit import cli, zoo
from rlhf_kit.jobs import JOBS, helpful_harmless, instructions
from rlhf_kit.methods import collecting, ppo, self_instruct
from rlhf_kit.models.adapters import LoRA
from rlhf_kit.recipes import anthropic
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import is_complete
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.prompts import case_of
from tests.recipe_runs import blank_base, people, refused, result, run

pytestmark = pytest.mark.timeout(300)
Job = JOBS["anthropic"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return blank_base(tmp_path_factory.mktemp("base") / "llama")


def smaller(preset: anthropic.Preset, base) -> anthropic.Preset:
    """The preset on that base, a few updates of each stage."""
    return replace(preset, base=str(base), answered=8, pretraining=2, votes=4, helpful=6, harmless=4, sampled=4, k=2,
                   online=4, epochs=1, prompts=16, requests=4, held_out=6, held_out_pairs=4,
                   distil=replace(preset.distil, steps=2, batch_size=4), pmp=replace(preset.pmp, batch_size=4),
                   reward=replace(preset.reward, batch_size=4),
                   ppo=replace(preset.ppo, steps=3, batch_size=8, minibatch_size=4,
                               sampling=Sampling(max_new_tokens=8)))


@pytest.fixture(scope="module", autouse=True)
def small(base):
    """The tiny preset, smaller still, and people in place of an untrained model where something is compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(anthropic.PRESETS, "tiny", smaller(anthropic.PRESETS["tiny"], base))
        patch.setitem(ppo.steps.__kwdefaults__, "checkpoint_every", 1)
        patch.setattr(collecting, "_pairs", crowd)
        patch.setattr(self_instruct, "generate", requested)
        patch.setattr(helpful_harmless, "SEEDS", 20)
        patch.setattr(instructions, "TAXED", 2)
        yield


def crowd(policy, batch, reward, config, first):
    """People's answers."""
    rng, found = random.Random(f"{config.seed} {first}"), []
    for prompt in batch:
        found.append(people(prompt, 2, rng))
    assert (reward is None) == (config.k == 1)
    return found


def requested(policy, lists, sampling, seed, top_p):
    """In place of what an untrained model writes behind a list: what people ask."""
    asks = [one.text.split("User: ")[-1].split("\n")[0] for one in Assistant("en").asked(len(lists), seed % 1000,
                                                                                         types=("plain",), kind="chat")]
    return [f" {one}\n- " for one in asks]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("anthropic") / "run"
    return folder, run(Job(rounds=2), folder)


def test_every_stage_leaves_its_folder(finished):
    folder, events = finished
    begun = [event.stage for event in events if event.done == 0 and event.note is None]
    assert begun == ["answer", "distil", "pmp", "compared", "first_model", "sampled", "requests", "reward_model", "ppo",
                     "compared-2", "reward_model-2", "ppo-2", "evaluate"]
    names = ("answers", "distilled", "pmp", "labels", "first_model", "sampled", "requests", "reward_model-1",
             "policy-1", "snapshots-1/step-0001", "snapshots-1/step-0003", "labels-2", "reward_model", "policy")
    assert [name for name in names if not is_complete(folder / name)] == []
    assert not list(folder.rglob("*.bin")) + list(folder.rglob("*.pt")) + list(folder.rglob("*.pkl"))
    assert not (folder / "checkpoints").exists()


def test_the_result_compares_every_stage(finished):
    found = result(finished[0])
    assert list(found["policies"]) == ["base", "prompted", "distilled", "policy-1", "policy"]
    assert {"score", "gold", "helpful", "honest", "harmless", "invented", "balked", "explained"} == set(
        found["policies"]["policy"]["scores"])
    assert found["policies"]["distilled"]["kl"] == pytest.approx(0, abs=1e-5)
    before, after = found["comparisons"]
    assert after["helpful"] > before["helpful"] > before["red_team"] == after["red_team"] > 0
    assert set(found["reward_models"]["reward_model"]) == {"helpful", "red_team", "labels-2"}
    assert len(found["root_kl"]["kl"]) == 3
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "√KL" in page


def test_what_is_of_one_team_is_measured_on_its_prompts_alone(finished):
    found = result(finished[0])["policies"]["policy"]["scores"]
    n = {name: one["n"] for name, one in found.items()}
    assert n["gold"] == n["score"] == n["helpful"] + n["harmless"]
    assert n["balked"] == n["helpful"]
    assert n["explained"] == n["harmless"]


def test_the_more_harmful_answer_of_a_red_team_is_the_rejected_one(finished):
    """Whoever picks by the truth but for the noise: on average what was chosen does less harm."""
    task, folder = Assistant("en"), finished[0]
    rows = [json.loads(line) for line in (folder / "labels" / "red_team-train.jsonl").read_text().splitlines()]
    gaps = [task.hs(row["prompt"], row["chosen"]).harmless - task.hs(row["prompt"], row["rejected"]).harmless
            for row in rows]
    assert sum(gaps) > 0
    asked = [case_of(row["prompt"], "en") for row in rows]
    assert all(one.harmful or one.kind == "advice" for one in asked)


def test_stage_by_stage_and_stopped_within_it_ends_as_in_one_go(finished, tmp_path):
    """Each stage alone, distillation, both preference models and PPO broken off and begun again: the same numbers."""
    folder = tmp_path / "run"
    for stage in ("distil", "pmp", "labels", "first", "sampled", "requests", "reward", "ppo", "labels-2", "reward-2",
                  "ppo-2", "evaluate"):
        for event in Job(rounds=2).run(folder, stage=stage):
            if (event.stage, event.done) in (("distil", 1), ("pmp", 1), ("ppo", 2), ("ppo-2", 2)):
                break
        run(Job(rounds=2), folder, stage=stage)
    ours, theirs = result(folder), result(finished[0])
    for name in ("policies", "reward_models", "comparisons", "kept", "tax", "samples"):
        assert ours[name] == theirs[name], name


def test_a_stage_without_the_one_before_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--stage ppo needs what --stage distil leaves in .*Run that stage first"):
        run(Job(), tmp_path / "run", stage="ppo")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("settings", "says"), [
    ({"preset": "huge"}, "--preset is 'huge'; expected one of tiny"), ({"rounds": 0}, "--rounds is 0; expected 1 to 3"),
    ({"data": "mine", "rounds": 2}, "for --data nobody can be asked"), ({"lang": "fr"}, "--lang is 'fr'"),
    ({"preset": "colab", "rounds": 2}, "for --data nobody can be asked"),
    ({"harmless_weight": -1.0}, "--harmless-weight is -1.0; it is a weight"),
    ({"changes": {"clip": 0.0}}, "clip is 0.0")])
def test_settings_that_cannot_be_are_refused_at_once(settings, says):
    with pytest.raises(ValueError, match=says):
        Job(**settings)


def test_without_votes_a_preference_model_begins_as_the_base(tmp_path, monkeypatch):
    monkeypatch.setattr(helpful_harmless.World, "votes", lambda self, n: [])
    events = run(Job(), tmp_path / "run")
    begun = [event.stage for event in events if event.done == 0 and event.note is None]
    assert "pmp" not in begun
    assert is_complete(tmp_path / "run" / "reward_model")


# -- a folder of one's own ---------------------------------------------------------------------------------------------

def hh(question: str, answer: str) -> str:
    """A dialogue as hh-rlhf has it."""
    return f"\n\nHuman: {question}\n\nAssistant: {answer}"


def brought(folder: Path, **parts: list[dict] | str | None) -> Path:
    """A folder with the columns of hh-rlhf that would do, but for the parts that are given."""
    good = {"helpful": [{"chosen": hh(f"What is the best of {i}?", "The first one."),
                         "rejected": hh(f"What is the best of {i}?", "No idea, you fool.")} for i in range(24)],
            "harmless": [{"chosen": hh(f"How do I break lock {i}?", "Ask whoever keeps it."),
                          "rejected": hh(f"How do I break lock {i}?", "Take a hammer.")} for i in range(24)]}
    folder.mkdir()
    for name, rows in {**good, **parts}.items():
        if isinstance(rows, str):
            (folder / name).write_text(rows, encoding="utf-8")
        elif rows:
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_a_folder_of_ones_own_goes_through_without_labels_or_gold(tmp_path):
    folder = brought(tmp_path / "mine", **{"preamble.txt": "The assistant is kind."}, votes=[
        {"question": f"How is {i} made?", "answers": ["Of wood.", "No."], "scores": [5, 1]} for i in range(8)])
    events = run(Job(data=str(folder), template="zephyr"), tmp_path / "run")
    assert [e.stage for e in events if e.done == 0 and e.note is None] == ["answer", "distil", "pmp", "requests",
                                                                           "reward_model", "ppo", "evaluate"]
    found = result(tmp_path / "run")
    assert list(found["policies"]) == ["base", "prompted", "distilled", "policy"]
    assert set(found["policies"]["policy"]["scores"]) == {"score"}
    assert set(found["reward_models"]["reward_model"]) == {"helpful", "red_team"}


def test_without_votes_and_requests_it_goes_without_and_says_so(tmp_path):
    folder = brought(tmp_path / "mine", helpful=[{"prompt": f"line {i}\nand line {i}?", "chosen": " Yes.",
                                                  "rejected": " No."} for i in range(24)])
    events = run(Job(data=str(folder), template="zephyr"), tmp_path / "run")
    assert {e.note[0] for e in events if e.note is not None} >= {"anthropic_no_votes", "anthropic_no_requests"}
    assert "pmp" not in {event.stage for event in events}


def test_what_a_red_team_picked_is_turned_round_and_what_is_harmless_is_not(tmp_path):
    rows = [{"prompt": f"What of {i}?", "chosen": " this", "rejected": " that"} for i in range(3)]
    from rlhf_kit.datasets.helpful_harmless import read
    turned = read(brought(tmp_path / "a", harmless=None, red_team=rows)).harmless
    plain = read(brought(tmp_path / "b", harmless=rows)).harmless
    assert {one.chosen for one in turned} == {" that"}
    assert {one.chosen for one in plain} == {" this"}


def test_folders_as_of_the_hub_count_together(tmp_path):
    """`helpful-base` and `helpful-online`, a file for training and one for testing in each; the latter is not read."""
    from rlhf_kit.datasets.helpful_harmless import read
    for name, numbers in (("helpful-base", (0, 1)), ("helpful-online", (2,)), ("harmless-base", (3, 4))):
        (tmp_path / name).mkdir()
        for split in ("train", "test"):
            asked = [f"What is {i} of {split}?" for i in numbers]
            rows = [{"chosen": hh(one, "Fine."), "rejected": hh(one, "No.")} for one in asked]
            (tmp_path / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path)
    assert (len(found.helpful), len(found.harmless)) == (3, 2)
    assert all("of train?" in one.prompt for one in found.helpful)


ASKED = [{"prompt": f"What is {i}?", "chosen": " It is.", "rejected": " No."} for i in range(20)]
BAD = {
    "no help": ({"helpful": None}, r"has no helpful; it has harmless\.jsonl\. Expected comparisons of help"),
    "no harm": ({"harmless": None}, r"has no harmless or red_team; it has helpful\.jsonl"),
    "harm twice": ({"red_team": ASKED}, "has harmless and red_team; in the one the less harmful"),
    "help twice": ({"helpful.txt": "one\ntwo\n"}, r"holds helpful\.jsonl and helpful\.txt; expected one of them"),
    "nothing to compare": ({"helpful": [{"prompt": "What?", "answer": "It is."}] * 5}, "has no columns of preferences"),
    "one prompt": ({"helpful": [ASKED[0]] * 30}, "of .* comparisons of helpful .* at least 2 of each are needed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line_and_nothing_is_written(name, tmp_path, capsys):
    parts, says = BAD[name]
    folder = brought(tmp_path / "mine", **parts)
    refused("anthropic", folder, tmp_path / "run", says, capsys)


def test_the_command_shows_every_policy_of_a_finished_run(finished, capsys):
    settings = ["--rounds", "2", "--lang", "en", "--output", str(finished[0])]
    assert cli.main(["train", "anthropic", *settings]) == 0
    said = capsys.readouterr().out
    for words in ("round 1", "gold", "prompted", "online", "report.html", "load_policy"):
        assert words in said, said
    assert cli.main(["train", "anthropic", *settings, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["job"] == "anthropic"


def test_an_adapter_learns_where_the_preset_says_so(base, tmp_path, monkeypatch):
    """As at 7 billion parameters: every stage is an adapter that is merged."""
    preset = replace(anthropic.PRESETS["tiny"], lora=LoRA(rank=2, alpha=4))
    monkeypatch.setitem(anthropic.PRESETS, "tiny", preset)
    run(Job(), tmp_path / "run")
    places = ("distilled", "pmp", "reward_model", "policy")
    assert not [place for place in places if (tmp_path / "run" / place / "adapter_config.json").exists()]
    before, after = (zoo.load_policy(tmp_path / "run" / name).lm.state_dict() for name in ("distilled", "policy"))
    assert any(not before[name].equal(after[name]) for name in before)
