"""What makes a model withstand evasion better, one technique a file under the paper's or the field's short name."""
