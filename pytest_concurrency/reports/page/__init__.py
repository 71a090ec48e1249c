"""The page that ``html:PATH`` writes: its texts, its charts, and its template."""
