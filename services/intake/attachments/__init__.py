"""Files that come with messages: kept once by their hash, named by events, fetched by those who may."""
