"""Over-optimisation, measured: gold against drift while reward models of few and many comparisons are optimised.

    from rlhf_kit.studies import overoptimisation
    job = overoptimisation.OveroptimisationJob(task="reviews-en", methods=("best-of-n",), sizes=(200, 4000))
    for event in job.run("runs/overoptimisation"):
        ...
"""

from rlhf_kit.studies.overoptimisation.job import OveroptimisationJob
from rlhf_kit.studies.overoptimisation.proxies import METHODS, SIZES, Amounts, chosen, sizes

__all__ = ["METHODS", "SIZES", "Amounts", "OveroptimisationJob", "chosen", "sizes"]
