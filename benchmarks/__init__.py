"""Measurements of this project beside what it is measured against, interleaved in one run."""
