"""Tests of release/: oldest versions and archives."""
