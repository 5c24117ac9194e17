"""The record of every decision: a transparency log, searched, exported, kept and redacted."""
