"""Vote blind between two models, then see which was which."""

import sys

from rlhf_kit.cli import main

if __name__ == "__main__":
    sys.exit(main(["studio", "--panel", "vote", *sys.argv[1:]]))
