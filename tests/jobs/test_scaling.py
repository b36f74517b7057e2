"""Adapters, few bits, parts of a batch, further steps: alike for every method, and of use to other commands."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from rlhf_kit import cli, zoo
from rlhf_kit.formulas.records import Comparison, Labelled
from rlhf_kit.jobs import JOBS, scaling
from rlhf_kit.methods import best_of_n, classifier, dpo, grpo, kto, ppo, rest, reward_model, sft
from rlhf_kit.models.adapters import AdapterError
from rlhf_kit.models.loading import load_language_model, save_model
from rlhf_kit.runs import snapshots
from rlhf_kit.storage import StorageError
from rlhf_kit.studio.shelf import Shelf

KINDS = ("sft", "reward-model", "judge", "ppo")
LATER = ("grpo", "dpo", "kto")      # take seconds, and nothing of their own: what opens and fits them stands once
EVERY = [*KINDS, *(pytest.param(name, marks=pytest.mark.slow) for name in LATER)]
LEFT = dict.fromkeys(("ppo", *LATER), "policy")     # the folder of what was trained, elsewhere "model"
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")


def crossed(values: tuple) -> list:
    """Every kind with the first value and the first kind with every value; of the other pairs each is slow."""
    return [pytest.param(kind, value, marks=[] if kind in KINDS and (value == values[0] or kind == KINDS[0])
                         else [pytest.mark.slow]) for kind in (*KINDS, *LATER) for value in values]


@pytest.fixture
def jobs(saved_llama, sentences, tmp_path, monkeypatch):
    """One of each kind that takes four updates on the small Llama, saving after each."""
    for steps in (sft.steps, ppo.steps, reward_model.steps, classifier.steps, grpo.steps, dpo.steps, kto.steps):
        monkeypatch.setitem(steps.__kwdefaults__, "checkpoint_every", 1)
    (tmp_path / "texts.txt").write_text("\n".join(sentences))
    rows = [{"prompt": "", "chosen": row.replace("broke", "works"), "rejected": row.replace("works", "broke")}
            for row in sentences]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, {row["chosen"]: row for row in rows}.values())))
    (tmp_path / "labels.csv").write_text("text,label\n" + "\n".join(
        f'"{row}",{"positive" if "works" in row else "negative"}' for row in sentences))
    (tmp_path / "prompts.txt").write_text("\n".join(sorted({" ".join(row.split()[:4]) for row in sentences})))
    (tmp_path / "mine.py").write_text("def reward(prompts, responses):\n    return [len(r) / 9 for r in responses]\n")
    small = {"steps": 4, "batch_size": 4}
    files = {"sft": {"data": "texts.txt"}, "reward-model": {"pairs": "pairs.jsonl"}, "judge": {"data": "labels.csv"},
             "ppo": {"prompts": "prompts.txt"}, "grpo": {"prompts": "prompts.txt"}, "dpo": {"data": "asked.jsonl"},
             "kto": {"data": "asked.jsonl"}}
    asked = [{"prompt": " ".join(row.split()[:4]) + f" {i}", "chosen": " works.", "rejected": " broke."}
             for i, row in enumerate(sentences[:40])]
    (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, asked)))
    drawn = {"max_new_tokens": 6, "changes": small}
    own = {"grpo": {"reward": f"{tmp_path}/mine.py:reward",
                    "changes": {**small, "group_size": 2, "max_new_tokens": 6, "checks": False}},
           "dpo": drawn, "kto": drawn,
           "ppo": {"reward": f"{tmp_path}/mine.py:reward",
                   "changes": {**small, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 6, "checks": False}}}
    return {kind: JOBS[kind](**{"model": str(saved_llama), "changes": small, **own.get(kind, {}),
                                **{name: str(tmp_path / file) for name, file in files[kind].items()}})
            for kind in (*KINDS, *LATER)}


def run(job, folder, **options) -> tuple[dict, list]:
    notes = [event.note for event in job.run(folder, **options) if event.note]
    return json.loads((folder / "result.json").read_text()), notes


def metrics(folder) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def left(kind, folder):
    return folder / LEFT.get(kind, "model")


def tensors(kind, folder, name="adapter_model") -> dict[str, torch.Tensor]:
    return load_file(left(kind, folder) / f"{name}.safetensors")


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# What an adapter run leaves

@pytest.mark.parametrize("kind", EVERY)
def test_an_adapter_learns_and_is_all_that_is_left(jobs, saved_llama, tmp_path, kind):
    _, notes = run(replace(jobs[kind], lora=4), tmp_path / "out")
    assert not (left(kind, tmp_path / "out") / "model.safetensors").exists()
    learned = [name for name, tensor in tensors(kind, tmp_path / "out").items() if ".lora_B." in name and tensor.any()]
    assert len(learned) == 2 * 7
    config = json.loads((left(kind, tmp_path / "out") / "adapter_config.json").read_text())
    assert (config["r"], config["base_model_name_or_path"]) == (4, str(saved_llama))
    [(_, said)] = [note for note in notes if note[0] == "preset_taken"]
    assert said["size"] == "tiny"
    assert "lora" not in said["what"]                    # it was named


@pytest.mark.parametrize(("kind", "quantize"), crossed(("int8", "nf4")))
def test_a_killed_run_in_few_bits_ends_with_the_same_numbers(jobs, tmp_path, kind, quantize):
    job = replace(jobs[kind], quantize=quantize)
    stream = job.run(tmp_path / "stopped")
    for event in stream:
        if event.done == 2 and event.metrics:
            break
    stream.close()
    for folder in ("stopped", "whole"):
        run(job, tmp_path / folder)
    assert same(tensors(kind, tmp_path / "stopped"), tensors(kind, tmp_path / "whole"))
    assert metrics(tmp_path / "stopped") == metrics(tmp_path / "whole")


def test_every_other_command_takes_the_folder(jobs, tmp_path, capsys):
    """sft, then ppo from there towards a reward model and a judge that are adapters, then merge; and the shelf."""
    for kind in ("sft", "reward-model", "judge"):
        run(replace(jobs[kind], lora=4), tmp_path / "runs" / kind)
    places = {kind: str(tmp_path / "runs" / kind / "model") for kind in ("sft", "reward-model", "judge")}
    for judge in ("reward-model", "judge"):
        job = replace(jobs["ppo"], model=places["sft"], reward=None, judge=places[judge], lora=2)
        result, _ = run(job, tmp_path / "runs" / f"by-{judge}")
        assert result["steps"] == 4
    first = metrics(tmp_path / "runs" / "by-judge")[0]
    assert abs(first["kl"]) < 1e-5                       # the reference is the sft adapter in its base
    ids = torch.tensor([[3, 10, 20, 30]])
    for name in ("by-judge/policy", "sft/model"):
        assert cli.main(["merge", str(tmp_path / "runs" / name), "--dtype", "float32", "--output",
                         str(tmp_path / "merged" / name)]) == 0
        apart = zoo.load_policy(tmp_path / "runs" / name).lm(ids).logits
        assert torch.allclose(load_language_model(tmp_path / "merged" / name)[0](ids).logits, apart, atol=1e-6)
    model = zoo.load_reward_model(places["reward-model"])
    assert model.shift != 0                              # centred, as the run left it
    capsys.readouterr()
    shelf = Shelf(tmp_path)
    for name, kind in (("sft", "policy"), ("by-judge", "policy"), ("reward-model", "judge"), ("judge", "judge")):
        assert name in shelf.names(kind, "en"), name
        assert (shelf.policy if kind == "policy" else shelf.judge)(name, "en") is not None


@pytest.mark.parametrize("kind", ["sft", "ppo", "reward-model"])
def test_what_an_adapter_made_of_its_base_learns_with_all_weights_below_a_billion(jobs, tmp_path, kind):
    """SFT with LoRA and then another method without it, as with any model of that size."""
    run(replace(jobs["sft"], lora=2), tmp_path / "sft")
    run(replace(jobs[kind], model=str(tmp_path / "sft" / "model"), lora=None), tmp_path / "out")
    before = zoo.load_policy(tmp_path / "sft" / "model").lm.state_dict()
    after = tensors(kind, tmp_path / "out", "model")
    moved = [name for name, tensor in before.items() if name in after and not torch.equal(after[name], tensor)]
    assert any("layers.0" in name for name in moved)


@pytest.mark.parametrize("quantize", [None, "int8"])
@pytest.mark.parametrize("kind", ["judge", "reward-model"])
def test_an_encoders_pooler_and_head_learn_and_come_along(jobs, sentences, tmp_path, capsys, kind, quantize):
    """BERT's pooler is drawn anew with the head: what the adapter was trained beside is what it is loaded with."""
    words = sorted({word for row in sentences for word in row.replace(".", " .").replace(",", " ,").split()})
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
                                                                       *words])})
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                        num_attention_heads=2, max_position_embeddings=48)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_model(BertForMaskedLM(config), tokenizer, tmp_path / "bert")
    run(replace(jobs[kind], model=str(tmp_path / "bert"), lora=2, quantize=quantize), tmp_path / "out")
    names = tensors(kind, tmp_path / "out")
    assert {"base_model.model.bert.pooler.dense.weight", "base_model.model.classifier.weight"} <= set(names)
    assert cli.main(["merge", str(tmp_path / "out" / "model"), "--dtype", "float32", "--lang", "en", "--output",
                     str(tmp_path / "merged")]) == 0
    door = "load_classifier" if kind == "judge" else "load_reward_model"
    assert f"kit.{door}(" in capsys.readouterr().out
    ids, scored = torch.tensor([[2, 7, 8, 9, 3]]), []
    for place in (tmp_path / "out" / "model", tmp_path / "merged"):
        made = getattr(zoo, door)(place)
        scored.append(made[0](ids).logits if kind == "judge" else made(ids, torch.ones_like(ids)))
    assert torch.allclose(*scored, atol=1e-5)


