"""The splunk_kvstore output."""
