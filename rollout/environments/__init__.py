"""Token generation as gymnasium environments."""
