"""The mathematics of training: losses, inner attacks, schedules, averages of weights, smaller students."""
