"""What sees theft at run time, in the gateway or over a log, one technique a file."""
