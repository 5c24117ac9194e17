"""What makes a model treat groups more alike, one technique a file under the field's short name."""
