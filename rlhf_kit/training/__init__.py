"""What `rlhf-kit train` does: a model's name and a file become a trained model in a folder, resumed when killed."""

from rlhf_kit.training.jobs import claimed, cores
from rlhf_kit.training.ppo import Ppo
from rlhf_kit.training.reward_model import RewardModel
from rlhf_kit.training.sft import Sft

__all__ = ["Ppo", "RewardModel", "Sft", "claimed", "cores"]
