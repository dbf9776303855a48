"""Person and voice → ticks → the world: timeline, clock, encode once, outputs."""
