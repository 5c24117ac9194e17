"""Copies of a model made from its answers: what a thief trains, and which queries he chooses."""
