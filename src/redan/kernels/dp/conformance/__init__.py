"""White-box tests of whoever claims to take private steps: what is promised, what is seen, with a fixed error rate."""
