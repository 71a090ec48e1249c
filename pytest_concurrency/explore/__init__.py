"""Measures one function in every backend, and recommends a tool."""
