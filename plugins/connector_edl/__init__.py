"""The edl output."""
