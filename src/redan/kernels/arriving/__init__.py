"""Arriving training rows: how much each surprises what trusted rows taught, and counts that replicas can add up."""
