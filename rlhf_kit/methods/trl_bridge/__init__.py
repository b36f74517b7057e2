"""TRL's trainers in the kit's manner, the only door to trl: supervised fine-tuning with packing, and the reward model.

The kit tokenises (one template and one tokenisation for all stages), TRL trains, an adapter is left in a folder.
"""

from rlhf_kit.methods.trl_bridge.packed_sft import SftConfig, sft_steps, train_sft
from rlhf_kit.methods.trl_bridge.paired_reward import RewardConfig, reward_steps, train_reward
from rlhf_kit.methods.trl_bridge.running import CannotTrain

__all__ = ["CannotTrain", "RewardConfig", "SftConfig", "reward_steps", "sft_steps", "train_reward", "train_sft"]
