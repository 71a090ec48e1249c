"""Makes conftest.py here ``docs.conftest``, so that it does not take the name of the one in tests/."""
