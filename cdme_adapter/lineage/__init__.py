"""Questions over the store: where records came from, where they went, what became of them."""
