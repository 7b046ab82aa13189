"""Kills runs at every boundary between statements and looks at what is left."""
