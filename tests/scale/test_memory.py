"""The planner's bytes: LLaMA's published numbers by hand, and models that really lie in memory."""

from dataclasses import replace
from itertools import accumulate

import pytest
import torch
from peft import get_peft_model
from torch.profiler import ProfilerActivity, profile
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)
from transformers.loss.loss_utils import ForCausalLMLoss

from rlhf_kit import engine
from rlhf_kit.models import quantization
from rlhf_kit.models.adapters import LoRA
from rlhf_kit.recipes.stackllama import PRESETS
from rlhf_kit.scale import memory
from rlhf_kit.scale.memory import Plan, Way, Work

# peft 0.21 asks transformers 5.23 by a name that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

SEVEN = memory.LLAMA[0]
SMALL = {"vocab_size": 512, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 3,
         "num_attention_heads": 4, "num_key_value_heads": 2}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A random Llama in a folder, with the config that it was built from."""
    config = LlamaConfig(**SMALL)
    LlamaForCausalLM(config).save_pretrained(folder := tmp_path_factory.mktemp("llama"))
    return folder, memory.shape(config, "small")


def test_llama_7b_by_hand():
    """Four attention matrices of 4096², three of the MLP of 4096 · 11008, in 32 layers; 32,000 words in and out."""
    linear = 32 * (4 * 4096 ** 2 + 3 * 4096 * 11008)
    assert SEVEN.linear == linear == 6_476_005_376
    assert SEVEN.parameters == linear + 2 * 32_000 * 4096 + 65 * 4096 == 6_738_415_616
    assert [round(shape.parameters / 1e9, 3) for shape in memory.LLAMA] == [6.738, 13.016, 32.529, 65.286]


@pytest.mark.parametrize(("kind", "gigabytes", "each"), [("bf16", 13.48, 2), ("int8", 7.01, 1.040),
                                                         ("nf4", 4.17, 0.618)])
def test_the_weights_of_7b_in_16_8_and_4_bits(kind, gigabytes, each):
    held = memory.weights(SEVEN, kind)
    assert held / 1e9 == pytest.approx(gigabytes, abs=0.005)
    assert held / SEVEN.parameters == pytest.approx(each, abs=0.0006)


def test_the_adapters_and_the_cache_of_7b_by_hand():
    assert SEVEN.adapter(16, "q_proj,v_proj") == 2 * 32 * 16 * (4096 + 4096) == 8_388_608
    assert SEVEN.adapter(16) == 32 * 16 * (4 * 2 * 4096 + 3 * (4096 + 11008)) == 39_976_960
    assert memory.cache(SEVEN, 1) == 2 ** 19
    assert memory.cache(SEVEN, 64 * 256) == 8 * 2 ** 30


def test_full_fine_tuning_takes_16_bytes_a_parameter_and_the_blog_counts_10():
    full = memory.fine_tuning(SEVEN, Work())[0]
    assert full.standing == 16 * SEVEN.parameters == memory.MIXED * SEVEN.parameters
    assert memory.BLOG * 7e9 == 70e9


def test_ppo_with_four_separate_models_against_one_base():
    """54 GB of weights and 189 more to train two of them, against 7; the whole within 1.4 GB a billion parameters."""
    apart, _, int8, _ = memory.ppo(SEVEN, Work())
    assert apart.weights / 1e9 == pytest.approx(53.9, abs=0.05)
    assert (apart.gradients + apart.optimiser) / 1e9 == pytest.approx(188.7, abs=0.05)
    assert int8.weights / 1e9 == pytest.approx(7.01, abs=0.005)
    assert int8.standing < 1.4 * SEVEN.parameters
    assert int8.standing < apart.weights / 4


def test_ppo_on_7b_in_8_bits_takes_less_than_12_gb_as_the_preset_reads():
    """A minibatch of 4 texts of 1,024 tokens: 7.0 for the base, 0.8 for adapters and Adam, 2.1 learning, 0.2 logits."""
    config = PRESETS["7b"].ppo
    assert config.activation_checkpointing
    plan = memory.ppo(SEVEN, Work(batch=4, seq=1024, tokens_per_pass=config.tokens_per_pass))[2]
    assert plan.name == "int8"
    assert 10e9 < plan.peak(checkpointing=True) < 12e9
    assert plan.peak() > 30e9                                            # without checkpointing


def test_a_minibatch_costs_what_a_pass_does_and_logits_what_a_piece_does():
    four, sixteen = (memory.ppo(SEVEN, Work(batch=n, rollouts=4, tokens_per_pass=4096))[1] for n in (4, 16))
    assert four == sixteen
    one = memory.ppo(SEVEN, Work(batch=16, rollouts=4, tokens_per_pass=1))[1]              # a row at the least
    assert one.activations * 4 == four.activations
    assert four.logits == 12 * 524 * 32_000 == memory.scored(SEVEN, 10**9)
    assert memory.scored(SEVEN, 10) == 12 * 10 * 32_000
    assert memory.scored(replace(SEVEN, vocabulary=2**25), 10) == 12 * 2**25               # a token at the least


def test_reading_without_learning_is_bounded_whatever_the_number_of_rollouts():
    """8 · (11008 + 4096) bytes a token, at most 8,192 tokens, and 10 bytes a logit of one piece: 1.16 GB."""
    few, many, more = (memory.ppo(SEVEN, Work(rollouts=n))[1].reading for n in (4, 64, 10**6))
    assert few < many == more == 8192 * 8 * (11008 + 4096) + 10 * 524 * 32_000
    assert (memory.PIECE, memory.TOKENS) == (engine.PIECE, engine.TOKENS)


def test_learning_and_sampling_take_turns_and_the_larger_counts():
    plan = Plan(name="x", weights=100, adapters=10, gradients=10, optimiser=20, heads=1, activations=50,
                checkpointed=5, logits=7, cache=30)
    assert replace(plan, reading=60).peak() == 141 + 60
    assert (plan.standing, plan.peak(), plan.peak(checkpointing=True)) == (141, 141 + 57, 141 + 30)
    assert [plan.fits(bytes_ / 1e9) for bytes_ in (198, 197, 170)] == ["yes", "checkpointing", "no"]


@pytest.mark.parametrize("kind", [None, "int8", "nf4"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_plan_is_what_a_loaded_model_holds(saved, kind, dtype):
    folder, shape = saved
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, quantization_config=quantization.settings(kind, compute=dtype))
    held = quantization.about(model)
    assert held["parameters"] == shape.parameters
    assert memory.weights(shape, kind or "bf16", other=dtype.itemsize) == pytest.approx(held["bytes"], rel=0.01)


@pytest.mark.parametrize("targets", ["all-linear", ("q_proj", "v_proj")])
def test_the_adapter_is_as_large_as_pefts(targets):
    config = LlamaConfig(**SMALL)
    model = get_peft_model(LlamaForCausalLM(config), LoRA(rank=5, targets=targets).settings())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert memory.shape(config, "small").adapter(5, targets) == trained


@pytest.mark.parametrize("config", [
    LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True), LlamaConfig(**SMALL, tie_word_embeddings=True),
    MistralConfig(**SMALL), Qwen2Config(**SMALL), Qwen3Config(**SMALL, head_dim=96)], ids=lambda c: c.model_type)
def test_a_config_of_the_family_is_counted_to_the_last_number(config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert memory.shape(config, "it").parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("way", [Way(name="full", full=True), Way(name="bf16", rank=8),
                                 Way(name="bf16", rank=8, targets=("q_proj", "v_proj"))], ids=lambda w: str(w.targets))
def test_the_activations_are_the_tensors_that_autograd_keeps(way, kv_heads):
    """Counted by autograd's own hooks as the difference that a third layer makes; weights cast to bf16 aside."""
    def kept(layers):
        config = LlamaConfig(**{**SMALL, "num_hidden_layers": layers, "num_key_value_heads": kv_heads})
        model = LlamaForCausalLM(config).to(torch.bfloat16).train()
        if not way.full:
            model = get_peft_model(model, LoRA(rank=way.rank, targets=way.targets).settings()).base_model.model
        return bytes_kept(model, tokens), replace(memory.shape(config, "it"), name="")
    tokens = torch.zeros(4, 128, dtype=torch.long)
    (two, below), (three, above) = kept(2), kept(3)
    planned = memory.activations(above, 512, way) - memory.activations(below, 512, way)
    casts = 0 if way.full else 2 * (above.adapter(way.rank, way.targets) - below.adapter(way.rank, way.targets))
    assert three - two == planned + casts


