"""Which training rows an answer rests on."""
