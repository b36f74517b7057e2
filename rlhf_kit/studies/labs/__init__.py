"""Three labs on one bench: SFT and three recipes, one base, one budget of labels, one examination.

    from rlhf_kit.studies import labs
    job = labs.LabsJob(lang="en", labs=labs.chosen(["instructgpt", "sparrow"]))
    for event in job.run("runs/labs"):
        ...
"""

from rlhf_kit.studies.labs.budget import LABS, chosen
from rlhf_kit.studies.labs.exam import MEASURES, REFERENCES, Measure, Size
from rlhf_kit.studies.labs.job import LabsJob

__all__ = ["LABS", "MEASURES", "REFERENCES", "LabsJob", "Measure", "Size", "chosen"]