def bytes_kept(model, ids) -> int:
    """What a forward pass in bf16 leaves for the backward pass, weights left out; each storage once."""
    ours = {p.untyped_storage().data_ptr() for p in model.parameters()}
    storages = {}                                           # held, or a freed one's address would come again

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x), torch.autocast("cpu", torch.bfloat16):
        output = model.model(input_ids=ids, use_cache=False)    # must live until the storages have been counted
    counted = sum(storage.nbytes() for address, storage in storages.items() if address not in ours)
    del output
    return counted


def test_logits_cost_14_bytes_each_at_the_worst_moment_of_the_loss():
    """What torch's profiler sees while transformers' loss of bf16 logits is computed and differentiated."""
    hidden, table = torch.ones(1, 64, 8, dtype=torch.bfloat16, requires_grad=True), torch.ones(8, 4096).bfloat16()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        logits = hidden @ table
        ForCausalLMLoss(logits, torch.zeros(1, 64, dtype=torch.long), 4096).backward()
    changes = sorted((event.start_ns(), event.nbytes()) for event in seen.profiler.kineto_results.events()
                     if event.name() == "[memory]")
    peak = max(accumulate(bytes_ for _, bytes_ in changes))
    assert peak / logits.numel() == pytest.approx(memory.LOGITS, rel=0.01)


