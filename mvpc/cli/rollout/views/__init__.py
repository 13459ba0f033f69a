"""A rollout under way as people and programs see it: a live view, plain lines, or JSON Lines."""
