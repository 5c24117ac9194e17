"""Merkle trees of transparency logs, over SHA-256: hashes, proofs, tiles (RFC 6962, RFC 9162, C2SP tlog-tiles)."""
