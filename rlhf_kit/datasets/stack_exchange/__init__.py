"""Questions with votes from Stack Exchange: its dump, read once, and the pairs that come of it."""