def test_the_reference_is_the_base_with_its_adapter_off(jobs, saved_llama):
    policy, chosen = replace(jobs["ppo"], lora=4).open_policy(0)
    reference = policy.reference()
    assert reference.lm is policy.lm                     # one base in memory
    learns = {name for name, p in policy.named_parameters() if p.requires_grad}
    assert all(".lora_" in name or name.startswith("value_head") for name in learns)
    assert chosen.lora == 4


# Memory

@pytest.mark.parametrize("kind", EVERY)
def test_parts_of_a_batch_and_blocks_computed_anew_change_rounding_only(jobs, tmp_path, kind):
    run(jobs[kind], tmp_path / "whole")
    run(replace(jobs[kind], micro_batch=3, activation_checkpointing=True), tmp_path / "parts")
    name = "score" if kind in ("ppo", "grpo") else "loss"
    for one, other in zip(metrics(tmp_path / "whole"), metrics(tmp_path / "parts"), strict=True):
        assert one[name] == pytest.approx(other[name], abs=1e-4)
    whole, parts = tensors(kind, tmp_path / "whole", "model"), tensors(kind, tmp_path / "parts", "model")
    assert all(torch.allclose(whole[name], parts[name], atol=2e-3) for name in whole)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("lora", [0, 4])
def test_sixteen_bits_for_everything_that_is_multiplied(jobs, tmp_path, kind, lora):
    result, _ = run(replace(jobs[kind], dtype="bfloat16", lora=lora), tmp_path / "out")
    assert result["settings"]["config"]["autocast"] == "bfloat16"
    kept = tensors(kind, tmp_path / "out", "adapter_model" if lora else "model")
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}     # what learns is never held in 16 bits


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_in_16_bits_are_refused_alike(saved_llama, dtype):
    policy = zoo.load_policy(saved_llama, dtype=dtype)
    model = zoo.load_reward_model(saved_llama, new_head=True, dtype=dtype)
    judge, tokenizer = zoo.load_classifier(saved_llama, new_head=True, dtype=dtype)
    judge.requires_grad_(True)
    runs = (sft.steps(policy, ["a lamp"]), reward_model.steps(model, []), classifier.steps(judge, tokenizer, []),
            ppo.steps(policy, policy.reference(), ["a"], lambda p, r: [0.0] * len(r)),
            best_of_n.steps(policy, policy.reference(), ["a"], lambda p, r: [0.0] * len(r)),
            rest.steps(policy, ["a"], [("a", "b")], lambda p, r: [0.0] * len(r)),
            grpo.steps(policy, policy.reference(), ["a"], lambda p, r: [0.0] * len(r)),
            dpo.steps(policy, policy.reference(), [Comparison("a", "b", "c")]),
            kto.steps(policy, policy.reference(), [Labelled("a", "b", True), Labelled("a", "c", False)]))
    for steps in runs:
        with pytest.raises(ValueError, match="16, too coarse for small updates; load it in float32"):
            next(steps)


