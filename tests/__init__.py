"""Tests: unit mirrors the package; see streamsink/ARCHITECTURE.md for the others."""
