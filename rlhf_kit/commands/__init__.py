"""What can be typed after `rlhf-kit`: one file a command, each with `add` (its options) and the function it runs."""
