"""The page that ``html:PATH`` writes: what it says, its charts, and its template."""
