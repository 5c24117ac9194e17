"""How much of one table's rows another table gives away: arrays in, arrays out."""
