"""The attack mathematics: pure functions on tensors (torch) or arrays (numpy), one technique a file.

Nothing is imported here, so that the decision-based attacks, which need numpy alone, do not load torch.
"""
