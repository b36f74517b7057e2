"""Measurements for the README: `make bench`, or `make bench ARGS=tour`. Nothing here is a test."""
