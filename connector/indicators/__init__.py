"""What a feed says: objects, patterns, observables, markings. Pure."""
