"""The cdme schema: written and read in one place."""
