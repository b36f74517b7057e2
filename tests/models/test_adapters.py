"""One base for policy, reference, value head and reward model: exact equalities, and refusals."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from rlhf_kit import engine, rewards
from rlhf_kit.loops.fingerprints import identity_of
from rlhf_kit.loops.sanity_checks import check_start
from rlhf_kit.methods import ppo, reward_model
from rlhf_kit.models import adapters
from rlhf_kit.models.adapters import AdapterError, LoRA, check_base, merge, sign, weights_id
from rlhf_kit.models.heads import RewardModel
from rlhf_kit.models.judging import reward_scores
from rlhf_kit.models.loading import load_language_model, load_policy, load_reward_model
from rlhf_kit.models.quantization import one_kernel, settings
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.sampling import Sampling, response_logits, response_logprob, sample_rollout
from rlhf_kit.storage import StorageError
from rlhf_kit.zoo import save_policy, save_reward_model

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")       # in peft itself
KINDS = [None, "int8", "nf4"]
TEXTS = ["the lamp is sturdy", "the kettle is very loud, and it broke.", "the pen"]
CONFIG = ppo.Config(steps=2, batch_size=8, minibatch_size=4, learning_rate=1e-2, sampling=Sampling(max_new_tokens=8))


def shared_base(folder, kind=None, **options) -> SharedBase:
    return SharedBase(*load_language_model(folder, quantize=kind), lora=LoRA(rank=4, alpha=8), **options)


def bits(shared) -> dict[str, torch.Tensor]:
    """All that must not learn, as bytes: packed 4-bit weights read as numbers would be no numbers."""
    return {name: p.detach().contiguous().view(torch.uint8).clone() for name, p in shared.policy.named_parameters()
            if not p.requires_grad}


def long_is_good(prompts, responses):
    return [len(response) / 20 for response in responses]


def learnt(shared, prompts, config=CONFIG, **options):
    return ppo.train(shared.policy, shared.reference, prompts, long_is_good, config, **options)


@pytest.fixture(scope="module")
def reward_folder(saved_llama, tmp_path_factory):
    """The adapter of a reward model on that base, with numbers in it, as peft saves it."""
    from peft import get_peft_model
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_pretrained(saved_llama, num_labels=1)
    with_adapter = get_peft_model(model, LoRA(rank=2, alpha=4).settings("SEQ_CLS"))
    with torch.no_grad():
        for name, parameter in with_adapter.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    folder = tmp_path_factory.mktemp("reward") / "adapter"
    with_adapter.save_pretrained(folder)
    return folder


def alone(saved_llama, reward_folder, tokenizer, kind) -> RewardModel:
    """The same reward model with a base of its own."""
    from peft import PeftModel
    options = {} if kind is None else {"quantization_config": settings(kind), "device_map": {"": "cpu"}}
    base = AutoModelForSequenceClassification.from_pretrained(saved_llama, num_labels=1, dtype=torch.float32, **options)
    return RewardModel(one_kernel(PeftModel.from_pretrained(base, reward_folder).get_base_model()), tokenizer)


# One base, four uses

@pytest.mark.parametrize("kind", KINDS)
def test_before_learning_policy_reference_and_base_are_one(saved_llama, prompts, kind):
    plain = load_language_model(saved_llama, quantize=kind)
    shared = shared_base(saved_llama, kind)
    base = ppo.Policy(*plain, value_head=False).eval()
    rollout = sample_rollout(shared.policy, prompts[:4], Sampling(max_new_tokens=8))
    logits = response_logits(base, rollout)
    assert torch.equal(response_logits(shared.policy, rollout), logits)
    assert torch.equal(response_logits(shared.reference, rollout), logits)
    assert shared.policy.at_reference
    check_start(shared.policy, shared.reference, rollout, response_logprob(shared.reference, rollout))


@pytest.mark.parametrize("kind", KINDS)
def test_learning_moves_the_policy_alone(saved_llama, reward_folder, prompts, kind):
    """Reference, reward model and every weight of the base stay, bit for bit; the first step's KL is 0."""
    shared = shared_base(saved_llama, kind)
    shared.add_reward(reward_folder)
    frozen = bits(shared)
    rollout = sample_rollout(shared.policy, prompts[:4], Sampling(max_new_tokens=8))
    before = [f() for f in (lambda: response_logprob(shared.reference, rollout),
                            lambda: reward_scores(shared.reward_model, TEXTS, max_length=48))]
    history = learnt(shared, prompts)
    assert abs(history[0].metrics["kl"]) < 1e-5          # 0 where old log-probabilities are computed anew
    assert not shared.policy.at_reference
    assert (response_logprob(shared.policy, rollout) - before[0]).abs().max() > 1e-3
    assert torch.equal(response_logprob(shared.reference, rollout), before[0])
    assert torch.equal(reward_scores(shared.reward_model, TEXTS, max_length=48), before[1])
    assert len(frozen) > 20
    assert all(torch.equal(after, frozen[name]) for name, after in bits(shared).items())


