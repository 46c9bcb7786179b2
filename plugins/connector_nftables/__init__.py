"""The nftables output."""
