"""Whole systems, composed of the kit's methods as their papers compose them."""
