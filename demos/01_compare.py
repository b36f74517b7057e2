"""Compare a model before and after RLHF: what it writes, what it is paid, how far it drifted."""

import sys

from rlhf_kit.cli import main

if __name__ == "__main__":
    sys.exit(main(["studio", "--panel", "compare", *sys.argv[1:]]))
