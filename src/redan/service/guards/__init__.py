"""What each request must pass: rates, budgets, schemas, detectors, output policies."""
