"""Everything that knows pytest: hooks, markers of a test, the fixture, options, xdist, exclusive host access."""
