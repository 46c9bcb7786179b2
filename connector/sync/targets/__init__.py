"""One way of keeping a list for each kind of target."""
