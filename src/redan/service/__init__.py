"""What runs: the gateway that admits only sealed models, and everything that guards, records and answers for it."""
