"""The world of an assistant that should be helpful, honest and harmless, in English and Chinese from one grammar."""

from rlhf_kit.tasks.assistant.task import Assistant, Hs

__all__ = ["Assistant", "Hs"]
