"""What licences are called, what they ask for, and whether an allow-list has them."""
