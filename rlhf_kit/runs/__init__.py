"""A run on the disk: its folder, its snapshots, its report."""
