"""How a run or a validation ended: what is told of it, and the page that it leaves."""
