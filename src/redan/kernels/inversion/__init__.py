"""What a model's answers tell about an attribute or about a class: arrays in, arrays out."""
