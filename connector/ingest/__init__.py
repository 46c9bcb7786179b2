"""From a feed's pages to stored claims."""
