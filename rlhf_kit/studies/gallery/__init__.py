"""A gallery of faults: each is made on purpose in one line on the real PPO loop, and shown beside a healthy run.

    from rlhf_kit.studies import gallery
    shown = gallery.show("no-kl", "gallery")
    shown["findings"]
"""

from rlhf_kit.studies.gallery.faults import FAULTS, Fault, named
from rlhf_kit.studies.gallery.parts import CONFIG, Parts, healthy, train
from rlhf_kit.studies.gallery.show import HEALTHY, check_folder, show

__all__ = ["CONFIG", "FAULTS", "HEALTHY", "Fault", "Parts", "check_folder", "healthy", "named", "show", "train"]
