"""Detectors of odd inputs and of query sequences: numbers of rows, thresholds, and tests that run forever."""
