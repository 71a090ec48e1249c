"""Ways to show a run: the terminal's section, and one file a format in ``formats``, found by its name."""
