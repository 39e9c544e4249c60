"""The public pages of the knowledge base: anybody finds, reads and judges what is published for everybody."""
