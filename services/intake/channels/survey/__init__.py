"""The page behind the link of a survey mail: a customer answers there without a login."""
