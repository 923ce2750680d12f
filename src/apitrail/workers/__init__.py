"""What happens without a caller: a worker's tick does what is due and says when to come again; scheduler runs them."""
