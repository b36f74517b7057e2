"""Peak memory of the engine, measured: torch's profiler notes each allocation on a CPU, CUDA counts its own."""

import copy
from collections.abc import Callable
from itertools import accumulate

import pytest
import torch
from peft import get_peft_model
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, LlamaForCausalLM

from rlhf_kit import engine
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.models.adapters import LoRA
from rlhf_kit.models.heads import Policy
from rlhf_kit.scale import memory

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")       # in peft itself
VOCABULARY, PROMPT, RESPONSE = 8000, 16, 17             # so that 32 tokens of each row are read
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 176, "num_attention_heads": 4,
         "num_key_value_heads": 2}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def adapted(device: str, layers: int = 2, dtype: torch.dtype = torch.float32, rank: int = 4) -> Policy:
    """A small Llama whose adapters and value head learn; its table of words is larger than all else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lm = LlamaForCausalLM(LlamaConfig(**SMALL, num_hidden_layers=layers)).to(dtype).requires_grad_(False)
        policy = Policy(get_peft_model(lm, LoRA(rank=rank).settings()).base_model.model, None).to(device).eval()
    assert policy.comes_apart                           # found out now, in a pass that is not measured
    return policy


def rows(number: int, device: str) -> Rollout:
    ids = torch.randint(VOCABULARY, (number, PROMPT + RESPONSE), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(number, RESPONSE, dtype=torch.bool)
    return Rollout(prompts=[""] * number, responses=[""] * number, prompt_ids=ids[:, :PROMPT],
                   prompt_mask=torch.ones(number, PROMPT, dtype=torch.bool), response_ids=ids[:, PROMPT:], mask=mask,
                   logprob=mask * -1.0, value=mask * 0.0, ended=mask[:, 0], temperature=1.0).to(device)


def peak(work: Callable[[], object], device: str) -> int:
    """Bytes above those that lay there before, at the worst moment; the second time, when all is warm."""
    work()
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    changes = sorted((event.start_ns(), event.nbytes()) for event in seen.profiler.kineto_results.events()
                     if event.name() == "[memory]")
    return max(accumulate((bytes_ for _, bytes_ in changes), initial=0))


def learning(policy: Policy, rollout: Rollout, tokens: int | None = None, **options) -> Callable[[], None]:
    """A gradient as PPO takes it, in passes of so many tokens."""
    for parameter in policy.parameters():               # there from the start, as in a second step
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None

    def work() -> None:
        for part, weight in engine.passes(rollout, None, tokens):
            now = engine.read(policy, rollout[part], value=True, tokens_per_pass=tokens, **options)
            (weight * (now.logprob.mean() + now.value.square().mean())).backward()
    return work


def looking(policy: Policy, rollout: Rollout) -> Callable[[], None]:
    """As the reference, a recomputed rollout and an evaluation are read."""
    def work() -> None:
        with torch.no_grad():
            engine.read(policy, rollout, value=True)
    return work


@pytest.mark.parametrize("device", DEVICES)
def test_no_list_of_all_hidden_states_is_kept(device, monkeypatch):
    """Reading through 8 layers takes no more than through 2; a list would hold 6 more of [tokens, h]."""
    monkeypatch.setattr(engine, "PIECE", 8 * VOCABULARY)
    two, eight = (peak(looking(adapted(device, layers), rows(8, device)), device) for layers in (2, 8))
    assert eight - two < 8 * 32 * 64 * 4                # bytes of one


@pytest.mark.parametrize("device", DEVICES)
def test_logits_in_pieces_lower_the_peak(device, monkeypatch):
    """By 12 bytes a logit that is not there, 10 where nothing is learnt; a tenth is left to other tensors' timing."""
    policy, rollout = adapted(device), rows(4, device)
    found = []
    for piece in (2**30, 8 * VOCABULARY):
        monkeypatch.setattr(engine, "PIECE", piece)
        found.append((peak(learning(policy, rollout), device), peak(looking(policy, rollout), device)))
    (whole, seen), (pieces, seen_in_pieces) = found
    spared = (4 * RESPONSE - 8) * VOCABULARY
    assert whole - pieces > 0.9 * 12 * spared
    assert seen - seen_in_pieces > 0.9 * 8 * spared     # in float32 there is no second, narrower copy


