"""Tasks: small worlds of text with a known true quality."""