def test_a_model_by_its_size(jobs, tmp_path, monkeypatch):
    """A large one gets an adapter, few texts at once and blocks computed anew, and that is said."""
    monkeypatch.setattr(scaling, "SMALL", 1)
    monkeypatch.setattr(scaling, "LARGE", 2)
    for kind in KINDS:
        result, notes = run(jobs[kind], tmp_path / kind)
        config = result["settings"]["config"]
        assert config["activation_checkpointing"]
        assert config["learning_rate"] == {"sft": 1e-4, "reward-model": 5e-5, "judge": 1e-4, "ppo": 1.4e-5}[kind]
        assert config.get("micro_batch") == 4 or config["tokens_per_pass"] > 4 * 6
        [(_, said)] = [note for note in notes if note[0] == "preset_taken"]
        assert said["size"] == "large"
        assert "lora 16" in said["what"]
        assert (left(kind, tmp_path / kind) / "adapter_config.json").is_file()


# Further steps, snapshots, and an end at too much drift

@pytest.mark.parametrize(("kind", "lora"), crossed((None, 4)))
def test_a_finished_run_goes_on_and_may_be_killed_meanwhile(jobs, tmp_path, kind, lora):
    job = replace(jobs[kind], lora=lora)
    for folder in ("once", "killed"):
        run(job, tmp_path / folder)
    before = metrics(tmp_path / "once")
    result, notes = run(job, tmp_path / "once", more_steps=3)
    assert ("more_steps", {"n": 3}) in notes
    assert result["steps"] == 7
    after = metrics(tmp_path / "once")
    assert [row["step"] for row in after] == list(range(1, 8))
    assert after[:4] == before                           # remembered, not taken again
    stream = job.run(tmp_path / "killed", more_steps=3)
    for event in stream:
        if event.done == 6 and event.metrics:
            break
    stream.close()
    run(job, tmp_path / "killed")                        # and without the option, too
    assert metrics(tmp_path / "killed") == after
    name = "adapter_model" if lora else "model"
    assert same(tensors(kind, tmp_path / "killed", name), tensors(kind, tmp_path / "once", name))
    assert run(job, tmp_path / "once", more_steps=1)[0]["steps"] == 8


