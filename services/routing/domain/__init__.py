"""What may happen in routing: who can take which ticket, in which order, and why. No I/O, no clock."""
