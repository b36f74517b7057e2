"""Arithmetic: small sums, of which every answer can be checked; the model's data are often wrong.

    task = Arithmetic()
    task.prompts()[0], task.gold("7 + 5 =", " 12")
"""

from rlhf_kit.tasks.arithmetic.task import Arithmetic

__all__ = ["Arithmetic"]
