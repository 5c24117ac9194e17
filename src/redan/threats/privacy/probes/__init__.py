"""Privacy probes, one technique a file, named with the paper's or the field's short name."""
