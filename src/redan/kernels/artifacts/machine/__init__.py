"""The abstract pickle machine: it walks opcodes with a stack, marks and a memo, and never runs any of them."""
