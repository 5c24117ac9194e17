"""What a shared gradient gives away about the rows it was computed from: tensors in, tensors out."""
