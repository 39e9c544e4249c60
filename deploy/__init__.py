"""How the product is started, fed and packaged."""
