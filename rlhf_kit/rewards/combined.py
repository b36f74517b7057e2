"""Several rewards as one: a weighted sum, an ensemble, Sparrow's total and its rerank; one cut off at both ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rlhf_kit.formulas.ensembles import Combination, combined
from rlhf_kit.formulas.rule_reward import Reduction, rerank_score, total_reward
from rlhf_kit.rewards.contract import Reward, bounded, checked, name_of, wants_tokens
from rlhf_kit.rewards.memory import Normalised, made_of


def weighted(parts: Sequence[tuple[float, Reward]]) -> Reward:
    """Σ weight · reward over the parts, which all want texts or all want ids."""
    if not parts:
        raise ValueError("there are no parts; give [(weight, reward), ...].")
    if odd := [part for part in parts if not isinstance(part, Sequence) or isinstance(part, str) or len(part) != 2
               or not callable(part[1])]:
        raise ValueError(f"a part is {' '.join(repr(odd[0]).split())[:60]}; expected pairs of a weight and a reward, "
                         f"weighted([(1.0, reward), (0.1, other)]).")
    if len({wants_tokens(part) for _, part in parts}) > 1:
        raise ValueError("some parts are marked by on_tokens and some want texts; mark all of them or none.")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return sum(weight * checked(part(prompts, responses), len(responses), part) for weight, part in parts)
    name = f"weighted({', '.join(f'{weight}·{name_of(part)}' for weight, part in parts)})"
    made = made_of(reward, name, [part for _, part in parts])
    made.parts = tuple((weight, part) for weight, part in parts)
    return made


def ensemble(members: Sequence[Reward], combination: Combination, weight: float = 0.5) -> Reward:
    """What several rewards of one scale say together: their mean, the worst of them, or mean - weight · variance.

    Raises: ValueError without a member, or as `formulas.ensembles.combined`.
    """
    if not members:
        raise ValueError("there are no members; give [reward, ...].")
    combined(torch.zeros(len(members), 1), combination, weight)             # refuses now what it would refuse later

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return combined(torch.stack([checked(one(prompts, responses), len(responses), one) for one in members]),
                        combination, weight)
    return made_of(reward, f"{combination}({', '.join(map(name_of, members))}, {weight})", members)


def clipped(reward: Reward, low: float, high: float) -> Reward:
    """`reward`, cut off below `low` and above `high`."""
    if not low < high:
        raise ValueError(f"low is {low} and high is {high}; low must be the smaller.")
    def inside(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return checked(reward(prompts, responses), len(responses), reward).clamp(low, high)
    return bounded(made_of(inside, f"clipped({name_of(reward)}, {low}, {high})", [reward]), low, high)


def total(preference: Reward, rules: Reward, *, reduction: Reduction = "mean", weight: float = 1.0,
          normalise: bool = True, price_per_character: float = 0.0, valid: Callable[[str, str], bool] | None = None,
          invalid_penalty: float = 2.0) -> Reward:
    """Sparrow's reward: what is preferred, what keeps the rules, what is short, and what is a valid turn.

        R = r_PM + w · rules_kept(q) - price · characters - penalty where it is no valid turn

    Args:
        preference: a preference model's score; with `normalise` in units of its own spread so far (`Normalised`).
        rules: of `rules_of`, whose `reduction` is not looked at here.
        reduction, weight, invalid_penalty: see `rule_reward.total_reward`, which also says what of this is known.
        valid: (prompt, response) -> whether it is one well-formed turn, such as `one_turn`; None = all are.

    Give `preference` and `rules` to a loop as `evaluation_rewards`, too, and both are reported apart.
    """
    if not hasattr(rules, "kept"):
        raise ValueError(f"{name_of(rules)} is no reward of rules; make it with kit.rewards.rules_of(...).")
    if price_per_character < 0:
        raise ValueError(f"price_per_character is {price_per_character}; it is 0 or more.")
    liked = Normalised(preference) if normalise else preference

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        whole = None if valid is None else torch.tensor([valid(p, r) for p, r in zip(prompts, responses, strict=True)])
        length = torch.tensor([-price_per_character * len(response) for response in responses])
        return total_reward(checked(liked(prompts, responses), len(responses), liked), rules.kept(prompts, responses),
                            reduction=reduction, weight=weight, length=length, valid=whole,
                            invalid_penalty=invalid_penalty)
    return made_of(reward, f"total({name_of(liked)}, {name_of(rules)}, {reduction}, {weight}, {price_per_character}, "
                            f"{invalid_penalty})", [liked])


def reranked(preference: Reward, rules: Reward) -> Reward:
    """By what the best of several candidates is taken when nothing is learnt any more: `rule_reward.rerank_score`.

    The mean preference is that of the responses to the same prompt which are asked about together, as
    `best_of_n.draws` asks: `draws(policy, prompts, reranked(pm, rules), best_of_n.Config(n=8))` is Sparrow's rerank.
    """
    if not hasattr(rules, "kept"):
        raise ValueError(f"{name_of(rules)} is no reward of rules; make it with kit.rewards.rules_of(...).")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        liked = checked(preference(prompts, responses), len(responses), preference)
        kept = rules.kept(prompts, responses)
        found, by_prompt = torch.zeros(len(prompts)), {}
        for row, prompt in enumerate(prompts):
            by_prompt.setdefault(prompt, []).append(row)
        for rows in by_prompt.values():
            found[rows] = rerank_score(liked[rows], kept[rows])
        return found
    return bounded(made_of(reward, f"reranked({name_of(preference)}, {name_of(rules)})", [preference]), 0, 1)


def one_turn(marks: Sequence[str]) -> Callable[[str, str], bool]:
    """A check of `total`: a response says something, and in it nobody else begins to speak.

    Args: marks: what a turn begins with, such as ("User:", "Assistant:"). Of a policy that closes its turn by its end
        token that is what is left of Sparrow's check, which also wanted the text to end with the user's mark.
    """
    if not marks:
        raise ValueError("there are no marks; give what a turn begins with, such as ('User:', 'Assistant:').")

    def valid(prompt: str, response: str) -> bool:
        return bool(response.strip()) and not any(mark in response for mark in marks)
    return valid
