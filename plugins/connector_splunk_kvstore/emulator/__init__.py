"""A Splunk instance in memory, for tests: what its management port does with a KV store."""
