"""What autograd needs to know, and nothing of what it is used for: variable, function, engine, dtypes, generator."""
