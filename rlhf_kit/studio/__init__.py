"""The studio: panels in a browser to compare, rank, probe, vote, look at the labels, and train on them."""

PANELS = ("compare", "rank", "probe", "vote", "data", "train")      # in the order of the pipeline and of the lessons
