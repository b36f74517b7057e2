"""Makes `oracle_trl116.json`: TRL 1.16's own losses and advantages on seeded float64 numbers, run once.

    python tests/data/oracle_trl116.py          # needs trl==1.16.0

TRL's formulas stand inside its trainers. Their loss methods are called as they are, with a stand-in for the trainer and
one for the model, which answers with given log-probabilities; of the advantages the lines of the method are run.
"""

import inspect
import json
import textwrap
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import torch
import trl
from trl.trainer import dpo_trainer, grpo_trainer, kto_trainer, rloo_trainer
from trl.trainer.utils import nanstd

B, T, G = 6, 7, 3
LENGTHS = [7, 4, 1, 5, 7, 2]                    # tokens of each response
LONGEST = 9                                     # max_completion_length
same = SimpleNamespace(num_processes=1, process_index=0, device="cpu", sync_gradients=True,
                       gather=lambda x: x, gather_for_metrics=lambda x: x, reduce=lambda x, reduction: x)


def trainer(**settings) -> SimpleNamespace:
    return SimpleNamespace(accelerator=same, _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0,
                           _tp_size=1, aux_loss_enabled=False, model=SimpleNamespace(training=True),
                           current_gradient_accumulation_steps=1, **settings)


def numbers(*shape: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, dtype=torch.float64, generator=generator)


def loss_of(method, stub, *arguments, wrt: torch.Tensor) -> dict:
    wrt.grad = None
    loss = method(stub, *arguments)
    loss.backward()
    return {"loss": loss.item(), "grad": wrt.grad.tolist()}


def outputs(logprob: torch.Tensor) -> SimpleNamespace:
    """What TRL's fused head says, without what is only logged."""
    zeros = torch.zeros_like(logprob)
    return SimpleNamespace(log_probs=logprob, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())


def run_lines(method, first: str, last: str, **names) -> dict:
    """The lines of a method from the one that holds `first` up to that with `last`, run with these names."""
    lines = inspect.getsource(method).splitlines()
    start = next(i for i, line in enumerate(lines) if first in line)
    stop = next(i for i, line in enumerate(lines) if i > start and last in line)
    exec(textwrap.dedent("\n".join(lines[start:stop])), names)
    return names


generator = torch.Generator().manual_seed(116)
mask = torch.arange(T)[None] < torch.tensor(LENGTHS)[:, None]
logprob = (-numbers(B, T).abs()).requires_grad_(True)
old_logprob, ref_logprob = (logprob.detach() + numbers(B, T, scale=0.3) for _ in range(2))
score, advantage = numbers(B), numbers(B)
score[3:] = score[3]                            # of one group all answers score alike
oracle = {"trl": trl.__version__, "fields": {
    "in": "log-probabilities now, when sampled, of the reference [6, 7]; mask of response tokens; scores, advantages "
          "[6]; of pairs the first three rows are chosen and the last three rejected; good: labels of KTO; mismatched: "
          "sums of log-probabilities of other prompts' responses, policy and reference",
    "grpo_loss": "GRPOTrainer._compute_loss by loss_type, beta and importance_sampling_level; grad of logprob",
    "rloo_loss": "RLOOTrainer._compute_loss; grad of logprob",
    "grpo_advantage": "GRPOTrainer, by scale_rewards, groups of 3; sum_then_normalize of one reward",
    "rloo_advantage": "RLOOTrainer, with the KL penalty in the reward, by beta",
    "dpo_loss": "DPOTrainer._compute_loss by loss_type, beta and label_smoothing (robust); grad of logprob",
    "kto_loss": "KTOTrainer._compute_loss by beta and weights, kl the reference point from the mismatched sums times "
                "mismatched_times; grad of logprob",
}}
good = torch.tensor([True, False, False, True, True, False])
mismatched, ref_mismatched = numbers(B), numbers(B)
oracle["in"] = {"logprob": logprob.tolist(), "old_logprob": old_logprob.tolist(), "ref_logprob": ref_logprob.tolist(),
                "mask": mask.int().tolist(), "score": score.tolist(), "advantage": advantage.tolist(),
                "good": good.int().tolist(), "mismatched": mismatched.tolist(),
                "ref_mismatched": ref_mismatched.tolist(), "group_size": G, "longest": LONGEST}

# -- policy gradients --
given = {"prompt_ids": torch.zeros(B, 1).long(), "prompt_mask": torch.ones(B, 1),
         "completion_ids": torch.zeros(B, T).long(), "completion_mask": mask.to(torch.float64), "advantages": advantage,
         "old_per_token_logps": old_logprob, "ref_per_token_logps": ref_logprob, "num_items_in_batch": mask.sum(),
         "old_logps": (old_logprob * mask).sum(1)}
said = SimpleNamespace(_get_per_token_logps_and_entropies=lambda *a, **k: (logprob, torch.zeros(B, T), None))


def policy_gradient(**settings) -> SimpleNamespace:
    options = {"top_entropy_quantile": 1.0, "off_policy_mask_threshold": None, "use_vllm": False, "epsilon_low": 0.2,
               "epsilon_high": 0.2, "_entropy_bonus_enabled": False, "max_completion_length": LONGEST,
               "args": SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1), **settings}
    return trainer(**vars(said), **options)


