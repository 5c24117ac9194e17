"""Rules about running model servers, one a file; each has the check of the same name."""
