"""A reward is a function `(prompts, responses) -> one number a response`; these build the usual ones."""

from rlhf_kit.rewards.asking import check_arguments, checked, score, score_apart
from rlhf_kit.rewards.combined import clipped, ensemble, reranked, total, weighted
from rlhf_kit.rewards.functions import for_trl, from_file, from_trl, takes_completions
from rlhf_kit.rewards.judges import classifier, endpoint, label_index, learned, rules_of, sklearn
from rlhf_kit.rewards.known import HasGold, gold, last_number, length, one_turn, right_number, rules
from rlhf_kit.rewards.marks import Reward, RewardError, bounded, name_of, on_tokens, range_of, wants_tokens
from rlhf_kit.rewards.memory import Memory, Sums
from rlhf_kit.rewards.normalised import Normalised, RunningMoments
from rlhf_kit.rewards.reworded import of_chats, on_prompts, on_responses

__all__ = ["HasGold", "Memory", "Normalised", "Reward", "RewardError", "RunningMoments", "Sums", "bounded",
           "check_arguments", "checked", "classifier", "clipped", "endpoint", "ensemble", "for_trl", "from_file",
           "from_trl", "gold", "label_index", "last_number", "learned", "length", "name_of", "of_chats", "on_prompts",
           "on_responses", "on_tokens", "one_turn", "range_of", "reranked", "right_number", "rules", "rules_of",
           "score", "score_apart", "sklearn", "takes_completions", "total", "wants_tokens", "weighted"]
