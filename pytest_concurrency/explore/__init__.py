"""One function in every back-end, and which tool to use."""
