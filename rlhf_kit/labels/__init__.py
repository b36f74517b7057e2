"""What people say about responses, kept in one file that many can write at once."""

from rlhf_kit.labels.database import LabelsError
from rlhf_kit.labels.records import BOTH_BAD, Imported, Judgement, Response, Shown, Task, Undone, check_name
from rlhf_kit.labels.store import Labels

__all__ = ["BOTH_BAD", "Imported", "Judgement", "Labels", "LabelsError", "Response", "Shown", "Task", "Undone",
           "check_name"]
