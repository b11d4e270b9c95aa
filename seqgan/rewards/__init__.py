"""Rewards from settings: a list of weighted terms becomes one reward."""
