"""Workers that are tasks of an event loop: asyncio's or Trio's, one of our own or that of an async plugin."""
