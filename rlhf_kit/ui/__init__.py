"""The studio: panels in a browser to compare, rank, probe, vote, look at the labels, and train on them."""
