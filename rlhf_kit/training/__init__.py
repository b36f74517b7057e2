"""What `rlhf-kit train` does: a model's name and a file become a trained model in a folder, resumed when killed."""

from rlhf_kit.training.jobs import SMALL, changed, claimed, cores, use_threads
from rlhf_kit.training.lessons import impressed_reward, tiny_stackllama
from rlhf_kit.training.ppo import EVALUATED, SHOWN, Ppo
from rlhf_kit.training.reward_model import RewardModel
from rlhf_kit.training.sft import Sft
from rlhf_kit.training.stackllama import StackLlama

__all__ = ["EVALUATED", "SHOWN", "SMALL", "Ppo", "RewardModel", "Sft", "StackLlama", "changed", "claimed", "cores",
           "impressed_reward", "tiny_stackllama", "use_threads"]
