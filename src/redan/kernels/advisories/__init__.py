"""Known weak versions of packages: OSV records, read and never fetched; and the way to better versions."""
