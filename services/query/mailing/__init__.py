"""Reports leave by mail: each period of a subscription once, made when it is over."""