@pytest.mark.parametrize("kind", [None, "int8"])
def test_the_first_ratio_is_one(saved_llama, prompts, kind):
    """Old and new log-probabilities come from one function and one kernel: equal, not nearly so."""
    shared = shared_base(saved_llama, kind)
    policy = shared.policy
    policy.value_head.weight.data.normal_()
    rollout = sample_rollout(policy, prompts, Sampling(max_new_tokens=8))
    policy.train()
    gap = (response_logprob(policy, rollout) - rollout.logprob).abs().max()
    assert gap == 0 if kind else gap < 1e-5


def test_only_adapter_and_value_head_learn(saved_llama, reward_folder):
    shared = shared_base(saved_llama)
    shared.add_reward(reward_folder)
    for _ in range(2):
        names = [name for name, p in shared.policy.named_parameters() if p.requires_grad]
        assert {"lora_A" in n or "lora_B" in n or n.startswith("value_head.") for n in names} == {True}
        assert not [name for name in names if ".reward." in name]
        assert len(names) == 2 * 7 * 2 + 2              # A and B of seven matrices in two layers, the head's two
        with shared.as_reward(), shared.policy.device:
            assert not [n for n, p in shared.policy.lm.named_parameters() if p.requires_grad and ".reward." in n]


def test_the_adapter_adds_r_times_in_and_out(saved_llama):
    shared = shared_base(saved_llama)
    added = sum(p.numel() for name, p in shared.policy.lm.named_parameters() if "lora_" in name)
    config = shared.policy.lm.config
    d, f, kv = config.hidden_size, config.intermediate_size, config.hidden_size // 2
    assert added == 2 * 4 * (2 * (d + d) + 2 * (d + kv) + 3 * (d + f))


@pytest.mark.parametrize("kind", KINDS)
def test_the_shared_reward_model_is_the_one_alone(saved_llama, reward_folder, tokenizer, kind):
    """peft leaves a reward's head out of a causal model in silence; ours comes from the file."""
    shared = shared_base(saved_llama, kind)
    model = shared.add_reward(reward_folder)
    expected = reward_scores(alone(saved_llama, reward_folder, tokenizer, kind), TEXTS, max_length=48)
    assert torch.equal(reward_scores(model, TEXTS, max_length=48), expected)
    assert expected.std() > 0.01
    model.shift = 2.0
    assert torch.allclose(reward_scores(model, TEXTS, max_length=48), expected - 2)


def adapted_judge(saved_llama):
    """A reward model of the kit's that is an adapter of rank 1 on that base, with numbers in it."""
    model = load_reward_model(saved_llama, new_head=True)
    adapters.put_on_judge(model.model, LoRA(rank=1, alpha=2))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2, generator=generator)
    return model.eval()


def test_all_that_a_score_is_made_of_is_saved_with_an_adapter(saved_llama, tmp_path):
    model = adapted_judge(saved_llama)
    model.likelihood, model.shift, model.reads_chats = (2.0, 7), 1.5, True
    save_reward_model(model, tmp_path / "judge")
    again = load_reward_model(tmp_path / "judge")
    expected = reward_scores(model, TEXTS, max_length=48)
    assert torch.allclose(reward_scores(again, TEXTS, max_length=48), expected, atol=1e-5)
    assert (again.likelihood, again.shift, again.reads_chats) == ((2.0, 7), 1.5, True)
    with pytest.raises(AdapterError, match="how likely a response is, too"):
        shared_base(saved_llama).add_reward(tmp_path / "judge")


