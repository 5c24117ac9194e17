"""Taking planted behaviour out of a network: channels that clean rows leave idle, and perturbations unlearnt."""
