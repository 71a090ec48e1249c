"""Well-known calls, what measures each of them, and the page of the documentation that is made of the results."""
