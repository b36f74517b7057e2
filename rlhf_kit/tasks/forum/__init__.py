"""The world of a programming forum: questions, answers with votes, code, and the truth about them."""

from rlhf_kit.tasks.forum.task import Forum, fences, vote

__all__ = ["Forum", "fences", "vote"]
