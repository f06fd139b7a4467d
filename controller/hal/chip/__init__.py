"""The chip station: reader, key holders (SAM card, token) and their links."""
