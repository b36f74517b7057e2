"""No library, only what cannot be left out: sample, score under policy and reference, 16 gradients. Not a good PPO."""

import copy
from collections.abc import Iterator

import torch
import workload
from torch import Tensor


def updates(seed: int, learning_rate: float) -> Iterator[tuple[float, float]]:
    policy = workload.language_model().eval()
    reference, critic = copy.deepcopy(policy), torch.nn.Linear(policy.config.n_embd, 1)
    optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], lr=learning_rate)
    prompts = workload.prompts()
    torch.manual_seed(seed)
    while True:
        with torch.no_grad():
            ids = policy.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=True, top_k=0, top_p=1.0,
                                  max_new_tokens=workload.NEW_TOKENS, pad_token_id=0)
            score = torch.tensor(workload.reward(ids[:, workload.PROMPT_TOKENS:].tolist()))
            old, expected = logprob(policy(ids).logits, ids), logprob(reference(ids).logits, ids)
        advantage = (score - score.mean())[:, None] - workload.KL_COEFFICIENT * (old - expected)
        for _ in range(workload.EPOCHS):
            for rows in torch.randperm(workload.PROMPTS).split(workload.MINIBATCH):
                hidden = policy.transformer(ids[rows])[0]
                ratio = (logprob(policy.lm_head(hidden), ids[rows]) - old[rows]).exp()
                act = -torch.minimum(ratio * advantage[rows], ratio.clamp(0.8, 1.2) * advantage[rows]).mean()
                value = critic(hidden[:, workload.PROMPT_TOKENS - 1:-1])[..., 0]
                loss = act + 0.1 * (value - advantage[rows]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        yield score.mean().item(), (old - expected).sum(-1).mean().item()


def logprob(logits: Tensor, ids: Tensor) -> Tensor:
    """Of the response tokens, each predicted one position earlier: [B, T]."""
    start = workload.PROMPT_TOKENS
    return logits[:, start - 1:-1].log_softmax(-1).gather(-1, ids[:, start:, None])[..., 0]
