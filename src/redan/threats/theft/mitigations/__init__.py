"""What makes a model dearer to copy, one technique a file under the paper's or the field's short name."""
