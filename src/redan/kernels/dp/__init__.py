"""Differential privacy: its price (accounting), training under it, answers under it, and tests of who claims it."""
