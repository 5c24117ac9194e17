"""Names of packages that look like other names, and versions that nobody releases."""
