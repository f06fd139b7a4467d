"""`make bench`: what the station costs, measured on the whole station with simulated hardware."""
