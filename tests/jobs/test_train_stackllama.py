"""The StackLLaMA job: five stages in one folder, whole or one by one, killed or not, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rlhf_kit import cli, zoo
from rlhf_kit.datasets.stack_exchange.dump import write_posts
from rlhf_kit.datasets.stack_exchange.threads import question_in
from rlhf_kit.formulas.records import Turn
from rlhf_kit.jobs import StackLlamaJob
from rlhf_kit.jobs import train_stackllama as job
from rlhf_kit.loops.process_group import divided
from rlhf_kit.methods import ppo
from rlhf_kit.models import chats, text, tiny
from rlhf_kit.models.adapters import LoRA, check_base
from rlhf_kit.models.heads import Policy
from rlhf_kit.recipes import stackllama
from rlhf_kit.runs import pipeline
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import StorageError, is_complete
from rlhf_kit.tasks.forum import Forum

pytestmark = [pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated"), pytest.mark.timeout(300)]
FOLDERS = ("sft_adapter", "sft", "reward_adapter", "policy_adapter", "policy")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A LLaMA of one layer that knows the forum's words and nothing else."""
    tokenizer = text.train_tokenizer(Forum().corpus(200), 400)
    folder = tmp_path_factory.mktemp("base") / "llama"
    zoo.save_policy(Policy(tiny.llama(tokenizer, layers=1, width=64), tokenizer, value_head=False), folder)
    return folder


def smaller(preset, base):
    """The preset on that base, a few steps of each stage."""
    adapter = LoRA(rank=2, alpha=4)
    steps = {"steps": 2, "batch_size": 2, "gradient_accumulation": 1, "lora": adapter}
    return replace(preset, base=str(base), answers=12, pairs=12, prompts=8, held_out=4, held_out_pairs=24, lora=adapter,
                   sft=replace(preset.sft, **steps), reward=replace(preset.reward, **steps),
                   ppo=replace(preset.ppo, steps=3, batch_size=4, minibatch_size=4, epochs=1,
                               sampling=Sampling(max_new_tokens=8)))


