"""What `children.py` has done once, before it forks: imports, and what transformers prepares when it first loads."""

import tempfile
from pathlib import Path

import rich.progress
import rich.table  # noqa: F401
import torch

import rlhf_kit.cli
import rlhf_kit.jobs.human_loop
import rlhf_kit.jobs.tour
import rlhf_kit.jobs.train_reward_model
import rlhf_kit.jobs.train_sft  # noqa: F401
from rlhf_kit import zoo
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy

torch.set_num_threads(1)
_tokenizer = text.train_tokenizer(["the lamp is very sturdy", "the bag is not cheap"] * 10, 120)
with tempfile.TemporaryDirectory() as _folder:
    _model = tiny.language_model(_tokenizer, layers=1, width=8, heads=2, context=8)
    zoo.save_policy(Policy(_model, _tokenizer), Path(_folder) / "model")
    zoo.load_policy(Path(_folder) / "model")
