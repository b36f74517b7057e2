"""One picture for all: every method on one world, from one start, with one reward model, against drift.

    from rlhf_kit.studies import frontier
    job = frontier.FrontierJob(task="reviews-en", methods=frontier.chosen(["ppo", "dpo"]))
    for event in job.run("runs/frontier"):
        ...
"""

from rlhf_kit.studies.frontier.dials import METHODS, Method, chosen
from rlhf_kit.studies.frontier.job import FrontierJob
from rlhf_kit.studies.frontier.world import Size, resolved

__all__ = ["METHODS", "FrontierJob", "Method", "Size", "chosen", "resolved"]
