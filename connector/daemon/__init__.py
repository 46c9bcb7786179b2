"""The daemon: every feed, list and output on its own interval, until it is stopped."""
