"""The operator's file: values with lines, models, secrets, reference pages."""
