"""What sees at run time that groups fare differently, one technique a file."""
