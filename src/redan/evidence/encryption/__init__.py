"""Encryption at rest: one data key a blob, data keys wrapped by a key-encryption key that lies elsewhere."""
