"""The studio: panels in a browser to compare, rank, probe, vote, look at the labels, train, and see all methods."""

# In the order of the pipeline and of the lessons.
PANELS = ("compare", "rank", "probe", "vote", "data", "train", "frontier")
