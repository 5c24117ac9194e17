"""Evidence: content-addressed blobs, and later statements, signatures and the log that prove them."""
