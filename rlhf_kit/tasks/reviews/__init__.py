"""The world of product reviews, in English and Chinese from one grammar."""

from rlhf_kit.tasks.reviews.task import MARGIN, Reviews

__all__ = ["MARGIN", "Reviews"]
