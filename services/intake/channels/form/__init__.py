"""The web form: a page of ours for anybody, to be linked or embedded, that works without scripts too."""
