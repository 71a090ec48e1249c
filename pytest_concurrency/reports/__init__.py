"""Reports of a run: the terminal's section, and a module for each file format in ``formats``."""
