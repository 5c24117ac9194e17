"""Lower bounds that no attack can undercut: interval bounds, CROWN, branch and bound, randomised smoothing."""