oracle["grpo_loss"] = [
    {"loss_type": kind, "beta": beta, "importance_sampling_level": level, **loss_of(
        grpo_trainer.GRPOTrainer._compute_loss,
        policy_gradient(loss_type=kind, beta=beta, importance_sampling_level=level), None, given, wrt=logprob)}
    for kind, level in (("grpo", "token"), ("bnpo", "token"), ("dapo", "token"), ("dr_grpo", "token"),
                        ("luspo", "token")) for beta in (0.0, 0.04)]
oracle["rloo_loss"] = loss_of(rloo_trainer.RLOOTrainer._compute_loss, policy_gradient(), None, given, wrt=logprob)

GROUPS = {"torch": torch, "nanstd": nanstd, "num_generations": G, "device": "cpu", "gather": lambda x: x,
          "unscorable_mask": torch.zeros(B, dtype=torch.bool), "rewards_per_func": score[:, None], "mode": "train"}
oracle["grpo_advantage"] = [{"scale_rewards": scale, "advantage": run_lines(
    grpo_trainer.GRPOTrainer._generate_and_score_completions, "if self.multi_objective_aggregation ==",
    "# Slice to keep only", **GROUPS,
    self=SimpleNamespace(multi_objective_aggregation="sum_then_normalize", scale_rewards=scale, reward_funcs=[None],
                         reward_weights=torch.ones(1, dtype=torch.float64)))["advantages"].tolist()}
    for scale in ("group", "batch", "none")]
oracle["rloo_advantage"] = [{"beta": beta, "advantage": run_lines(
    rloo_trainer.RLOOTrainer._generate_and_score_completions, "# Apply weights to each reward function",
    "is_std_zero = ", **GROUPS, old_per_token_logps=old_logprob, ref_per_token_logps=ref_logprob, completion_mask=mask,
    self=SimpleNamespace(reward_weights=torch.ones(1, dtype=torch.float64), reward_clip_range=None, beta=beta,
                         normalize_advantages=False))["advantages"].tolist()} for beta in (0.0, 0.05)]

# -- preferences --
shifted = torch.cat([torch.zeros(B, 1, dtype=torch.bool), mask], 1)        # behind a prompt of one token
pairs = {"input_ids": torch.zeros(B, T + 1).long(), "attention_mask": torch.ones(B, T + 1),
         "completion_mask": shifted.long()}


def models(reference: torch.Tensor) -> dict:
    """Policy and reference; both say 0 for padding, as TRL's head does."""
    return {"policy": lambda **k: outputs(logprob * mask), "ref_model": lambda **k: outputs(reference * mask)}


def without_context(*_, **__):
    return torch.no_grad()


dpo_trainer.is_peft_model = kto_trainer.is_peft_model = lambda model: False
dpo_trainer.disable_gradient_checkpointing = kto_trainer.disable_gradient_checkpointing = without_context
both = models(ref_logprob)
oracle["dpo_loss"] = []
for kind, beta, smoothing in (("sigmoid", 0.1, 0.0), ("sigmoid", 0.5, 0.0), ("robust", 0.5, 0.2), ("ipo", 0.1, 0.0),
                              ("ipo", 0.5, 0.0)):
    stub = trainer(ld_alpha=None, precompute_ref_logps=False, ref_model=both["ref_model"], use_weighting=False,
                   f_divergence_type="reverse_kl", loss_types=[kind], loss_weights=[1.0], beta=beta,
                   label_smoothing=smoothing, args=SimpleNamespace(gradient_checkpointing_kwargs=None))
    oracle["dpo_loss"].append({
        "loss_type": kind, "beta": beta, "label_smoothing": smoothing,
        **loss_of(dpo_trainer.DPOTrainer._compute_loss, stub, both["policy"], pairs, False, wrt=logprob),
        **{name.replace("/", "_"): values[-1] for name, values in stub._metrics["train"].items()
           if name.startswith(("rewards", "logps"))}})

oracle["kto_loss"] = []
for beta, up, down, sign in ((0.1, 1.0, 1.0, 1), (0.5, 4 / 3, 1.0, -1)):      # the reference point is at 0 once
    stub = trainer(calculate_KL=True, precompute_ref_logps=False, ref_model=both["ref_model"], beta=beta,
                   loss_type="kto", desirable_weight=up, undesirable_weight=down,
                   args=SimpleNamespace(gradient_checkpointing_kwargs=None))
    stub._compute_kl_logps = lambda model, batch, sign=sign: (
        sign * (ref_mismatched if model is both["ref_model"] else mismatched))
    labelled = {**pairs, "label": good}
    oracle["kto_loss"].append({
        "beta": beta, "desirable_weight": up, "undesirable_weight": down, "mismatched_times": sign,
        **loss_of(kto_trainer.KTOTrainer._compute_loss, stub, both["policy"], labelled, False, wrt=logprob),
        "kl": stub._metrics["train"]["kl"][-1]})

Path(__file__).with_suffix(".json").write_text(json.dumps(oracle) + "\n")