def test_what_cannot_go_on_says_why_and_loses_nothing(jobs, tmp_path):
    job, out = jobs["sft"], tmp_path / "out"
    with pytest.raises(ValueError, match=r"goes on from a finished run, and .* holds none"):
        run(job, out, more_steps=2)
    stream = job.run(out)
    next(event for event in stream if event.metrics)
    stream.close()
    with pytest.raises(ValueError, match="holds one that is not finished"):
        run(job, out, more_steps=2)
    before = run(job, out)[0]
    with pytest.raises(StorageError, match="batch_size was 4, is now 8"):
        run(replace(job, changes={**job.changes, "batch_size": 8}), out, more_steps=2)
    with pytest.raises(ValueError, match="--fresh throws it away"):
        run(job, out, more_steps=2, fresh=True)
    (out / "checkpoints" / "checkpoint.safetensors").unlink()
    with pytest.raises(ValueError, match="no checkpoint left to go on from"):
        run(job, out, more_steps=2)
    assert json.loads((out / "result.json").read_text()) == before


def test_too_much_drift_ends_the_run_and_keeps_what_was_learned(jobs, tmp_path):
    changes = {**jobs["ppo"].changes, "steps": 12, "learning_rate": 1e-2, "coefficient": 0.0}
    free, _ = run(replace(jobs["ppo"], changes=changes), tmp_path / "free")
    drift = [row["kl"] for row in metrics(tmp_path / "free")]
    limit = max(drift[:6]) * 0.9
    first = next(number for number, kl in enumerate(drift, 1) if kl > limit)
    job = replace(jobs["ppo"], changes={**changes, "stop_kl": limit})
    result, _ = run(job, tmp_path / "out")
    assert result["stopped"] == {"step": first, "of": 12, "kl": drift[first - 1], "stop_kl": limit}
    assert result["steps"] == first < 12
    assert metrics(tmp_path / "out") == metrics(tmp_path / "free")[:first]
    assert (tmp_path / "out" / "policy" / "model.safetensors").is_file()
    assert "stopped" not in free
    with pytest.raises(ValueError, match="was ended by --stop-kl"):
        run(job, tmp_path / "out", more_steps=2)


