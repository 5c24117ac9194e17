"""The path of a request for predictions: HTTP, decoding, batching, answering."""
