"""What lets a model give away less about its training data, one technique a file."""
