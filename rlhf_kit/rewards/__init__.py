"""A reward is a function `(prompts, responses) -> one number a response`; these build the usual ones.

    contract     what it may answer, and how it is marked: name, bounds, token ids
    memory       what rewards remember from call to call: statistics of their scores
    asking       a reward is asked about a rollout, or handed other texts than were read
    verifiable   what nobody learned: the truth of a task, the right number, a length, rules
    models       models as rewards: a classifier, a reward model, a rule model
    external     of other people: TRL's signature, a file of yours, scikit-learn, a judge behind an address
    combined     several as one: a weighted sum, an ensemble, Sparrow's total and rerank; one cut off at both ends
"""

from rlhf_kit.rewards.asking import of_chats, on_prompts, on_responses, score, score_apart
from rlhf_kit.rewards.combined import clipped, ensemble, one_turn, reranked, total, weighted
from rlhf_kit.rewards.contract import (
    Reward,
    RewardError,
    bounded,
    check_arguments,
    checked,
    name_of,
    on_tokens,
    range_of,
    wants_tokens,
)
from rlhf_kit.rewards.external import endpoint, for_trl, from_file, from_trl, sklearn, takes_completions
from rlhf_kit.rewards.memory import Memory, Normalised, RunningMoments, Sums
from rlhf_kit.rewards.models import classifier, label_index, learned, rules_of
from rlhf_kit.rewards.verifiable import HasGold, gold, last_number, length, right_number, rules

__all__ = ["HasGold", "Memory", "Normalised", "Reward", "RewardError", "RunningMoments", "Sums", "bounded",
           "check_arguments", "checked", "classifier", "clipped", "endpoint", "ensemble", "for_trl", "from_file",
           "from_trl", "gold", "label_index", "last_number", "learned", "length", "name_of", "of_chats", "on_prompts",
           "on_responses", "on_tokens", "one_turn", "range_of", "reranked", "right_number", "rules", "rules_of",
           "score", "score_apart", "sklearn", "takes_completions", "total", "wants_tokens", "weighted"]