@pytest.mark.parametrize("device", DEVICES)
def test_sixteen_in_passes_of_four_take_what_four_take(device, monkeypatch):
    """Within 5 %: of the whole minibatch only ids and masks lie there."""
    monkeypatch.setattr(engine, "PIECE", 8 * VOCABULARY)
    policy = adapted(device)
    four, parted, whole = (peak(learning(policy, rows(n, device), tokens), device)
                           for n, tokens in ((4, None), (16, 4 * 32), (16, None)))
    assert parted < 1.05 * four
    assert whole > 2 * four


@pytest.mark.parametrize("device", DEVICES)
def test_activation_checkpointing_lowers_the_peak(device, monkeypatch):
    """Of 8 blocks one lies there as a whole and 8 inputs: less than half."""
    monkeypatch.setattr(engine, "PIECE", 2 * VOCABULARY)
    policy, rollout = adapted(device, 8), rows(8, device)
    plain, saving = (peak(learning(policy, rollout, checkpointing=on), device) for on in (False, True))
    assert saving < 0.5 * plain


@pytest.mark.parametrize("device", DEVICES)
def test_reading_without_learning_is_bounded_whatever_the_number_of_rows(device, monkeypatch):
    """Recomputation, reference, evaluation: four times the rows, the same peak but for ids, masks and the answers."""
    monkeypatch.setattr(engine, "PIECE", 8 * VOCABULARY)
    monkeypatch.setattr(engine, "TOKENS", 4 * 32)
    policy = adapted(device)
    eight, many = (peak(looking(policy, rows(n, device)), device) for n in (8, 32))
    assert many - eight < 24 * (PROMPT + RESPONSE) * 8 * 8                  # eight numbers of 8 bytes a token
    assert many < 1.2 * eight


@pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN")         # what turning oneDNN off says
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("piece", [2**30, 8 * VOCABULARY])
def test_the_planner_agrees_with_what_is_measured(device, piece, monkeypatch):
    """In bf16, as it counts.

    Activations are counted to the byte in tests/scale/test_memory.py; here are more: masks, positions, the value head,
    and casts of the adapters. So learning within 15 %. With checkpointing the plan adds the block that is computed anew
    to the logits, which are not there at the same time, but leaves out the gradients inside that block: within 40 %.
    Reading: at most a tenth above the plan, which leaves out the adapters' casts to bf16 (2 % were measured; the plan
    itself as a bound had failed), and not below half of it.
    """
    for module in (engine, memory):
        monkeypatch.setattr(module, "PIECE", piece)
    policy, rollout = adapted(device, layers=4, dtype=torch.bfloat16), rows(4, device)
    shape = memory.shape(policy.lm.config, "small")
    plan = memory.ppo(shape, memory.Work(batch=4, prompt=PROMPT, response=RESPONSE - 1, rank=4))[1]

    def in_bf16(work: Callable[[], None]) -> Callable[[], None]:
        def wrapped() -> None:
            with engine.precision(policy, "bfloat16"):
                work()
        return wrapped
    with torch.backends.mkldnn.flags(enabled=False):
        plain, saving, seen = (peak(in_bf16(work), device) for work in (
            learning(policy, rollout), learning(copy.deepcopy(policy), rollout, checkpointing=True),
            looking(policy, rollout)))
    assert plain == pytest.approx(plan.activations + plan.logits, rel=0.15)
    assert saving == pytest.approx(plan.checkpointed + plan.logits, rel=0.4)
    assert 0.5 * plan.reading < seen < 1.1 * plan.reading
