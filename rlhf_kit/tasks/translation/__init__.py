"""The world of translation: short Chinese texts of the review language, to be said in English."""

from rlhf_kit.tasks.translation.task import Translation

__all__ = ["Translation"]
