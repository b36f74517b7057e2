"""Floor 0: the formulas of RLHF, as pure functions of tensors.

    masked            mean, sum and variance that look only at marked tokens
    records           what travels between the rooms: Rollout, Comparison, Ranking, Step
    distributions     log-probability, entropy and exact KL from logits
    advantages        which token deserves the credit: GAE, whitening, groups
    losses            what is minimised, and the diagnostics logged beside it
    kl_penalty        the price of drifting from the reference
    policy_gradient   GRPO, RLOO, Dr. GRPO, REINFORCE: one loss, four averages
    direct_alignment  DPO, IPO, KTO: preferences without a reward model
    offline           losses on responses that were drawn before: ReST
    best_of_n         the best of n draws: its law, its KL, and every n from one set of draws
    distillation      a student without a prompt predicts what its teacher predicts behind one
    preference        from scores to pairs: how many are right, and how sure they are
    votes             from votes to pairs of a better and a worse answer
    choice            one of several candidates is picked: Sparrow's preference model
    rule_reward       five levels of rule-breaking, and rules as part of a reward
    ensembles         several reward models, one score
    overoptimisation  Gao's forms of how far gold rises and falls
    root_kl           reward along the root of the KL
    agreement         how far annotators agree: percent of pairs, alpha, W, kappa
    ratings           from who beat whom to strengths: Bradley-Terry, Elo
    length_control    wins at equal length
    spelling          settings by name: a slip of the pen gets the nearest one

Nothing here samples, loads, loops over steps, shifts tokens, or changes its inputs.
"""

from importlib import import_module

__all__ = ["advantages", "agreement", "best_of_n", "choice", "direct_alignment", "distillation", "distributions",
           "ensembles", "kl_penalty", "length_control", "losses", "masked", "offline", "overoptimisation",
           "policy_gradient", "preference", "ratings", "records", "root_kl", "rule_reward", "votes"]


def __getattr__(name: str) -> object:
    """Imported when it is first used: records can be named without the seconds that torch takes."""
    if name in __all__:
        return import_module(f"rlhf_kit.formulas.{name}")
    raise AttributeError(f"module 'rlhf_kit.formulas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
