"""The model at work: whether inputs, answers, truths and access are still what they were."""
