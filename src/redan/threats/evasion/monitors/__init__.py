"""What sees evasion at run time, in the gateway or over a log, one technique a file."""