def test_checkpointing_keeps_one_width_a_layer_and_computes_one_block_anew():
    way, block = Way(name="full", full=True), 16 * 4096 + 8 * 11008 + 8 * 4096 + 8 + 4 * 32
    whole, last = memory.activations(SEVEN, 1000, way), 6 * 4096
    assert whole == 1000 * (32 * block + last)
    assert memory.activations(SEVEN, 1000, way, checkpointing=True) == 1000 * (32 * 2 * 4096 + block + last)


@pytest.mark.parametrize("parameters", [2e7, 1.1e8, 5e8, 1.5e9, 3e9, 8e9, 2e10, 7e10, 1.75e11, 1e12])
def test_between_the_published_ones_a_shape_is_scaled(parameters):
    assert memory.nearest(parameters).parameters == pytest.approx(parameters, rel=0.08)


def test_7e9_is_llama_7b():
    assert [memory.nearest(n).name for n in (7e9, 13e9, 33e9, 65e9)] == [shape.name for shape in memory.LLAMA]


@pytest.mark.parametrize(("call", "message"), [
    (lambda: memory.nearest(7), "params is 7; expected a number of parameters"),
    (lambda: memory.nearest(float("nan")), "params is nan"),
    (lambda: SEVEN.adapter(8, "query"), "'query' is no linear layer of LLaMA-7B; targets are all-linear"),
    (lambda: memory.shape(GPT2Config(), "gpt2"), "gpt2 is a gpt2; memory is planned for llama, mistral"),
    (lambda: Work(batch=0), "batch is 0"), (lambda: Work(seq=1), "prompt is 0"),
    (lambda: Work(rank=0), "rank is 0"), (lambda: Work(tokens_per_pass=0), "tokens_per_pass is 0")])
def test_what_cannot_be_planned_is_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
