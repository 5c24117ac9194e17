"""What a model says about itself: headers, configurations and cards, read without loading the model."""