@pytest.fixture(scope="module", autouse=True)
def small(base):
    """The tiny preset, smaller still: a run takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(stackllama.PRESETS, "tiny", smaller(stackllama.PRESETS["tiny"], base))
        patch.setattr(stackllama, "DEMONSTRATIONS", 4)
        patch.setitem(ppo.steps.__kwdefaults__, "checkpoint_every", 1)
        yield


def run(job, folder, **options) -> list:
    return list(job.run(folder, **options))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack") / "run"
    return folder, run(StackLlamaJob(), folder)


def result(folder) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_every_stage_leaves_its_folder(finished, base):
    folder, events = finished
    assert [e.stage for e in events if e.done == 0] == ["sft", "merge", "reward_model", "ppo", "merge", "evaluate"]
    assert all(is_complete(folder / name) for name in FOLDERS)
    assert not list(folder.rglob("*.bin")) + list(folder.rglob("*.pt")) + list(folder.rglob("*.pkl"))
    check_base(folder / "sft_adapter", base)
    check_base(folder / "policy_adapter", folder / "sft")
    assert "quantization_config" not in json.loads((folder / "sft" / "config.json").read_text())
    assert load_file(folder / "sft" / "model.safetensors")["model.norm.weight"].dtype == torch.float32


def test_the_result_compares_base_sft_and_policy(finished):
    found = result(finished[0])
    assert list(found["policies"]) == ["base", "sft", "ppo"]
    assert all({"score", "gold", "fenced"} == set(x["scores"]) for x in found["policies"].values())
    assert found["policies"]["sft"]["kl"] == 0
    assert {"accuracy", "ceiling", "length_only", "above_length"} <= set(found["reward_model"])
    assert 0.5 < found["reward_model"]["ceiling"] <= 1
    assert found["quantize"] == "int8"
    assert len(found["samples"]) == 4


def test_the_merged_policy_is_a_plain_model(finished):
    policy = zoo.load_policy(finished[0] / "policy", value_head=False)
    assert type(policy.lm).__name__ == "LlamaForCausalLM"
    assert len((finished[0] / "metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.slow
def test_stage_by_stage_ends_as_in_one_go(finished, tmp_path):
    for stage in ("sft", "merge", "reward", "ppo", "evaluate"):
        run(StackLlamaJob(), tmp_path / "run", stage=stage)
    ours, theirs = result(tmp_path / "run"), result(finished[0])
    for name in ("policies", "reward_model", "samples"):
        assert ours[name] == theirs[name]


@pytest.mark.slow
def test_killed_within_ppo_it_goes_on_there(finished, tmp_path):
    """What is done is kept; the checkpoint of the second step is the last thing that is there."""
    folder = tmp_path / "run"
    for event in StackLlamaJob().run(folder):
        if event.stage == "ppo" and event.done == 2:
            break
    assert not (folder / "policy_adapter").exists()
    events = run(StackLlamaJob(), folder)
    assert {e.stage for e in events if e.kept} == {"sft", "reward_model"}
    assert result(folder)["policies"] == result(finished[0])["policies"]


@pytest.mark.slow
def test_a_killed_stage_of_trl_leaves_nothing_and_begins_again(tmp_path):
    for event in StackLlamaJob().run(tmp_path / "run", stage="sft"):
        if event.done == 1:
            break
    assert not (tmp_path / "run" / "sft_adapter").exists()
    events = run(StackLlamaJob(), tmp_path / "run", stage="sft")
    assert [e.done for e in events if e.stage == "sft"] == [0, 1, 2]


def test_a_stage_without_the_one_before_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--stage reward needs what --stage merge leaves in .*Run that stage first"):
        run(StackLlamaJob(), tmp_path / "run", stage="reward")
    assert not (tmp_path / "run").exists()


def test_another_run_s_folder_is_refused(finished):
    with pytest.raises(StorageError, match="holds a run with other settings"):
        run(StackLlamaJob(seed=1), finished[0])
    with pytest.raises(StorageError, match="holds a run with other settings"):
        run(StackLlamaJob(voters="fences"), finished[0])


@pytest.mark.slow
def test_people_s_questions_take_the_forum_s_place(tmp_path):
    """The same threads through Posts.xml; without the truth there is no gold and no ceiling."""
    write_posts(tmp_path / "Posts.xml", Forum().threads(400))
    run(StackLlamaJob(data=str(tmp_path / "Posts.xml")), tmp_path / "run")
    found = result(tmp_path / "run")
    assert set(found["policies"]["ppo"]["scores"]) == {"score", "fenced"}
    assert found["reward_model"]["ceiling"] is None
    write_posts(tmp_path / "Posts.xml", Forum().threads(400, seed=2))
    with pytest.raises(StorageError, match="holds a run with other settings"):
        run(StackLlamaJob(data=str(tmp_path / "Posts.xml")), tmp_path / "run")


@pytest.fixture
def instruct(base, tmp_path):
    """The same base, with a chat template."""
    policy = zoo.load_policy(base, value_head=False)
    chats.use_template(policy.tokenizer, "zephyr")
    zoo.save_policy(policy, tmp_path / "instruct")
    return tmp_path / "instruct"


def test_an_instruct_base_is_asked_through_its_own_template_and_people_read_questions(instruct, tmp_path):
    run(StackLlamaJob(quantize="none", model=str(instruct), template="own"), tmp_path / "out")
    samples = result(tmp_path / "out")["samples"]
    assert all(row["before"]["prompt"].startswith("Question: ") for row in samples)
    assert "<|" not in json.dumps(samples)
    assert "<|assistant|>" in zoo.load_policy(tmp_path / "out" / "policy").tokenizer.chat_template


def test_questions_through_a_template_are_the_same_with_the_same_truth(instruct):
    forum, tokenizer = Forum(), zoo.load_policy(instruct).tokenizer
    asked = job.Asked(forum, tokenizer)
    prompt, plain = asked.prompts("heldout", 1)[0], forum.prompts("heldout", 1)[0]
    assert prompt == chats.write(tokenizer, (Turn("user", question_in(plain)),), asked=True)
    assert asked.answered(1)[0][1] == forum.answered(1)[0][1].strip()
    answer = forum.answered(1, split="heldout")[0][1]
    assert asked.gold(prompt, answer.strip()) == forum.gold(plain, answer)
    [pair] = asked.comparisons(1, split="heldout")
    assert pair.chosen.endswith("<eos>\n")
    assert pair.prompt + pair.chosen == chats.write(tokenizer, (
        Turn("user", question_in(forum.comparisons(1, split="heldout")[0].prompt)),
        Turn("assistant", pair.chosen.removesuffix("<eos>\n"))))
    assert asked.bayes_accuracy([pair]) == forum.bayes_accuracy(forum.comparisons(1, split="heldout"))


def test_a_base_without_a_template_is_refused(base, tmp_path):
    with pytest.raises(ValueError, match="brings no chat template"):
        run(StackLlamaJob(quantize="none", model=str(base), template="own"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="with an instruct model"):
        StackLlamaJob(quantize="none", model="tiny-forum", template="own")


def test_too_few_questions_are_refused_before_anything_is_trained(tmp_path):
    write_posts(tmp_path / "Posts.xml", Forum().threads(30))
    with pytest.raises(ValueError, match="split 'heldout'"):
        run(StackLlamaJob(data=str(tmp_path / "Posts.xml")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("options", "complaint"), [
    ({"preset": "70b"}, "--preset is '70b'; expected one of tiny, colab, 7b"),
    ({"voters": "fences", "data": "Posts.xml"}, "--voters belongs to the made-up forum"),
    ({"quantize": "int3"}, "quantize is 'int3'"),
    ({"changes": {"learning_rate": -1.0}}, "learning_rate is -1.0"),
])
def test_settings_that_cannot_be(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        StackLlamaJob(**options)


# Before the first stage

@pytest.mark.parametrize("preset", ["colab", "7b"])
def test_the_presets_divide_among_one_two_four_and_eight_processes(preset):
    config = stackllama.PRESETS[preset].ppo
    for processes in (1, 2, 4, 8):
        assert divided("batch_size", config.batch_size, processes) >= 1
        assert divided("minibatch_size", config.minibatch_size, processes) >= 1


def started(monkeypatch, processes: int) -> None:
    """As one of so many, which meets nobody here."""
    monkeypatch.setattr(pipeline, "here", lambda: (0, processes))
    monkeypatch.setattr(pipeline, "wait", lambda device: None)


def test_batches_that_cannot_be_divided_are_refused_before_anything_is_trained(tmp_path, monkeypatch):
    started(monkeypatch, 3)
    with pytest.raises(ValueError, match="batch_size is 4 and there are 3 processes"):
        run(StackLlamaJob(), tmp_path / "run")
    with pytest.raises(ValueError, match="minibatch_size is 2 and there are 3 processes"):
        run(StackLlamaJob(changes={"batch_size": 6, "minibatch_size": 2}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_few_comparisons_for_one_update_are_refused_before_anything_is_trained(tmp_path, monkeypatch):
    write_posts(tmp_path / "Posts.xml", Forum().threads(400))
    job = StackLlamaJob(data=str(tmp_path / "Posts.xml"), changes={"batch_size": 2000, "minibatch_size": 2000})
    started(monkeypatch, 2000)
    with pytest.raises(ValueError, match=r"takes 4000 comparisons \(2 at a time, 1 times, in 2000 processes\)"):
        run(job, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_answers_that_have_no_room_are_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ValueError, match="max_new_tokens is 5000, but the model reads"):
        run(StackLlamaJob(changes={"max_new_tokens": 5000}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# On the command line

def test_merging_into_a_folder_of_somebodys_is_refused_before_the_model_is_loaded(finished, base, tmp_path, capsys,
                                                                                  monkeypatch):
    monkeypatch.setattr("rlhf_kit.models.loading.load_language_model", lambda *_, **__: pytest.fail("it was loaded"))
    (tmp_path / "models" / "other").mkdir(parents=True)
    (tmp_path / "models" / "notes.md").write_text("mine")
    (tmp_path / "models" / "other" / "model.safetensors").write_text("weights")
    assert cli.main(["merge", str(finished[0] / "sft_adapter"), "--base", str(base), "--output",
                     str(tmp_path / "models"), "--lang", "en"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "holds files that the kit did not write (notes.md)" in line
    assert (tmp_path / "models" / "other" / "model.safetensors").read_text() == "weights"


def test_the_command_shows_a_finished_run_and_merges(finished, base, tmp_path, capsys):
    folder = finished[0]
    assert cli.main(["train", "stackllama", "--output", str(folder), "--lang", "en"]) == 0
    shown = capsys.readouterr().out
    assert "after SFT" in shown
    assert "by the length alone" in shown
    assert cli.main(["merge", str(folder / "sft_adapter"), "--base", str(base), "--dtype", "float32", "--output",
                     str(tmp_path / "merged"), "--lang", "en"]) == 0
    merged, expected = (load_file(place / "model.safetensors") for place in (tmp_path / "merged", folder / "sft"))
    assert all(torch.equal(merged[name], tensor) for name, tensor in expected.items())


def test_the_command_offers_the_stages_that_there_are():
    """Written down there once more, because help must not import torch."""
    from rlhf_kit.commands.stackllama import STAGES
    from rlhf_kit.jobs import train_stackllama as job
    assert STAGES == job.STAGES


@pytest.mark.parametrize(("words", "complaint"), [
    (["merge", "{run}/sft_adapter", "--base", "{run}/policy"], "was trained on another base than"),
    (["merge", "{run}/policy"], "holds no adapter; expected adapter_config.json"),
    (["merge", "{run}/sft_adapter", "--base", "{eight}"], "the base is held in 8 or 4 bits; merged there"),
    (["train", "stackllama", "--preset", "huge"], "--preset is 'huge'"),
    (["train", "stackllama", "--stage", "ppo"], "needs what --stage reward leaves"),
])
def test_bad_input_is_one_line_and_nothing_is_lost(finished, base, tmp_path, capsys, words, complaint):
    eight = shutil.copytree(base, tmp_path / "eight")
    config = json.loads((eight / "config.json").read_text())
    (eight / "config.json").write_text(json.dumps({**config, "quantization_config": {"load_in_8bit": True}}))
    words = [word.format(run=finished[0], eight=eight) for word in words]
    with_output = [*words, "--output", str(tmp_path / "out")]
    assert cli.main(with_output) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


# Several processes

SCRIPT = """
import sys
sys.path[:0] = [{root!r}, {root!r} + '/tests']
from dataclasses import replace
from rlhf_kit import cli
from rlhf_kit.recipes import stackllama
from rlhf_kit.runs import pipeline
from tests.jobs.test_train_stackllama import smaller
stackllama.PRESETS["tiny"] = smaller(stackllama.PRESETS["tiny"], {base!r})
stackllama.DEMONSTRATIONS = 4
sys.exit(cli.main(["train", "stackllama", "--output", {folder!r}, "--lang", "en", "--processes", "2"]))
"""


@pytest.mark.slow
def test_two_processes_make_one_run(base, tmp_path):
    """Every stage under torchrun on two CPU processes; the first writes, and both end without a word of complaint."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(root=str(Path(__file__).parents[2]), base=str(base), folder=str(tmp_path / "run")))
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
                           str(script)], capture_output=True, text=True, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 processes train together" in done.stdout
    found = result(tmp_path / "run")
    assert list(found["policies"]) == ["base", "sft", "ppo"]
    assert all(is_complete(tmp_path / "run" / name) for name in FOLDERS)


def test_a_run_of_fewer_processes_than_asked_for_is_refused(tmp_path, capsys):
    assert cli.main(["train", "stackllama", "--processes", "2", "--output", str(tmp_path / "run")]) == 2
    assert "2 processes were asked for and 1 started" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
