"""One file a page; each is run by `main` when its link is chosen."""
