"""The pages: the same parts and views as the API, as HTML that a browser shows without a build step."""