@pytest.mark.parametrize("kind", EVERY)
def test_models_on_the_way_are_kept_and_can_be_loaded(jobs, tmp_path, kind):
    run(replace(jobs[kind], save_every=2, lora=2), tmp_path / "out")
    assert snapshots.steps(tmp_path / "out") == [0, 2]
    place = snapshots.place(tmp_path / "out", 2)
    load = {"judge": zoo.load_classifier, "reward-model": zoo.load_reward_model}.get(kind, zoo.load_policy)
    load(place)
    assert not same(load_file(place / "adapter_model.safetensors"), tensors(kind, tmp_path / "out"))


# One true line, before anything is trained

@pytest.mark.parametrize("kind", EVERY)
def test_a_folder_in_4_bits_learns_by_an_adapter_or_not_at_all(jobs, saved_llama, tmp_path, kind):
    save_model(*load_language_model(saved_llama, quantize="nf4"), tmp_path / "four")
    job = replace(jobs[kind], model=str(tmp_path / "four"))
    with pytest.raises(ValueError, match="held in 8 or 4 bits, and such weights cannot learn"):
        run(replace(job, lora=0), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    _, notes = run(job, tmp_path / "out")
    assert "lora 16" in dict(notes)["preset_taken"]["what"]
    load = {"judge": zoo.load_classifier, "reward-model": zoo.load_reward_model}.get(kind, zoo.load_policy)
    load(left(kind, tmp_path / "out"))


@pytest.mark.parametrize(("scale", "complaint"), [
    ({"lora": -1}, "--lora is -1"), ({"lora": 0, "quantize": "int8"}, "--lora 0 trains all weights, and those in 8"),
    ({"dtype": "float16"}, "--dtype is 'float16'; expected float32 or bfloat16"), ({"micro_batch": 0}, "--micro-batch"),
    ({"save_every": 0}, "--save-every is 0"), ({"quantize": "int3"}, "--quantize is 'int3'"),
])
def test_settings_that_cannot_be(jobs, scale, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(jobs["sft"], **scale)
    with pytest.raises(ValueError, match="Name one with --model"):
        JOBS["judge"](lora=4)


def test_an_adapter_is_not_read_into_8_bits(jobs, tmp_path):
    run(replace(jobs["sft"], lora=2), tmp_path / "sft")
    with pytest.raises(ValueError, match="only a whole model is read into 8 or 4 bits"):
        run(replace(jobs["ppo"], model=str(tmp_path / "sft" / "model"), quantize="int8"), tmp_path / "ppo")


def test_another_base_is_noticed_when_the_adapter_is_used(jobs, saved_llama, tmp_path):
    save_model(*load_language_model(saved_llama), tmp_path / "base")
    run(replace(jobs["sft"], model=str(tmp_path / "base"), lora=2), tmp_path / "sft")
    lm, tokenizer = load_language_model(saved_llama)
    lm.model.norm.weight.data += 1
    save_model(lm, tokenizer, tmp_path / "base")
    with pytest.raises(AdapterError, match="was trained on another base than"):
        zoo.load_policy(tmp_path / "sft" / "model")
