"""Ways to show a run: one file each, from plain records to text."""
