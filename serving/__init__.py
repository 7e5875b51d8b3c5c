"""Model server, client and everything that asks for predictions."""
