"""What one chosen input can cost: meters, searches for costly inputs, and honest comparison with usual ones."""
