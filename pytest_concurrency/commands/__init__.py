"""What the console script can do: one file a command, found by its name.

Each module has ``SUMMARY`` (one line for the list of commands), ``configure(parser)``, which adds its
arguments, and ``run(arguments)``, which returns the exit status: 0, 1 for a regression, 2 for bad usage.
"""
