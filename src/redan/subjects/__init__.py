"""The adapters: whatever a model is, they turn it into capabilities (labels, scores, gradients, weights, bytes …).

Importing this package imports no framework; each adapter imports its own when it is used.
"""