def test_a_shared_reward_model_is_centred_as_it_was_saved(saved_llama, tmp_path):
    model = adapted_judge(saved_llama)
    model.shift = 1.5
    save_reward_model(model, tmp_path / "judge")
    shared = shared_base(saved_llama).add_reward(tmp_path / "judge")
    expected = reward_scores(model, TEXTS, max_length=48)
    assert torch.allclose(reward_scores(shared, TEXTS, max_length=48), expected, atol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_scores_of_an_adapter_are_brought_to_a_common_scale(saved_llama, reward_folder, shared):
    model = shared_base(saved_llama).add_reward(reward_folder) if shared else adapted_judge(saved_llama)
    before = reward_scores(model, TEXTS, max_length=48)
    a, b = reward_model.standardise(model, [("", text) for text in TEXTS])
    after = reward_scores(model, TEXTS, max_length=48)
    assert torch.allclose(after, a * before + b, atol=1e-4)
    assert (after.mean().item(), after.std().item()) == pytest.approx((0, 1), abs=1e-4)


def test_an_adapted_reward_is_known_by_base_adapter_and_head_and_not_by_the_policy(saved_llama, reward_folder):
    shared = shared_base(saved_llama)
    reward = rewards.learned(shared.add_reward(reward_folder))
    before = identity_of(reward)[0]
    with torch.no_grad():
        for name, p in shared.policy.named_parameters():
            if p.requires_grad and "lora" in name:
                p.add_(1)
    assert identity_of(reward)[0] == before
    for place in ("lora_A.reward", "embed_tokens"):
        tensor = next(p for name, p in shared.policy.lm.named_parameters() if place in name)
        with torch.no_grad():
            tensor[0, 0] += 1
        assert identity_of(reward)[0] != before
        with torch.no_grad():
            tensor[0, 0] -= 1


def test_contexts_end_as_they_began_and_do_not_nest(saved_llama, reward_folder):
    shared = shared_base(saved_llama)
    with pytest.raises(AdapterError, match="no reward adapter on this base yet"), shared.as_reward():
        pass
    shared.add_reward(reward_folder)
    learning = [p.requires_grad for p in shared.policy.parameters()]
    with pytest.raises(RuntimeError), shared.as_reward():
        raise RuntimeError
    with shared.as_reference(), pytest.raises(AdapterError, match="in use as something else"), shared.as_reward():
        pass
    assert [p.requires_grad for p in shared.policy.parameters()] == learning
    assert shared.policy.reference() is shared.reference


def test_a_frozen_policy_stays_frozen_whoever_uses_the_base(saved_llama, reward_folder, prompts):
    """peft makes whatever is switched on learn: a pass of the reference, a score, another adapter, a rollout."""
    shared = shared_base(saved_llama)
    shared.policy.requires_grad_(False)
    shared.add_reward(reward_folder)
    rollout = sample_rollout(shared.policy, prompts[:4], Sampling(max_new_tokens=4))
    for use in (lambda: response_logprob(shared.reference, rollout),
                lambda: shared.reward_model(rollout.response_ids, rollout.mask),
                lambda: sample_rollout(shared.reference, prompts[:4], Sampling(max_new_tokens=4))):
        use()
        assert not [name for name, p in shared.policy.named_parameters() if p.requires_grad]
    with pytest.raises(RuntimeError), shared.as_reference():
        raise RuntimeError
    assert not [name for name, p in shared.policy.named_parameters() if p.requires_grad]


def counted(name, function, calls):
    """The function, whose calls are noted by its name."""
    def called(*arguments, **options):
        calls.append(name)
        return function(*arguments, **options)
    return called


def test_adapters_are_switched_once_a_rollout_a_read_and_a_batch(saved_llama, reward_folder, prompts, monkeypatch):
    """And not once a token or a pass: each switch visits every layer. Counted in peft itself, off and on again."""
    shared, switched = shared_base(saved_llama), []
    shared.add_reward(reward_folder)
    model = shared._peft.base_model
    for name in ("disable_adapter_layers", "enable_adapter_layers", "set_adapter"):
        monkeypatch.setattr(model, name, counted(name, getattr(model, name), switched))
    there_and_back = ["disable_adapter_layers", "enable_adapter_layers"]

    def switches(use) -> list[str]:
        switched.clear()
        use()
        return list(switched)

    rollout = sample_rollout(shared.policy, prompts, Sampling(max_new_tokens=12))
    monkeypatch.setattr(engine, "TOKENS", 40)                            # several passes
    assert switches(lambda: sample_rollout(shared.policy, prompts, Sampling(max_new_tokens=12))) == []
    assert switches(lambda: sample_rollout(shared.reference, prompts, Sampling(max_new_tokens=12))) == there_and_back
    assert switches(lambda: response_logprob(shared.reference, rollout)) == there_and_back
    assert switches(lambda: response_logits(shared.reference, rollout)) == there_and_back
    assert switches(lambda: reward_scores(shared.reward_model, TEXTS[:4], max_length=48, batch_size=2)
                    ) == ["set_adapter"] * 4                             # two batches


# Saving, resuming

def test_a_checkpoint_holds_what_learns_and_goes_on_from_there(saved_llama, prompts, tmp_path):
    config = replace(CONFIG, steps=3)
    whole = shared_base(saved_llama, "int8")
    history = learnt(whole, prompts, config)
    killed = shared_base(saved_llama, "int8")
    for step in ppo.steps(killed.policy, killed.reference, prompts, long_is_good, config, checkpoint=tmp_path,
                          checkpoint_every=1):
        if step.number == 1:
            break
    [file] = tmp_path.glob("*.safetensors")
    assert all("lora_" in n or n.startswith(("model.value_head", "optimizer.")) for n in load_file(file))
    again = shared_base(saved_llama, "int8")
    numbers = [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in
               learnt(again, prompts, config, checkpoint=tmp_path)]
    assert numbers == [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in history]
    assert all(torch.equal(a, b) for a, b in zip(whole.policy.parameters(), again.policy.parameters(), strict=True))


def test_a_run_goes_on_in_the_session_in_which_it_was_stopped(saved_llama, prompts, tmp_path):
    """The policy has learnt meanwhile; the base, which is its reference, is what it was."""
    shared = shared_base(saved_llama)
    stream = ppo.steps(shared.policy, shared.reference, prompts, long_is_good, CONFIG, checkpoint=tmp_path,
                       checkpoint_every=1)
    first = next(stream)
    stream.close()
    assert learnt(shared, prompts, checkpoint=tmp_path)[0] == first
    with torch.no_grad():
        next(p for name, p in shared.policy.lm.named_parameters() if "embed" in name)[0, 0] += 1
    with pytest.raises(StorageError, match="reference"):
        learnt(shared, prompts, checkpoint=tmp_path)


def test_a_saved_adapter_is_small_and_comes_back(saved_llama, prompts, tmp_path):
    from peft import PeftModel
    shared = shared_base(saved_llama)
    learnt(shared, prompts)
    save_policy(shared.policy, tmp_path / "policy")
    names = {file.name for file in (tmp_path / "policy").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "value_head.safetensors", "tokenizer.json"} <= names
    assert not {name for name in names if name.endswith((".bin", ".pt", ".md"))}
    lm, _ = load_language_model(saved_llama)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        expected = shared.policy.lm(input_ids=ids).logits
        assert torch.equal(PeftModel.from_pretrained(lm, tmp_path / "policy")(input_ids=ids).logits, expected)
    again = load_policy(tmp_path / "policy")             # the base with the adapter in its weights, and the value head
    assert torch.allclose(again.lm(input_ids=ids).logits, expected, atol=1e-5 * expected.abs().max())
    assert torch.equal(again.value_head.weight, shared.policy.value_head.weight)


# Merging

@pytest.fixture(scope="module")
def trained(saved_llama, prompts, tmp_path_factory):
    """A policy's adapter that has learnt, saved and signed."""
    shared = shared_base(saved_llama)
    learnt(shared, prompts)
    folder = tmp_path_factory.mktemp("trained") / "adapter"
    save_policy(shared.policy, folder)
    sign(folder, saved_llama)
    return folder, shared


@torch.no_grad()
def test_merged_is_unmerged(saved_llama, trained):
    folder, shared = trained
    ids = torch.randint(3, 60, (4, 12), generator=torch.Generator().manual_seed(0))
    merged = merge(load_language_model(saved_llama)[0], folder)
    size = shared.policy.lm(input_ids=ids).logits.abs().max()
    assert type(merged).__name__ == "LlamaForCausalLM"
    assert not [name for name, _ in merged.named_parameters() if "lora" in name]
    assert torch.allclose(merged(input_ids=ids).logits, shared.policy.lm(input_ids=ids).logits, atol=1e-5 * size)


def test_the_formula_of_merging(saved_llama, trained):
    """W + (α/r) · B A, matrix by matrix."""
    folder, _ = trained
    base, tensors = load_language_model(saved_llama)[0], load_file(folder / "adapter_model.safetensors")
    before = base.model.layers[1].mlp.up_proj.weight.detach().clone()
    a, b = (tensors[f"base_model.model.model.layers.1.mlp.up_proj.lora_{x}.weight"] for x in "AB")
    assert b.abs().max() > 0
    merged = merge(base, folder).model.layers[1].mlp.up_proj.weight
    assert torch.allclose(merged, before + 8 / 4 * b @ a, atol=1e-6)


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_nothing_is_merged_into_quantised_weights(saved_llama, trained, kind):
    base, _ = load_language_model(saved_llama, quantize=kind)
    with pytest.raises(AdapterError, match="held in 8 or 4 bits; merged there, most of a small update"):
        merge(base, trained[0])


def test_an_adapter_of_another_base_is_refused(saved_llama, trained, llama, tmp_path):
    """By its shapes where these differ, else by the signature."""
    folder, _ = trained
    with pytest.raises(AdapterError, match=r"of another base: it changes .*_proj with .* inputs, and this model has"):
        merge(llama.lm, folder)
    check_base(folder, saved_llama)
    other = shutil.copytree(saved_llama, tmp_path / "other")
    weights = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert weights_id(other) != weights_id(saved_llama)
    with pytest.raises(AdapterError, match="was trained on another base than"):
        check_base(folder, other)


@pytest.fixture
def cached(saved_llama, tmp_path, monkeypatch):
    """cached(folder) -> a hub id that stands for that folder in the hub's cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def store(folder, name="ana/llama"):
        place = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        shutil.copytree(folder, place / "snapshots" / ("0" * 40))
        (place / "refs").mkdir()
        (place / "refs" / "main").write_text("0" * 40)
        return name
    return store


def other_base(folder, place):
    """One number of one matrix differs."""
    other = shutil.copytree(folder, place)
    weights = load_file(other / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] += 1
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    return other


def test_a_base_by_its_hub_id_is_signed_by_its_numbers(saved_llama, trained, cached, tmp_path):
    """The same model as a folder is accepted, another one refused, whichever way round."""
    adapter, other = shutil.copytree(trained[0], tmp_path / "adapter"), other_base(saved_llama, tmp_path / "other")
    hub, hub_of_other = cached(saved_llama), cached(other, "ben/llama")
    assert weights_id(hub) == weights_id(saved_llama) != weights_id(hub_of_other) == weights_id(other)
    for signed in (hub, saved_llama):
        sign(adapter, signed)
        for right in (hub, saved_llama):
            check_base(adapter, right)
        for wrong in (hub_of_other, other):
            with pytest.raises(AdapterError, match="was trained on another base than"):
                check_base(adapter, wrong)
    check_base(adapter, "ana/not-here-yet")                  # nothing to compare with
    with pytest.raises(AdapterError, match="was trained on another base than"):
        merge(load_language_model(other)[0], adapter)        # compared once it is here


def test_a_base_that_was_saved_anew_is_the_same(saved_llama, tmp_path):
    """In several files, with other headers: the numbers count, not how they are cut."""
    lm, _ = load_language_model(saved_llama)
    lm.save_pretrained(tmp_path / "cut", max_shard_size="100KB")
    assert len(list((tmp_path / "cut").glob("model-*.safetensors"))) > 1
    assert weights_id(tmp_path / "cut") == weights_id(saved_llama)


def test_signatures_of_before_are_understood(saved_llama, trained, tmp_path):
    """A folder's by its sample of the files; a hub id's, which was the hash of nothing, says nothing."""
    adapter, other = shutil.copytree(trained[0], tmp_path / "adapter"), shutil.copytree(saved_llama, tmp_path / "other")
    moved = {name: tensor + 1 for name, tensor in load_file(other / "model.safetensors").items()}
    save_file(moved, other / "model.safetensors", metadata={"format": "pt"})
    weights = (saved_llama / "model.safetensors").read_bytes()
    size = len(weights)
    digest = hashlib.sha256(f"model.safetensors {size} ".encode())
    for place in range(0, size, max(size // 64, 4096)):
        digest.update(weights[place:place + 4096])
    (adapter / "base.json").write_text(json.dumps({"base": digest.hexdigest()[:16]}))
    check_base(adapter, saved_llama)
    with pytest.raises(AdapterError, match="another base"):
        check_base(adapter, other)
    (adapter / "base.json").write_text(json.dumps({"base": hashlib.sha256().hexdigest()[:16]}))
    check_base(adapter, other)


def test_an_unsigned_model_of_memory_signs_nothing(saved_llama, tmp_path, monkeypatch):
    """Its name is empty, which is no folder: not the one that somebody works in either."""
    monkeypatch.chdir(saved_llama)
    assert weights_id("") is None
    sign(tmp_path, "")
    check_base(tmp_path, saved_llama)


def test_a_policy_takes_no_adapter_of_another_base_alpha_or_targets(saved_llama, trained, tmp_path):
    folder, other = trained[0], other_base(saved_llama, tmp_path / "other")
    shared_base(saved_llama).load_policy(folder)
    with pytest.raises(AdapterError, match="was trained on another base than"):
        shared_base(other).load_policy(folder)
    rank, alpha = (json.loads((folder / "adapter_config.json").read_text())[key] for key in ("r", "lora_alpha"))
    wrong = SharedBase(*load_language_model(saved_llama), lora=LoRA(rank=rank, alpha=2 * alpha))
    with pytest.raises(AdapterError, match=rf"lora_alpha {alpha} and .* has {2 * alpha}.*LoRA\(rank={rank}"):
        wrong.load_policy(folder)
    few = tmp_path / "few"
    some = SharedBase(*load_language_model(saved_llama), lora=LoRA(rank=rank, alpha=alpha, targets=("q_proj",)))
    save_policy(some.policy, few)
    with pytest.raises(AdapterError, match="changes 2 layers and the policy here 14"):
        shared_base(saved_llama).load_policy(few)


def test_a_reward_adapter_of_another_base_is_refused(saved_llama, reward_folder, tmp_path):
    signed = shutil.copytree(reward_folder, tmp_path / "signed")
    sign(signed, saved_llama)
    shared_base(saved_llama).add_reward(signed)
    with pytest.raises(AdapterError, match="was trained on another base than"):
        shared_base(other_base(saved_llama, tmp_path / "other")).add_reward(signed)


# Refusals

def test_settings_that_cannot_be():
    for options, complaint in (({"rank": 0}, "rank is 0"), ({"dropout": 1.0}, "dropout is 1.0; it is a share")):
        with pytest.raises(ValueError, match=complaint):
            LoRA(**options)


def test_a_target_that_is_not_there_and_dropout_for_ppo(saved_llama):
    lm = load_language_model(saved_llama)
    with pytest.raises(AdapterError, match=r"no linear layer named 'c_attn'; it has down_proj, gate_proj, .*v_proj"):
        SharedBase(*lm, lora=LoRA(targets=("q_proj", "c_attn")))
    with pytest.raises(AdapterError, match=r"dropout is 0.05; with PPO the first ratio would not be 1"):
        SharedBase(*lm, lora=LoRA(dropout=0.05))


def test_what_is_no_adapter(saved_llama, trained, tmp_path):
    shared, (folder, _) = shared_base(saved_llama), trained
    with pytest.raises(AdapterError, match=r"holds no adapter; expected adapter_config\.json"):
        shared.add_reward(saved_llama)
    with pytest.raises(AdapterError, match="no adapter of a reward model: it has no head"):
        shared.add_reward(folder)
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "adapter_model.safetensors").write_bytes(b"not weights")
    with pytest.raises(AdapterError, match="no sound safetensors file"):
        shared.add_reward(broken)
    (broken / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}))
    with pytest.raises(AdapterError, match="tells of no LoRA adapter"):
        shared.add_reward(broken)


def test_without_peft_there_is_one_line(monkeypatch):
    monkeypatch.setattr(adapters.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AdapterError, match=r"peft is not installed.*rlhf-kit\[scale\]"):
        LoRA().settings()
