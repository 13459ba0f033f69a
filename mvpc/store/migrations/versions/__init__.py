"""One file for each migration; revisions are numbers in ascending order."""
