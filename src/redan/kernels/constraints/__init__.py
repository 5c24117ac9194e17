"""What may change in a row of a table: nearest allowed row, violations, cost; on the owner's scale throughout."""
