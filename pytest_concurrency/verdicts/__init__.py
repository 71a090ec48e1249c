"""From a settlement to an outcome and its words."""
