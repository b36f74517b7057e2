"""Floor 0: the formulas of RLHF, as pure functions of tensors.

    records        what travels between the rooms: Rollout, Comparison, Ranking, Step
    masked         mean, sum and variance that look only at marked tokens
    distributions  log-probability, entropy and exact KL from logits
    advantages     which token deserves the credit: GAE, whitening, groups
    losses         what is minimised, and the diagnostics logged beside it
    policy_gradient    GRPO, RLOO, Dr. GRPO, REINFORCE: one loss, four averages
    direct_alignment   DPO, IPO, KTO: preferences without a reward model
    distillation   a student without a prompt predicts what its teacher predicts behind one
    choice         one of several candidates is picked: Sparrow's preference model
    rule_reward    five levels of rule-breaking, and rules as part of a reward
    kl_penalty     the price of drifting from the reference
    agreement      how far annotators agree: percent of pairs, alpha, W, kappa
    preference     from scores to pairs: how many are right, and how sure they are
    ratings        from who beat whom to strengths: Bradley-Terry, Elo
    spelling       settings by name: a slip of the pen gets the nearest one

Nothing here samples, loads, loops over steps, shifts tokens, or changes its inputs.
"""

from importlib import import_module

__all__ = ["advantages", "agreement", "choice", "direct_alignment", "distillation", "distributions", "kl_penalty",
           "losses", "masked", "policy_gradient", "preference", "ratings", "records", "rule_reward"]


def __getattr__(name: str) -> object:
    """Imported when it is first used: records can be named without the seconds that torch takes."""
    if name in __all__:
        return import_module(f"rlhf_kit.formulas.{name}")
    raise AttributeError(f"module 'rlhf_kit.formulas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
