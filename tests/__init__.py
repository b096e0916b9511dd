"""Tests tell stories; property tests state what must hold for all of them."""
