"""Everything that depends on pytest: hooks, markers, the fixture, options, xdist, exclusive host access."""
